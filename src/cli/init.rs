//! `deploy init`.

use std::path::Path;

use super::{ExitCode, arguments::InitArguments, terminal::Terminal};
use crate::{
    causes::with_causes,
    workflow::{
        WorkflowError,
        init::{InitOptions, InitRepository, init},
    },
};

pub(super) fn run(
    directory: &Path,
    arguments: &InitArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let directory = directory.join(&arguments.into);
    let options = InitOptions { demo: arguments.demo, at: jiff::Timestamp::now() };
    let report = init(&directory, &options).map_err(|error| WorkflowError::Usage {
        hint: error.hint(),
        message: with_causes(&error),
    })?;
    for path in &report.added {
        terminal.result(&format!("added   {}", path.display()));
    }
    for path in &report.left {
        terminal.result(&format!("left    {} (it was there)", path.display()));
    }
    match &report.repository {
        InitRepository::Existing => {
            terminal.note("commit and push the new files when you have looked at them");
        }
        InitRepository::Created { branches, .. } => {
            let names: Vec<_> = branches.iter().map(ToString::to_string).collect();
            terminal.note(&format!(
                "a new repository with branches {}; give it a remote and push them all",
                names.join(", ")
            ));
        }
    }
    terminal.note("next: put your servers into config/deploy.toml, then `deploy lint`");
    Ok(ExitCode::Success)
}
