//! The steps by which a host leaves release 0, and by which it comes back to it.

use std::path::PathBuf;

use super::{Maker, Plan};
use crate::{
    layout::ReleaseNumber,
    plan::{
        adopted::{ADOPTED, AdoptedFacts, ReplaceVhosts, adopted_live},
        desired::Desired,
        drift::drift,
        observed::Observed,
        obstacle::{Obstacle, live_record, obstacles},
        provision::Provision,
        rollback::{Restoration, Rollback, RollbackPlan},
        step::{Follow, Step},
        switch::Switch,
        transaction::{RolledBack, Summary, Transaction},
        upgrade::of_restored,
    },
};

impl Maker<'_> {
    /// Returns release 0, where this is the deploy that leaves it.
    pub(super) fn left(&self) -> Option<&AdoptedFacts> {
        adopted_live(self.observed)
    }

    /// Names the vhosts that are set aside.
    pub(super) fn aside(&self) -> Vec<PathBuf> {
        let vhosts = self.left().map(|facts| facts.record.vhosts.as_slice()).unwrap_or_default();
        vhosts.iter().map(|vhost| vhost.path.clone()).collect()
    }

    /// Takes the host over: the page is shown by the new vhost before the old service
    /// stops, so that nobody is refused.
    pub(super) fn take_over(&self, facts: &AdoptedFacts) -> Vec<Step> {
        let files = &self.desired.files;
        let service = &facts.record.service;
        let mut steps = vec![
            Step::HoldAdopted(service.clone()),
            Step::Switch { number: self.number, follow: Follow::Later },
            Step::InstallUnit { unit: files.unit.clone(), drop_in: files.unit_drop_in.clone() },
        ];
        let vhost = files.vhost.clone().zip(self.desired.network.marker.clone());
        steps.extend(vhost.map(|(vhost, marker)| {
            Step::ReplaceVhosts(ReplaceVhosts { vhost, marker, aside: self.aside() })
        }));
        steps.push(Step::StopAdopted(service.clone()));
        steps
    }
}

/// Plans the way back to release 0.
pub(super) fn come_back(
    desired: &Desired,
    observed: &Observed,
    wish: &Rollback,
    restorations: Vec<Restoration>,
) -> Result<Plan, Vec<Obstacle>> {
    let upgrades: Vec<_> =
        restorations.iter().map(|one| of_restored(&one.restore.database)).collect();
    let mut found = obstacles(desired, observed, &upgrades, &restorations);
    let facts = match observed.host.adopted.as_deref() {
        Some(facts) if !facts.is_live => facts,
        _ => {
            found.push(Obstacle::new("release 0 is not on the server"));
            return Err(found);
        }
    };
    found.extend(facts.missing.iter().map(|path| {
        Obstacle::new(format!("release 0 needs `{}`, which is gone", path.display()))
            .hint("put it back where it was, or roll back to a later release")
    }));
    if !found.is_empty() {
        return Err(found);
    }
    let reason = format!("{} runs again", facts.record.service.unit);
    let mut reasons: Vec<_> = restorations.iter().map(said).collect();
    reasons.push(reason);
    let warnings = if wish.with_database && restorations.is_empty() {
        vec!["no database has to go back: all keep what they have".to_owned()]
    } else {
        Vec::new()
    };
    Ok(Plan {
        certificate: None,
        provision: Provision::default(),
        switch: Switch::Stop,
        reasons,
        upgrades: Vec::new(),
        diffs: Vec::new(),
        drift: drift(&observed.host),
        warnings,
        interruption: "maintenance page from stop to verified".to_owned(),
        transaction: transaction(desired, observed, facts, &restorations),
        rollback: Some(RollbackPlan { to: wish.to, databases: restorations }),
    })
}

fn said(one: &Restoration) -> String {
    format!("database {} goes back to before release {}", one.restore.database, one.before)
}

fn transaction(
    desired: &Desired,
    observed: &Observed,
    facts: &AdoptedFacts,
    restorations: &[Restoration],
) -> Transaction {
    let record = &facts.record;
    let service = &record.service;
    let live = live_record(observed);
    let restores = || restorations.iter().map(|one| one.restore.clone());
    let hold_jobs = restores().map(|restore| restore.database).collect();
    let mut carry_out = vec![Step::ShowMaintenance, Step::Hold, Step::StopService];
    carry_out.extend(restores().map(Step::RestoreDatabase));
    carry_out.extend([
        Step::RemoveUnit,
        Step::StartAdopted { service: service.clone(), hold_jobs },
        Step::CheckHealth(service.health.clone()),
        Step::LeaveReleases,
    ]);
    let mut finish = vec![Step::LiftHold];
    if observed.host.vhost.is_some() || !record.vhosts.is_empty() {
        finish.push(Step::ReturnVhosts { vhosts: record.vhosts.clone() });
    }
    finish.extend([Step::HideMaintenance, Step::ReleaseAdopted(service.clone())]);
    Transaction {
        id: desired.id.clone(),
        host: desired.host.clone(),
        holder: desired.holder.clone(),
        number: Some(ADOPTED),
        previous: live.map(|live| live.number),
        service: desired.service.clone(),
        access: desired.access.clone(),
        sensitive_keys: desired.sensitive_keys.clone(),
        keep: desired.policy.keep.clone(),
        prepare: restores().map(Step::CopySnapshot).collect(),
        carry_out,
        finish,
        previous_health: live.map(|live| live.health.clone()),
        adopted: Some(service.clone()),
        summary: summary(desired, facts, restorations),
    }
}

fn summary(desired: &Desired, facts: &AdoptedFacts, restorations: &[Restoration]) -> Summary {
    let record = &facts.record;
    let databases = restorations.iter().map(|one| one.restore.database.clone()).collect();
    Summary {
        environment: desired.environment.to_string(),
        branch: None,
        commit: record.commit.map(|commit| commit.to_string()).unwrap_or_default(),
        subject: format!("{}, as it was adopted", record.service.unit),
        modules: std::collections::BTreeMap::new(),
        switch: Switch::Stop.to_string(),
        rollback: Some(RolledBack { to: ReleaseNumber(0), databases }),
    }
}

#[cfg(test)]
mod tests;
