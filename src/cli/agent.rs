//! `deploy agent`: the server's side.

use super::{
    ExitCode,
    arguments::{AgentArguments, AgentCommand},
    terminal::Terminal,
};
use crate::agent::{self, AgentError};

pub(super) fn run(arguments: AgentArguments, terminal: &mut Terminal) -> ExitCode {
    let server = agent::open_server(arguments.root, arguments.path);
    let done = match arguments.command {
        Some(AgentCommand::Transaction { plan }) => agent::run_transaction(&server, &plan),
        Some(AgentCommand::Recover { host: Some(host), in_background: true }) => {
            agent::start_recovery(&server, &host)
        }
        Some(AgentCommand::Recover { host, .. }) => agent::run_recovery(&server, host.as_ref()),
        Some(AgentCommand::Setup) => agent::run_setup(&server),
        None => session(&server),
    };
    match done {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            terminal.error(&error, None);
            ExitCode::Bug
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn session(server: &agent::Server) -> Result<(), AgentError> {
    agent::run_session(server).await
}
