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
    /// Begins these checks.
    pub(in crate::agent) fn begin<'a>(
        server: &Server,
        layout: &Layout,
        checks: impl Iterator<Item = &'a Step>,
    ) -> Self {
        let begun = checks.filter_map(|step| {
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

    #[test]
    fn a_check_is_begun_once_and_what_it_finds_is_its_steps() {
        // Without any program: a check that was begun fails.
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        let layout = Layout::new(HostName::parse("a.test").unwrap());
        let mut ahead = Ahead::begin(&server, &layout, [&check_unit()].into_iter());
        assert!(ahead.take(&Step::Hold).is_none());
        assert!(ahead.take(&check_unit()).unwrap().is_err());
        assert!(ahead.take(&check_unit()).is_none());
    }
}
