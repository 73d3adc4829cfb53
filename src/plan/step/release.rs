//! What steps do with releases: write them, move to them, prune them.

use serde::{Deserialize, Serialize};

use super::HealthCheck;
use crate::{
    host::DatabaseName, layout::ReleaseNumber, plan::release::ReleaseRecord, source::TreeId,
};

/// Writes a release's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOut {
    /// The tree of the code.
    pub tree: TreeId,
    /// The release and tree whose unchanged files are linked.
    pub base: Option<(ReleaseNumber, TreeId)>,
    /// The text of odoo.conf.
    pub odoo_conf: String,
    /// Options that stay at the server's own value.
    pub keep: Vec<String>,
    /// The maintenance page.
    pub maintenance_page: String,
    /// The text of the vhost, kept with the release.
    pub vhost: Option<String>,
    /// The text of the unit, kept with the release.
    pub unit: String,
    /// The text of its drop-in, kept with the release.
    pub unit_drop_in: String,
    /// What the release is made of.
    pub record: ReleaseRecord,
}

/// What makes a running Odoo follow `current`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Follow {
    /// SIGHUP: Odoo 19 with workers swaps them without refusing a request.
    Reload,
    /// A restart.
    Restart,
    /// Nothing: it is stopped and will be started later.
    Later,
}

/// Has Odoo run what its files say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUp {
    /// The live release.
    pub number: ReleaseNumber,
    /// What makes Odoo follow.
    pub follow: Follow,
    /// What the release that runs until now answers, which is another one where a restart
    /// was never made; none where nothing runs.
    pub before: Option<HealthCheck>,
}

/// What policy keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prune {
    /// Verified releases kept besides the current one.
    pub keep_releases: usize,
    /// Snapshots and failed databases kept for each database.
    pub keep_snapshots: usize,
    /// The databases.
    pub databases: Vec<DatabaseName>,
}
