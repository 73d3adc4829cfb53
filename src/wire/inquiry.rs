//! What is asked and told about a host while nothing is done to it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    host::HostName,
    plan::{Event, HistoryLine, Holder, Observed},
};

/// How a host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusFacts {
    /// What an observation brings back.
    pub observed: Observed,
    /// Whether it is well.
    pub health: Health,
    /// The certificate that its vhost names; none where it names none.
    pub certificate: Option<Certificate>,
    /// The line of the history by which the live release went live.
    pub deployed: Option<HistoryLine>,
    /// The newest line of the history.
    pub last: Option<HistoryLine>,
    /// The transaction that holds the lock.
    pub lock: Option<LockFacts>,
}

/// What a host answered when it was asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", rename_all = "kebab-case")]
pub enum Health {
    /// It serves all its databases.
    Well,
    /// It does not.
    Unwell {
        /// The first check that failed.
        problem: String,
        /// What its log says about it.
        log: Vec<String>,
    },
    /// There is no live release to ask.
    NotAsked,
}

/// A certificate on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its file.
    pub path: PathBuf,
    /// The last second of its validity, since the epoch; or why that is not known.
    pub until: Result<i64, String>,
}

/// A transaction that holds a host's lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockFacts {
    /// Who began it.
    pub holder: Holder,
    /// How far it is; none where it has not told anything yet.
    pub at: Option<StepAt>,
    /// Seconds since the epoch, by the server's clock.
    pub time: i64,
}

/// How far a transaction is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAt {
    /// The place of the last step that began, from 1.
    pub index: usize,
    /// How many steps there are.
    pub steps: usize,
    /// What the step does.
    pub title: String,
    /// Where the transaction stands.
    pub phase: Phase,
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It can still be taken back.
    Open,
    /// It is being taken back.
    Reverting,
    /// It is verified; nothing is taken back any more.
    Committed,
}

impl StepAt {
    /// Reads the events of a transaction; none before its first step.
    #[must_use]
    pub fn of(events: &[Event]) -> Option<Self> {
        let mut at = Self { index: 0, steps: 0, title: String::new(), phase: Phase::Open };
        for event in events {
            match event {
                Event::Started { steps, .. } => at.steps = *steps,
                Event::StepStarted { index, title } => {
                    at.index = *index;
                    at.title.clone_from(title);
                }
                Event::Reverting => at.phase = Phase::Reverting,
                Event::Committed => at.phase = Phase::Committed,
                _ => {}
            }
        }
        (at.index > 0).then_some(at)
    }
}

/// What of a host's logs is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsRequest {
    /// The host.
    pub host: HostName,
    /// Whether the deploys' events are wanted.
    pub deploys: bool,
    /// Whether Odoo's own log is wanted.
    pub odoo: bool,
    /// How many lines of each, from the end.
    pub lines: usize,
    /// Whether what comes later is wanted, too, until the controller hangs up.
    pub follow: bool,
}

/// A line of a host's logs. Known secrets are masked in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum LogLine {
    /// An event of a transaction.
    Deploy {
        /// Which.
        transaction: String,
        /// What it told.
        entry: Box<Event>,
    },
    /// A line that Odoo wrote, or systemd about it.
    Odoo {
        /// The line.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_a_transaction_is_at_is_the_last_that_began() {
        assert_eq!(StepAt::of(&[]), None);
        let started = Event::Started { transaction: "t".into(), steps: 9 };
        assert_eq!(StepAt::of(std::slice::from_ref(&started)), None);
        let step = |index| Event::StepStarted { index, title: format!("step {index}") };
        let done = Event::StepDone { index: 1, milliseconds: 5 };
        let at = StepAt::of(&[started, step(1), done, step(2), Event::Reverting]).unwrap();
        assert_eq!((at.index, at.steps, at.title.as_str()), (2, 9, "step 2"));
        assert_eq!(at.phase, Phase::Reverting);
    }
}
