//! What a plan shows: diffs, warnings, the interruption to expect.

use super::{FileDiff, Maker, Switch};
use crate::plan::{
    diff::unified,
    drift::{Fate, options_diff},
    obstacle::{live_record, megabytes},
};

impl Maker<'_> {
    pub(super) fn diffs(&self) -> Vec<FileDiff> {
        let host = &self.observed.host;
        let wanted = &self.desired.compared;
        let fates = &self.fates;
        let page = (
            host.maintenance_page.as_deref(),
            Some(wanted.maintenance_page.as_str()),
            "maintenance page",
            Fate::Written,
        );
        let texts = [
            (
                host.odoo_conf.as_deref(),
                Some(wanted.odoo_conf.as_str()),
                "odoo.conf",
                fates.odoo_conf,
            ),
            (host.unit.as_deref(), Some(wanted.unit.as_str()), "unit", fates.unit),
            (
                host.unit_drop_in.as_deref(),
                Some(wanted.unit_drop_in.as_str()),
                "unit drop-in",
                fates.unit_drop_in,
            ),
            (host.vhost.as_deref(), wanted.vhost.as_deref(), "vhost", fates.vhost),
            page,
        ];
        let changes = texts.into_iter().filter(|(_, _, _, fate)| fate.changes());
        let diffs = changes.map(|(old, new, name, _)| match (self.adopted_conf(), new) {
            // Whoever wrote that file had an order of his own: what counts is what it says.
            (Some(adopted), Some(new)) if name == "odoo.conf" => {
                options_diff(adopted, new, host.series)
            }
            _ => unified(old, new, name),
        });
        diffs.filter(|diff| !diff.is_empty()).collect()
    }

    fn adopted_conf(&self) -> Option<&str> {
        self.left()?.odoo_conf.as_deref()
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let asked = self.desired.rollback.as_ref().is_some_and(|wish| wish.with_database);
        if asked && self.restorations.is_empty() {
            warnings.push("no database has to go back: all keep what they have".to_owned());
        }
        for upgrade in self.upgrades {
            let database = &upgrade.database;
            if upgrade.first_contact && !upgrade.create {
                warnings.push(format!(
                    "first contact with database {database}: its modules are taken as up to date with {}",
                    self.desired.live.map_or("this commit".into(), |commit| commit.short())
                ));
            }
            if !upgrade.left_out.is_empty() {
                let names: Vec<_> = upgrade.left_out.iter().map(ToString::to_string).collect();
                warnings.push(format!(
                    "{database} needs an upgrade of {} and does not get it",
                    names.join(", ")
                ));
            }
        }
        warnings
    }

    /// Says how long users will wait. The copy runs at some 100 MB/s on a small
    /// server (`performance.md`); how long modules take only they know.
    pub(super) fn interruption(&self) -> String {
        const COPIED_PER_SECOND: u64 = 100 << 20;
        match self.switch {
            Switch::Nothing | Switch::Vhost | Switch::Reload => "none".into(),
            Switch::Restart if self.observed.host.service.active != "active" => {
                "none: the service does not run".into()
            }
            Switch::Restart => "a restart: some seconds without an answer".into(),
            Switch::Stop if live_record(self.observed).is_none() && self.left().is_none() => {
                "none: the host is not live yet".into()
            }
            Switch::Stop if !self.restorations.is_empty() => {
                "maintenance page from stop to verified: the copy is made before, so nothing is waited for but the start".into()
            }
            Switch::Stop => {
                let sizes = self.stopping().filter_map(|upgrade| {
                    Some(self.observed.databases.get(&upgrade.database)?.size)
                });
                let size: u64 = sizes.sum();
                if size == 0 {
                    return "a stop and a start behind the maintenance page".into();
                }
                format!(
                    "maintenance page from stop to verified: a snapshot of {} (about {} s) and the upgrade",
                    megabytes(size),
                    size.div_ceil(COPIED_PER_SECOND)
                )
            }
        }
    }
}
