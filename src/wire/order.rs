//! What a controller asks to be carried out.

use serde::{Deserialize, Serialize};

use crate::{
    plan::Transaction,
    render::{UnitInput, VhostInput},
};

/// A transaction, and what the files of root's that it brings are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What is carried out.
    pub transaction: Transaction,
    /// What its unit and its vhost are rendered from.
    pub inputs: FileInputs,
}

/// What unit and vhost are made of: where the key that asks can only deploy, the agent
/// renders them anew and compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInputs {
    /// The unit's values.
    pub unit: UnitInput,
    /// The vhost's; none where the host has none.
    pub vhost: Option<VhostInput>,
    /// The repository's own template of the unit, where it has one.
    pub unit_template: Option<String>,
    /// The repository's own template of the vhost, where it has one.
    pub vhost_template: Option<String>,
}
