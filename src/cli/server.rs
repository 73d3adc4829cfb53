//! `deploy server`.

mod authorize;
mod doctor;
mod keys;
mod revoke;
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
        ServerCommand::Authorize(arguments) => authorize::run(directory, arguments, terminal),
        ServerCommand::Keys(arguments) => keys::run(directory, arguments, terminal),
        ServerCommand::Revoke(arguments) => revoke::run(directory, arguments, terminal),
    }
}
