//! Workflows and actions, as far as the tests look at them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

/// A workflow, or an action with one job.
#[derive(Debug, Deserialize)]
pub(crate) struct Workflow {
    #[serde(default)]
    pub(crate) permissions: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) jobs: BTreeMap<String, Job>,
    #[serde(default)]
    pub(crate) runs: Option<Job>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    #[serde(default)]
    pub(crate) permissions: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Step {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) uses: Option<String>,
    #[serde(default)]
    pub(crate) run: Option<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) with: BTreeMap<String, Value>,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a workflow or action.
pub(crate) fn read(path: &Path) -> Workflow {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Reads one of those that `deploy init` writes.
pub(crate) fn platform(path: &str) -> Workflow {
    read(&root().join("src/workflow/init/platform").join(path))
}

/// Returns the files of all workflows and actions: this repository's and a platform's.
pub(crate) fn all() -> Vec<PathBuf> {
    let platform = root().join("src/workflow/init/platform");
    let directories = [
        root().join(".github/workflows"),
        root().join(".github/actions/install"),
        platform.join("workflows"),
        platform.join("actions/install-deploy"),
    ];
    let files = directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap());
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    files.sort();
    assert_eq!(files.len(), 7, "{files:?}");
    files
}

impl Workflow {
    /// Returns the steps of all jobs.
    pub(crate) fn steps(&self) -> Vec<&Step> {
        self.jobs.values().chain(&self.runs).flat_map(|job| &job.steps).collect()
    }

    /// Returns the step of a name, or whose name begins so.
    pub(crate) fn step(&self, name: &str) -> &Step {
        let step = self.steps().into_iter().find(|step| step.name.starts_with(name));
        step.unwrap_or_else(|| panic!("there is no step `{name}`"))
    }
}
