//! What a server is to have, and what has to be asked of it to know what is missing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::texts;
use crate::{odoo::Series, settings::OdooOrigin};

/// What a server is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The series of Odoo, and where each comes from.
    pub odoo: BTreeMap<Series, OdooOrigin>,
    /// How many days logs are kept.
    pub log_days: u32,
    /// The version that the agent is to have.
    pub agent: String,
}

/// What is to be looked at. Which of it matters depends on what is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineRequest {
    /// Packages.
    pub packages: Vec<String>,
    /// Files of text.
    pub files: Vec<PathBuf>,
    /// Units.
    pub units: Vec<String>,
    /// Directories.
    pub directories: Vec<PathBuf>,
    /// Series of source checkouts.
    pub sources: Vec<Series>,
}

/// What every server needs.
pub(super) const PACKAGES: &[&str] = &[
    "ca-certificates",
    "certbot",
    "fail2ban",
    "iproute2",
    "logrotate",
    "nginx",
    "openssl",
    "postgresql",
    "procps",
    "python3",
    // fail2ban reads the journal by it.
    "python3-systemd",
    // For the Python packages that addons need.
    "python3-venv",
    "ufw",
    "unattended-upgrades",
];

/// Any of these keeps the clock right; the first is what is installed.
pub(super) const CLOCKS: &[&str] = &["systemd-timesyncd", "chrony", "ntp", "ntpsec"];

/// What Odoo's source needs besides Python: its requirements are compiled.
pub(super) const SOURCE_PACKAGES: &[&str] = &[
    "build-essential",
    "git",
    "libfreetype-dev",
    "libjpeg-dev",
    "libldap-dev",
    "libpq-dev",
    "libsasl2-dev",
    "libxml2-dev",
    "libxslt1-dev",
    "postgresql-client",
    "python3-dev",
    "zlib1g-dev",
];

/// What has to run, and to start at boot.
pub(super) const UNITS: &[&str] = &[
    "postgresql.service",
    "nginx.service",
    "fail2ban.service",
    "certbot.timer",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "logrotate.timer",
];

/// The unit that a package of Odoo brings: hosts have units of their own.
pub(super) const PACKAGE_UNIT: &str = "odoo.service";

/// The system user, its group and its role in PostgreSQL.
pub(super) const USER: &str = "odoo";

/// Other programs that filter: two of them do not know of each other.
pub(super) const OTHER_FIREWALLS: &[&str] = &["firewalld.service", "nftables.service"];

/// The directories, with owners and modes.
pub(super) const DIRECTORIES: &[(&str, &str, u32)] = &[
    ("/opt/odoo", "root", 0o755),
    ("/etc/odoo", "root", 0o755),
    ("/var/lib/odoo", USER, 0o755),
    ("/var/log/odoo", USER, 0o750),
];

/// Every version of PostgreSQL that a known distribution brings, or that PGDG had since.
const POSTGRES_VERSIONS: std::ops::RangeInclusive<u32> = 12..=18;

impl Wish {
    /// Returns what has to be asked.
    #[must_use]
    pub fn request(&self) -> MachineRequest {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let named = self.odoo.values().filter_map(|origin| match origin {
            OdooOrigin::Package(name) => Some(name.clone()),
            _ => None,
        });
        let mut files: Vec<PathBuf> = texts::PATHS.iter().map(PathBuf::from).collect();
        files.extend(texts::PACKAGE_ROTATIONS.iter().map(PathBuf::from));
        files.extend(POSTGRES_VERSIONS.map(texts::postgres_path));
        files.extend(Series::ALL.map(texts::apt_source_path));
        MachineRequest {
            packages: [PACKAGES, CLOCKS, SOURCE_PACKAGES]
                .iter()
                .flat_map(|names| own(names))
                .chain(named)
                .collect(),
            files,
            units: [own(UNITS), own(OTHER_FIREWALLS), vec![PACKAGE_UNIT.to_owned()]].concat(),
            directories: DIRECTORIES.iter().map(|(path, ..)| Path::new(path).to_owned()).collect(),
            sources: Series::ALL.to_vec(),
        }
    }
}
