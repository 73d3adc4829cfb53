//! Every value of every step. Whoever holds a deploy key may have written the list by hand.
//! Pure.

use std::path::{Component, Path};

use super::{Refusal, conf, files::Rendered, host::LiveHost, pinned::same};
use crate::{
    host::DatabaseName,
    layout::ReleaseNumber,
    plan::{
        CatchUp, CheckOut, CopyName, HealthCheck, Marker, RELEASE_SCHEMA, ReleaseRecord, Restore,
        Snapshot, Step, Transaction, UpgradeModules,
    },
    wire::FileInputs,
};

/// How far the number of a new release may lie behind the highest one: copies of databases
/// may have higher ones than directories.
const NUMBERS_AHEAD: u32 = 10_000;

/// How many upgrades a controller may allow at once on one server.
const MOST_UPGRADES: u32 = 64;

/// Checks a transaction, its steps one by one.
pub(super) fn check(
    transaction: &Transaction,
    inputs: &FileInputs,
    live: &LiveHost,
    rendered: &Rendered,
) -> Result<(), Refusal> {
    let check = Check { transaction, inputs, live, rendered };
    check.frame()?;
    let steps = transaction.prepare.iter().chain(&transaction.carry_out);
    steps.chain(&transaction.finish).try_for_each(|step| check.step(step))
}

/// Checks that databases are the host's own.
pub(super) fn own_databases<'d>(
    live: &LiveHost,
    mut names: impl Iterator<Item = &'d DatabaseName>,
) -> Result<(), Refusal> {
    match names.find(|name| !live.record.databases.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Refusal::needs_full_login(format!(
            "database {name} is not one of {}",
            live.record.host
        ))),
    }
}

struct Check<'a> {
    transaction: &'a Transaction,
    inputs: &'a FileInputs,
    live: &'a LiveHost,
    rendered: &'a Rendered,
}

