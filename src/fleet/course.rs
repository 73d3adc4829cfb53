//! The course of a run: which hosts may begin, and what their ends mean for the others.
//! Decides; does nothing.

use serde::{Deserialize, Serialize};

use super::rules::{OnFailure, Rules};
use crate::host::{HostName, ServerName};

/// How a host's turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// A new release is live and verified.
    Deployed,
    /// There was nothing to do.
    Unchanged,
    /// Live, but not verified from outside.
    NotVerified,
    /// Something stood in the way, and nothing was touched.
    Refused,
    /// Somebody else's deploy holds the lock.
    Locked,
    /// It failed, and the host is as it was.
    Reverted,
    /// It failed, and so did the way back.
    Broken,
    /// The server cannot be reached; nothing was begun.
    Unreachable,
    /// It was lost from sight or left, and goes on by itself.
    OutOfSight,
    /// This run took the host back to where it was before.
    RolledBack,
}

impl End {
    /// Tells whether the host is where it was meant to be.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Deployed | Self::Unchanged)
    }

    /// Tells whether it was changed by this run and stands.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Deployed | Self::NotVerified)
    }
}

/// Where a host is in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Not begun.
    Waiting,
    /// Begun.
    Running,
    /// Over.
    Ended(End),
}

/// Why a run ends before its last host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// More hosts failed than may.
    Failed,
    /// More hosts are out of reach than may.
    Unreachable,
    /// Somebody interrupted it.
    Interrupted,
}

/// A host of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// The host.
    pub host: HostName,
    /// The server that carries it.
    pub server: ServerName,
    /// Where it is.
    pub turn: Turn,
    part: usize,
}

/// The course of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    runners: Vec<Runner>,
    rules: Rules,
    stop: Option<Stop>,
}

