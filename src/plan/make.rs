//! Puts the steps of a plan together.

mod adopted;
mod databases;
mod release;
mod shown;

use super::{
    adopted::{self as release_zero, ADOPTED},
    certificate::{self, CertificatePlan},
    desired::Desired,
    diff::FileDiff,
    drift::{Drift, Fates, drift},
    environment::to_build,
    observed::Observed,
    obstacle::{Obstacle, live_record, obstacles},
    provision::Provision,
    rollback::{Restoration, RollbackPlan, restorations},
    step::{CatchUp, Follow, HealthCheck, Prune, Step},
    switch::{Switch, choose, running_health},
    transaction::{RolledBack, Summary, Transaction},
    upgrade::{DatabaseUpgrade, of_existing, of_new, of_restored},
};
use crate::{host::DatabaseName, layout::ReleaseNumber};

/// What will be done, and why. What is applied is what was shown.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How the host is switched.
    pub switch: Switch,
    /// What made that necessary.
    pub reasons: Vec<String>,
    /// What each database is taught.
    pub upgrades: Vec<DatabaseUpgrade>,
    /// The certificate that is obtained.
    pub certificate: Option<CertificatePlan>,
    /// What is gone back to; none for a deploy.
    pub rollback: Option<RollbackPlan>,
    /// What is created on the server for a host that is new to it.
    pub provision: Provision,
    /// How the server's files change, secrets masked.
    pub diffs: Vec<FileDiff>,
    /// What is not on the server as it was last deployed.
    pub drift: Vec<Drift>,
    /// What the operator should know before.
    pub warnings: Vec<String>,
    /// How long users will wait, in words.
    pub interruption: String,
    /// What the agent is asked to do.
    pub transaction: Transaction,
}

impl Plan {
    /// Tells whether nothing has to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.switch == Switch::Nothing
    }
}

/// Makes a plan of what is wanted and what is there.
///
/// # Errors
/// Returns everything that stands in the way.
pub fn make_plan(desired: &Desired, observed: &Observed) -> Result<Plan, Vec<Obstacle>> {
    let restorations = restorations(desired, observed)?;
    if let Some(wish) = desired.rollback.as_ref().filter(|wish| wish.to == ADOPTED) {
        return adopted::come_back(desired, observed, wish, restorations);
    }
    let upgrades = upgrades(desired, observed, &restorations);
    let fates = Fates::of(desired, &observed.host);
    let choice = choose(desired, observed, &upgrades, &restorations, &fates);
    let drift = fates.still_drifted(drift(&observed.host));
    let mut found = obstacles(desired, observed, &upgrades, &restorations);
    found.extend(fates.obstacles(&drift, choice.writes_release));
    found.extend(release_zero::obstacles(desired, observed));
    if !found.is_empty() {
        return Err(found);
    }
    let number = ReleaseNumber(observed.host.last_number).next();
    let provision = Provision::of(desired, observed);
    let maker = Maker {
        desired,
        observed,
        upgrades: &upgrades,
        restorations: &restorations,
        switch: choice.switch,
        provision: &provision,
        fates,
        number,
        writes_release: choice.writes_release,
    };
    let mut warnings = maker.warnings();
    warnings.extend(fates.warnings(&drift));
    warnings.extend(certificate::warning(desired, observed));
    Ok(Plan {
        switch: choice.switch,
        reasons: choice.reasons,
        certificate: certificate::needed(desired, observed),
        diffs: maker.diffs(),
        drift,
        warnings,
        interruption: maker.interruption(),
        transaction: maker.transaction(),
        provision,
        rollback: desired
            .rollback
            .as_ref()
            .map(|wish| RollbackPlan { to: wish.to, databases: restorations.clone() }),
        upgrades,
    })
}

