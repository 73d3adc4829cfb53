//! The least interrupting way to bring a host to the wanted release.

use std::fmt;

use super::{
    code::noticed, desired::Desired, observed::Observed, obstacle::live_record,
    rollback::Restoration, upgrade::DatabaseUpgrade,
};

/// How a host is brought to the wanted release, from the least interruption
/// to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switch {
    /// Nothing is touched.
    Nothing,
    /// The vhost is replaced and nginx reloads.
    Vhost,
    /// `current` moves and Odoo swaps its workers.
    Reload,
    /// `current` moves and Odoo restarts.
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
}

/// Chooses the way to switch.
#[must_use]
pub(super) fn choose(
    desired: &Desired,
    observed: &Observed,
    upgrades: &[DatabaseUpgrade],
    restorations: &[Restoration],
) -> Choice {
    let mut needs: Vec<(Switch, String)> = Vec::new();
    for one in restorations {
        let reason =
            format!("database {} goes back to before release {}", one.restore.database, one.before);
        needs.push((Switch::Stop, reason));
    }
    for upgrade in upgrades.iter().filter(|upgrade| upgrade.stops_odoo()) {
        needs.push((Switch::Stop, what_upgrades(upgrade)));
    }
    let host = &observed.host;
    if host.unit.as_deref() != Some(&desired.compared.unit)
        || host.unit_drop_in.as_deref() != Some(&desired.compared.unit_drop_in)
    {
        let reason = if host.unit.is_none() { "the unit is new" } else { "the unit changes" };
        needs.push((Switch::Stop, reason.into()));
    }
    if live_record(observed).is_none() {
        needs.push((Switch::Stop, "this is the first release".into()));
    } else {
        follow(desired, observed, &mut needs);
    }
    if host.vhost != desired.compared.vhost {
        needs.push((Switch::Vhost, "the vhost changes".into()));
    }
    needs.sort_by_key(|(switch, _)| std::cmp::Reverse(*switch));
    Choice {
        switch: needs.first().map_or(Switch::Nothing, |(switch, _)| *switch),
        reasons: needs.into_iter().map(|(_, reason)| reason).collect(),
    }
}

/// What makes a running Odoo follow: code, odoo.conf, or that it does not run.
fn follow(desired: &Desired, observed: &Observed, needs: &mut Vec<(Switch, String)>) {
    if observed.host.service.active != "active" {
        let state = &observed.host.service.active;
        needs.push((Switch::Restart, format!("the service is {state}")));
    }
    let changes_code = match &desired.changes {
        None => Some("the live release cannot be compared".to_owned()),
        Some(changes) => {
            let noticed = noticed(changes, &desired.addon_paths()).len();
            (noticed > 0).then(|| {
                format!("{noticed} {} changed", if noticed == 1 { "file" } else { "files" })
            })
        }
    };
    let conf_differs = observed.host.odoo_conf.as_deref() != Some(&desired.compared.odoo_conf);
    let page_differs =
        observed.host.maintenance_page.as_deref() != Some(&desired.compared.maintenance_page);
    if let Some(reason) = changes_code {
        needs.push(way_to_follow(desired, observed, reason));
    }
    if conf_differs {
        needs.push(way_to_follow(desired, observed, "odoo.conf changes".into()));
    }
    if page_differs {
        needs.push(way_to_follow(desired, observed, "the maintenance page changes".into()));
    }
}

/// SIGHUP is enough on Odoo 19 with workers, as long as what it listens on
/// stays: it keeps an inherited socket, and fails to change to or from workers.
fn way_to_follow(desired: &Desired, observed: &Observed, reason: String) -> (Switch, String) {
    let Some(live) = live_record(observed) else { return (Switch::Restart, reason) };
    let same_network = live.health.http_port == desired.network.http_port
        && live.health.gevent_port == desired.network.gevent_port
        && live.health.interface == desired.network.interface;
    if !desired.service.series.reloads_gracefully() {
        return (Switch::Restart, format!("{reason}; Odoo {} restarts", desired.service.series));
    }
    if !desired.service.has_workers {
        return (Switch::Restart, format!("{reason}; Odoo without workers restarts"));
    }
    if !same_network {
        return (Switch::Restart, format!("{reason}; what Odoo listens on changes"));
    }
    (Switch::Reload, reason)
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
