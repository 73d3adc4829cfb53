//! The steps of a transaction. Each holds all it needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{
    CopyName, TransactionId,
    access::DatabaseAccess,
    adopted::{AdoptedService, AdoptedVhost},
    certificate::{self, InstallCertificate, ObtainCertificate},
    environment::{BuildEnvironment, CheckDependencies},
    observed::{Holder, SeenAddon},
    provision::{CreateRole, CreateUser, MakeDirectories, Provisioned, SetAdminPassword},
    release::ReleaseRecord,
};
use crate::{
    host::{DatabaseName, HostName, ModuleName},
    layout::ReleaseNumber,
    odoo::Series,
    source::TreeId,
};

/// What the agent is asked to carry out, all or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its id: the time and a random part; also the end of its unit's name.
    pub id: TransactionId,
    /// The host.
    pub host: HostName,
    /// Who asked for it.
    pub holder: Holder,
    /// The release that is made or moved to; none where only the vhost changes.
    pub number: Option<ReleaseNumber>,
    /// The release before; none on a first deploy.
    pub previous: Option<ReleaseNumber>,
    /// How Odoo is run.
    pub service: Service,
    /// How its databases are reached.
    pub access: DatabaseAccess,
    /// The options whose values are secret.
    pub sensitive_keys: BTreeSet<String>,
    /// Options that stay at the server's own value.
    pub keep: Vec<String>,
    /// Steps that users notice nothing of, and that leave nothing behind where they fail.
    pub prepare: Vec<Step>,
    /// Steps that change what is live; a failure reverts them.
    pub carry_out: Vec<Step>,
    /// Steps after the commit point; a failure is told and changes nothing.
    pub finish: Vec<Step>,
    /// What the release before must answer when the transaction is taken back.
    pub previous_health: Option<HealthCheck>,
    /// The service of release 0, where the transaction leaves it or comes back to it.
    #[serde(default)]
    pub adopted: Option<AdoptedService>,
    /// What the line in the history says besides the outcome.
    pub summary: Summary,
}

impl Transaction {
    /// Returns what may lie on the server's disk: no password, and none of the steps
    /// that bring files along.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let access = DatabaseAccess { password: None, ..self.access.clone() };
        Self { access, prepare: Vec::new(), carry_out: Vec::new(), ..self.clone() }
    }
}

/// What the history keeps of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// The environment.
    pub environment: String,
    /// The branch or commit that was asked for.
    pub branch: Option<String>,
    /// The commit.
    pub commit: String,
    /// The subject of the commit.
    pub subject: String,
    /// Modules upgraded or installed, by database.
    pub modules: BTreeMap<DatabaseName, Vec<ModuleName>>,
    /// How the host was switched.
    pub switch: String,
    /// What was gone back to; none for a deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RolledBack>,
}

/// What the history keeps of a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The release whose code is live again.
    pub to: ReleaseNumber,
    /// The databases that went back with it.
    pub databases: Vec<DatabaseName>,
}

/// How Odoo is run on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The system user.
    pub user: String,
    /// Its group.
    pub group: String,
    /// Odoo's program.
    pub odoo_bin: PathBuf,
    /// The server's interpreter that Odoo is installed for.
    pub python: PathBuf,
    /// The host's own environment on top of it.
    #[serde(default)]
    pub python_environment: Option<PathBuf>,
    /// Odoo's series.
    pub series: Series,
    /// Whether the service runs worker processes.
    pub has_workers: bool,
    /// `logfile` of odoo.conf; none where Odoo logs to the journal.
    pub logfile: Option<PathBuf>,
    /// `data_dir`.
    pub data_dir: PathBuf,
}

impl Service {
    /// Returns the interpreter that runs Odoo.
    #[must_use]
    pub fn interpreter(&self) -> PathBuf {
        self.python_environment
            .as_ref()
            .map_or_else(|| self.python.clone(), |own| own.join("bin/python3"))
    }
}

