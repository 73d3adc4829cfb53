//! What a transaction cannot do without, and where the host stands before it.

use std::path::Path;

use super::Run;
use crate::{
    agent::{
        ballast, history,
        journal::{self, Begin, Journal},
        lock::{HostLock, LockError},
        observe, recovery_unit,
        server::{FileError, Server},
        service::Systemd,
        step::{self, StepError},
    },
    layout::Layout,
    plan::{ADOPTED, DatabaseAccess, Failure, Holder, Transaction},
};

/// Why a transaction could not be begun.
pub(super) enum BeginError {
    /// Somebody holds the lock.
    Held(Option<Holder>),
    /// Something else.
    Step(StepError),
}

impl<E: Into<StepError>> From<E> for BeginError {
    fn from(error: E) -> Self {
        Self::Step(error.into())
    }
}

/// What a transaction cannot do without.
pub(super) struct Begun {
    pub(super) lock: HostLock,
    pub(super) access: DatabaseAccess,
    pub(super) journal: Journal,
    /// Whether the host's own unit runs.
    pub(super) ran: bool,
}

/// Takes what a transaction cannot do without.
pub(super) fn begin(
    server: &Server,
    layout: &Layout,
    transaction: &Transaction,
    directory: &Path,
) -> Result<Begun, BeginError> {
    let lock = match HostLock::take(server, layout, &transaction.holder) {
        Ok(lock) => lock,
        Err(LockError::Held(holder)) => return Err(BeginError::Held(holder)),
        Err(LockError::File(error)) => return Err(error.into()),
    };
    if let Some(earlier) = journal::unfinished(server, &layout.journal())? {
        let found = format!("transaction {earlier} did not end on this host");
        let hint = "deploy again: the agent ends first what was left behind";
        return Err(StepError::found(found).with_hint(hint).into());
    }
    if history::knows(server, layout, &transaction.id)? {
        let found = StepError::found("the plan was applied already");
        return Err(found.with_hint("make a new one by `deploy plan --out`").into());
    }
    recovery_unit::install(server)?;
    let access = observe::complete_access(server, layout, &transaction.access, &transaction.keep)?;
    ballast::take_on(server, layout)?;
    let own_unit = layout.unit_name();
    let unit = unit_before(transaction, &own_unit);
    let was_running = Systemd::new(server).state(&unit)?.is_running();
    let begin = Begin::of(server, transaction, was_running);
    let journal = Journal::begin(server, directory, begin)?;
    Ok(Begun { lock, access, journal, ran: was_running && unit == own_unit })
}

/// Names the unit that ran the host before the transaction.
fn unit_before(transaction: &Transaction, own: &str) -> String {
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
