//! What is done to a server, one thing at a time.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    odoo::Series,
    plan::{Event, Failure, Holder},
};

/// Everything that is to be done, in order. Each step done again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupOrder {
    /// Who ordered it.
    pub holder: Holder,
    /// The steps.
    pub steps: Vec<SetupStep>,
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum SetupStep {
    /// Fetches the lists of packages.
    UpdatePackageLists,
    /// Installs packages without what they only recommend.
    InstallPackages {
        /// Their names.
        names: Vec<String>,
    },
    /// Creates a system user with a group of its name.
    CreateUser {
        /// Its name.
        name: String,
        /// Its home, which is not created.
        home: PathBuf,
    },
    /// Creates a directory, or gives it its owner.
    MakeDirectory {
        /// Where.
        path: PathBuf,
        /// Whose.
        owner: Owner,
        /// Its mode where it is created.
        mode: u32,
    },
    /// Keeps a unit from ever being started.
    Mask {
        /// The unit.
        unit: String,
    },
    /// Makes a vendor's package source known, with its key.
    AddRepository {
        /// The series of Odoo that it brings.
        series: Series,
        /// The line of the package source.
        source: ConfigFile,
        /// Where its signing key is fetched.
        key: String,
        /// Where the key goes.
        keyring: PathBuf,
    },
    /// Installs Odoo as a package.
    InstallOdoo {
        /// The series that has to come of it.
        series: Series,
        /// The package.
        package: OdooPackage,
    },
    /// Checks Odoo's source out.
    CheckOutOdoo {
        /// The series: the branch.
        series: Series,
        /// The Git repository.
        url: String,
    },
    /// Builds the Python environment of a source checkout.
    BuildEnvironment {
        /// The series.
        series: Series,
    },
    /// Writes configuration that one program reads, and has it read that.
    Configure {
        /// Who reads it.
        reader: Reader,
        /// The files, as they are to be.
        files: Vec<ConfigFile>,
        /// Files that have to go.
        remove: Vec<PathBuf>,
    },
    /// Writes PostgreSQL's settings; it is restarted where one needs that.
    TunePostgres {
        /// Its version.
        version: u32,
        /// The settings.
        file: ConfigFile,
    },
    /// Creates a role that logs in and creates databases.
    CreateRole {
        /// Its name.
        name: String,
    },
    /// Starts units, and has them started at boot.
    Enable {
        /// The units.
        units: Vec<String>,
    },
    /// Opens TCP ports, sshd's among them, and closes all others.
    CloseFirewall {
        /// What is open.
        open: Vec<u16>,
    },
}

/// Whose a directory is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user.
    pub user: String,
    /// The group.
    pub group: String,
}

/// A file of configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// All it holds.
    pub text: String,
    /// Its mode.
    pub mode: u32,
}

/// The program that reads a file. It is asked whether it likes the file before that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// nginx.
    Nginx,
    /// sudo.
    Sudo,
    /// fail2ban.
    Fail2ban,
    /// logrotate.
    Logrotate,
    /// apt.
    Apt,
}

/// Where a package of Odoo is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OdooPackage {
    /// In the server's package sources.
    Named(String),
    /// Somewhere else.
    Url(String),
    /// A file of the repository, which the controller sends.
    Sent {
        /// Where it is in the repository.
        path: PathBuf,
    },
}

/// What a setup tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetupTold {
    /// Something happened.
    Event(Event),
    /// It ended; with a failure where a step failed. What was done before stays.
    Ended(Option<Failure>),
    /// Nothing was begun: another one runs.
    Busy(Option<Holder>),
}

/// Where the source of a series is checked out.
#[must_use]
pub fn checkout_of(series: Series) -> PathBuf {
    Path::new("/opt").join(format!("odoo-{series}"))
}

/// Where its Python environment is.
#[must_use]
pub fn environment_of(series: Series) -> PathBuf {
    Path::new("/opt").join(format!("odoo-{series}-venv"))
}

impl SetupStep {
    /// Returns the files that the step writes.
    #[must_use]
    pub fn files(&self) -> &[ConfigFile] {
        match self {
            Self::Configure { files, .. } => files,
            Self::TunePostgres { file, .. } | Self::AddRepository { source: file, .. } => {
                std::slice::from_ref(file)
            }
            _ => &[],
        }
    }
}

impl fmt::Display for SetupStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpdatePackageLists => f.write_str("fetch the lists of packages"),
            Self::InstallPackages { names } => write!(f, "install {}", names.join(", ")),
            Self::CreateUser { name, .. } => write!(f, "create the system user `{name}`"),
            Self::MakeDirectory { path, owner, .. } => {
                write!(f, "create {}, of {}", path.display(), owner.user)
            }
            Self::Mask { unit } => {
                write!(f, "mask the package's own `{unit}`: each host has its own unit")
            }
            Self::AddRepository { source, .. } => {
                let line = source.text.lines().find(|line| line.starts_with("deb "));
                let source = line.and_then(|line| line.split("] ").nth(1)).unwrap_or_default();
                write!(f, "add the package source {source}")
            }
            Self::InstallOdoo { series, package } => match package {
                OdooPackage::Named(name) => write!(f, "install Odoo {series}: package {name}"),
                OdooPackage::Url(url) => write!(f, "install Odoo {series} from {url}"),
                OdooPackage::Sent { path } => {
                    write!(f, "install Odoo {series} from the repository's {}", path.display())
                }
            },
            Self::CheckOutOdoo { series, url } => {
                write!(
                    f,
                    "check Odoo {series} out of {url} into {}",
                    checkout_of(*series).display()
                )
            }
            Self::BuildEnvironment { series } => {
                let environment = environment_of(*series);
                write!(f, "install what Odoo {series} requires into {}", environment.display())
            }
            Self::Configure { reader, files, remove } => {
                let written = files.iter().map(|file| file.path.display().to_string());
                write!(f, "configure {reader}: {}", written.collect::<Vec<_>>().join(", "))?;
                if !remove.is_empty() {
                    f.write_str(", in place of what the package brings")?;
                }
                Ok(())
            }
            Self::TunePostgres { version, file } => {
                let path = file.path.display();
                write!(
                    f,
                    "configure PostgreSQL {version} (restarts it where a setting needs that): {path}"
                )
            }
            Self::CreateRole { name } => {
                write!(f, "create the role `{name}`, which may create databases")
            }
            Self::Enable { units } => write!(f, "enable and start {}", units.join(", ")),
            Self::CloseFirewall { open } => {
                let open = open.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                write!(f, "close every port but {open}")
            }
        }
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nginx => "nginx",
            Self::Sudo => "sudo",
            Self::Fail2ban => "fail2ban",
            Self::Logrotate => "log rotation",
            Self::Apt => "security updates",
        })
    }
}
