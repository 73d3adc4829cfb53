//! A module's `__manifest__.py`.

use serde::{Deserialize, Serialize};

use crate::host::ModuleName;

/// What the tool needs of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version as written, or Odoo's default `1.0`.
    pub version: String,
    /// The modules it depends on; `base` where it names none.
    pub depends: Vec<ModuleName>,
    /// Whether Odoo may install it.
    pub installable: bool,
    /// Functions run at installation and removal (`pre_init_hook`, …), by name.
    pub hooks: Vec<String>,
    /// Required Python distributions (`external_dependencies`), as written.
    pub python_dependencies: Vec<String>,
    /// A fingerprint of the parsed value: equal where only comments or spacing differ.
    pub fingerprint: String,
}
