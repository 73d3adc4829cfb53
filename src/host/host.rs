//! What a host's files mean, with nothing left to guess.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use indexmap::IndexMap;

use super::{
    DatabaseName, DnsOptions, EnvironmentName, HostName, ModuleName, Requirements, ServerName,
    UserName,
};
use crate::{odoo::Series, secret::MASK};

/// Where a line was written, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, relative to the root of the repository.
    pub file: PathBuf,
    /// Line number, from 1; 0 is the file as a whole.
    pub line: usize,
    /// The line as it may be shown: the value of a sensitive key is masked.
    pub text: String,
}

impl Origin {
    /// Names a file as a whole.
    #[must_use]
    pub fn whole_file(file: &Path) -> Self {
        Self { file: file.to_owned(), line: 0, text: String::new() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

/// A value as written, `{{…}}` and `${NAME}` still in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// The text, continuation lines joined with `\n`.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The line is masked where its key is sensitive; the value would not be.
        let shown = if self.origin.text.ends_with(MASK) { MASK } else { &self.value };
        f.debug_struct("Setting").field("value", &shown).field("origin", &self.origin).finish()
    }
}

/// One Odoo instance as its configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The hostname it is found by.
    pub name: HostName,
    /// The environment that decides branch and policy.
    pub environment: EnvironmentName,
    /// The server that carries it.
    pub server: ServerName,
    /// Odoo's series.
    pub odoo: Series,
    /// `[options]` after inheritance, in order of first appearance.
    pub options: IndexMap<String, Setting>,
    /// Every other section that is not the tool's, passed on unchanged.
    pub foreign: IndexMap<String, IndexMap<String, Setting>>,
    /// The databases it serves (`db_name`), never empty.
    pub databases: Vec<DatabaseName>,
    /// `data_dir`, absolute.
    pub data_dir: PathBuf,
    /// `http_port`.
    pub http_port: u16,
    /// `gevent_port`.
    pub gevent_port: u16,
    /// `http_interface`; empty is every interface.
    pub http_interface: String,
    /// `workers`: 0 is threaded, -1 is scheduled jobs only.
    pub workers: i32,
    /// `addons_path`, in order.
    pub addons_path: Vec<AddonsDirectory>,
    /// `[deploy]`.
    pub deploy: DeployOptions,
    /// `[deploy.nginx]`; none where `enabled = False`.
    pub nginx: Option<NginxOptions>,
    /// `[deploy.dns]`.
    pub dns: DnsOptions,
    /// `[deploy.backup]` as written; the backup commands read it.
    pub backup: IndexMap<String, Setting>,
}

/// One entry of `addons_path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddonsDirectory {
    /// In the repository (written relative, or as `{{release.code}}/…`); the path is relative to its root.
    InRelease(PathBuf),
    /// On the server, absolute.
    OnServer(PathBuf),
}

/// `[deploy]`: how this host is run and deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployOptions {
    /// `user`: the system user that runs Odoo (default `odoo`).
    pub user: UserName,
    /// `group`: its group (default: the user's name).
    pub group: UserName,
    /// `odoo_bin`: Odoo's program on the server (default `/usr/bin/odoo`).
    pub odoo_bin: PathBuf,
    /// `python`: the interpreter Odoo runs under (default `/usr/bin/python3`).
    pub python: PathBuf,
    /// `requirements`: the file that lists the addons' Python packages.
    pub requirements: Requirements,
    /// `install`: modules of a database that the first deploy creates; empty: it creates none.
    pub install: Vec<ModuleName>,
    /// `admin_password`: the name of the secret that user `admin` of a database gets, which
    /// the first deploy creates; none: Odoo's own `admin`.
    pub admin_password: Option<String>,
    /// `keep`: options that stay at the server's own value.
    pub keep: Vec<String>,
    /// `upgrade_timeout`: the longest an upgrade may take (default 1 h).
    pub upgrade_timeout: Duration,
    /// `health_timeout`: the longest the host may take to become healthy (default 2 min).
    pub health_timeout: Duration,
    /// `health_settle`: how long a release must have run before it counts as healthy
    /// (default 8 s).
    pub health_settle: Duration,
    /// `load_check`: whether a release is loaded beside the running one before it takes its
    /// place (default yes).
    pub load_check: bool,
    /// `keep_releases`: verified releases kept besides the current one (default 5).
    pub keep_releases: usize,
    /// `keep_snapshots`: snapshots and failed databases kept for each database (default 2).
    pub keep_snapshots: usize,
}

/// `[deploy.nginx]`: the vhost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxOptions {
    /// `aliases`: further hostnames that are answered.
    pub aliases: Vec<HostName>,
    /// `port`: where plain HTTP is answered (default 80).
    pub port: u16,
    /// `tls`: where the certificate comes from.
    pub tls: Tls,
    /// `client_max_body_size`, as nginx writes it (default `128m`).
    pub client_max_body_size: String,
    /// `database_manager`: whether `/web/database` is passed on (default no).
    pub database_manager: bool,
    /// `cloudflare`: whether visitors come through Cloudflare (default no).
    pub cloudflare: bool,
}

/// Where a vhost's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP only.
    None,
    /// From Let's Encrypt, or another authority that speaks ACME: certbot obtains it.
    LetsEncrypt,
    /// From Cloudflare, which alone trusts it.
    CloudflareOrigin,
    /// Files that are on the server.
    Files {
        /// `certificate`: the chain.
        certificate: PathBuf,
        /// `certificate_key`: the private key.
        key: PathBuf,
    },
}
