//! What changed between two versions of a Python file.

use serde::{Deserialize, Serialize};

use crate::host::ModuleName;

/// Two versions of one Python file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePair {
    /// The module it belongs to.
    pub module: ModuleName,
    /// The file, relative to the module's directory.
    pub path: String,
    /// What the database last saw; none where the file is new.
    pub old: Option<String>,
    /// What is deployed; none where the file is gone.
    pub new: Option<String>,
    /// Functions that an upgrade calls: the manifest's hooks and what its data calls
    /// ([`functions_called`](crate::odoo::functions_called)).
    pub hooks: Vec<String>,
}

/// How far two versions of a file differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum CodeChange {
    /// Comments and layout at most.
    Same,
    /// What functions do while Odoo runs: a new process is needed, no upgrade.
    Bodies,
    /// Anything else: the module is upgraded.
    Structure {
        /// What changed.
        reason: String,
    },
}
