//! What a machine is and has.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::distribution::OsRelease;
use crate::{host::HostName, odoo::Series};

/// What a plan for a server is made from. Nothing in it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// The agent's version.
    pub agent: String,
    /// The distribution.
    pub os: OsRelease,
    /// The login that became root by sudo; none where it is root itself.
    pub login: Option<String>,
    /// All memory, in bytes.
    pub memory: u64,
    /// Processors.
    pub cpus: u32,
    /// Whether there is IPv6: nginx does not start where it is told to listen and cannot.
    pub ipv6: bool,
    /// Whether it is a container, whose clock is that of its machine.
    pub container: bool,
    /// The ports that sshd listens on.
    pub ssh_ports: Vec<u16>,
    /// The installed ones of the packages asked for, and every package of Odoo, with versions.
    pub packages: BTreeMap<String, String>,
    /// The files asked for, as far as they are there.
    pub files: BTreeMap<PathBuf, String>,
    /// The units asked for.
    pub units: BTreeMap<String, UnitFacts>,
    /// The directories asked for that are there, with their owners.
    pub directories: BTreeMap<PathBuf, String>,
    /// Whether the system user of Odoo exists.
    pub user: bool,
    /// The versions of PostgreSQL of which there is a cluster `main`.
    pub clusters: Vec<u32>,
    /// Whether PostgreSQL has the role of Odoo; none where it could not be asked.
    pub role: Option<bool>,
    /// Whether PostgreSQL has to be restarted for settings that it read.
    pub postgres_waits: bool,
    /// The firewall; none where it is not installed.
    pub firewall: Option<Firewall>,
    /// nginx's own configuration, `conf.d` and `sites-enabled`.
    pub nginx: BTreeMap<PathBuf, String>,
    /// The series of `/usr/bin/odoo`.
    pub odoo: Option<String>,
    /// What there is of source checkouts.
    pub sources: BTreeMap<Series, SourceFacts>,
    /// The hosts of this server with a live release.
    pub hosts: Vec<HostName>,
    /// Whether somebody sets this server up right now.
    pub setup_runs: bool,
}

/// How a unit is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFacts {
    /// Whether systemd knows it.
    pub known: bool,
    /// Whether it is active.
    pub active: bool,
    /// Whether it starts by itself.
    pub enabled: bool,
    /// Whether somebody forbade it.
    pub masked: bool,
    /// Its file.
    pub file: Option<PathBuf>,
}

impl UnitFacts {
    /// Tells whether it runs and will run again after a boot.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.active && self.enabled
    }
}

/// How ufw is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// Whether it filters.
    pub active: bool,
    /// Whether it turns away what no rule lets in.
    pub closed: bool,
    /// The TCP ports that are open to everybody.
    pub open: Vec<u16>,
}

/// What there is of a source checkout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Whether it is checked out.
    pub code: bool,
    /// Whether its Python environment is complete.
    pub environment: bool,
}

/// What a closer look at a server finds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// What a plan is made from.
    pub machine: MachineFacts,
    /// The disks that matter.
    pub disks: Vec<Disk>,
    /// Memory that programs can still get, in bytes.
    pub memory_available: u64,
    /// What nginx says to its configuration; none where there is no nginx.
    pub nginx: Option<Result<(), String>>,
    /// What PostgreSQL says; none where there is none.
    pub postgres: Option<Result<(), String>>,
    /// Whether the clock is kept right; none where that is not known.
    pub clock: Option<bool>,
    /// Whether the machine waits for a reboot.
    pub reboot: Option<Pending>,
    /// Units that failed.
    pub failed_units: Vec<String>,
    /// The services of the hosts.
    pub services: Vec<HostService>,
    /// What listens on the ports of the web, by unit where it is known.
    pub web: BTreeMap<u16, Option<String>>,
}

/// A filesystem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The directory that was asked about.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Free bytes.
    pub free: u64,
    /// Free inodes of a hundred; none where there is no fixed number.
    pub inodes: Option<u8>,
}

/// Why a machine waits for a reboot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The packages that ask for it.
    pub packages: Vec<String>,
}

/// The service of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostService {
    /// The host.
    pub host: HostName,
    /// How its unit is.
    pub unit: UnitFacts,
    /// Whether a hold keeps it from starting.
    pub hold: bool,
}
