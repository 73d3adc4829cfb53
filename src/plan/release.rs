//! Releases: what one holds and what became of it.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::step::HealthCheck;
use crate::{
    host::{DatabaseName, EnvironmentName, HostName},
    layout::ReleaseNumber,
    source::{Branch, CommitId, TreeId},
};

/// What a release is made of (`release.json`), written once with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// The version of this format.
    pub schema: u32,
    /// The release's number.
    pub number: ReleaseNumber,
    /// The host.
    pub host: HostName,
    /// The environment it was deployed as.
    pub environment: EnvironmentName,
    /// The branch it came from; none for a deploy by commit.
    pub branch: Option<Branch>,
    /// The commit.
    pub commit: CommitId,
    /// The tree, submodules included.
    pub tree: TreeId,
    /// The databases it serves.
    pub databases: Vec<DatabaseName>,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// The ports it listens on.
    pub ports: Vec<u16>,
    /// Further hostnames it answers.
    pub aliases: Vec<HostName>,
    /// What it must answer to be healthy.
    pub health: HealthCheck,
    /// The options of its odoo.conf whose values are secret.
    pub sensitive_keys: BTreeSet<String>,
    /// The databases that it upgrades, creates or takes back; none where the tool that
    /// wrote the record did not note them.
    #[serde(default)]
    pub changed: Option<BTreeSet<DatabaseName>>,
    /// The Python environment it runs in; none where it is the server's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python_environment: Option<PathBuf>,
}

/// The version of [`ReleaseRecord`] that this tool writes.
pub const RELEASE_SCHEMA: u32 = 1;

/// What became of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Its files are there; it never was live.
    Prepared,
    /// `current` names it; its health is not proven.
    Live,
    /// It was live and healthy.
    Verified,
    /// Its upgrade or its health check failed.
    Failed,
    /// It was live and was taken back.
    Reverted,
}

impl fmt::Display for ReleaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepared => "prepared",
            Self::Live => "live",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Reverted => "reverted",
        })
    }
}

/// A release that is on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseFacts {
    /// What it is made of.
    pub record: ReleaseRecord,
    /// What became of it.
    pub state: ReleaseState,
}

/// What the `current` link names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunningFrom {
    /// One of the host's releases.
    Release(ReleaseNumber),
    /// Something else.
    Elsewhere(PathBuf),
}
