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
    replace(path, &plan.text()).map_err(|error| failed("write", path, &error))
}

/// Replaces a file of this user's own as a whole.
///
/// # Errors
/// Fails where its directory cannot be written to.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
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
