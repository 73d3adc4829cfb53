//! The least interrupting way to bring a host to the wanted release.

use std::fmt;

use super::{
    adopted::adopted_live,
    certificate,
    code::noticed,
    desired::Desired,
    drift::{Fates, Outdated, owed},
    observed::Observed,
    obstacle::live_record,
    rollback::Restoration,
    step::HealthCheck,
    upgrade::DatabaseUpgrade,
};
use crate::odoo::rules::Hangup;

/// How a host is brought to the wanted release, from the least interruption
/// to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switch {
    /// Nothing is touched.
    Nothing,
    /// The vhost is replaced and nginx reloads.
    Vhost,
    /// Odoo swaps its workers; `current` moves before, where there is a new release.
    Reload,
    /// Odoo restarts; `current` moves before, where there is a new release.
    Restart,
    /// Page, stop, snapshot, upgrade, start.
    Stop,
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Vhost => "vhost",
            Self::Reload => "reload",
            Self::Restart => "restart",
            Self::Stop => "stop",
        })
    }
}

/// A way to switch, and what made it necessary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The way.
    pub switch: Switch,
    /// What differs, in words, the greatest first.
    pub reasons: Vec<String>,
    /// Whether a new release has to be written.
    pub writes_release: bool,
}

/// Something that has to be done.
struct Need {
    switch: Switch,
    reason: String,
    /// Whether a file of a release changes, or its database.
    is_new: bool,
}

impl Need {
    fn new(switch: Switch, reason: impl Into<String>) -> Self {
        Self { switch, reason: reason.into(), is_new: switch > Switch::Vhost }
    }

    /// Describes something that is owed to the release that is live.
    fn owed(switch: Switch, reason: impl Into<String>) -> Self {
        Self { switch, reason: reason.into(), is_new: false }
    }
}

/// Chooses the way to switch.
#[must_use]
pub(super) fn choose(
    desired: &Desired,
    observed: &Observed,
    upgrades: &[DatabaseUpgrade],
    restorations: &[Restoration],
    fates: &Fates,
) -> Choice {
    let mut needs: Vec<Need> = Vec::new();
    for one in restorations {
        let reason =
            format!("database {} goes back to before release {}", one.restore.database, one.before);
        needs.push(Need::new(Switch::Stop, reason));
    }
    for upgrade in upgrades.iter().filter(|upgrade| upgrade.stops_odoo()) {
        needs.push(Need::new(Switch::Stop, what_upgrades(upgrade)));
    }
    let host = &observed.host;
    if fates.unit.changes() || fates.unit_drop_in.changes() {
        let reason = if host.unit.is_none() { "the unit is new" } else { "the unit changes" };
        needs.push(Need::new(Switch::Stop, reason));
    }
    if live_record(observed).is_none() {
        let reason = match adopted_live(observed) {
            Some(facts) => format!("it takes over from {}", facts.record.service.unit),
            None => "this is the first release".to_owned(),
        };
        needs.push(Need::new(Switch::Stop, reason));
    } else {
        follow(desired, observed, fates, &mut needs);
        catch_up(desired, observed, &mut needs);
    }
    if fates.vhost.changes() {
        needs.push(Need::new(Switch::Vhost, "the vhost changes"));
    }
    if let Some(plan) = certificate::needed(desired, observed) {
        needs.push(Need::new(Switch::Vhost, format!("a certificate is needed: {}", plan.because)));
    }
    needs.sort_by_key(|need| std::cmp::Reverse(need.switch));
    Choice {
        switch: needs.first().map_or(Switch::Nothing, |need| need.switch),
        writes_release: needs.iter().any(|need| need.is_new),
        reasons: needs.into_iter().map(|need| need.reason).collect(),
    }
}