/// One thing the agent does. The order is the plan's; the agent decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Creates the system user that runs Odoo.
    CreateUser(CreateUser),
    /// Makes the data directory and the log.
    MakeDirectories(MakeDirectories),
    /// Creates the role that owns the host's databases.
    CreateRole(CreateRole),
    /// Builds the Python environment of the addons.
    BuildEnvironment(BuildEnvironment),
    /// Writes a release's directory from the object store.
    CheckOut(Box<CheckOut>),
    /// Compiles Python and parses XML and manifests of the new release.
    CheckCode {
        /// The release.
        number: ReleaseNumber,
        /// The files that are new in it, relative to its code; none: all of the addons'.
        files: Option<Vec<PathBuf>>,
        /// The addons, relative to its code.
        addons: Vec<PathBuf>,
    },
    /// Has systemd verify a unit before it is put in place.
    CheckUnit {
        /// The unit file's text.
        unit: String,
    },
    /// Has nginx test a vhost beside the ones that are live.
    CheckVhost {
        /// The vhost's text.
        vhost: String,
        /// Those whose place it takes.
        aside: Vec<PathBuf>,
    },
    /// Lets every name answer an authority's challenges, beside what is served.
    ServeChallenges {
        /// The vhost's text.
        vhost: String,
        /// The names.
        names: Vec<HostName>,
    },
    /// Has an authority certify the names.
    ObtainCertificate(Box<ObtainCertificate>),
    /// Puts a certificate of Cloudflare's in place, with the key that was made for it.
    InstallCertificate(Box<InstallCertificate>),
    /// Checks what manifests ask for besides modules.
    CheckDependencies(CheckDependencies),
    /// Imports the Python of modules that a changed database will run.
    ImportModules {
        /// The release.
        number: ReleaseNumber,
        /// The modules.
        modules: Vec<ModuleName>,
    },
    /// Loads the release against each database, beside the running one.
    LoadRelease {
        /// The release.
        number: ReleaseNumber,
        /// The databases.
        databases: Vec<DatabaseName>,
    },
    /// Waits until fewer upgrades run on the server than may at the same time.
    WaitForUpgrades {
        /// How many may.
        at_once: u32,
    },
    /// Begins the copy of a database's files while users still work.
    CopyFiles(Snapshot),
    /// Copies a kept snapshot and its files, which a database will go back to.
    CopySnapshot(Restore),
    /// Shows the maintenance page to outsiders.
    ShowMaintenance,
    /// Keeps Odoo from starting by itself from here on.
    Hold,
    /// Stops Odoo.
    StopService,
    /// Copies a database and its files aside.
    Snapshot(Snapshot),
    /// Puts the copy of a snapshot in the place of its database, which is kept.
    RestoreDatabase(Restore),
    /// Creates an empty database.
    CreateDatabase {
        /// Its name.
        database: DatabaseName,
    },
    /// Moves `current` to the release, and the running Odoo with it.
    Switch {
        /// The release.
        number: ReleaseNumber,
        /// What makes Odoo follow.
        follow: Follow,
    },
    /// Has Odoo run what its files say; they stay as they are.
    CatchUp(CatchUp),
    /// Puts the unit and its drop-in in place.
    InstallUnit {
        /// The unit file's text.
        unit: String,
        /// The drop-in's text.
        drop_in: String,
    },
    /// Upgrades and installs modules in one database.
    UpgradeModules(UpgradeModules),
    /// Sets the password of user `admin` in a new database.
    SetAdminPassword(SetAdminPassword),
    /// Records in a database who deploys to it and what it has seen.
    RecordSeen {
        /// The database.
        database: DatabaseName,
        /// The addons.
        addons: BTreeMap<ModuleName, SeenAddon>,
    },
    /// Starts Odoo while scheduled jobs are held back until the commit point.
    StartService {
        /// The databases whose jobs are held back.
        hold_jobs: Vec<DatabaseName>,
    },
    /// Puts the vhost in place, reloads nginx and proves that it took effect.
    InstallVhost {
        /// The vhost's text.
        vhost: String,
        /// Where its marker is fetched.
        marker: Marker,
    },
    /// Takes the vhost away.
    RemoveVhost,
    /// Keeps the service of release 0 from starting by itself from here on.
    HoldAdopted(AdoptedService),
    /// Stops the service of release 0 and has no boot start it.
    StopAdopted(AdoptedService),
    /// Puts the vhost in the place of those that served the host until now.
    ReplaceVhosts(ReplaceVhosts),
    /// Takes the unit and its drop-in away.
    RemoveUnit,
    /// Starts the service of release 0 again, at boot too, while scheduled jobs are held
    /// back until the commit point.
    StartAdopted {
        /// The service.
        service: AdoptedService,
        /// The databases whose jobs are held back.
        hold_jobs: Vec<DatabaseName>,
    },
    /// Takes `current` away: release 0 has none.
    LeaveReleases,
    /// Puts the vhosts of release 0 back in the place of the host's own.
    ReturnVhosts {
        /// Those of release 0.
        vhosts: Vec<AdoptedVhost>,
    },
    /// Lets the service of release 0 start by itself again.
    ReleaseAdopted(AdoptedService),
    /// Asks Odoo whether it serves every database from the release.
    CheckHealth(HealthCheck),
    /// Lets Odoo start by itself again.
    LiftHold,
    /// Lets outsiders in again.
    HideMaintenance,
    /// Notes what was created for the host: it goes with it.
    RecordProvisioned(Provisioned),
    /// Removes releases, snapshots and journals that policy no longer keeps.
    Prune(Prune),
}

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

