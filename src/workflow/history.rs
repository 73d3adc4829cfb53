//! What was deployed to a host.

use super::{Project, WorkflowError, contact};
use crate::{
    host::HostName,
    plan::HistoryLine,
    wire::{Reply, Request},
};

/// Returns the last lines of the host's history, newest first.
///
/// # Errors
/// Fails where the server cannot be asked.
pub async fn history(
    project: &Project,
    host: &HostName,
    limit: usize,
) -> Result<Vec<HistoryLine>, WorkflowError> {
    let question = Request::History { host: host.clone(), limit };
    match contact::ask(project, host, &question).await? {
        Reply::History(lines) => Ok(lines),
        _ => Err(WorkflowError::OutOfTurn),
    }
}
