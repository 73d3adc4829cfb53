//! Where the host stands before a transaction.

use std::path::Path;

use super::Run;
use crate::{
    agent::{history, server::FileError, step},
    plan::{ADOPTED, Failure, Transaction},
};

/// Names the unit that ran the host before the transaction.
pub(super) fn unit_before(transaction: &Transaction, own: &str) -> String {
    let adopted = transaction.adopted.as_ref();
    let left = adopted.filter(|_| transaction.previous == Some(ADOPTED));
    left.map_or_else(|| own.to_owned(), |service| service.unit.clone())
}

impl Run<'_> {
    /// Tells whether the host is still the one that the plan was made for: since
    /// then, another transaction may have had the lock.
    pub(super) fn stale(&self) -> Result<Option<Failure>, FileError> {
        let live = step::switch::target(self.server, &self.layout)?;
        // Nothing names release 0: a host that runs it has no `current`.
        let wanted = self
            .transaction
            .previous
            .filter(|number| *number != ADOPTED)
            .map(|number| Path::new("releases").join(number.directory_name()));
        let newest = history::highest_release(self.server, &self.layout)?;
        let new = self.transaction.number.filter(|number| *number != ADOPTED);
        let overtaken = new.is_some_and(|number| number.0 <= newest);
        if live == wanted && !overtaken {
            return Ok(None);
        }
        Ok(Some(Failure {
            step: "begin".to_owned(),
            message: "the host was deployed to after this plan was made".to_owned(),
            hint: Some("deploy again: a new plan looks at what is there now".to_owned()),
            details: Vec::new(),
        }))
    }
}
