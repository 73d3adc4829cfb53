//! The logs of a host.

use super::{Project, WorkflowError, contact};
use crate::{
    transport::Agent,
    wire::{LogLine, LogsRequest, Reply, Request},
};

/// Logs that are being read.
pub struct Logs {
    agent: Agent,
    first: Option<Reply>,
}

impl Logs {
    /// Asks for the logs.
    ///
    /// # Errors
    /// Fails where the server cannot be asked.
    pub async fn open(project: &Project, request: LogsRequest) -> Result<Self, WorkflowError> {
        let host = request.host.clone();
        let (agent, first) = contact::connect(project, &host, &Request::Logs(request)).await?;
        Ok(Self { agent, first: Some(first) })
    }

    /// Waits for lines; none at the end.
    ///
    /// # Errors
    /// Fails where the connection is lost or the logs cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<LogLine>>, WorkflowError> {
        let reply = match self.first.take() {
            Some(reply) => reply,
            None => self.agent.receive().await?,
        };
        match reply {
            Reply::LogLines(lines) => Ok(Some(lines)),
            Reply::EndOfLog => Ok(None),
            Reply::Fault(fault) => Err(fault.into()),
            _ => Err(WorkflowError::OutOfTurn),
        }
    }

    /// Hangs up.
    pub async fn close(self) {
        self.agent.close().await;
    }
}