/// Copies a database and its files aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The database.
    pub database: DatabaseName,
    /// Its object id: decides after renames which one it is.
    pub oid: u32,
    /// Its `database.uuid`.
    pub uuid: Option<String>,
    /// The name of the copy.
    pub copy: CopyName,
    /// The name the original is moved to when the transaction fails.
    pub failed_name: CopyName,
}

/// Takes a database back to a snapshot that is kept of it. The snapshot stays:
/// a copy of it takes the database's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The database.
    pub database: DatabaseName,
    /// Its object id now.
    pub oid: u32,
    /// The snapshot.
    pub snapshot: CopyName,
    /// The snapshot's object id.
    pub snapshot_oid: u32,
    /// The name of the snapshot's copy while it waits.
    pub copy: CopyName,
    /// The name under which the present database is kept.
    pub kept: CopyName,
}

/// Puts a vhost in the place of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceVhosts {
    /// The vhost's text.
    pub vhost: String,
    /// Where its marker is fetched.
    pub marker: Marker,
    /// Those that are set aside.
    pub aside: Vec<PathBuf>,
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

/// Upgrades and installs modules in one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeModules {
    /// The release.
    pub number: ReleaseNumber,
    /// The database.
    pub database: DatabaseName,
    /// Modules for `-i`.
    pub install: Vec<ModuleName>,
    /// Modules for `-u`.
    pub update: Vec<ModuleName>,
    /// The manifest versions that must stand in the database afterwards.
    pub versions: BTreeMap<ModuleName, String>,
    /// The longest it may take, in seconds.
    pub timeout: u64,
    /// Whether the modules' translations replace the ones in the database.
    pub overwrite_translations: bool,
    /// What stands in for the database when the transaction fails; none where
    /// the transaction created it.
    pub snapshot: Option<Snapshot>,
}

/// What a host must answer before its release counts as verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// The release.
    pub number: ReleaseNumber,
    /// The databases.
    pub databases: Vec<DatabaseName>,
    /// Where Odoo listens.
    pub interface: String,
    /// `http_port`.
    pub http_port: u16,
    /// `gevent_port`; none where Odoo runs without workers.
    pub gevent_port: Option<u16>,
    /// The longest it may take, in seconds.
    pub timeout: u64,
}

/// Where a vhost's marker is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The port of plain HTTP.
    pub port: u16,
    /// What it must answer.
    pub text: String,
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

