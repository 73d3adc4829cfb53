//! What the exit status says. These numbers are an interface.

use std::process;

/// How a command ended (`docs/reference/exit-codes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Done, or nothing to do.
    Success,
    /// A bug of this tool.
    Bug,
    /// Usage or configuration.
    Usage,
    /// `plan --exit-code` found changes.
    Changes,
    /// Another deploy holds the lock.
    Locked,
    /// The server cannot be reached.
    Unreachable,
    /// A pre-deployment check failed; nothing was touched.
    Refused,
    /// Failed, and everything is as it was.
    Reverted,
    /// Failed, and the way back failed too.
    Broken,
    /// Part of the hosts of a run failed, or were not begun.
    PartFailed,
    /// The saved plan is stale, or was applied already; nothing was touched.
    Stale,
    /// Live and healthy on the server, but not verified from outside.
    NotVerified,
    /// The operator said no before anything was done.
    Interrupted,
}

impl ExitCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::Success,
        Self::Bug,
        Self::Usage,
        Self::Changes,
        Self::Locked,
        Self::Unreachable,
        Self::Refused,
        Self::Reverted,
        Self::Broken,
        Self::PartFailed,
        Self::Stale,
        Self::NotVerified,
        Self::Interrupted,
    ];

    /// Returns the exit status.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Changes => 3,
            Self::Locked => 4,
            Self::Unreachable => 5,
            Self::Refused => 6,
            Self::Reverted => 7,
            Self::Broken => 8,
            Self::PartFailed => 9,
            Self::Stale => 10,
            Self::NotVerified => 11,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}
