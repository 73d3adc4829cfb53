//! Why a hook did not do. Pure.

use std::{io, time::Duration};

use super::{HOOKS_DIRECTORY, Hook};

/// A hook that cannot be run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It cannot be looked at.
    #[error("failed to read hook `{}`", .hook.as_str())]
    Read {
        /// The hook.
        hook: Hook,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its file is no program.
    #[error("hook `{}` is no file that may be executed", .0.as_str())]
    NotExecutable(Hook),
    /// Its file is a link that leads out of the repository.
    #[error("hook `{}` is a link that leads out of the repository", .0.as_str())]
    Outside(Hook),
    /// It did not start.
    #[error("failed to start hook `{}`", .hook.as_str())]
    Start {
        /// The hook.
        hook: Hook,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended with another status than 0, or by a signal.
    #[error("hook `{}` failed: {ended}", .hook.as_str())]
    Failed {
        /// The hook.
        hook: Hook,
        /// How it ended.
        ended: String,
    },
    /// It took longer than it may.
    #[error("hook `{}` was ended after {} s", .hook.as_str(), .limit.as_secs())]
    TooLong {
        /// The hook.
        hook: Hook,
        /// How long it may take.
        limit: Duration,
    },
    /// It was interrupted by the operator.
    #[error("hook `{}` was interrupted", .0.as_str())]
    Interrupted(Hook),
}

impl HookError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> String {
        let path = |hook: &Hook| format!("{HOOKS_DIRECTORY}/{}", hook.as_str());
        match self {
            Self::NotExecutable(hook) => {
                format!("`chmod +x {0}`, or move it away: files of that name are hooks", path(hook))
            }
            Self::Outside(hook) => format!("put the program itself at `{}`", path(hook)),
            Self::Start { source, .. } if source.raw_os_error() == Some(NO_PROGRAM) => {
                "a script begins with a line such as `#!/bin/sh`".to_owned()
            }
            Self::TooLong { .. } => {
                "give it more time by `hook_timeout` under [defaults] of config/deploy.toml"
                    .to_owned()
            }
            Self::Read { .. } | Self::Start { .. } | Self::Failed { .. } | Self::Interrupted(_) => {
                "correct it, or leave hooks out by `--no-hooks`".to_owned()
            }
        }
    }
}

/// `ENOEXEC`.
const NO_PROGRAM: i32 = 8;
