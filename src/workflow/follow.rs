//! A transaction that is watched until it ends, or is left running.

use futures_util::future::OptionFuture;

use super::{
    Project, WorkflowError,
    attach::attach,
    dns::{Records, Settled},
    origin::Issued,
    outside::{Looking, Public},
};
use crate::{
    host::HostName,
    plan::{Event, Outcome, Transaction},
    transport::{Agent, TransportError},
    wire::{Reply, Request},
};

pub use super::outside::Outside;

/// A transaction whose events arrive.
pub struct Following {
    agent: Agent,
    host: HostName,
    /// Where the host is looked at from outside once the release is live.
    public: Option<Public>,
    /// From which step on its vhost is in place; none where that is not known before the end.
    checked_from: Option<usize>,
    /// From which step on it is public; none as well.
    public_from: Option<usize>,
    /// The look from outside that has begun.
    looking: Option<Looking>,
    /// What was written into the DNS for it.
    records: Records,
    /// The certificate that was issued for it.
    issued: Option<Issued>,
}

/// What a transaction told.
#[derive(Debug, Clone)]
pub enum Told {
    /// Something happened.
    Event(Event),
    /// It ended.
    Finished {
        /// How.
        outcome: Outcome,
        /// How long users could not be served, in milliseconds.
        interruption: Option<u64>,
    },
}

/// How a deploy ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// The transaction's outcome.
    pub outcome: Outcome,
    /// How long users could not be served, in milliseconds.
    pub interruption: Option<u64>,
    /// What the host's public address answered; none where nothing went live.
    pub outside: Option<Outside>,
}

impl Following {
    pub(super) fn new(agent: Agent, host: HostName, public: Option<Public>) -> Self {
        Self {
            agent,
            host,
            public,
            checked_from: None,
            public_from: None,
            looking: None,
            records: Records::default(),
            issued: None,
        }
    }

    /// Need not wait for the transaction's end to look at the host from outside: its steps
    /// tell when it can be reached, and when users are let in for good.
    pub(super) fn through(self, transaction: &Transaction) -> Self {
        let (checked_from, public_from) = (transaction.checked_from(), transaction.public_from());
        Self { checked_from, public_from, ..self }
    }

    /// Has records to settle when the transaction ends.
    pub(super) fn with_records(self, records: Records) -> Self {
        Self { records, ..self }
    }

    /// Watches what becomes of a certificate, too.
    pub(super) fn with_issued(self, issued: Option<Issued>) -> Self {
        Self { issued, ..self }
    }

    /// Returns the host.
    #[must_use]
    pub const fn host(&self) -> &HostName {
        &self.host
    }

    /// Waits for what comes next. Nothing is lost where the wait is given up.
    ///
    /// # Errors
    /// Fails where the transaction is lost from sight, which does not stop it.
    pub async fn next(&mut self) -> Result<Told, WorkflowError> {
        let reply = self.agent.receive().await.map_err(|error| self.lost(error))?;
        match reply {
            Reply::Event(Event::Finished { outcome, interruption }) => {
                Ok(Told::Finished { outcome, interruption })
            }
            Reply::Event(event) => {
                if let Event::StepStarted { index, .. } = event {
                    self.look_at(index);
                }
                Ok(Told::Event(event))
            }
            Reply::Fault(fault) => Err(fault.into()),
            _ => Err(WorkflowError::OutOfTurn),
        }
    }

    /// Looks at the host from outside as soon as that is worth it.
    fn look_at(&mut self, step: usize) {
        let (is_checked, is_public) =
            (Some(step) == self.checked_from, Some(step) == self.public_from);
        let is_time = |public: &mut Public| is_public || (is_checked && public.is_named_for_long());
        if let Some(public) = self.public.take_if(is_time) {
            self.looking = Some(public.reach());
        }
        if is_public {
            self.looking.iter().for_each(Looking::ask);
        }
    }

    /// Looks for the transaction anew after it was lost from sight; its events come from the
    /// first on. Tells whether it was found.
    ///
    /// # Errors
    /// Fails where the server cannot be asked.
    pub(super) async fn attach_again(
        &mut self,
        project: &Project,
        id: &str,
    ) -> Result<bool, WorkflowError> {
        let Some((attached, found)) = attach(project, &self.host).await? else { return Ok(false) };
        if attached.holder.transaction != id {
            found.leave().await;
            return Ok(false);
        }
        self.agent = found.agent;
        Ok(true)
    }

    /// Asks that the transaction is taken back; what comes next says what became of it.
    ///
    /// # Errors
    /// Fails where the connection is lost.
    pub async fn take_back(&mut self) -> Result<(), WorkflowError> {
        self.agent.send(&Request::Cancel).await.map_err(|error| self.lost(error))
    }

    /// Hangs up. The transaction goes on by itself.
    pub async fn leave(self) {
        self.agent.close().await;
    }

    /// Brings the host's records into line with how the transaction ended.
    pub async fn settle(&mut self, outcome: &Outcome) -> Settled {
        self.records.settle(outcome).await
    }

    /// Hangs up after the end and, where a release went live, looks at the host
    /// from outside.
    pub async fn finish(self, outcome: Outcome, interruption: Option<u64>) -> Report {
        self.agent.close().await;
        if let Some(issued) = self.issued {
            issued.settle(&outcome).await;
        }
        let looking = match outcome {
            Outcome::Deployed => self.looking.or_else(|| self.public.map(Public::reach)),
            _ => None,
        };
        let outside = OptionFuture::from(looking.map(Looking::answer)).await;
        Report { outcome, interruption, outside }
    }

    fn lost(&self, source: TransportError) -> WorkflowError {
        WorkflowError::LostSight { host: self.host.clone(), source }
    }
}
