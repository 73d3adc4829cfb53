//! Follows a transaction that somebody began, from its first event.

use super::{Project, WorkflowError, contact, follow::Following, outside::Public};
use crate::{
    host::{Host, HostName},
    transport::Agent,
    wire::{Attached, Reply, Request},
};

/// Follows the transaction that runs, else the last one; none where there never
/// was one.
///
/// # Errors
/// Fails where the server cannot be asked.
pub async fn attach(
    project: &Project,
    host: &HostName,
) -> Result<Option<(Attached, Following)>, WorkflowError> {
    let question = Request::Attach { host: host.clone() };
    let (agent, reply) = contact::connect(project, host, &question).await?;
    follow(project, host, agent, reply).await
}

/// Reads which transaction it is.
pub(super) async fn follow(
    project: &Project,
    host: &HostName,
    agent: Agent,
    reply: Reply,
) -> Result<Option<(Attached, Following)>, WorkflowError> {
    let error = match reply {
        Reply::Attached(Some(attached)) => {
            let loaded = Host::load(&project.files, host)?;
            // Of one that ended, its own controller looked.
            let public = Public::of(&loaded, &project.settings).filter(|_| attached.running);
            return Ok(Some((*attached, Following::new(agent, host.clone(), public))));
        }
        Reply::Attached(None) => None,
        Reply::Fault(fault) => Some(fault.into()),
        _ => Some(WorkflowError::OutOfTurn),
    };
    agent.close().await;
    error.map_or(Ok(None), Err)
}
