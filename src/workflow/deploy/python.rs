//! Which Python packages a commit asks for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Observed, Target, WorkflowError};
use crate::{
    host::{REQUIREMENTS, Requirements},
    layout::Layout,
    odoo::included_files,
    plan::PythonEnvironment,
};

/// Tells whether the commit may ask for packages, before anything of it is read.
pub(super) fn may_be_asked(target: &Target) -> Result<bool, WorkflowError> {
    Ok(match &target.host.deploy.requirements {
        Requirements::None => false,
        Requirements::IfPresent => target.tree.read(Path::new(REQUIREMENTS))?.is_some(),
        Requirements::File(_) => true,
    })
}

/// Reads the requirements of the commit; none where it has none.
pub(super) fn environment(
    target: &Target,
    observed: &Observed,
) -> Result<Option<PythonEnvironment>, WorkflowError> {
    let (file, is_named) = match &target.host.deploy.requirements {
        Requirements::None => return Ok(None),
        Requirements::IfPresent => (PathBuf::from(REQUIREMENTS), false),
        Requirements::File(file) => (file.clone(), true),
    };
    let mut files = BTreeMap::new();
    let mut left = vec![file.clone()];
    while let Some(path) = left.pop() {
        let name = name(&path);
        if files.contains_key(&name) {
            continue;
        }
        let Some(bytes) = target.tree.read(&path)? else {
            if !is_named && path == file {
                return Ok(None);
            }
            return Err(missing(&file, &path));
        };
        let text = String::from_utf8(bytes).map_err(|_| {
            WorkflowError::usage(format!("`{name}` is not UTF-8"), "save it as UTF-8")
        })?;
        let included = included_files(&path, &text).map_err(|what| {
            WorkflowError::usage(
                format!("`{name}` includes `{what}`, which is no file of the repository"),
                "a requirements file may include files of the repository only",
            )
        })?;
        left.extend(included);
        files.insert(name, text);
    }
    let is_empty = |text: &String| text.lines().all(|line| line.split('#').next() == Some(""));
    if files.values().all(is_empty) {
        return Ok(None);
    }
    let version = observed.environments.python_version.as_deref().unwrap_or_default();
    let python = (target.host.deploy.python.as_path(), version);
    let layout = Layout::new(target.host.name.clone());
    Ok(Some(PythonEnvironment::new(&layout, python, name(&file), files)))
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn missing(file: &Path, path: &Path) -> WorkflowError {
    let message = if file == path {
        format!("the commit has no `{}`, which `requirements` names", file.display())
    } else {
        format!("the commit has no `{}`, which the requirements include", path.display())
    };
    WorkflowError::usage(message, "add it, or correct `requirements` in `[deploy]`")
}
