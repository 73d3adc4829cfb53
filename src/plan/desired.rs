//! What is wanted of a host.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    TransactionId, access::DatabaseAccess, certificate::WantedCertificate,
    environment::PythonEnvironment, modules::ModuleDiffs, observed::Holder,
    provision::AdminPassword, rollback::Rollback, transaction::Service,
};
use crate::{
    host::{DatabaseName, EnvironmentName, HostName, ModuleName},
    source::{Addon, Branch, CommitId, CommitSummary, FileChange, TreeId},
};

/// The release that is wanted, and how far it is from the one that is live.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The transaction's id.
    pub id: TransactionId,
    /// Who asks for it.
    pub holder: Holder,
    /// The host.
    pub host: HostName,
    /// Its environment.
    pub environment: EnvironmentName,
    /// The branch; none for a deploy by commit.
    pub branch: Option<Branch>,
    /// The commit.
    pub commit: CommitSummary,
    /// Its tree, submodules included.
    pub tree: TreeId,
    /// The addons of its addons path, first hit first.
    pub addons: Vec<Addon>,
    /// The commit of the live release; none where there is none.
    pub live: Option<CommitId>,
    /// The addons of the live release.
    pub live_addons: Vec<Addon>,
    /// How Odoo is run.
    pub service: Service,
    /// How its databases are reached.
    pub access: DatabaseAccess,
    /// The databases.
    pub databases: Vec<DatabaseName>,
    /// Where Odoo listens, and what it must answer.
    pub network: Network,
    /// What the host's file asks for.
    pub policy: Policy,
    /// The Python packages of its addons; none where it needs none.
    pub python: Option<PythonEnvironment>,
    /// The password of user `admin` in a database that is created; none where none is
    /// created, or nothing is said of it.
    pub admin_password: Option<AdminPassword>,
    /// The files as they would be for the live release: what is compared.
    pub compared: Files,
    /// The files of the new release: what is written.
    pub files: Files,
    /// The certificate that the tool obtains; none where it obtains none.
    pub certificate: Option<WantedCertificate>,
    /// The options whose values are secret.
    pub sensitive_keys: BTreeSet<String>,
    /// What changed in the code since the live release; none where that cannot be told.
    pub changes: Option<Vec<FileChange>>,
    /// What changed in each addon since a database last saw it.
    pub diffs: ModuleDiffs,
    /// Which modules the operator wants upgraded.
    pub update: UpdateChoice,
    /// Modules the operator wants installed.
    pub install: Vec<ModuleName>,
    /// The release that is gone back to; none for a deploy.
    pub rollback: Option<Rollback>,
    /// What becomes of a file that was edited on the server.
    pub on_drift: OnDrift,
}

/// What becomes of a file that was edited on the server and has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDrift {
    /// The deploy is refused.
    Refuse,
    /// The file is overwritten; it is, too, where nothing else changes.
    Overwrite,
}

/// Where Odoo listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// `http_interface`.
    pub interface: String,
    /// `http_port`.
    pub http_port: u16,
    /// `gevent_port`; none where Odoo runs without workers.
    pub gevent_port: Option<u16>,
    /// Further hostnames that are answered.
    pub aliases: Vec<HostName>,
    /// The port and the text of the vhost's marker; none where the host has no vhost.
    pub marker: Option<super::Marker>,
}

/// What the host's file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Modules of a database that the first deploy creates.
    pub install: Vec<ModuleName>,
    /// Options that stay at the server's own value.
    pub keep: Vec<String>,
    /// The longest an upgrade may take.
    pub upgrade_timeout: Duration,
    /// The longest the host may take to become healthy.
    pub health_timeout: Duration,
    /// How long it must have run before it counts as healthy.
    pub health_settle: Duration,
    /// Whether it is loaded beside the running one before it takes its place.
    pub load_check: bool,
    /// Verified releases kept besides the current one.
    pub keep_releases: usize,
    /// Snapshots and failed databases kept for each database.
    pub keep_snapshots: usize,
    /// How many upgrades run on the server at the same time.
    pub upgrades_at_once: u32,
}

/// Rendered files. Of [`Desired::compared`], odoo.conf is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// odoo.conf.
    pub odoo_conf: String,
    /// The unit.
    pub unit: String,
    /// Its drop-in.
    pub unit_drop_in: String,
    /// The vhost; none where the host has none.
    pub vhost: Option<String>,
    /// The maintenance page.
    pub maintenance_page: String,
}

/// Which modules are upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateChoice {
    /// Those that changed in a way the database notices.
    Changed,
    /// All of them (`-u base`).
    All,
    /// None, whatever changed.
    None,
    /// Exactly these.
    Only(Vec<ModuleName>),
}

impl Desired {
    /// Returns the id of the commit.
    #[must_use]
    pub const fn commit_id(&self) -> CommitId {
        self.commit.id
    }

    /// Returns the directories of its addons.
    #[must_use]
    pub fn addon_paths(&self) -> Vec<PathBuf> {
        self.addons.iter().chain(&self.live_addons).map(|addon| addon.path.clone()).collect()
    }

    /// Finds an addon by name.
    #[must_use]
    pub fn addon(&self, name: &ModuleName) -> Option<&Addon> {
        self.addons.iter().find(|addon| addon.name == *name)
    }
}
