//! The platform repository a command works in, and who works.

use std::path::{Path, PathBuf};

use super::{Readings, WorkflowError};
use crate::{
    host::{ServerName, WorkingTree},
    secret::Secrets,
    settings::Settings,
    source::{Remote, Repository, SourceError},
    transport::{Links, Machine},
};

/// Where secrets may stand besides the environment; never committed.
pub(super) const SECRETS_FILE: &str = "config/secrets.env";

/// Who runs a command, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The person or job.
    pub who: String,
    /// The machine.
    pub from: String,
    /// The CI run, where there is one.
    pub url: Option<String>,
}

/// A platform repository, as it lies on disk, with what the machine brings.
pub struct Project {
    /// The repository.
    pub repository: Repository,
    /// Its files.
    pub files: WorkingTree,
    /// `config/deploy.toml` of the working tree.
    pub settings: Settings,
    /// Secrets by name.
    pub secrets: Secrets,
    /// The variables of the environment.
    pub variables: Vec<(String, String)>,
    /// Who works.
    pub operator: Operator,
    /// The machine that works.
    pub machine: Machine,
    /// Where bare copies of remotes are kept.
    pub cache: PathBuf,
    /// What was read of Git so far.
    pub readings: Readings,
}

/// What a command brings along from its environment.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The variables of the environment: where secrets come from.
    pub variables: Vec<(String, String)>,
    /// Who works.
    pub operator: Operator,
    /// The machine that works.
    pub machine: Machine,
    /// Where bare copies of remotes are kept.
    pub cache: PathBuf,
}

impl Project {
    /// Opens the platform repository that a directory is in.
    ///
    /// # Errors
    /// Fails where there is none, or its settings cannot be read.
    pub fn open(start: &Path, surroundings: Surroundings) -> Result<Self, WorkflowError> {
        let repository = Repository::discover(start)?;
        let files = WorkingTree::open(repository.root()).map_err(|error| {
            WorkflowError::usage(
                format!("failed to open `{}`: {error}", repository.root().display()),
                "run the command in a platform repository",
            )
        })?;
        let settings = Settings::load(&files)?;
        let mut secrets = Secrets::from_environment(surroundings.variables.clone());
        let path = Path::new(SECRETS_FILE);
        if let Some(bytes) = repository.read(path)? {
            secrets = secrets.with_file(path, &String::from_utf8_lossy(&bytes))?;
        }
        Ok(Self {
            repository,
            files,
            settings,
            secrets,
            variables: surroundings.variables,
            operator: surroundings.operator,
            machine: surroundings.machine,
            cache: surroundings.cache,
            readings: Readings::default(),
        })
    }

    /// Begins to connect to the server that the working tree names for a host: meanwhile the
    /// remote is asked for branches. Where these name another one, it was in vain.
    pub fn connect_ahead(&self, name: &ServerName) {
        if let Some(server) = self.settings.servers.get(name) {
            Links::begin(&self.machine, name, server);
        }
    }

    /// Returns the remote to deploy from.
    pub(super) fn remote(&self) -> Result<Remote, SourceError> {
        self.readings.remote(&self.repository)
    }
}
