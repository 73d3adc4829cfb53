//! What steps do to databases.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    host::{DatabaseName, ModuleName},
    layout::ReleaseNumber,
    plan::CopyName,
};

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

impl UpgradeModules {
    pub(super) fn title(&self) -> String {
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
