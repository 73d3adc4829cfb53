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
        let bytes = pack.size();
        contact::send_payload(&mut self.agent, &request, &mut pack, bytes).await
    }
}

fn writes_release(transaction: &Transaction) -> bool {
    transaction.number.is_some_and(|number| number != ADOPTED)
}
