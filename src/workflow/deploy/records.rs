//! The host's records in the DNS, as a part of its deploy.

use super::{Prepared, Target};
use crate::{
    plan::{Desired, FileDiff, Observed, Plan, live_record},
    secret::Redactor,
    workflow::{
        Project, WorkflowError,
        dns::{Footing, Records, Settled},
    },
};

/// The diff that shows whether a host's names change.
const VHOST: &str = "vhost";

/// What is asked about the records of a host.
pub(super) struct Question<'a> {
    pub(super) target: &'a Target,
    pub(super) desired: &'a Desired,
    pub(super) plan: &'a Plan,
}

impl Question<'_> {
    /// Looks at the records; secrets that this needs are added to the redactor.
    pub(super) async fn ask(
        self,
        project: &Project,
        observed: &Observed,
        redactor: &mut Redactor,
    ) -> Result<Records, WorkflowError> {
        let footing = self.footing(observed);
        let Target { host, settings, .. } = self.target;
        Records::look(host, settings, &project.secrets, footing, redactor).await
    }

    /// Decides how closely the records are looked at.
    fn footing(&self, observed: &Observed) -> Footing {
        let is_vhost = |diff: &FileDiff| diff.name == VHOST;
        let changes = self.plan.diffs.iter().any(is_vhost);
        match live_record(observed) {
            None => Footing::New,
            Some(_) if self.desired.rollback.is_some() => Footing::WayBack,
            Some(_) if changes => Footing::Live,
            Some(_) => Footing::Unchanged,
        }
    }
}

impl Prepared {
    /// Tells whether there is nothing to do, neither on the server nor in the DNS.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.records.is_empty()
    }

    /// Writes the host's records, which a certificate needs before anything else.
    ///
    /// # Errors
    /// Fails where one cannot be written; then none is.
    pub async fn write_records(&mut self) -> Result<(), WorkflowError> {
        if self.records.is_empty() {
            return Ok(());
        }
        self.await_code().await?;
        self.records.write().await
    }

    /// Waits until the zones' name servers hand out what was written, for a minute at most.
    /// Returns what did not come about.
    pub async fn await_records(&self) -> Vec<String> {
        self.records.wait().await
    }

    /// Takes back what was written into the DNS.
    pub async fn take_records_back(&mut self) -> Settled {
        self.records.take_back().await
    }

    /// Removes the names that are not the host's any more, where there is nothing to do on
    /// the server.
    pub async fn finish_records(&mut self) -> Settled {
        self.records.remove().await
    }
}
