//! A plan that is kept for later: carried out as it is, or not at all.

use serde::{Deserialize, Serialize};

use super::{
    WorkflowError,
    deploy::{DeployRequest, Prepared},
    desire::{ConfigFrom, Revision},
};
use crate::{
    dns::Change,
    host::{HostName, ModuleName},
    plan::{Desired, Fingerprint, Observed, OnDrift, TransactionId, UpdateChoice, make_plan},
    source::{Branch, CommitId},
};

/// The version of the format that this tool writes.
const SCHEMA: u32 = 1;

/// A plan that was saved. It has no secrets: when it is applied, the plan is made anew
/// for the same commit, and has to be the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The version of this format.
    schema: u32,
    /// The version of the tool that made it.
    version: String,
    /// The host.
    pub host: HostName,
    /// The branch; none for a deploy by commit.
    branch: Option<Branch>,
    /// The commit.
    commit: CommitId,
    config_from: ConfigFrom,
    update: UpdateChoice,
    install: Vec<ModuleName>,
    on_drift: OnDrift,
    /// The id of the transaction that carries it out, which there can be only one of.
    transaction: TransactionId,
    fingerprint: Fingerprint,
    /// What changes in the DNS, line for line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    records: Vec<String>,
}

/// Of any version.
#[derive(Deserialize)]
struct AnySavedPlan {
    schema: u32,
}

impl SavedPlan {
    /// Saves a plan that was made for a request.
    #[must_use]
    pub fn of(prepared: &Prepared, request: &DeployRequest) -> Self {
        let desired = &prepared.desired;
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: request.host.clone(),
            branch: desired.branch.clone(),
            commit: desired.commit.id,
            config_from: request.config_from,
            update: request.update.clone(),
            install: request.install.clone(),
            on_drift: request.on_drift,
            transaction: request.id.clone(),
            fingerprint: Fingerprint::of(desired, &prepared.observed, Some(&prepared.plan)),
            records: lines(prepared),
        }
    }

    /// Returns the text of its file.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a saved plan is JSON") + "\n"
    }

    /// Reads the text of its file.
    ///
    /// # Errors
    /// Fails where that is no saved plan, or one of a newer version.
    pub fn parse(text: &str) -> Result<Self, WorkflowError> {
        let again = "make a new one by `deploy plan --out`";
        let damaged = |error: serde_json::Error| {
            WorkflowError::usage(format!("the file holds no saved plan: {error}"), again)
        };
        let any: AnySavedPlan = serde_json::from_str(text).map_err(damaged)?;
        if any.schema > SCHEMA {
            return Err(WorkflowError::usage(
                format!("the plan was saved in format {}, this version reads {SCHEMA}", any.schema),
                "apply it with the version of deploy that made it, or a newer one",
            ));
        }
        serde_json::from_str(text).map_err(damaged)
    }

    /// Asks for exactly what was planned; who asks, when and with which patience is the
    /// given request's.
    #[must_use]
    pub fn request(&self, now: DeployRequest) -> DeployRequest {
        DeployRequest {
            host: self.host.clone(),
            revision: Revision::Pinned { branch: self.branch.clone(), commit: self.commit },
            config_from: self.config_from,
            update: self.update.clone(),
            install: self.install.clone(),
            on_drift: self.on_drift,
            id: self.transaction.clone(),
            saved: Some(Box::new(self.clone())),
            ..now
        }
    }

    /// Checks that the plan is the one that was saved, before anything else is said.
    ///
    /// # Errors
    /// Names what changed since.
    pub(super) fn verify(
        &self,
        desired: &Desired,
        observed: &Observed,
    ) -> Result<(), WorkflowError> {
        if observed.host.knows_transaction {
            return Err(WorkflowError::Used);
        }
        let plan = make_plan(desired, observed).ok();
        let now = Fingerprint::of(desired, observed, plan.as_ref());
        let mut changed = self.fingerprint.changed_to(&now);
        if changed.is_empty() {
            return Ok(());
        }
        let version = env!("CARGO_PKG_VERSION");
        if self.version != version {
            changed.push(format!("the version of deploy ({} made it)", self.version));
        }
        Err(WorkflowError::Stale(changed))
    }

    /// Checks that what changes in the DNS is what was saved.
    ///
    /// # Errors
    /// Fails where it is something else.
    pub(super) fn verify_records(&self, prepared: &Prepared) -> Result<(), WorkflowError> {
        if self.records == lines(prepared) {
            return Ok(());
        }
        Err(WorkflowError::Stale(vec!["the records in the DNS".to_owned()]))
    }
}

fn lines(prepared: &Prepared) -> Vec<String> {
    prepared.records.changes().iter().flat_map(Change::lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_or_newer_file_is_told_apart() {
        let said = |text: &str| SavedPlan::parse(text).unwrap_err().to_string();
        assert!(said("{").starts_with("the file holds no saved plan: "));
        assert!(said("{\"schema\": 1}").contains("missing field"));
        assert_eq!(
            said("{\"schema\": 2, \"new\": true}"),
            "the plan was saved in format 2, this version reads 1"
        );
    }
}
