//! What the agent saw of a host and its server.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{
    CopyName,
    adopted::AdoptedFacts,
    certificate::CertificateFacts,
    release::{ReleaseFacts, RunningFrom},
};
use crate::{
    host::{DatabaseName, HostName, ModuleName},
    layout::ReleaseNumber,
    odoo::Series,
    source::{CommitId, Signature},
};

/// Everything one observation brings back. Nothing was changed to get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The machine.
    pub server: ServerFacts,
    /// The host's own files and service.
    pub host: HostFacts,
    /// The PostgreSQL cluster.
    pub cluster: ClusterFacts,
    /// The host's databases that exist.
    pub databases: BTreeMap<DatabaseName, DatabaseFacts>,
    /// The other hosts of the server.
    pub neighbours: Vec<Neighbour>,
}

/// The machine a host runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// The agent's version.
    pub agent_version: String,
    /// Seconds since the epoch, by the server's clock.
    pub time: i64,
    /// What `odoo --version` printed, or why it could not be asked.
    pub odoo_version: Result<String, String>,
    /// Free space where the host's code is.
    pub code_space: Space,
    /// Free space where the host's data is.
    pub data_space: Space,
    /// Free space where PostgreSQL's data is.
    pub database_space: Space,
    /// Whether nginx is there.
    pub has_nginx: bool,
    /// Whether the machine has IPv6 sockets.
    pub has_ipv6: bool,
    /// Whether the system user that is to run Odoo exists.
    pub has_user: bool,
    /// TCP ports that something listens on, with the program where it is known.
    pub listeners: Vec<Listener>,
}

/// Room on a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Bytes that are free.
    pub bytes: u64,
    /// Inodes that are free.
    pub inodes: u64,
    /// Which filesystem it is.
    pub device: u64,
}

/// A program that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The TCP port.
    pub port: u16,
    /// The unit whose processes listen; none where it is not known.
    pub unit: Option<String>,
}

/// The host's own files and service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Every release on the server, by number.
    pub releases: Vec<ReleaseFacts>,
    /// What the `current` link names.
    pub current: Option<RunningFrom>,
    /// The highest number ever given to a release; 0 before the first.
    pub last_number: u32,
    /// The live odoo.conf, values of sensitive keys replaced by keyed hashes.
    pub odoo_conf: Option<String>,
    /// The unit file.
    pub unit: Option<String>,
    /// Its drop-in.
    pub unit_drop_in: Option<String>,
    /// The vhost.
    pub vhost: Option<String>,
    /// The maintenance page of the live release.
    pub maintenance_page: Option<String>,
    /// The service.
    pub service: ServiceFacts,
    /// Who holds the lock.
    pub lock: Option<Holder>,
    /// Whether a transaction left the host between two states.
    pub unfinished: Option<String>,
    /// How the last transaction ended, where its process died and another one ended it.
    #[serde(default)]
    pub recovered: Option<Recovered>,
    /// Whether the transaction that the question names was begun before.
    pub knows_transaction: bool,
    /// The series of Odoo that the host is said to run.
    pub series: Series,
    /// The files as the live release was deployed with; none where the agent that
    /// deployed it kept no copies.
    pub as_deployed: Option<AsDeployed>,
    /// Drop-ins of the unit besides its own.
    pub foreign_drop_ins: Vec<PathBuf>,
    /// The certificates that were obtained for it.
    pub certificates: CertificateFacts,
    /// Release 0; none where the host was not adopted.
    #[serde(default)]
    pub adopted: Option<Box<AdoptedFacts>>,
}

/// Files as they were deployed; none: there was no such file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AsDeployed {
    /// odoo.conf, masked as [`HostFacts::odoo_conf`] is.
    pub odoo_conf: Option<String>,
    /// The unit.
    pub unit: Option<String>,
    /// Its drop-in.
    pub unit_drop_in: Option<String>,
    /// The vhost.
    pub vhost: Option<String>,
}

/// A transaction that died and was ended by the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Who had begun it.
    pub holder: Holder,
    /// The word of the history for how it ended: `reverted`, `deployed`, …
    pub outcome: String,
    /// What it died of.
    pub message: Option<String>,
}

