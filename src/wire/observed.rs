//! What the agent saw of a host and its server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::host::{DatabaseName, HostName, ModuleName};
use crate::layout::ReleaseNumber;
use crate::source::{CommitId, Signature, TreeId};

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

/// What a database last saw of an addon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenAddon {
    /// The addon's signature.
    pub signature: Signature,
    /// The commit it was taken from.
    pub commit: CommitId,
}
