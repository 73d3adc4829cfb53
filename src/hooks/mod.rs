//! Programs of the operator's own that run around a deploy, on the controller. Does I/O.

mod environment;
mod error;
mod find;
mod run;

pub use environment::visible;
pub use error::HookError;
pub use find::find;
pub use run::{HookRun, NAME_VARIABLE, RESULT_VARIABLE};

use std::path::{Path, PathBuf};

/// Where hooks are, relative to the root of the repository.
pub const HOOKS_DIRECTORY: &str = "deployment/hooks";

/// A moment of a deploy at which a program may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Nothing was looked at yet.
    BeforePlan,
    /// The plan is confirmed and nothing was touched.
    BeforeDeploy,
    /// The new state is live.
    AfterDeploy,
    /// It did not come to that.
    AfterFailure,
}

impl Hook {
    /// Every hook, in the order of a deploy.
    pub const ALL: [Self; 4] =
        [Self::BeforePlan, Self::BeforeDeploy, Self::AfterDeploy, Self::AfterFailure];

    /// Returns its name, which its file has.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforePlan => "before-plan",
            Self::BeforeDeploy => "before-deploy",
            Self::AfterDeploy => "after-deploy",
            Self::AfterFailure => "after-failure",
        }
    }

    /// Returns its file, relative to the root of the repository.
    #[must_use]
    pub fn path(self) -> PathBuf {
        Path::new(HOOKS_DIRECTORY).join(self.as_str())
    }
}