/// The state of a service, in systemd's words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// `LoadState`.
    pub load: String,
    /// `ActiveState`.
    pub active: String,
    /// `MainPID`; 0 when it does not run.
    pub main_pid: u32,
    /// The release that the main process runs; none where that cannot be told.
    pub release: Option<ReleaseNumber>,
    /// Whether unit files changed since systemd read them.
    pub needs_daemon_reload: bool,
    /// Whether the main process was started before the unit or its drop-in was last written.
    pub older_than_unit: bool,
    /// Whether the main process read its odoo.conf before that was last written.
    pub older_than_conf: bool,
}

/// Who runs a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The person or job.
    pub who: String,
    /// The machine it was started from.
    pub from: String,
    /// The CI run, where there is one.
    pub url: Option<String>,
    /// What the operator said about it.
    pub message: Option<String>,
    /// The transaction's id.
    pub transaction: String,
    /// Seconds since the epoch, by the server's clock.
    pub since: i64,
}

/// The PostgreSQL cluster as the host's role sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// The server's version, or why it could not be reached.
    pub version: Result<String, String>,
    /// Whether the role may create databases.
    pub may_create: bool,
    /// Every database the role owns.
    pub names: Vec<String>,
}

/// One database as the agent found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// PostgreSQL's object id: what a rename does not change.
    pub oid: u32,
    /// The owner's role.
    pub owner: String,
    /// Bytes on disk.
    pub size: u64,
    /// `database.uuid` of an Odoo database; none where Odoo's tables are absent.
    pub uuid: Option<String>,
    /// `odoo_deploy.host`: the host that deploys to this database.
    pub deployed_by: Option<String>,
    /// Every module the database knows, by name.
    pub modules: BTreeMap<ModuleName, InstalledModule>,
    /// Active languages (`res_lang.code`).
    pub languages: BTreeSet<String>,
    /// Whether Odoo 19's marker of a half-done upgrade is set.
    pub partially_updated: bool,
    /// What was last recorded of each addon (`odoo_deploy.signatures`); none before first contact.
    pub signatures: Option<BTreeMap<ModuleName, SeenAddon>>,
    /// Sessions of other roles than the owner (they would block a rename).
    pub foreign_sessions: Vec<String>,
    /// Files under `filestore/<database>`: count and bytes; none where it was not asked for.
    pub filestore: Option<(u64, u64)>,
    /// Why a snapshot could not be taken, in sentences; empty where it can.
    #[serde(default)]
    pub snapshot_obstacles: Vec<String>,
    /// Its snapshots and failed databases, oldest release first.
    #[serde(default)]
    pub copies: Vec<CopyFacts>,
}

/// A copy that the tool keeps of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyFacts {
    /// Its name.
    pub name: CopyName,
    /// Its object id.
    pub oid: u32,
    /// Bytes on disk, those of its files left out: they are links. 0 where the role
    /// may not ask.
    pub bytes: u64,
    /// When it was taken or moved aside, in seconds since the epoch by the server's
    /// clock; none where the copy of its files is gone.
    pub created: Option<i64>,
}

/// A module in `ir_module_module`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledModule {
    /// `installed`, `uninstalled`, `to upgrade`, …
    pub state: String,
    /// The version the database was last brought to.
    pub version: Option<String>,
    /// The modules it depends on, as the database knows them.
    pub depends: Vec<ModuleName>,
}

impl InstalledModule {
    /// Tells whether the module's tables and views are in the database.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        matches!(self.state.as_str(), "installed" | "to upgrade" | "to remove")
    }
}

/// What a database last saw of an addon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenAddon {
    /// The addon's signature.
    pub signature: Signature,
    /// The commit it was taken from.
    pub commit: CommitId,
}

/// Another host of the server: what must not be shared with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its name.
    pub host: HostName,
    /// Its databases.
    pub databases: Vec<DatabaseName>,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// The ports it listens on.
    pub ports: Vec<u16>,
    /// Further hostnames it answers.
    pub aliases: Vec<HostName>,
}