impl Step {
    /// Returns what the step does, for progress and errors.
    #[expect(clippy::too_many_lines, reason = "one title for each kind of step")]
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::CreateUser(step) => format!("create system user {}", step.user),
            Self::MakeDirectories(_) => "make the data directory and the log".into(),
            Self::CreateRole(step) => format!("create PostgreSQL role {}", step.role),
            Self::BuildEnvironment(step) => format!("install the Python packages of {}", step.file),
            Self::CheckOut(step) => format!("write release {}", step.record.number),
            Self::CheckCode { .. } => "check Python, XML and manifests".into(),
            Self::CheckUnit { .. } => "check the unit".into(),
            Self::CheckVhost { .. } => "check the vhost".into(),
            Self::ServeChallenges { names, .. } => certificate::title("answer challenges", names),
            Self::ObtainCertificate(step) => {
                certificate::title("obtain a certificate", &step.names)
            }
            Self::InstallCertificate(step) => {
                certificate::title("put the certificate in place", &step.names)
            }
            Self::CheckDependencies(_) => "check what the modules need besides modules".into(),
            Self::ImportModules { .. } => "import the modules".into(),
            Self::LoadRelease { number, .. } => {
                format!("load release {number} beside the running one")
            }
            Self::WaitForUpgrades { .. } => "wait for other upgrades on the server".into(),
            Self::CopyFiles(step) => format!("link the files of {}", step.database),
            Self::CopySnapshot(step) => format!("copy the snapshot {}", step.snapshot),
            Self::ShowMaintenance => "show the maintenance page".into(),
            Self::Hold => "hold the service".into(),
            Self::StopService => "stop Odoo".into(),
            Self::Snapshot(step) => format!("snapshot database {}", step.database),
            Self::RestoreDatabase(step) => {
                format!("put database {} back to {}", step.database, step.snapshot)
            }
            Self::CreateDatabase { database } => format!("create database {database}"),
            Self::Switch { number, follow } => match follow {
                Follow::Reload => format!("move to release {number} and reload Odoo"),
                Follow::Restart => format!("move to release {number} and restart Odoo"),
                Follow::Later => format!("move to release {number}"),
            },
            Self::CatchUp(step) => match (step.follow, &step.before) {
                (_, None) => "start Odoo".into(),
                (Follow::Reload, _) => "reload Odoo".into(),
                (Follow::Restart | Follow::Later, _) => "restart Odoo".into(),
            },
            Self::InstallUnit { .. } => "install the unit".into(),
            Self::UpgradeModules(step) => step.title(),
            Self::SetAdminPassword(step) => {
                format!("set the password of user admin in {}", step.database)
            }
            Self::RecordSeen { database, .. } => {
                format!("record in {database} what it has seen")
            }
            Self::StartService { .. } => "start Odoo".into(),
            Self::InstallVhost { .. } => "install the vhost and reload nginx".into(),
            Self::RemoveVhost => "remove the vhost and reload nginx".into(),
            Self::HoldAdopted(service) => format!("hold {}", service.unit),
            Self::StopAdopted(service) => format!("stop {}", service.unit),
            Self::ReplaceVhosts(_) => "install the vhost in the place of the old one".into(),
            Self::RemoveUnit => "remove the unit".into(),
            Self::StartAdopted { service, .. } => format!("start {}", service.unit),
            Self::LeaveReleases => "go back to release 0".into(),
            Self::ReturnVhosts { .. } => "put the old vhost back and reload nginx".into(),
            Self::ReleaseAdopted(service) => format!("release {}", service.unit),
            Self::CheckHealth(_) => "check health".into(),
            Self::LiftHold => "release the service".into(),
            Self::HideMaintenance => "hide the maintenance page".into(),
            Self::RecordProvisioned(_) => "note what was created for the host".into(),
            Self::Prune(_) => "prune old releases and snapshots".into(),
        }
    }
}

impl UpgradeModules {
    fn title(&self) -> String {
        let list = |modules: &[ModuleName]| {
            modules.iter().map(ModuleName::as_str).collect::<Vec<_>>().join(", ")
        };
        match (self.install.is_empty(), self.update.is_empty()) {
            (true, _) => format!("upgrade {} in {}", list(&self.update), self.database),
            (false, true) => format!("install {} in {}", list(&self.install), self.database),
            (false, false) => format!(
                "install {} and upgrade {} in {}",
                list(&self.install),
                list(&self.update),
                self.database
            ),
        }
    }
}
