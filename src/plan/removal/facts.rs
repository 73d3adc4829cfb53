//! What has to be known of a host that is to be removed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    host::{DatabaseName, HostName},
    layout::ReleaseNumber,
    plan::{CopyName, DatabaseAccess, Holder, Provisioned},
};

/// Which host it is, as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalQuestion {
    /// The host.
    pub host: HostName,
    /// The system user that runs Odoo.
    pub user: String,
    /// How its databases are reached where its live odoo.conf does not say so.
    pub access: DatabaseAccess,
    /// Its databases.
    pub databases: Vec<DatabaseName>,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// The file that Odoo logs to; none for the journal.
    pub logfile: Option<PathBuf>,
}

/// What is on the server of it. Nothing was changed to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalFacts {
    /// Seconds since the epoch, by the server's clock.
    pub time: i64,
    /// The transaction or removal that holds the lock.
    pub lock: Option<Holder>,
    /// A transaction that began and did not end.
    pub unfinished: Option<String>,
    /// The live release.
    pub live: Option<ReleaseNumber>,
    /// Its databases.
    pub live_databases: Option<Vec<DatabaseName>>,
    /// Its data directory.
    pub live_data_dir: Option<PathBuf>,
    /// Databases that a release named which was live once.
    pub recorded: Vec<DatabaseName>,
    /// What is in the host's directory below `/opt/odoo`; none where it is absent.
    pub directory: Option<MeasuredFiles>,
    /// Whether systemd or its directory has the unit or its drop-ins.
    pub has_unit: bool,
    /// Whether it runs.
    pub is_running: bool,
    /// Whether the vhost is there.
    pub has_vhost: bool,
    /// What nginx objects to, so that it would not reload.
    pub nginx_fault: Option<String>,
    /// Whether `/etc/odoo/<host>.conf` is there.
    pub has_conf_link: bool,
    /// The databases of the host's names, or why PostgreSQL could not be asked.
    pub databases: Result<Vec<HostDatabase>, String>,
    /// The copies that the tool made of databases of these names, with their bytes.
    pub copies: Vec<(CopyName, u64)>,
    /// The role; none where it is absent, or on another server.
    pub role: Option<RoleBelongings>,
    /// Whether the data directory is there, and how much the host has in its filestore.
    pub data: Option<MeasuredFiles>,
    /// Databases and copies that have files there.
    pub filestores: Vec<String>,
    /// The home directory of the system user; none where there is no such user.
    pub home: Option<PathBuf>,
    /// The log and its rotated predecessors.
    pub logs: Vec<PathBuf>,
    /// Who had certbot obtain the certificate of the host's name; none where there is none.
    pub certificate: Option<ObtainedBy>,
    /// What the tool itself keeps of certificates for the host.
    pub certificate_files: Vec<PathBuf>,
    /// The files of nginx, but for the host's vhost, that name a certificate of the host.
    pub certificate_users: Vec<PathBuf>,
    /// What the tool made for the host besides its files.
    pub provisioned: Provisioned,
    /// The other hosts of the server.
    pub neighbours: Vec<RemovalNeighbour>,
    /// Free bytes where archives are kept.
    pub free_for_archive: u64,
    /// The archive of a removal that did not come to its end, if nothing happened since.
    pub archived: Option<PathBuf>,
}

/// Who had a certificate obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObtainedBy {
    /// A deploy of this tool.
    Tool,
    /// Somebody else, or nothing says who.
    Somebody,
}

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredFiles {
    /// How many.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A database that has the name of one of the host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDatabase {
    /// Its name.
    pub name: DatabaseName,
    /// Bytes on disk.
    pub bytes: u64,
    /// The host that the tool wrote into it.
    pub deployed_by: Option<String>,
}

/// The role that the host connects as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleBelongings {
    /// Its name.
    pub name: String,
    /// Every database it owns.
    pub owns: Vec<String>,
}

/// Another host of the server: what is shared with it stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalNeighbour {
    /// Its name.
    pub host: HostName,
    /// Its databases.
    pub databases: Vec<DatabaseName>,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// The system user that runs it.
    pub user: Option<String>,
    /// The role it connects as, where that is not the user's.
    pub role: Option<String>,
    /// The file it logs to.
    pub logfile: Option<PathBuf>,
}
