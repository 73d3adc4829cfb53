//! `deploy man-pages`.

use std::path::Path;

use clap::CommandFactory as _;

use super::{Arguments, ExitCode};
use crate::workflow::WorkflowError;

/// Writes a page for the program and one for each command into a directory.
pub(super) fn run(directory: &Path) -> Result<ExitCode, WorkflowError> {
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), directory));
    written.map_err(|error| WorkflowError::Usage {
        message: format!("failed to write manual pages into `{}`: {error}", directory.display()),
        hint: None,
    })?;
    Ok(ExitCode::Success)
}
