//! Checks that depend on nothing that the steps before them do: they are begun at once and
//! go on beside those. What they find counts when it is their turn.

use std::thread::{self, JoinHandle};

use super::{StepError, check};
use crate::{agent::server::Server, layout::Layout, plan::Step};

/// Checks under way, in the order of their steps.
#[derive(Default)]
pub(in crate::agent) struct Ahead {
    checks: Vec<(Step, JoinHandle<Result<(), StepError>>)>,
}

impl Ahead {
    /// Begins what can be begun of these steps.
    pub(in crate::agent) fn begin(server: &Server, layout: &Layout, steps: &[Step]) -> Self {
        // A unit names a user and an interpreter, a vhost a certificate: where a step makes
        // those, it comes first.
        let makes_nothing_of_theirs = |step: &&Step| {
            matches!(
                step,
                Step::CheckOut(_)
                    | Step::CheckCode { .. }
                    | Step::CheckUnit { .. }
                    | Step::CheckVhost { .. }
            )
        };
        let begun = steps.iter().take_while(makes_nothing_of_theirs).filter_map(|step| {
            let work = work(step, server.clone(), layout.clone())?;
            Some((step.clone(), thread::spawn(work)))
        });
        Self { checks: begun.collect() }
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
    use crate::host::HostName;

    fn check_unit() -> Step {
        Step::CheckUnit { unit: "no unit".to_owned() }
    }

    fn begin(steps: &[Step]) -> Ahead {
        // Without any program: a check that was begun fails.
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        Ahead::begin(&server, &Layout::new(HostName::parse("a.test").unwrap()), steps)
    }

    #[test]
    fn a_check_is_begun_once_and_what_it_finds_is_its_steps() {
        let code = Step::CheckCode {
            number: crate::layout::ReleaseNumber(1),
            files: None,
            addons: Vec::new(),
        };
        let mut ahead = begin(&[code.clone(), check_unit()]);
        assert!(ahead.take(&code).is_none());
        assert!(ahead.take(&check_unit()).unwrap().is_err());
        assert!(ahead.take(&check_unit()).is_none());
    }

    #[test]
    fn a_check_waits_for_steps_that_may_make_what_it_looks_at() {
        let mut ahead = begin(&[Step::Hold, check_unit()]);
        assert!(ahead.take(&check_unit()).is_none());
    }
}
