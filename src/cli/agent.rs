//! `deploy agent`: the server's side.

use super::{
    ExitCode,
    arguments::{AgentArguments, AgentCommand},
    terminal::Terminal,
};
use crate::{
    agent::{self, AgentError},
    host::KeyName,
};

pub(super) fn run(arguments: AgentArguments, terminal: &mut Terminal) -> ExitCode {
    let server = agent::open_server(arguments.root, arguments.path);
    let done = match arguments.command {
        Some(AgentCommand::Transaction { plan }) => agent::run_transaction(&server, &plan),
        Some(AgentCommand::Recover { host: Some(host), in_background: true }) => {
            agent::start_recovery(&server, &host)
        }
        Some(AgentCommand::Recover { host, .. }) => agent::run_recovery(&server, host.as_ref()),
        None => session(&server, arguments.key),
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
async fn session(server: &agent::Server, key: Option<KeyName>) -> Result<(), AgentError> {
    agent::run_session(server, key).await
}
