//! The steps of a transaction. Each holds all it needs.

mod database;
mod proof;
mod release;

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    adopted::{AdoptedService, AdoptedVhost, ReplaceVhosts},
    certificate::{self, InstallCertificate, ObtainCertificate},
    environment::{BuildEnvironment, CheckDependencies},
    observed::SeenAddon,
    provision::{CreateRole, CreateUser, MakeDirectories, Provisioned, SetAdminPassword},
};
use crate::{
    host::{DatabaseName, HostName, ModuleName},
    layout::ReleaseNumber,
};

pub use database::{Restore, Snapshot, UpgradeModules};
pub use proof::{HealthCheck, Marker};
pub use release::{CatchUp, CheckOut, Follow, Prune};

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
        /// The vhosts that it holds as well, so that it takes their place.
        #[serde(default)]
        aside: Vec<PathBuf>,
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
