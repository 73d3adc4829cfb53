//! What a plan does to databases: copies them aside, teaches them, takes them back.

use super::Maker;
use crate::{
    host::DatabaseName,
    plan::{
        CopyName,
        provision::SetAdminPassword,
        step::{Restore, Snapshot, Step, UpgradeModules},
        upgrade::DatabaseUpgrade,
    },
    source::Addon,
};

impl Maker<'_> {
    pub(super) fn upgrade(&self, upgrade: &DatabaseUpgrade) -> Option<Step> {
        if !upgrade.stops_odoo() {
            return None;
        }
        let update: Vec<_> = upgrade.update.keys().cloned().collect();
        let version =
            |addon: &&Addon| upgrade.install.contains(&addon.name) || update.contains(&addon.name);
        let versions = self.desired.addons.iter().filter(version);
        Some(Step::UpgradeModules(UpgradeModules {
            number: self.number,
            database: upgrade.database.clone(),
            install: upgrade.install.clone(),
            versions: versions
                .map(|addon| (addon.name.clone(), addon.manifest.version.clone()))
                .collect(),
            update,
            timeout: self.desired.policy.upgrade_timeout.as_secs(),
            overwrite_translations: upgrade.translations,
            snapshot: self.snapshot(upgrade),
        }))
    }

    /// Before anybody reaches a new database: Odoo itself gives `admin` the password `admin`.
    pub(super) fn admin_passwords(&self) -> impl Iterator<Item = Step> {
        let created = self.upgrades.iter().filter(|upgrade| upgrade.create);
        created.filter_map(|upgrade| {
            Some(Step::SetAdminPassword(SetAdminPassword {
                database: upgrade.database.clone(),
                password: self.desired.admin_password.as_ref()?.value.clone(),
            }))
        })
    }

    /// What an upgraded database has seen belongs to the upgrade and reverts
    /// with it; elsewhere it is written after the commit point.
    pub(super) fn record_seen(&self, upgraded: bool) -> impl Iterator<Item = Step> {
        self.upgrades.iter().filter(move |upgrade| upgrade.stops_odoo() == upgraded).filter_map(
            |upgrade| {
                let addons = upgrade.seen.clone()?;
                Some(Step::RecordSeen { database: upgrade.database.clone(), addons })
            },
        )
    }

    pub(super) fn stopping(&self) -> impl Iterator<Item = &DatabaseUpgrade> {
        self.upgrades.iter().filter(|upgrade| upgrade.stops_odoo())
    }

    pub(super) fn restores(&self) -> impl Iterator<Item = Restore> {
        self.restorations.iter().map(|one| one.restore.clone())
    }

    /// Names the databases that are not the same afterwards.
    pub(super) fn changed(&self) -> impl Iterator<Item = &DatabaseName> {
        let back = self.restorations.iter().map(|one| &one.restore.database);
        self.stopping().map(|upgrade| &upgrade.database).chain(back)
    }

    pub(super) fn snapshots(&self) -> impl Iterator<Item = Snapshot> {
        self.stopping().filter_map(|upgrade| self.snapshot(upgrade))
    }

    fn snapshot(&self, upgrade: &DatabaseUpgrade) -> Option<Snapshot> {
        let facts = self.observed.databases.get(&upgrade.database)?;
        Some(Snapshot {
            database: upgrade.database.clone(),
            oid: facts.oid,
            uuid: facts.uuid.clone(),
            copy: CopyName::snapshot(&upgrade.database, self.number),
            failed_name: CopyName::failed(&upgrade.database, self.number),
        })
    }
}