fn upgrades(
    desired: &Desired,
    observed: &Observed,
    restorations: &[Restoration],
) -> Vec<DatabaseUpgrade> {
    let goes_back =
        |name: &DatabaseName| restorations.iter().any(|one| one.restore.database == *name);
    let of = |name: &DatabaseName| match observed.databases.get(name) {
        Some(_) if goes_back(name) => of_restored(name),
        Some(facts) => of_existing(desired, name, facts),
        None => of_new(desired, name),
    };
    desired.databases.iter().map(of).collect()
}

struct Maker<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    upgrades: &'a [DatabaseUpgrade],
    restorations: &'a [Restoration],
    switch: Switch,
    provision: &'a Provision,
    fates: Fates,
    /// The release that is written, if one is.
    number: ReleaseNumber,
    writes_release: bool,
}

impl Maker<'_> {
    fn transaction(&self) -> Transaction {
        let desired = self.desired;
        let live = live_record(self.observed);
        let left = self.left().map(|facts| &facts.record.service);
        Transaction {
            id: desired.id.clone(),
            host: desired.host.clone(),
            holder: desired.holder.clone(),
            number: self.writes_release.then_some(self.number),
            previous: live.map(|live| live.number).or(left.map(|_| ADOPTED)),
            service: desired.service.clone(),
            access: desired.access.clone(),
            sensitive_keys: desired.sensitive_keys.clone(),
            keep: desired.policy.keep.clone(),
            prepare: self.prepare(),
            carry_out: self.carry_out(),
            finish: self.finish(),
            previous_health: live
                .map(|live| &live.health)
                .or(left.map(|left| &left.health))
                .cloned(),
            adopted: left.cloned(),
            summary: self.summary(),
        }
    }

    /// Steps that touch nothing live.
    fn prepare(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.writes_release {
            steps.extend(self.provision.steps());
            steps.extend(to_build(self.desired, self.observed).map(Step::BuildEnvironment));
            steps.push(self.check_out());
            steps.push(self.check_code());
        }
        if self.unit_differs() {
            steps.push(Step::CheckUnit { unit: self.desired.files.unit.clone() });
        }
        let certificate = certificate::steps(self.desired, self.observed);
        if certificate.is_empty() {
            steps.extend(self.check_vhost());
        }
        if self.writes_release {
            steps.extend(self.check_dependencies());
            steps.extend(self.try_out());
        }
        if !certificate.is_empty() {
            steps.extend(certificate);
            // It names the certificate's files.
            steps.extend(self.check_vhost());
        }
        if self.stopping().next().is_some() {
            // Before users have to wait for anything.
            steps.push(Step::WaitForUpgrades { at_once: self.desired.policy.upgrades_at_once });
        }
        steps.extend(self.snapshots().map(Step::CopyFiles));
        steps.extend(self.restores().map(Step::CopySnapshot));
        steps
    }

    /// Steps that change what is live.
    fn carry_out(&self) -> Vec<Step> {
        match self.switch {
            Switch::Nothing => Vec::new(),
            Switch::Vhost => self.vhost().into_iter().collect(),
            Switch::Reload => self.follow(Follow::Reload),
            Switch::Restart => self.follow(Follow::Restart),
            Switch::Stop => self.stop(),
        }
    }

    fn follow(&self, follow: Follow) -> Vec<Step> {
        let live = live_record(self.observed).filter(|_| !self.writes_release);
        let (first, health) = match live {
            None => (Step::Switch { number: self.number, follow }, self.health()),
            Some(live) => {
                let before = running_health(self.observed);
                let step = CatchUp { number: live.number, follow, before };
                (Step::CatchUp(step), live.health.clone())
            }
        };
        let mut steps = vec![first];
        steps.extend(self.vhost());
        steps.push(Step::CheckHealth(health));
        steps
    }

    fn stop(&self) -> Vec<Step> {
        let desired = self.desired;
        let mut steps = vec![Step::ShowMaintenance, Step::Hold];
        match self.left() {
            Some(facts) => steps.extend(self.take_over(facts)),
            None => steps.push(Step::StopService),
        }
        steps.extend(self.snapshots().map(Step::Snapshot));
        steps.extend(self.restores().map(Step::RestoreDatabase));
        for upgrade in self.upgrades.iter().filter(|upgrade| upgrade.create) {
            steps.push(Step::CreateDatabase { database: upgrade.database.clone() });
        }
        if self.left().is_none() {
            if self.unit_differs() {
                steps.push(Step::InstallUnit {
                    unit: desired.files.unit.clone(),
                    drop_in: desired.files.unit_drop_in.clone(),
                });
            }
            steps.push(Step::Switch { number: self.number, follow: Follow::Later });
        }
        steps.extend(self.upgrades.iter().filter_map(|upgrade| self.upgrade(upgrade)));
        steps.extend(self.admin_passwords());
        steps.extend(self.record_seen(true));
        steps.push(Step::StartService { hold_jobs: self.changed().cloned().collect() });
        if self.left().is_none() {
            steps.extend(self.vhost());
        }
        steps.push(Step::CheckHealth(self.health()));
        steps
    }

    /// Steps after the commit point.
    fn finish(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.switch == Switch::Stop {
            steps.push(Step::LiftHold);
            steps.push(Step::HideMaintenance);
        }
        if self.writes_release {
            steps.extend(self.provision.record());
            steps.extend(self.record_seen(false));
            steps.push(Step::Prune(Prune {
                keep_releases: self.desired.policy.keep_releases,
                keep_snapshots: self.keep_snapshots(),
                databases: self.desired.databases.clone(),
            }));
        }
        steps
    }

    /// A database that was just moved aside stays, whatever the release that is
    /// gone back to says.
    fn keep_snapshots(&self) -> usize {
        let least = usize::from(!self.restorations.is_empty());
        self.desired.policy.keep_snapshots.max(least)
    }

    fn health(&self) -> HealthCheck {
        let network = &self.desired.network;
        HealthCheck {
            number: self.number,
            databases: self.desired.databases.clone(),
            interface: network.interface.clone(),
            http_port: network.http_port,
            gevent_port: network.gevent_port,
            timeout: self.desired.policy.health_timeout.as_secs(),
            settle: self.desired.policy.health_settle.as_secs(),
        }
    }

    fn unit_differs(&self) -> bool {
        self.fates.unit.changes() || self.fates.unit_drop_in.changes()
    }

    fn new_vhost(&self) -> Option<&str> {
        self.desired.files.vhost.as_deref().filter(|_| self.fates.vhost.changes())
    }

    /// Every vhost that is installed is tested before.
    fn check_vhost(&self) -> Option<Step> {
        match self.vhost()? {
            Step::InstallVhost { vhost, .. } => {
                Some(Step::CheckVhost { vhost, aside: self.aside() })
            }
            _ => None,
        }
    }

    /// A new certificate is read, and proven, with the vhost that stays.
    fn vhost(&self) -> Option<Step> {
        let is_certified = certificate::needed(self.desired, self.observed).is_some();
        let again = self.desired.files.vhost.as_deref().filter(|_| is_certified);
        if let Some(vhost) = self.new_vhost().or(again) {
            let marker = self.desired.network.marker.clone()?;
            return Some(Step::InstallVhost { vhost: vhost.to_owned(), marker });
        }
        self.fates.vhost.changes().then_some(Step::RemoveVhost)
    }

    fn summary(&self) -> Summary {
        let desired = self.desired;
        Summary {
            environment: desired.environment.to_string(),
            branch: desired.branch.as_ref().map(ToString::to_string),
            commit: desired.commit.id.to_string(),
            subject: desired.commit.subject.clone(),
            modules: self
                .stopping()
                .map(|upgrade| (upgrade.database.clone(), upgrade.named()))
                .collect(),
            switch: self.switch.to_string(),
            rollback: desired.rollback.as_ref().map(|wish| RolledBack {
                to: wish.to,
                databases: self.restores().map(|restore| restore.database).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