impl Course {
    /// Lines the hosts up, in this order.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = (HostName, ServerName)>, rules: Rules) -> Self {
        let mut runners: Vec<_> = hosts
            .into_iter()
            .map(|(host, server)| Runner { host, server, turn: Turn::Waiting, part: 0 })
            .collect();
        let mut left = runners.iter_mut();
        for (part, size) in rules.parts(left.len()).into_iter().enumerate() {
            left.by_ref().take(size).for_each(|runner| runner.part = part);
        }
        Self { runners, rules, stop: None }
    }

    /// Returns the hosts, in their order.
    #[must_use]
    pub fn runners(&self) -> &[Runner] {
        &self.runners
    }

    /// Returns why no further host begins.
    #[must_use]
    pub const fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Begins the next host that may, and returns its place; none where none may now.
    pub fn begin(&mut self) -> Option<usize> {
        if self.stop.is_some() || self.running(|_| true) >= self.rules.max_parallel.get() {
            return None;
        }
        let is_waiting = |runner: &&Runner| runner.turn == Turn::Waiting;
        // A part begins when the one before it is over.
        let unfinished = |runner: &&Runner| !matches!(runner.turn, Turn::Ended(_));
        let part = self.runners.iter().find(unfinished)?.part;
        let may = |runner: &Runner| {
            let on_server = self.running(|other| other.server == runner.server);
            runner.part == part && on_server < self.rules.per_server.get()
        };
        let place = self.runners.iter().position(|runner| is_waiting(&runner) && may(runner))?;
        self.runners[place].turn = Turn::Running;
        Some(place)
    }

    /// Notes how a host's turn ended. A host may end that was never begun: one whose checks
    /// failed.
    pub fn end(&mut self, place: usize, end: End) {
        self.runners[place].turn = Turn::Ended(end);
        if self.rules.on_failure == OnFailure::Continue {
            return;
        }
        let all = self.runners.len();
        let unreachable = self.ended(|end| end == End::Unreachable);
        let failed = self.ended(|end| !end.is_success() && end != End::Unreachable);
        let stop = if failed > self.rules.max_failed.of(all) {
            Some(Stop::Failed)
        } else if unreachable > self.rules.max_unreachable.of(all) {
            Some(Stop::Unreachable)
        } else {
            None
        };
        self.stop = self.stop.or(stop);
    }

    /// Begins no further host.
    pub fn interrupt(&mut self) {
        self.stop = self.stop.or(Some(Stop::Interrupted));
    }

    /// Tells whether nothing runs and nothing may begin.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let waits = self.stop.is_none() && self.runners.iter().any(|r| r.turn == Turn::Waiting);
        !waits && self.running(|_| true) == 0
    }

    /// Lists the hosts that go back: those that this run changed, where the rules say so and
    /// it was not an operator who ended it. The last one that was begun comes first.
    #[must_use]
    pub fn to_roll_back(&self) -> Vec<usize> {
        let is_meant = self.rules.on_failure == OnFailure::Rollback
            && matches!(self.stop, Some(Stop::Failed | Stop::Unreachable));
        if !is_meant {
            return Vec::new();
        }
        let is_live = |runner: &Runner| matches!(runner.turn, Turn::Ended(end) if end.is_live());
        let places = self.runners.iter().enumerate().rev();
        places.filter(|(_, runner)| is_live(runner)).map(|(place, _)| place).collect()
    }

    fn running(&self, which: impl Fn(&Runner) -> bool) -> usize {
        self.runners.iter().filter(|r| r.turn == Turn::Running && which(r)).count()
    }

    fn ended(&self, which: impl Fn(End) -> bool) -> usize {
        let is = |runner: &&Runner| matches!(runner.turn, Turn::Ended(end) if which(end));
        self.runners.iter().filter(is).count()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::fleet::Amount;

    fn rules(on_failure: OnFailure) -> Rules {
        Rules {
            batches: vec![Amount::Hosts(1), Amount::Percent(25), Amount::Percent(100)],
            max_parallel: NonZeroUsize::new(5).unwrap(),
            per_server: NonZeroUsize::new(1).unwrap(),
            max_failed: Amount::Hosts(0),
            max_unreachable: Amount::Hosts(0),
            on_failure,
        }
    }

    /// Two hosts on each of eight servers.
    fn course(rules: Rules) -> Course {
        let hosts = (0..16).map(|number| {
            let server = format!("vps-{}", number / 2);
            let host = HostName::parse(&format!("h{number}.example")).unwrap();
            (host, ServerName::parse(&server).unwrap())
        });
        Course::new(hosts, rules)
    }

    fn begin_all(course: &mut Course) -> Vec<usize> {
        std::iter::from_fn(|| course.begin()).collect()
    }

    #[test]
    fn a_canary_goes_first_and_a_server_has_one_at_a_time() {
        let mut course = course(rules(OnFailure::Stop));
        assert_eq!(begin_all(&mut course), [0]);
        course.end(0, End::Deployed);
        // The second part are hosts 1 to 4, of which 2 and 3 share a server.
        assert_eq!(begin_all(&mut course), [1, 2, 4]);
        course.end(2, End::Unchanged);
        assert_eq!(begin_all(&mut course), [3]);
        for place in [1, 3, 4] {
            course.end(place, End::Deployed);
        }
        assert_eq!(begin_all(&mut course), [5, 6, 8, 10, 12]);
        for place in 5..16 {
            course.end(place, End::Deployed);
        }
        assert!(course.is_over() && course.stop().is_none());
    }

    #[test]
    fn nothing_begins_after_one_failure_too_many_and_what_runs_ends() {
        let mut course = course(rules(OnFailure::Stop));
        begin_all(&mut course);
        course.end(0, End::Deployed);
        begin_all(&mut course);
        course.end(1, End::Reverted);
        assert_eq!(course.stop(), Some(Stop::Failed));
        assert_eq!(begin_all(&mut course), [0_usize; 0]);
        assert!(!course.is_over(), "2 and 4 run");
        course.end(2, End::Deployed);
        course.end(4, End::Deployed);
        assert!(course.is_over() && course.to_roll_back().is_empty());
    }

    #[test]
    fn what_the_run_changed_goes_back_where_the_rules_say_so() {
        let mut course = course(rules(OnFailure::Rollback));
        begin_all(&mut course);
        course.end(0, End::Deployed);
        begin_all(&mut course);
        course.end(2, End::Unchanged);
        course.end(4, End::NotVerified);
        course.end(1, End::Reverted);
        assert_eq!(course.to_roll_back(), [4, 0]);
    }

    #[test]
    fn an_operator_who_interrupts_takes_nothing_back() {
        let mut course = course(rules(OnFailure::Rollback));
        begin_all(&mut course);
        course.interrupt();
        course.end(0, End::Deployed);
        assert!(course.is_over() && course.to_roll_back().is_empty());
    }

    #[test]
    fn failures_and_servers_out_of_reach_count_apart() {
        let two = Rules {
            batches: Vec::new(),
            max_failed: Amount::Percent(10),
            max_unreachable: Amount::Hosts(2),
            ..rules(OnFailure::Stop)
        };
        let mut course = course(two);
        course.end(15, End::Unreachable);
        course.end(14, End::Unreachable);
        course.end(0, End::Refused);
        assert_eq!(course.stop(), None);
        course.end(13, End::Unreachable);
        assert_eq!(course.stop(), Some(Stop::Unreachable));
    }

    #[test]
    fn whoever_goes_on_reaches_every_host() {
        let mut course = course(rules(OnFailure::Continue));
        let mut reached = 0;
        while !course.is_over() {
            for place in begin_all(&mut course) {
                reached += 1;
                course.end(place, if place % 3 == 0 { End::Broken } else { End::Deployed });
            }
        }
        assert_eq!(reached, 16);
    }
}
