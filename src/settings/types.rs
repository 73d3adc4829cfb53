//! `config/deploy.toml`, checked.

use std::{net::IpAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use indexmap::IndexMap;

use super::{Acme, Clients, DnsZone, NotifyChannel, OdooOrigin, Placement};
use crate::host::{EnvironmentName, HostName, ServerName};
use crate::odoo::Series;
use crate::source::{Branch, BranchPattern};

/// Everything `config/deploy.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The environments, by name.
    pub environments: IndexMap<EnvironmentName, Environment>,
    /// The servers, by name.
    pub servers: IndexMap<ServerName, Server>,
    /// `public_addresses` of the servers that have any written.
    pub public_addresses: IndexMap<ServerName, Vec<IpAddr>>,
    /// The zones of the DNS, by name.
    pub dns: IndexMap<HostName, DnsZone>,
    /// The notification channels, by name.
    pub notify: IndexMap<String, NotifyChannel>,
    /// `[acme]`: who certifies hosts with `tls = letsencrypt`.
    pub acme: Acme,
    /// `[defaults] desktop_notification` (default true).
    pub desktop_notification: bool,
    /// `[defaults] upgrades_at_once`: how many upgrades run on one server at the same
    /// time (default 1).
    pub upgrades_at_once: NonZeroU32,
    /// `[defaults] hook_timeout`: how long a hook may take (default ten minutes).
    pub hook_timeout: Duration,
    /// `[clients]`.
    pub clients: Clients,
    /// What new hosts each server takes.
    pub placement: IndexMap<ServerName, Placement>,
    /// `[odoo.…]`: where Odoo of each series comes from.
    pub odoo: IndexMap<Series, OdooOrigin>,
    /// `odoo` of each server: the series that it is to have.
    pub wanted_odoo: IndexMap<ServerName, Vec<Series>>,
}

/// An environment: a branch and a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The branch that is deployed where none is named.
    pub branch: Branch,
    /// The branches that `--branch` may name; the environment's own branch is always in it.
    pub allow: Vec<BranchPattern>,
    /// Whether a person confirms each deploy on a terminal.
    pub confirm: bool,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// This machine: the agent runs as a child process (`local = true`).
    Local,
    /// Over SSH.
    Ssh(SshServer),
}

/// A server reached by SSH. What is not set here comes from the user's ssh configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SshServer {
    /// `address`: a hostname, an address or an alias of the ssh configuration.
    pub address: String,
    /// `user`.
    pub user: Option<String>,
    /// `port`.
    pub port: Option<u16>,
    /// `identity`: a private key file; `~/` is the user's home.
    pub identity: Option<PathBuf>,
    /// `host_key`: the pinned key, `<type> <base64>`.
    pub host_key: Option<String>,
    /// `jump`: `user@host:port` of jump hosts, in order.
    pub jump: Vec<String>,
    /// `ssh_config`: a configuration file instead of the user's own.
    pub ssh_config: Option<PathBuf>,
}
