//! What is asked and told about an Odoo that the tool did not set up.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    host::HostName,
    plan::{Adopted, CodePlace, Holder},
};

/// What of a server is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyRequest {
    /// The unit; none for the only one that runs Odoo.
    pub unit: Option<String>,
}

/// What runs on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Every unit that runs Odoo, or is named as if it did.
    pub candidates: Vec<Candidate>,
    /// Processes of Odoo that belong to no service, in words.
    pub others: Vec<String>,
    /// The one that is meant; none where that is not plain.
    pub instance: Option<Box<Instance>>,
}

/// A unit that may be adopted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub unit: String,
    /// Whether it runs.
    pub is_running: bool,
    /// The host that it was adopted as.
    pub host: Option<HostName>,
    /// Whether that host runs a release of the tool's by now.
    pub is_left: bool,
}

/// An Odoo as its unit, its process and its files say. Secrets are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The unit.
    pub unit: String,
    /// Whether it is started at boot.
    pub enabled: bool,
    /// Whether the unit only starts an init script.
    pub is_script: bool,
    /// The unit's own file.
    pub unit_file: Option<PathBuf>,
    /// The system user.
    pub user: String,
    /// Its group.
    pub group: String,
    /// Odoo's program.
    pub odoo_bin: PathBuf,
    /// Its interpreter; none where it is not named by an absolute path.
    pub python: Option<PathBuf>,
    /// What Odoo says of its version.
    pub version: Result<String, String>,
    /// Its odoo.conf.
    pub conf: Option<PathBuf>,
    /// Its options, section by section, the command line's among those of `options`.
    pub sections: BTreeMap<String, BTreeMap<String, FoundValue>>,
    /// Options that the command line sets.
    pub from_command_line: Vec<String>,
    /// Where its data is.
    pub data_dir: PathBuf,
    /// Its addons.
    pub code: Vec<CodePlace>,
    /// The Odoo databases that its role sees, or why they could not be listed.
    pub databases: Result<Vec<String>, String>,
    /// The vhosts that pass requests on to it.
    pub vhosts: Vec<FoundVhost>,
    /// What the new unit will not have, in sentences.
    pub notes: Vec<String>,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundValue {
    /// It may be shown.
    Plain(String),
    /// It stays on the server.
    Secret,
}

/// A file of nginx that serves an Odoo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundVhost {
    /// Where nginx reads it.
    pub path: PathBuf,
    /// What it links to.
    pub link: Option<PathBuf>,
    /// The names by which it serves this Odoo, in the order they are written.
    pub names: Vec<String>,
    /// Names that it serves from elsewhere.
    pub others: Vec<String>,
    /// The certificate's chain and key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The port of plain HTTP; none where there is none.
    pub port: Option<u16>,
    /// `client_max_body_size`.
    pub body_size: Option<String>,
}

/// Has what runs recorded as release 0 of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptRequest {
    /// What is recorded; the files it names are copied on the server.
    pub record: Adopted,
    /// Who asks, for the history.
    pub holder: Holder,
    /// The environment, for the history.
    pub environment: String,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adoption {
    /// It is recorded now.
    Recorded,
    /// It was recorded before, otherwise.
    Renewed,
    /// It was recorded before, and is as it was.
    Unchanged,
}