/// What makes a running Odoo follow: code or odoo.conf.
fn follow(desired: &Desired, observed: &Observed, fates: &Fates, needs: &mut Vec<Need>) {
    let changes_code = match &desired.changes {
        None => Some("the live release cannot be compared".to_owned()),
        Some(changes) => {
            let noticed = noticed(changes, &desired.addon_paths()).len();
            (noticed > 0).then(|| {
                format!("{noticed} {} changed", if noticed == 1 { "file" } else { "files" })
            })
        }
    };
    let page_differs =
        observed.host.maintenance_page.as_deref() != Some(&desired.compared.maintenance_page);
    if let Some(reason) = changes_code {
        needs.push(way_to_follow(desired, observed, reason));
    }
    if fates.odoo_conf.changes() {
        needs.push(way_to_follow(desired, observed, "odoo.conf changes".into()));
    }
    if page_differs {
        needs.push(way_to_follow(desired, observed, "the maintenance page changes".into()));
    }
}

/// What the service owes to the release that is live: it does not run, or it runs
/// something older.
fn catch_up(desired: &Desired, observed: &Observed, needs: &mut Vec<Need>) {
    let service = &observed.host.service;
    if service.active != "active" {
        needs.push(Need::owed(Switch::Restart, format!("the service is {}", service.active)));
    }
    for outdated in owed(&observed.host) {
        let reason = outdated.to_string();
        let need = match outdated {
            Outdated::Unit => Need::owed(Switch::Restart, reason),
            // What it listens on is only known where it is seen.
            Outdated::Release(_) | Outdated::OdooConf if !listens_as_wanted(desired, observed) => {
                Need::owed(Switch::Restart, reason)
            }
            Outdated::Release(_) | Outdated::OdooConf => {
                let need = way_to_follow(desired, observed, reason);
                Need::owed(need.switch, need.reason)
            }
        };
        needs.push(need);
    }
}

/// Tells whether the running service has every port that is wanted.
fn listens_as_wanted(desired: &Desired, observed: &Observed) -> bool {
    let unit = format!("odoo-{}.service", desired.host);
    let ports = [Some(desired.network.http_port), desired.network.gevent_port];
    ports.into_iter().flatten().all(|port| {
        let is_own = |unit_of: &Option<String>| unit_of.as_ref().is_none_or(|name| *name == unit);
        observed.server.listeners.iter().any(|one| one.port == port && is_own(&one.unit))
    })
}

/// Returns what the release that runs now answers; none where nothing runs. It is another
/// one than the live release where a restart was never made.
pub(super) fn running_health(observed: &Observed) -> Option<HealthCheck> {
    let host = &observed.host;
    if host.service.active != "active" {
        return None;
    }
    let live = live_record(observed)?;
    let running = host.service.release.unwrap_or(live.number);
    let release = host.releases.iter().find(|release| release.record.number == running);
    Some(release.map_or(live, |release| &release.record).health.clone())
}

/// SIGHUP is enough where it reloads, with workers, as long as what it listens on
/// stays: it keeps an inherited socket, and fails to change to or from workers.
fn way_to_follow(desired: &Desired, observed: &Observed, reason: String) -> Need {
    let Some(running) = running_health(observed) else {
        return Need::new(Switch::Restart, reason);
    };
    let same_network = running.http_port == desired.network.http_port
        && running.gevent_port == desired.network.gevent_port
        && running.interface == desired.network.interface;
    if desired.service.series.rules().hangup == Hangup::Restarts {
        let reason = format!("{reason}; Odoo {} restarts", desired.service.series);
        return Need::new(Switch::Restart, reason);
    }
    if !desired.service.has_workers {
        return Need::new(Switch::Restart, format!("{reason}; Odoo without workers restarts"));
    }
    if !same_network {
        return Need::new(Switch::Restart, format!("{reason}; what Odoo listens on changes"));
    }
    Need::new(Switch::Reload, reason)
}

fn what_upgrades(upgrade: &DatabaseUpgrade) -> String {
    if upgrade.create {
        return format!("database {} is created", upgrade.database);
    }
    let count = upgrade.install.len() + upgrade.update.len();
    let noun = if count == 1 { "module" } else { "modules" };
    format!("{count} {noun} of {} to upgrade", upgrade.database)
}

#[cfg(test)]
mod tests;
