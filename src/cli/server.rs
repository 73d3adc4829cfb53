//! `deploy server`.

mod authorize;
mod keys;
mod revoke;

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
        ServerCommand::Authorize(arguments) => authorize::run(directory, arguments, terminal),
        ServerCommand::Keys(arguments) => keys::run(directory, arguments, terminal),
        ServerCommand::Revoke(arguments) => revoke::run(directory, arguments, terminal),
    }
}
