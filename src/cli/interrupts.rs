//! Ctrl-C, and the signal by which a pipeline ends a job.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
    sync::{Mutex, mpsc},
};

use super::ExitCode;
use crate::workflow::WorkflowError;

/// What came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// SIGINT: a person's Ctrl-C, or a pipeline that is cancelled.
    Asked,
    /// SIGTERM: a pipeline that is cancelled, or a machine that goes down.
    Told,
}

/// The interrupts of a command, from the first time it cares on. A copy waits for
/// the same ones.
#[derive(Debug, Clone)]
pub(super) struct Interrupts {
    received: Arc<Mutex<mpsc::UnboundedReceiver<Interrupt>>>,
    gate: Gate,
}

/// Decides whether an interrupt ends the process at once.
#[derive(Debug, Clone)]
pub(super) struct Gate(Arc<AtomicBool>);

impl Gate {
    /// From here on there is something to close in order: interrupts are handed over.
    pub(super) fn close(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// From here on an interrupt may end the process at once: nothing is open, and
    /// Git, which hears nothing of interrupts, is at work.
    pub(super) fn open(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Interrupts {
    /// Catches interrupts from now on; the gate is open.
    pub(super) fn catch() -> Self {
        let gate = Gate(Arc::new(AtomicBool::new(false)));
        let (tell, received) = mpsc::unbounded_channel();
        for (kind, interrupt) in [
            (SignalKind::interrupt(), Interrupt::Asked),
            (SignalKind::terminate(), Interrupt::Told),
        ] {
            // A signal that cannot be caught ends the process, as without us.
            if let Ok(signals) = signal(kind) {
                tokio::spawn(hand_over(signals, interrupt, tell.clone(), gate.clone()));
            }
        }
        Self { received: Arc::new(Mutex::new(received)), gate }
    }

    /// Returns the gate.
    pub(super) const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Waits for the next interrupt.
    pub(super) async fn next(&self) -> Interrupt {
        match self.received.lock().await.recv().await {
            Some(interrupt) => interrupt,
            None => std::future::pending().await,
        }
    }

    /// Does some work that touches nothing, unless it is interrupted.
    ///
    /// # Errors
    /// Returns the work's own errors; [`WorkflowError::Declined`] where it was interrupted.
    pub(super) async fn or<T>(
        &self,
        work: impl Future<Output = Result<T, WorkflowError>>,
    ) -> Result<T, WorkflowError> {
        select! {
            done = work => done,
            _ = self.next() => Err(WorkflowError::Declined),
        }
    }
}

#[expect(clippy::exit, reason = "Git is at work and does not hear of it; nothing is open")]
async fn hand_over(
    mut signals: Signal,
    interrupt: Interrupt,
    tell: mpsc::UnboundedSender<Interrupt>,
    gate: Gate,
) {
    while signals.recv().await.is_some() {
        if !gate.0.load(Ordering::SeqCst) {
            std::process::exit(ExitCode::Interrupted.number().into());
        }
        if tell.send(interrupt).is_err() {
            return;
        }
    }
}
