//! What a transaction tells while it runs.

use serde::{Deserialize, Serialize};

use super::observed::Holder;

/// One thing that happened in a transaction. Each is a line of its event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The lock is held and the first step begins.
    Started {
        /// The transaction's id.
        transaction: String,
        /// How many steps there are.
        steps: usize,
    },
    /// A step begins.
    StepStarted {
        /// Its place, from 1.
        index: usize,
        /// What it does.
        title: String,
    },
    /// A long step tells how far it is.
    Progress {
        /// In words.
        text: String,
    },
    /// A step is done.
    StepDone {
        /// Its place, from 1.
        index: usize,
        /// How long it took, in milliseconds.
        milliseconds: u64,
    },
    /// Something the operator should know; nothing failed.
    Warning {
        /// In a sentence.
        text: String,
    },
    /// A step failed.
    StepFailed {
        /// Its place, from 1.
        index: usize,
        /// What failed and why.
        failure: Failure,
    },
    /// The process that ran the transaction is gone; another one ends it.
    Recovering {
        /// The step it died in, or the last one it did.
        step: String,
    },
    /// The way back begins.
    Reverting,
    /// The new release is verified: from here on nothing reverts.
    Committed,
    /// Nothing more comes.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// How long users could not be served, in milliseconds: from the page or the
        /// stop to the moment they were let in again.
        interruption: Option<u64>,
    },
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The new release is live and verified.
    Deployed,
    /// Another transaction holds the lock.
    Locked {
        /// Which.
        holder: Option<Holder>,
    },
    /// A check failed before anything live was touched.
    Refused {
        /// What failed and why.
        failure: Failure,
    },
    /// A step failed and everything is as it was.
    Reverted {
        /// What failed and why.
        failure: Failure,
        /// What was kept for a closer look: databases, logs.
        kept: Vec<String>,
    },
    /// A step failed and so did the way back.
    Broken {
        /// What failed first.
        failure: Failure,
        /// What failed on the way back.
        revert: Failure,
        /// Where everything needed for a repair lies.
        kept: Vec<String>,
    },
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step's title.
    pub step: String,
    /// The operation, the object and the cause.
    pub message: String,
    /// The next move, where there is one to name.
    pub hint: Option<String>,
    /// Lines of a log or a program that say more.
    pub details: Vec<String>,
}
