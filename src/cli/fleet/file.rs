//! The files of runs, in the tool's own directory: what `deploy resume` goes on with.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::super::plan_file;
use crate::{
    fleet::Run,
    workflow::{Project, WorkflowError, fleet::FleetWish},
};

/// How many runs are kept.
const KEPT: usize = 50;

/// Where the runs of this user are kept.
pub(super) struct Runs {
    directory: PathBuf,
}

impl Runs {
    /// Opens the directory.
    pub(super) fn of(project: &Project) -> Self {
        Self { directory: project.cache.join("runs") }
    }

    /// Writes a run's file, as a whole or not at all.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    pub(super) fn write(&self, run: &Run<FleetWish>) -> Result<(), WorkflowError> {
        fs::create_dir_all(&self.directory)
            .and_then(|()| plan_file::replace(&self.path(&run.id), &run.text()))
            .map_err(|error| failed("write", &self.path(&run.id), &error))
    }

    /// Removes all but the newest runs; what cannot be removed stays.
    pub(super) fn prune(&self) {
        let ids = self.ids();
        for id in ids.iter().rev().skip(KEPT) {
            let _ = fs::remove_file(self.path(id));
        }
    }

    /// Reads a run, or the last one of the repository.
    ///
    /// # Errors
    /// Fails where there is none, or its file cannot be read.
    pub(super) fn read(
        &self,
        id: Option<&str>,
        project: &Project,
    ) -> Result<Run<FleetWish>, WorkflowError> {
        let root = project.repository.root();
        let none = |message: String| WorkflowError::Usage {
            message,
            hint: Some(
                "run the deploy itself again: what is where it should be is left alone".to_owned(),
            ),
        };
        let Some(id) = id else {
            let mut runs = self.ids().into_iter().rev().filter_map(|id| self.load(&id).ok());
            return runs
                .find(|run| run.repository == root)
                .ok_or_else(|| none("no run of this repository is known here".to_owned()));
        };
        let is_name = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name || !self.path(id).exists() {
            return Err(none(format!("no run `{id}` is known here")));
        }
        let run = self.load(id)?;
        if run.repository != root {
            let other = run.repository.display();
            return Err(none(format!("run `{id}` is one of the repository `{other}`")));
        }
        Ok(run)
    }

    fn load(&self, id: &str) -> Result<Run<FleetWish>, WorkflowError> {
        let path = self.path(id);
        let text = fs::read_to_string(&path).map_err(|error| failed("read", &path, &error))?;
        Run::parse(&text).map_err(|error| WorkflowError::Usage {
            message: format!("`{}`: {error}", path.display()),
            hint: Some("resume it with the version of deploy that began it, or a newer one".into()),
        })
    }

    /// Lists the runs by their ids, which begin with a time.
    fn ids(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| {
            Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned())
        };
        let mut ids: Vec<_> = entries.filter_map(name).collect();
        ids.sort();
        ids
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }
}

fn failed(verb: &str, path: &Path, error: &io::Error) -> WorkflowError {
    WorkflowError::Usage {
        message: format!("failed to {verb} the run's file `{}`: {error}", path.display()),
        hint: None,
    }
}
