//! The steps of a removal, and what is told of them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RemovalQuestion;
use crate::{
    host::DatabaseName,
    plan::{CopyName, Event, Failure, Holder, TransactionId},
};

/// What a server is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalOrder {
    /// Its id: that of the unit that does it.
    pub id: TransactionId,
    /// Who asks.
    pub holder: Holder,
    /// The host.
    pub question: RemovalQuestion,
    /// The steps that were shown. Each holds all it needs and does nothing where it was done.
    pub steps: Vec<RemovalStep>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum RemovalStep {
    /// Stops Odoo: what it is about to write belongs into the archive.
    StopService,
    /// Archives what nobody could make again, and verifies the archive.
    Archive(ArchiveStep),
    /// Removes the unit, its drop-ins and its start at boot.
    RemoveUnit,
    /// Removes the vhost and has nginx read its configuration again.
    RemoveVhost,
    /// Drops a copy that the tool made of a database.
    DropCopy {
        /// Its name.
        copy: CopyName,
    },
    /// Drops a database, whoever is connected to it.
    DropDatabase {
        /// Its name.
        database: DatabaseName,
    },
    /// Removes the data directory.
    RemoveData {
        /// The directory.
        data_dir: PathBuf,
    },
    /// Removes the files of databases from a data directory that stays.
    RemoveFilestores {
        /// The directory.
        data_dir: PathBuf,
        /// The databases and copies.
        names: Vec<String>,
    },
    /// Removes a log.
    RemoveLog {
        /// The file.
        path: PathBuf,
    },
    /// Removes the certificate that certbot keeps, so that nothing renews it any more.
    RemoveCertificate,
    /// Removes what the tool itself keeps of certificates.
    RemoveCertificateFiles {
        /// The files and directories.
        paths: Vec<PathBuf>,
    },
    /// Drops the role.
    DropRole {
        /// Its name.
        role: String,
    },
    /// Removes the system user.
    RemoveUser {
        /// Its name.
        user: String,
    },
    /// Removes `/etc/odoo/<host>.conf`.
    RemoveConfLink,
    /// Removes the host's directory, and with it all that is known of the host.
    RemoveDirectory,
}

/// What goes into an archive besides the host's own files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveStep {
    /// The databases that are dumped.
    pub databases: Vec<DatabaseName>,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The databases whose files are kept.
    pub filestores: Vec<String>,
}

impl RemovalStep {
    /// Says what it does.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::StopService => "stop Odoo".to_owned(),
            Self::Archive(step) => match step.databases.as_slice() {
                [] => "archive what there is".to_owned(),
                names => {
                    let names: Vec<_> = names.iter().map(DatabaseName::as_str).collect();
                    format!("archive {} and its files", names.join(", "))
                }
            },
            Self::RemoveUnit => "remove the unit".to_owned(),
            Self::RemoveVhost => "remove the vhost and reload nginx".to_owned(),
            Self::DropCopy { copy } => format!("drop the copy {copy}"),
            Self::DropDatabase { database } => format!("drop database {database}"),
            Self::RemoveData { data_dir } => format!("remove {}", data_dir.display()),
            Self::RemoveFilestores { names, .. } => {
                format!("remove the files of {}", names.join(", "))
            }
            Self::RemoveLog { path } => format!("remove {}", path.display()),
            Self::RemoveCertificate => "remove the certificate".to_owned(),
            Self::RemoveCertificateFiles { paths } => {
                let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                format!("remove {}", paths.join(", "))
            }
            Self::DropRole { role } => format!("drop role {role}"),
            Self::RemoveUser { user } => format!("remove system user {user}"),
            Self::RemoveConfLink => "remove the link to odoo.conf".to_owned(),
            Self::RemoveDirectory => "remove releases, journal and history".to_owned(),
        }
    }

    /// Tells whether it takes something away for good.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::StopService | Self::Archive(_))
    }
}

/// The archive of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// The file on the server.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

/// One thing that a removal tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemovalTold {
    /// Something happened.
    Event(Event),
    /// Nothing more comes.
    Finished(RemovalOutcome),
}

/// How a removal ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum RemovalOutcome {
    /// Nothing is left.
    Removed {
        /// What was archived before; none where there was nothing.
        archive: Option<Archived>,
    },
    /// Somebody holds the host's lock.
    Locked {
        /// Who.
        holder: Option<Holder>,
    },
    /// Something stands in the way, and nothing was removed.
    Refused {
        /// What.
        failure: Failure,
    },
    /// A step failed when some was removed already: run again, it goes on from there.
    Stopped {
        /// What failed.
        failure: Failure,
        /// What was archived before.
        archive: Option<Archived>,
    },
}
