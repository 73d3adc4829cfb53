//! What is asked and told while a client is added or removed.

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    host::{DatabaseName, HostName},
    plan::Neighbour,
};

/// What a new host would use, to be looked for on its server. Changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OccupancyRequest {
    /// Its names.
    pub hosts: Vec<HostName>,
    /// Its databases.
    pub databases: Vec<DatabaseName>,
    /// Its data directories.
    pub data_dirs: Vec<PathBuf>,
    /// Its system users.
    pub users: Vec<String>,
}

/// What of it is there already, and which ports are in use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupancy {
    /// Ports that something listens on, or that a live release uses.
    pub ports: BTreeSet<u16>,
    /// The names that a release is there of.
    pub hosts: Vec<HostName>,
    /// The databases that exist, in the server's own PostgreSQL.
    pub databases: Vec<DatabaseName>,
    /// The data directories that exist.
    pub data_dirs: Vec<PathBuf>,
    /// The system users that exist.
    pub users: Vec<String>,
    /// What the hosts of the server use.
    pub neighbours: Vec<Neighbour>,
}
