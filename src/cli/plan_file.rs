//! The file of a saved plan.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use tempfile::NamedTempFile;

use crate::workflow::{WorkflowError, saved::SavedPlan};

/// Writes a plan; the file is its owner's only, and there as a whole or not at all.
pub(super) fn write(path: &Path, plan: &SavedPlan) -> Result<(), WorkflowError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let written = NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))
        .and_then(|mut file| file.write_all(plan.text().as_bytes()).map(|()| file))
        .and_then(|file| file.persist(path).map_err(|error| error.error));
    written.map(drop).map_err(|error| failed("write", path, &error))
}

/// Reads a plan.
pub(super) fn read(path: &Path) -> Result<SavedPlan, WorkflowError> {
    let text = fs::read_to_string(path).map_err(|error| failed("read", path, &error))?;
    SavedPlan::parse(&text)
}

fn failed(verb: &str, path: &Path, error: &io::Error) -> WorkflowError {
    WorkflowError::Usage {
        message: format!("failed to {verb} the plan `{}`: {error}", path.display()),
        hint: None,
    }
}
