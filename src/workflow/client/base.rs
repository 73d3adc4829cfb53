//! What the new files are put on top of.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::{
    host::{ConfigError, FileSource, Host, HostName, WorkingTree, host_names},
    source::{Head, HeadError},
    workflow::{Project, WorkflowError},
};

/// The files as they lie on disk, or as the last commit has them: a branch of its own is
/// made from that, whatever else is being worked on.
pub(super) enum Base {
    WorkingTree(WorkingTree),
    LastCommit(Box<Head>),
}

impl Base {
    /// Opens what the command works on.
    pub(super) fn open(project: &Project, branch: bool) -> Result<Self, WorkflowError> {
        if !branch {
            return Ok(Self::WorkingTree(project.files.clone()));
        }
        let head = Head::open(project.repository.root()).map_err(head_error)?;
        Ok(Self::LastCommit(Box::new(head)))
    }
}

/// Says what Git's repository is not fit for.
pub(super) fn head_error(error: HeadError) -> WorkflowError {
    let hint = error.hint();
    WorkflowError::Usage { message: crate::causes::with_causes(&error), hint }
}

impl FileSource for Base {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::WorkingTree(files) => files.read(path),
            Self::LastCommit(head) => head.read(path),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        match self {
            Self::WorkingTree(files) => files.list(directory),
            Self::LastCommit(head) => head.list(directory),
        }
    }
}

/// Files with new ones among them.
pub(super) struct Overlay<'a> {
    pub(super) base: &'a Base,
    pub(super) new: BTreeMap<PathBuf, Vec<u8>>,
}

impl FileSource for Overlay<'_> {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match self.new.get(path) {
            Some(content) => Ok(Some(content.clone())),
            None => self.base.read(path),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = self.base.list(directory)?;
        names.extend(self.new.list(directory)?);
        names.sort();
        names.dedup();
        Ok(names)
    }
}

/// Reads every host.
pub(super) fn every_host(files: &impl FileSource) -> Result<Vec<Host>, ConfigError> {
    host_names(files)?.iter().map(|name| Host::load(files, name)).collect()
}

/// Reads a text; none where there is no such file.
pub(super) fn text(files: &impl FileSource, path: &Path) -> Result<Option<String>, WorkflowError> {
    let content = files.read(path).map_err(|error| {
        WorkflowError::usage(
            format!("failed to read `{}`: {error}", path.display()),
            "it has to be a file of the repository",
        )
    })?;
    Ok(content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Tells whether a host of that name is among some.
pub(super) fn is_among(name: &HostName, hosts: &[Host]) -> bool {
    hosts.iter().any(|host| host.name == *name)
}
