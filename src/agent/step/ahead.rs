//! Checks that depend on nothing that the steps before them do: they are begun at once and
//! go on beside those. What they find counts when it is their turn.

use std::thread::{self, JoinHandle};

use super::{StepError, check};
use crate::{
    agent::{inspect::Waiting, server::Server},
    layout::Layout,
    plan::{Step, Transaction},
};

/// Checks under way, in the order of their steps.
#[derive(Default)]
pub(in crate::agent) struct Ahead {
    checks: Vec<(Step, JoinHandle<Result<(), StepError>>)>,
    /// What will check the code, and is started by the time that is written.
    pub(super) code_check: Option<Waiting>,
}

impl Ahead {
    /// Begins the checks of a transaction that may be.
    pub(in crate::agent) fn begin(
        server: &Server,
        layout: &Layout,
        transaction: &Transaction,
    ) -> Self {
        let mut ahead = Self::default();
        for step in transaction.checks_ahead() {
            if matches!(step, Step::CheckCode { .. }) {
                // One that does not start says so when it is its turn.
                ahead.code_check = check::await_code(server, &transaction.service).ok();
            } else if let Some(work) = work(step, server.clone(), layout.clone()) {
                ahead.checks.push((step.clone(), thread::spawn(work)));
            }
        }
        ahead
    }

    /// Waits for what a step found; none where it was not begun.
    pub(in crate::agent) fn take(&mut self, step: &Step) -> Option<Result<(), StepError>> {
        let place = self.checks.iter().position(|(begun, _)| begun == step)?;
        let (_, check) = self.checks.remove(place);
        Some(check.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

/// Nothing is left running where an earlier step failed.
impl Drop for Ahead {
    fn drop(&mut self) {
        for (_, check) in self.checks.drain(..) {
            let _ = check.join();
        }
    }
}

type Work = Box<dyn FnOnce() -> Result<(), StepError> + Send>;

fn work(step: &Step, server: Server, layout: Layout) -> Option<Work> {
    match step.clone() {
        Step::CheckUnit { unit } => Some(Box::new(move || check::unit(&server, &layout, &unit))),
        Step::CheckVhost { vhost, aside } => {
            Some(Box::new(move || check::vhost(&server, &layout, &vhost, &aside)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agent::transaction, host::HostName};

    fn check_unit() -> Step {
        Step::CheckUnit { unit: "no unit".to_owned() }
    }

    #[test]
    fn a_check_is_begun_once_and_what_it_finds_is_its_steps() {
        // Without any program: a check that was begun fails.
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        let layout = Layout::new(HostName::parse("a.test").unwrap());
        let transaction = transaction::sample(vec![check_unit()], Vec::new(), Vec::new());
        let mut ahead = Ahead::begin(&server, &layout, &transaction);
        assert!(ahead.take(&Step::Hold).is_none());
        assert!(ahead.take(&check_unit()).unwrap().is_err());
        assert!(ahead.take(&check_unit()).is_none());
    }
}
