//! `deploy render`.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use super::{ExitCode, arguments::RenderArguments, surroundings::surroundings, terminal::Terminal};
use crate::workflow::{
    Project, WorkflowError,
    render::{RenderedFile, render},
};

pub(super) fn run(
    directory: &Path,
    arguments: &RenderArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let files = render(&project, &arguments.host, arguments.out.is_some())?;
    for file in &files {
        match &arguments.out {
            Some(out) => {
                write(out, file)?;
                terminal.note(&format!("wrote {}", out.join(file.name).display()));
            }
            None => {
                terminal.result(&format!("==> {} <==", file.place.display()));
                terminal.result(&file.text);
            }
        }
    }
    Ok(ExitCode::Success)
}

/// Writes a file that only its owner can read: it holds secrets.
fn write(out: &Path, file: &RenderedFile) -> Result<(), WorkflowError> {
    let path = out.join(file.name);
    let written = fs::create_dir_all(out).and_then(|()| {
        let mut options = fs::OpenOptions::new();
        let mut target = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        target.write_all(file.text.as_bytes())
    });
    written.map_err(|error| WorkflowError::Usage {
        message: format!("failed to write `{}`: {error}", path.display()),
        hint: None,
    })
}
