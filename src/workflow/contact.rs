//! Reaches the server that carries a host, as the working tree knows it: a question
//! needs no remote and no secret.

use std::io::Read;

use super::{Project, WorkflowError};
use crate::{
    host::{Host, HostName, ServerName},
    settings::{Server, Settings},
    transport::Agent,
    wire::{Reply, Request},
};

/// Finds the server that carries the host.
pub(super) fn server<'a>(
    settings: &'a Settings,
    name: &ServerName,
) -> Result<&'a Server, WorkflowError> {
    settings.servers.get(name).ok_or_else(|| {
        WorkflowError::usage(
            format!("there is no server `{name}` in config/deploy.toml"),
            format!("add a section [servers.{name}] with its `address`"),
        )
    })
}

/// Connects to the host's server with a first request.
pub(super) async fn connect(
    project: &Project,
    host: &HostName,
    first: &Request,
) -> Result<(Agent, Reply), WorkflowError> {
    let name = Host::load(&project.files, host)?.server;
    let server = server(&project.settings, &name)?;
    Ok(Agent::connect(&name, server, &project.machine, first).await?)
}

/// Asks one thing and hangs up.
pub(super) async fn ask(
    project: &Project,
    host: &HostName,
    question: &Request,
) -> Result<Reply, WorkflowError> {
    let (agent, reply) = connect(project, host, question).await?;
    agent.close().await;
    match reply {
        Reply::Fault(fault) => Err(fault.into()),
        reply => Ok(reply),
    }
}

/// Asks a server one thing that concerns no host, and hangs up.
pub(super) async fn ask_server(
    project: &Project,
    name: &ServerName,
    question: &Request,
) -> Result<Reply, WorkflowError> {
    let server = server(&project.settings, name)?;
    let (agent, reply) = Agent::connect(name, server, &project.machine, question).await?;
    agent.close().await;
    match reply {
        Reply::Fault(fault) => Err(fault.into()),
        reply => Ok(reply),
    }
}

/// Sends a payload that the request announces, and waits until the server has it.
pub(super) async fn send_payload(
    agent: &mut Agent,
    announced: &Request,
    payload: &mut (impl Read + Send),
    bytes: u64,
) -> Result<(), WorkflowError> {
    agent.send_payload(announced, payload, bytes).await?;
    expect_received(agent.receive().await?)
}

/// Expects that a payload has arrived.
pub(super) fn expect_received(reply: Reply) -> Result<(), WorkflowError> {
    match reply {
        Reply::Received => Ok(()),
        Reply::Fault(fault) => Err(fault.into()),
        _ => Err(WorkflowError::OutOfTurn),
    }
}
