//! What a release was deployed with: how Odoo is run, how its databases are reached, and what
//! its unit and vhost are made of. Beside the copies of its files, for root only; a deploy key
//! may change next to nothing of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    as_deployed,
    server::{FileError, Server},
    step::release,
};
use crate::{
    layout::{Layout, ReleaseNumber},
    plan::{DatabaseAccess, Service, Transaction},
    wire::FileInputs,
};

/// What a release was deployed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeployedWith {
    /// How Odoo is run.
    pub(super) service: Service,
    /// How its databases are reached; without a password.
    pub(super) access: DatabaseAccess,
    /// What unit and vhost are made of.
    pub(super) inputs: FileInputs,
}

/// Where it lies in the directory of a release's copies.
const NAME: &str = "deployed-with.json";

/// Where a transaction keeps what it was ordered with.
const OF_TRANSACTION: &str = "inputs.json";

/// Returns where a release keeps it.
pub(super) fn path(layout: &Layout, number: ReleaseNumber) -> PathBuf {
    layout.as_deployed(number).join(NAME)
}

/// Keeps what a transaction was ordered with until its release is written.
///
/// # Errors
/// Fails when it cannot be written.
pub(super) fn keep(
    server: &Server,
    directory: &Path,
    inputs: &FileInputs,
) -> Result<(), FileError> {
    let text = serde_json::to_string(inputs).expect("inputs are JSON");
    release::replace(server, &directory.join(OF_TRANSACTION), &text, as_deployed::MODE)
}

/// Notes it with a release whose copies are there; nothing where the transaction was
/// ordered without.
///
/// # Errors
/// Fails when it cannot be read or written.
pub(super) fn note(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
    transaction: &Transaction,
) -> Result<(), FileError> {
    let directory = layout.journal().join(transaction.id.as_str());
    let Some(text) = server.read(&directory.join(OF_TRANSACTION))? else { return Ok(()) };
    let Ok(inputs) = serde_json::from_str(&text) else { return Ok(()) };
    let with = DeployedWith {
        service: transaction.service.clone(),
        access: DatabaseAccess { password: None, ..transaction.access.clone() },
        inputs,
    };
    let text = serde_json::to_string_pretty(&with).expect("it is JSON");
    release::replace(server, &path(layout, number), &text, as_deployed::MODE)
}

/// Reads it; none where the agent that deployed the release did not note it, or noted
/// less than is known now.
///
/// # Errors
/// Fails when it is there and cannot be read.
pub(super) fn read(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
) -> Result<Option<DeployedWith>, FileError> {
    let text = server.read(&path(layout, number))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
