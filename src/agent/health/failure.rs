//! Why a host is not well.

use std::path::PathBuf;

use super::super::{FileError, LogError, ProgramError};

/// A host that is not well, and what its log says.
#[derive(Debug, thiserror::Error)]
#[error("the host is not healthy")]
pub struct HealthFailure {
    /// What is wrong.
    #[source]
    pub problem: HealthProblem,
    /// The lines of its log that matter, oldest first.
    pub log: Vec<String>,
}

/// What is wrong with a host.
#[derive(Debug, thiserror::Error)]
pub enum HealthProblem {
    /// The service ended.
    #[error("`{unit}` does not run: {state}")]
    Ended {
        /// The unit.
        unit: String,
        /// What systemd says of it.
        state: String,
    },
    /// The service died and systemd started it again.
    #[error("`{unit}` died and was started again")]
    Restarted {
        /// The unit.
        unit: String,
    },
    /// A worker process died; Odoo replaces it by one that may die as well.
    #[error("worker process {pid} of `{unit}` died")]
    WorkerDied {
        /// The unit.
        unit: String,
        /// The process.
        pid: u32,
    },
    /// Nothing answered, or not with 200 while it was waited for.
    #[error("no good answer from {url} within {waited} s: {why}")]
    NoAnswer {
        /// The URL.
        url: String,
        /// How long, in seconds.
        waited: u64,
        /// The last reason.
        why: String,
    },
    /// Another answer than the one expected.
    #[error("{url} answered {status}: {why}")]
    WrongAnswer {
        /// The URL.
        url: String,
        /// The status.
        status: u16,
        /// What was expected.
        why: String,
    },
    /// The login page sends users elsewhere: to the choice of a database, to another host.
    #[error("{url} sends users to {location}")]
    Redirected {
        /// The URL.
        url: String,
        /// Where to.
        location: String,
    },
    /// The log tells of a failure.
    #[error("the log says: {line}")]
    Logged {
        /// The record's first line.
        line: String,
    },
    /// It runs, but from another release.
    #[error("it does not run from {release}")]
    OtherRelease {
        /// The release's directory.
        release: PathBuf,
    },
    /// A reload did not come to its end.
    #[error("`{unit}` did not finish its reload within {waited} s: {why}")]
    NotReloaded {
        /// The unit.
        unit: String,
        /// How long, in seconds.
        waited: u64,
        /// What is missing.
        why: String,
    },
    /// systemd did not answer.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A control group could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}
