//! Watches a transaction to its end, as whoever began it would see it.

use tokio::select;

use super::{
    deploy::tell,
    dns,
    interrupts::{Interrupt, Interrupts},
    terminal::Terminal,
};
use crate::{
    host::HostName,
    plan::Event,
    workflow::{
        Outside, WorkflowError,
        deploy::{Notice, Prepared},
        follow::{Following, Report, Told},
    },
};

/// What an operator wishes who interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// It goes on without being watched.
    Leave,
    /// It is taken back.
    Revert,
}

/// Carries a plan out and watches it. Until the server has it, an interrupt ends
/// everything; after that, it is asked what is wished.
///
/// # Errors
/// Fails where the transaction could not be begun, is lost from sight or is left
/// running; how it ended is no error.
pub(super) async fn carry_out(
    mut prepared: Prepared,
    terminal: &mut Terminal,
) -> Result<Report, WorkflowError> {
    let interrupts = terminal.interrupts();
    interrupts.gate().close();
    interrupts.or(prepared.send_code(&mut |notice| tell(&notice, terminal))).await?;
    interrupts.or(prepared.certify()).await?;
    if let Err(error) = dns::write(&mut prepared, terminal).await {
        prepared.take_certificate_back().await;
        return Err(error);
    }
    watch(prepared.begin().await?, terminal).await
}

/// Prints what a transaction tells until it ends.
///
/// # Errors
/// Fails where it is lost from sight or left running.
pub(super) async fn watch(
    mut following: Following,
    terminal: &mut Terminal,
) -> Result<Report, WorkflowError> {
    let interrupts = terminal.interrupts();
    let mut may_revert = true;
    loop {
        let told = select! {
            told = following.next() => told?,
            interrupt = interrupts.next() => {
                let host = following.host().clone();
                match wish(interrupt, may_revert, &host, terminal).await {
                    Wish::Revert => {
                        following.take_back().await?;
                        may_revert = false;
                        terminal.note("the server was asked to take everything back");
                    }
                    Wish::Leave => {
                        following.leave().await;
                        return Err(WorkflowError::LeftRunning { host });
                    }
                }
                continue;
            }
        };
        match told {
            Told::Event(event) => {
                may_revert &= event != Event::Committed;
                tell(&Notice::Event(event), terminal);
            }
            Told::Finished { outcome, interruption } => {
                terminal.idle();
                dns::settled(&following.settle(&outcome).await, terminal);
                let report = Report { outcome, interruption, outside: None };
                return Ok(finish(following, report, &interrupts).await);
            }
        }
    }
}

/// Looks from outside; whoever does not want to wait for that has a host that is
/// not verified from there.
async fn finish(following: Following, report: Report, interrupts: &Interrupts) -> Report {
    let Report { outcome, interruption, .. } = report;
    select! {
        report = following.finish(outcome.clone(), interruption) => report,
        _ = interrupts.next() => {
            let outside = (outcome == crate::plan::Outcome::Deployed).then(|| Outside {
                url: "its public address".to_owned(),
                problem: Some("it was not waited for".to_owned()),
                note: None,
            });
            Report { outcome, interruption, outside }
        }
    }
}

/// Asks a person what is to become of the transaction. Nobody to ask, another
/// Ctrl-C and the end of the input all leave it running.
async fn wish(
    interrupt: Interrupt,
    may_revert: bool,
    host: &HostName,
    terminal: &mut Terminal,
) -> Wish {
    let interrupts = terminal.interrupts();
    terminal.idle();
    if interrupt == Interrupt::Told || !may_revert || !terminal.is_interactive() {
        return Wish::Leave;
    }
    terminal.note(&format!("{host} is being deployed to, on its server"));
    loop {
        let answer = select! {
            answer = terminal.ask("[l]eave it running, or [r]evert?") => answer,
            _ = interrupts.next() => None,
        };
        match answer.as_deref().map(str::to_lowercase).as_deref() {
            None | Some("l" | "leave") => return Wish::Leave,
            Some("r" | "revert") => return Wish::Revert,
            Some(_) => {}
        }
    }
}
