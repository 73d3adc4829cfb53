//! Sends the code of a release.

use std::io::Read as _;

use super::{Listener, Notice, Prepared};
use crate::{
    plan::{ADOPTED, Transaction},
    source::TreeId,
    wire::{CHUNK, Reply, Request},
    workflow::WorkflowError,
};

impl Prepared {
    /// Sends the objects that the server lacks. They lie there unused until a
    /// transaction needs them.
    ///
    /// # Errors
    /// Fails where they cannot be read, sent or stored.
    pub async fn send_code(&mut self, listen: Listener<'_>) -> Result<(), WorkflowError> {
        let have: Vec<TreeId> =
            self.observed.host.releases.iter().map(|release| release.record.tree).collect();
        let tree = self.target.tree.id();
        let mut pack = self.target.tree.pack_missing(tree, &have)?;
        if pack.objects() == 0 || !writes_release(&self.plan.transaction) {
            return Ok(());
        }
        listen(Notice::Sending { objects: pack.objects(), bytes: pack.size() });
        let request = Request::Pack { host: self.desired.host.clone(), bytes: pack.size() };
        self.agent.send(&request).await?;
        let mut left = pack.size();
        while left > 0 {
            let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            let mut piece = vec![0; size];
            pack.read_exact(&mut piece).map_err(|error| {
                WorkflowError::usage(
                    format!("failed to read the pack of objects: {error}"),
                    "check the disk of this machine",
                )
            })?;
            left -= size as u64;
            self.agent.send_bytes(piece).await?;
        }
        match self.agent.receive().await? {
            Reply::Received => Ok(()),
            Reply::Fault(fault) => Err(fault.into()),
            _ => Err(WorkflowError::OutOfTurn),
        }
    }
}

fn writes_release(transaction: &Transaction) -> bool {
    transaction.number.is_some_and(|number| number != ADOPTED)
}
