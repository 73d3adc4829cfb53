//! The Python environment of a host: the packages that its addons need, on top of what
//! the server's interpreter has.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{desired::Desired, observed::Observed, obstacle::Obstacle, obstacle::live_record};
use crate::{host::ModuleName, layout::Layout};

/// The packages that a commit asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonEnvironment {
    /// Where it is on the server: equal packages on an equal interpreter are one directory.
    pub directory: PathBuf,
    /// The requirements file, as the repository names it.
    pub file: String,
    /// Its text and that of every file it includes, by path in the repository.
    pub files: BTreeMap<String, String>,
}

/// What the server has of environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentFacts {
    /// What the interpreter says of its version, or why it cannot be asked.
    pub python_version: Result<String, String>,
    /// The environments that are complete.
    pub built: BTreeSet<PathBuf>,
}

/// Builds an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildEnvironment {
    /// Where.
    pub directory: PathBuf,
    /// The interpreter it stands on.
    pub python: PathBuf,
    /// The requirements file.
    pub file: String,
    /// Its text and that of every file it includes, by path in the repository.
    pub files: BTreeMap<String, String>,
}

/// Checks what the manifests of modules and of all that they depend on ask for besides
/// modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckDependencies {
    /// The modules.
    pub modules: Vec<ModuleName>,
    /// The requirements file that a missing package belongs into.
    pub file: Option<String>,
}

impl PythonEnvironment {
    /// Names the environment of requirements on an interpreter.
    #[must_use]
    pub fn new(
        layout: &Layout,
        python: (&std::path::Path, &str),
        file: String,
        files: BTreeMap<String, String>,
    ) -> Self {
        let content = serde_json::to_vec(&(python, &file, &files)).expect("texts are JSON");
        let key = &blake3::hash(&content).to_hex()[..16];
        Self { directory: layout.environments().join(key), file, files }
    }

    /// Returns what builds it.
    #[must_use]
    pub(super) fn build(&self, python: PathBuf) -> BuildEnvironment {
        BuildEnvironment {
            directory: self.directory.clone(),
            python,
            file: self.file.clone(),
            files: self.files.clone(),
        }
    }
}

/// Returns what has to be built before the release is tried out.
#[must_use]
pub(super) fn to_build(desired: &Desired, observed: &Observed) -> Option<BuildEnvironment> {
    let wanted = desired.python.as_ref()?;
    let is_built = observed.environments.built.contains(&wanted.directory);
    (!is_built).then(|| wanted.build(desired.service.python.clone()))
}

/// Says in which way the packages differ from those of the live release.
#[must_use]
pub(super) fn difference(desired: &Desired, observed: &Observed) -> Option<String> {
    let live = live_record(observed)?.python_environment.as_ref();
    match (live, &desired.python) {
        (None, Some(new)) => Some(format!("the Python packages of {} are new", new.file)),
        (Some(old), Some(new)) if *old != new.directory => {
            Some(format!("the Python packages of {} change", new.file))
        }
        (Some(_), None) => Some("the host has no Python packages of its own any more".to_owned()),
        _ => None,
    }
}

pub(super) fn obstacles(desired: &Desired, observed: &Observed, found: &mut Vec<Obstacle>) {
    if let (Some(wanted), Err(why)) = (&desired.python, &observed.environments.python_version) {
        found.push(
            Obstacle::new(format!("no Python environment can be built for {}: {why}", wanted.file))
                .hint("`python` in `[deploy]` names the interpreter that Odoo runs under"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{
        Switch,
        sample::{Sample, host, titles},
    };

    fn environment(version: &str, text: &str) -> PythonEnvironment {
        let layout = Layout::new(host("acme.example.com"));
        let files = BTreeMap::from([("requirements.txt".to_owned(), text.to_owned())]);
        let python = (std::path::Path::new("/usr/bin/python3"), version);
        PythonEnvironment::new(&layout, python, "requirements.txt".into(), files)
    }

    fn wants(sample: &mut Sample, wanted: PythonEnvironment) {
        sample.desired.service.python_environment = Some(wanted.directory.clone());
        sample.desired.python = Some(wanted);
    }

    #[test]
    fn equal_requirements_on_an_equal_interpreter_are_one_directory() {
        let one = environment("3.13.5", "zeep\n");
        assert!(one.directory.starts_with("/opt/odoo/acme.example.com/python"));
        assert_eq!(one, environment("3.13.5", "zeep\n"));
        assert_ne!(one.directory, environment("3.14.0", "zeep\n").directory);
        assert_ne!(one.directory, environment("3.13.5", "zeep>=4\n").directory);
    }

    #[test]
    fn packages_that_change_are_built_before_odoo_is_stopped() {
        let mut sample = Sample::matching();
        wants(&mut sample, environment("3.13.5", "zeep\n"));
        let plan = sample.plan();
        assert_eq!(plan.switch, Switch::Stop);
        assert_eq!(plan.reasons, ["the Python packages of requirements.txt are new"]);
        assert!(titles(&plan).starts_with("install the Python packages of requirements.txt\n"));
        assert!(plan.provision.python.is_some());
    }

    #[test]
    fn an_environment_that_is_there_is_not_built_again() {
        let mut sample = Sample::matching();
        let wanted = environment("3.13.5", "zeep\n");
        sample.observed.environments.built.insert(wanted.directory.clone());
        sample.observed.host.releases[0].record.python_environment = Some(wanted.directory.clone());
        wants(&mut sample, wanted);
        assert!(sample.plan().is_empty());
    }

    #[test]
    fn without_an_interpreter_nothing_can_be_built() {
        let mut sample = Sample::matching();
        wants(&mut sample, environment("", "zeep\n"));
        sample.observed.environments.python_version = Err("no such file".into());
        assert!(sample.refusal().contains("no Python environment can be built"));
    }
}
