//! `deploy server`.

mod doctor;
mod setup;

use std::path::Path;

use super::{
    ExitCode,
    arguments::server::{ServerArguments, ServerCommand},
    terminal::Terminal,
};
use crate::workflow::WorkflowError;

pub(super) fn run(
    directory: &Path,
    arguments: &ServerArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    match &arguments.command {
        ServerCommand::Setup(arguments) => setup::run(directory, arguments, terminal),
        ServerCommand::Doctor(arguments) => doctor::run(directory, arguments, terminal),
    }
}
