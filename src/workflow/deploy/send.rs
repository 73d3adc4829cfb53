//! Sends the code of a release.

use super::{Listener, Notice, Prepared};
use crate::{
    plan::{ADOPTED, Transaction},
    source::TreeId,
    wire::Request,
    workflow::{WorkflowError, contact},
};

impl Prepared {
    /// Sends the objects that the server lacks. They lie there unused until a
    /// transaction needs them. Whether they have arrived is not waited for: what comes next
    /// is sent behind them.
    ///
    /// # Errors
    /// Fails where they cannot be read or sent.
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
        let bytes = pack.size();
        self.agent.send_payload(&request, &mut pack, bytes).await?;
        self.is_code_underway = true;
        Ok(())
    }

    /// Waits until the server has the code that was sent.
    ///
    /// # Errors
    /// Fails where the server cannot store it.
    pub(super) async fn await_code(&mut self) -> Result<(), WorkflowError> {
        if !std::mem::take(&mut self.is_code_underway) {
            return Ok(());
        }
        contact::expect_received(self.agent.receive().await?)
    }
}

fn writes_release(transaction: &Transaction) -> bool {
    transaction.number.is_some_and(|number| number != ADOPTED)
}