impl Check<'_> {
    /// What the transaction says besides its steps.
    fn frame(&self) -> Result<(), Refusal> {
        let Transaction { host, number, previous, previous_health, .. } = self.transaction;
        if self.transaction.adopted.is_some() {
            return Err(of_adopted());
        }
        let live = &self.live.record;
        let ahead = |number: &ReleaseNumber| {
            number.0 > self.live.highest && number.0 - self.live.highest <= NUMBERS_AHEAD
        };
        if *host != live.host || *previous != Some(live.number) {
            return Err(Refusal::forged("the transaction is not for the live release"));
        }
        if number.as_ref().is_some_and(|number| !ahead(number)) {
            return Err(Refusal::forged("the number of the release is not a new one"));
        }
        match previous_health {
            Some(check) => self.health_of_known(check),
            None => Err(Refusal::forged("it does not say what the host must answer")),
        }
    }

    /// Exhaustive: a new kind of step has to be thought about here.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of step")]
    fn step(&self, step: &Step) -> Result<(), Refusal> {
        match step {
            Step::CheckOut(step) => self.check_out(step),
            Step::CreateUser(_)
            | Step::MakeDirectories(_)
            | Step::CreateRole(_)
            | Step::SetAdminPassword(_)
            | Step::RecordProvisioned(_)
            | Step::BuildEnvironment(_) => Err(for_full_logins(step)),
            Step::CheckDependencies(_) => self.writes_release(),
            Step::CheckCode { number, files, addons } => {
                self.number(*number)?;
                relative(files.iter().flatten().chain(addons).map(AsRef::as_ref))
            }
            Step::CheckUnit { unit } => text("the unit", unit, &self.rendered.unit),
            Step::CheckVhost { aside, .. } if !aside.is_empty() => Err(of_adopted()),
            Step::CheckVhost { vhost, .. } => self.vhost(Some(vhost)),
            // Whom root trusts, and what certifies a host, is not for the key to say.
            Step::ServeChallenges { .. }
            | Step::ObtainCertificate(_)
            | Step::InstallCertificate(_) => {
                Err(Refusal::needs_full_login(format!("it would {}", step.title())))
            }
            Step::ImportModules { number, modules: _ } => self.number(*number),
            Step::LoadRelease { number, databases } => {
                self.number(*number)?;
                own_databases(self.live, databases.iter())
            }
            Step::WaitForUpgrades { at_once } => match *at_once {
                1..=MOST_UPGRADES => Ok(()),
                _ => Err(Refusal::forged("it waits for no number of upgrades that there can be")),
            },
            Step::CopyFiles(snapshot) | Step::Snapshot(snapshot) => self.snapshot(snapshot),
            Step::CopySnapshot(restore) | Step::RestoreDatabase(restore) => self.restore(restore),
            Step::CreateDatabase { database } | Step::RecordSeen { database, addons: _ } => {
                own_databases(self.live, [database].into_iter())
            }
            Step::Switch { number, follow: _ } => self.number(*number),
            Step::CatchUp(step) => self.catch_up(step),
            Step::InstallUnit { unit, drop_in } => {
                text("the unit", unit, &self.rendered.unit)?;
                text("the unit's drop-in", drop_in, &self.rendered.drop_in)
            }
            Step::UpgradeModules(step) => self.upgrade(step),
            Step::StartService { hold_jobs } => own_databases(self.live, hold_jobs.iter()),
            Step::InstallVhost { vhost, marker } => {
                self.vhost(Some(vhost))?;
                self.marker(marker)
            }
            // A vhost that goes away is refused with the values that it is rendered from.
            Step::RemoveVhost => self.vhost(None),
            Step::CheckHealth(check) => self.health(check),
            Step::Prune(step) => own_databases(self.live, step.databases.iter()),
            Step::HoldAdopted(_)
            | Step::StopAdopted(_)
            | Step::ReplaceVhosts(_)
            | Step::RemoveUnit
            | Step::StartAdopted { .. }
            | Step::LeaveReleases
            | Step::ReturnVhosts { .. }
            | Step::ReleaseAdopted(_) => Err(of_adopted()),
            Step::ShowMaintenance
            | Step::Hold
            | Step::StopService
            | Step::LiftHold
            | Step::HideMaintenance => Ok(()),
        }
    }

    fn writes_release(&self) -> Result<(), Refusal> {
        let written = self.transaction.number.map(drop);
        written.ok_or_else(|| Refusal::forged("modules are checked without a release"))
    }

    fn catch_up(&self, step: &CatchUp) -> Result<(), Refusal> {
        if step.number != self.live.record.number {
            return Err(Refusal::forged("Odoo would catch up with another release"));
        }
        step.before.as_ref().map_or(Ok(()), |check| self.health_of_known(check))
    }

    fn check_out(&self, step: &CheckOut) -> Result<(), Refusal> {
        text("the unit", &step.unit, &self.rendered.unit)?;
        text("the unit's drop-in", &step.unit_drop_in, &self.rendered.drop_in)?;
        self.vhost(step.vhost.as_deref())?;
        conf::check(&step.odoo_conf, &step.keep, &self.live.odoo_conf)?;
        if step.keep != self.transaction.keep {
            return Err(Refusal::forged("`keep` is not the same everywhere"));
        }
        let known = |number: ReleaseNumber| self.live.releases.iter().any(|r| r.number == number);
        if step.base.is_some_and(|(number, _)| !known(number)) {
            return Err(Refusal::forged("the release builds on one that is not there"));
        }
        self.record(step)
    }

    /// The record is what the next transaction is measured by.
    fn record(&self, step: &CheckOut) -> Result<(), Refusal> {
        let (record, live) = (&step.record, &self.live.record);
        self.number(record.number)?;
        let allowed = ReleaseRecord {
            schema: RELEASE_SCHEMA,
            number: record.number,
            branch: record.branch.clone(),
            commit: record.commit,
            tree: step.tree,
            ports: record.ports.clone(),
            health: record.health.clone(),
            sensitive_keys: record.sensitive_keys.clone(),
            changed: record.changed.clone(),
            ..live.clone()
        };
        same("what is said of the release", record, &allowed)?;
        self.health(&record.health)?;
        let gevent = record.health.gevent_port;
        let ports: Vec<_> = [Some(record.health.http_port), gevent].into_iter().flatten().collect();
        same("the ports", &record.ports, &ports)?;
        own_databases(self.live, record.changed.iter().flatten())
    }

    fn number(&self, number: ReleaseNumber) -> Result<(), Refusal> {
        if self.transaction.number == Some(number) {
            return Ok(());
        }
        Err(Refusal::forged(format!("release {number} is not the one that is made")))
    }

    fn vhost(&self, asked: Option<&str>) -> Result<(), Refusal> {
        let rendered = self.rendered.vhost.as_ref().map(|vhost| vhost.text.as_str());
        match (asked, rendered) {
            (None, None) => Ok(()),
            (Some(asked), Some(rendered)) => text("the vhost", asked, rendered),
            _ => Err(Refusal::forged("the vhost is not what its values say")),
        }
    }

    fn marker(&self, asked: &Marker) -> Result<(), Refusal> {
        let rendered = self.rendered.vhost.as_ref().zip(self.inputs.vhost.as_ref());
        let expected =
            rendered.map(|(vhost, input)| Marker { port: input.port, text: vhost.marker.clone() });
        if expected.as_ref() == Some(asked) {
            return Ok(());
        }
        Err(Refusal::forged("the vhost's marker is not its own"))
    }

    /// Where root asks Odoo is not for the key to say: it could be anywhere.
    fn health(&self, check: &HealthCheck) -> Result<(), Refusal> {
        let live = &self.live.record.health;
        let websocket = self.live.with.inputs.vhost.as_ref().map(|vhost| vhost.gevent_port);
        let gevent_port = match check.gevent_port {
            port if port.is_none() || port == websocket => port,
            _ => live.gevent_port,
        };
        let allowed = HealthCheck {
            number: check.number,
            databases: check.databases.clone(),
            timeout: check.timeout,
            settle: check.settle,
            gevent_port,
            ..live.clone()
        };
        same("where Odoo listens", check, &allowed)?;
        let is_known = check.number == self.live.record.number;
        if !is_known {
            self.number(check.number)?;
        }
        own_databases(self.live, check.databases.iter())
    }

    /// What a release that is there must answer, its record says.
    fn health_of_known(&self, check: &HealthCheck) -> Result<(), Refusal> {
        if self.live.releases.iter().any(|release| release.health == *check) {
            return Ok(());
        }
        Err(Refusal::forged("no release answers what the one before must"))
    }

    fn snapshot(&self, snapshot: &Snapshot) -> Result<(), Refusal> {
        let Snapshot { database, oid: _, uuid: _, copy, failed_name } = snapshot;
        own_databases(self.live, [database].into_iter())?;
        let number = self.transaction.number;
        let is = |name: &CopyName, made: fn(&DatabaseName, ReleaseNumber) -> CopyName| {
            number.is_some_and(|number| *name == made(database, number))
        };
        if is(copy, CopyName::snapshot) && is(failed_name, CopyName::failed) {
            return Ok(());
        }
        Err(Refusal::forged(format!("{copy} is no copy of {database} for this release")))
    }

    fn restore(&self, restore: &Restore) -> Result<(), Refusal> {
        let Restore { database, oid: _, snapshot, snapshot_oid: _, copy, kept } = restore;
        own_databases(self.live, [database].into_iter())?;
        let number = self.transaction.number;
        let is_new = number.is_some_and(|number| {
            *copy == CopyName::failed(database, number)
                && *kept == CopyName::snapshot(database, number)
                && snapshot.release() < number
        });
        if snapshot.is_of(database) && is_new {
            return Ok(());
        }
        Err(Refusal::forged(format!("{snapshot} is no copy that {database} could go back to")))
    }

    fn upgrade(&self, step: &UpgradeModules) -> Result<(), Refusal> {
        self.number(step.number)?;
        own_databases(self.live, [&step.database].into_iter())?;
        let Some(snapshot) = &step.snapshot else { return Ok(()) };
        if snapshot.database != step.database {
            return Err(Refusal::forged("an upgrade would go back to another database"));
        }
        self.snapshot(snapshot)
    }
}

/// What names units and vhosts that the tool did not make is not for a key to say.
fn of_adopted() -> Refusal {
    Refusal::needs_full_login("the host leaves what was adopted, or comes back to it")
}

/// Accounts are a first deploy's, and packages are anybody's code.
fn for_full_logins(step: &Step) -> Refusal {
    Refusal::needs_full_login(format!("`{}` is nothing that this key may do", step.title()))
}

/// Texts that root's programs read are the ones that were rendered here.
fn text(what: &str, asked: &str, rendered: &str) -> Result<(), Refusal> {
    if asked == rendered {
        return Ok(());
    }
    Err(Refusal::needs_full_login(format!(
        "{what} is not what the server itself renders (by agent {})",
        env!("CARGO_PKG_VERSION")
    )))
}

/// Paths stay in the code.
fn relative<'p>(mut paths: impl Iterator<Item = &'p Path>) -> Result<(), Refusal> {
    let leaves = |path: &&Path| {
        path.as_os_str().is_empty()
            || !path.components().all(|part| matches!(part, Component::Normal(_)))
    };
    match paths.find(leaves) {
        None => Ok(()),
        Some(path) => Err(Refusal::forged(format!("`{}` is not in the code", path.display()))),
    }
}
