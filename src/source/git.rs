//! Runs the program `git`: the only way to the network and to the user's own repository.

#![expect(clippy::disallowed_methods, reason = "the adapter that runs `git`")]

use std::{
    ffi::{OsStr, OsString},
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{SourceError, text};

/// Variables that would point Git at another repository than the one named.
const MISLEADING: [&str; 13] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_CEILING_DIRECTORIES",
    "LANGUAGE",
];

/// One setting of Git, key and value.
pub(super) type GitSetting = (String, String);

/// `git` for one repository.
pub(super) struct Git {
    arguments: Vec<OsString>,
    directory: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    settings: Vec<GitSetting>,
}

impl Git {
    /// Reads a repository with a work tree and writes nothing, not even a refreshed index.
    pub(super) fn reading(root: &Path) -> Self {
        let arguments = ["--no-optional-locks", "-c", "core.fsmonitor=false"];
        Self {
            arguments: arguments.map(Into::into).into(),
            directory: root.to_owned(),
            // A partial clone would otherwise fetch into the user's repository.
            environment: vec![("GIT_NO_LAZY_FETCH", "1".into())],
            settings: Vec::new(),
        }
    }

    /// Works on a bare repository of the tool's own.
    pub(super) fn bare(path: &Path) -> Self {
        // By name, so that `safe.bareRepository=explicit` lets it pass.
        let arguments = vec!["--git-dir".into(), path.into()];
        Self { arguments, directory: path.to_owned(), environment: vec![], settings: vec![] }
    }

    pub(super) fn environment(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Adds settings through the environment, where other users cannot see them.
    pub(super) fn settings(mut self, settings: impl IntoIterator<Item = GitSetting>) -> Self {
        self.settings.extend(settings);
        self
    }

    /// Runs Git; `operation` is what the error says was tried. Returns its stdout.
    pub(super) fn run<A: AsRef<OsStr>>(
        &self,
        operation: &str,
        arguments: &[A],
    ) -> Result<Vec<u8>, SourceError> {
        let output = self.command(arguments).output();
        let output = output.map_err(|source| SourceError::StartGit { source })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let mut complaint = text::complaint(&output.stderr);
        if complaint.is_empty() {
            complaint = format!("`git` ended with {}", output.status);
        }
        Err(SourceError::Git { operation: operation.to_owned(), complaint })
    }

    /// Returns every setting that Git sees here, in Git's order.
    pub(super) fn all_settings(&self) -> Result<Vec<GitSetting>, SourceError> {
        let listed = self.run("read Git's settings", &["config", "--list", "-z"])?;
        let text = String::from_utf8_lossy(&listed);
        let entries = text.split('\0').filter(|entry| !entry.is_empty());
        // A key without `=` means true.
        let pair = |entry: &str| match entry.split_once('\n') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (entry.to_owned(), "true".to_owned()),
        };
        Ok(entries.map(pair).collect())
    }

    fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new("git");
        command
            .args(["-c", "protocol.ext.allow=never"])
            .args(&self.arguments)
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        for name in MISLEADING {
            command.env_remove(name);
        }
        // The messages are matched against; a replaced object is not what is deployed.
        command.env("LC_ALL", "C").env("GIT_NO_REPLACE_OBJECTS", "1");
        if !io::stdin().is_terminal() {
            command.env("GIT_TERMINAL_PROMPT", "0");
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let first = std::env::var("GIT_CONFIG_COUNT").ok().and_then(|count| count.parse().ok());
        let first: usize = first.unwrap_or(0);
        for (at, (key, value)) in self.settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{}", first + at), key);
            command.env(format!("GIT_CONFIG_VALUE_{}", first + at), value);
        }
        if !self.settings.is_empty() {
            command.env("GIT_CONFIG_COUNT", (first + self.settings.len()).to_string());
        }
        command
    }
}
