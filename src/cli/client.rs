//! `deploy client`.

mod add;
mod remove;

use std::path::Path;

use super::{
    ExitCode,
    arguments::{ClientArguments, ClientCommand},
    terminal::Terminal,
};
use crate::workflow::WorkflowError;

pub(super) fn run(
    directory: &Path,
    arguments: &ClientArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    match &arguments.command {
        ClientCommand::Add(arguments) => add::run(directory, arguments, terminal),
        ClientCommand::Remove(arguments) => remove::run(directory, arguments, terminal),
    }
}

impl ClientArguments {
    /// Tells whether objects are wanted.
    pub(super) const fn json(&self) -> bool {
        match &self.command {
            ClientCommand::Add(add) => add.json,
            ClientCommand::Remove(remove) => remove.json,
        }
    }
}
