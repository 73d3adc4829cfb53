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
        Some(AgentCommand::Removal { order }) => agent::run_removal(&server, &order),
        Some(AgentCommand::AfterRemoval { host }) => agent::restart_after_removal(&server, &host),
        Some(AgentCommand::Recover { host: Some(host), in_background: true }) => {
            agent::start_recovery(&server, &host)
        }
        Some(AgentCommand::Recover { host, .. }) => agent::run_recovery(&server, host.as_ref()),
        Some(AgentCommand::Setup) => agent::run_setup(&server),
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

fn session(server: &agent::Server, key: Option<KeyName>) -> Result<(), AgentError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("an operating system with epoll");
    let done = runtime.block_on(agent::run_session(server, key));
    // A controller that says nothing, and does not hang up either, is not waited for.
    runtime.shutdown_background();
    done
}
