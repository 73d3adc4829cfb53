//! What a host has to answer.

use serde::{Deserialize, Serialize};

use crate::{
    host::{DatabaseName, SETTLE},
    layout::ReleaseNumber,
};

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
    /// How long it must have run, in seconds, since it was started or reloaded.
    #[serde(default = "settle")]
    pub settle: u64,
}

/// What records from before there was a choice meant.
const fn settle() -> u64 {
    SETTLE.as_secs()
}

/// Where a vhost's marker is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The port of plain HTTP.
    pub port: u16,
    /// What it must answer.
    pub text: String,
}
