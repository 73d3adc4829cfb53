//! The lock of a host: who holds it, and how it is broken.

use super::{Project, WorkflowError, attach, contact, follow::Following};
use crate::{
    host::HostName,
    transport::Agent,
    wire::{Attached, LockFacts, Reply, Request},
};

/// A lock that is held, and the connection over which it can be broken.
pub struct HeldLock {
    /// Who holds it and how far that transaction is.
    pub facts: LockFacts,
    host: HostName,
    agent: Agent,
}

/// Tells who holds the host's lock; none where it is free.
///
/// # Errors
/// Fails where the server cannot be asked.
pub async fn look(project: &Project, host: &HostName) -> Result<Option<HeldLock>, WorkflowError> {
    let question = Request::LockState { host: host.clone() };
    let (agent, reply) = contact::connect(project, host, &question).await?;
    let error = match reply {
        Reply::LockState(Some(facts)) => {
            return Ok(Some(HeldLock { facts: *facts, host: host.clone(), agent }));
        }
        Reply::LockState(None) => None,
        Reply::Fault(fault) => Some(fault.into()),
        _ => Some(WorkflowError::OutOfTurn),
    };
    agent.close().await;
    error.map_or(Ok(None), Err)
}

impl HeldLock {
    /// Leaves it as it is.
    pub async fn leave(self) {
        self.agent.close().await;
    }

    /// Has its holder stopped and what it began taken back. None where that
    /// transaction is gone meanwhile.
    ///
    /// # Errors
    /// Fails where the agent refuses or the connection is lost.
    pub async fn break_open(
        mut self,
        project: &Project,
    ) -> Result<Option<(Attached, Following)>, WorkflowError> {
        let transaction = self.facts.holder.transaction.clone();
        let request = Request::BreakLock { host: self.host.clone(), transaction };
        self.agent.send(&request).await?;
        let reply = self.agent.receive().await?;
        attach::follow(project, &self.host, self.agent, reply).await
    }
}
