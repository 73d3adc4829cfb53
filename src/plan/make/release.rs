//! The steps that write a release and try it out before anything live is touched.

use std::collections::BTreeSet;

use super::Maker;
use crate::{
    host::ModuleName,
    plan::{
        InstalledModule,
        environment::CheckDependencies,
        obstacle::live_record,
        release::{RELEASE_SCHEMA, ReleaseRecord},
        step::{CheckOut, Step},
        upgrade::DatabaseUpgrade,
    },
    source::FileChange,
};

impl Maker<'_> {
    pub(super) fn check_out(&self) -> Step {
        let desired = self.desired;
        let files = &desired.files;
        let base = self.base().map(|base| (base.number, base.tree));
        let ports = [Some(desired.network.http_port), desired.network.gevent_port];
        let record = ReleaseRecord {
            schema: RELEASE_SCHEMA,
            number: self.number,
            host: desired.host.clone(),
            environment: desired.environment.clone(),
            branch: desired.branch.clone(),
            commit: desired.commit.id,
            tree: desired.tree,
            databases: desired.databases.clone(),
            data_dir: desired.service.data_dir.clone(),
            ports: ports.into_iter().flatten().collect(),
            aliases: desired.network.aliases.clone(),
            health: self.health(),
            sensitive_keys: desired.sensitive_keys.clone(),
            changed: Some(self.changed().cloned().collect()),
            python_environment: desired.service.python_environment.clone(),
        };
        Step::CheckOut(Box::new(CheckOut {
            tree: desired.tree,
            base,
            odoo_conf: files.odoo_conf.clone(),
            keep: desired.policy.keep.clone(),
            maintenance_page: files.maintenance_page.clone(),
            vhost: files.vhost.clone(),
            unit: files.unit.clone(),
            unit_drop_in: files.unit_drop_in.clone(),
            record,
        }))
    }

    /// Returns the release whose unchanged files are linked: the one that is gone
    /// back to has them all.
    fn base(&self) -> Option<&ReleaseRecord> {
        let releases = &self.observed.host.releases;
        let back = self
            .desired
            .rollback
            .as_ref()
            .and_then(|wish| releases.iter().find(|release| release.record.number == wish.to));
        back.map(|release| &release.record).or_else(|| live_record(self.observed))
    }

    /// New and changed files are parsed; all of an addon where nothing is known.
    pub(super) fn check_code(&self) -> Step {
        let addons: Vec<_> = self.desired.addons.iter().map(|addon| addon.path.clone()).collect();
        let files = self.desired.changes.as_ref().map(|changes| {
            let is_there = |change: &&FileChange| change.new.is_some();
            changes.iter().filter(is_there).map(|change| change.path.clone()).collect()
        });
        Step::CheckCode { number: self.number, files, addons }
    }

    /// What a manifest asks for besides modules is only missed when the module is
    /// installed or upgraded: too late.
    pub(super) fn check_dependencies(&self) -> Option<Step> {
        let named = self.stopping().flat_map(DatabaseUpgrade::named);
        let modules: BTreeSet<_> = named.collect();
        let file = self.desired.python.as_ref().map(|python| python.file.clone());
        let modules: Vec<_> = modules.into_iter().collect();
        (!modules.is_empty())
            .then_some(Step::CheckDependencies(CheckDependencies { modules, file }))
    }

    /// Before an upgrade only imports can be tried: a registry that has new
    /// fields does not load on a database that lacks them. Neither does an old
    /// one on a database that is about to go back.
    pub(super) fn try_out(&self) -> Option<Step> {
        let number = self.number;
        if self.changed().next().is_none() {
            let databases = self.desired.databases.clone();
            let is_wanted = self.desired.policy.load_check;
            return is_wanted.then_some(Step::LoadRelease { number, databases });
        }
        let mut modules: Vec<_> = self
            .desired
            .addons
            .iter()
            .filter(|addon| self.upgrades.iter().any(|upgrade| self.runs(upgrade, &addon.name)))
            .map(|addon| addon.name.clone())
            .collect();
        modules.sort();
        (!modules.is_empty()).then_some(Step::ImportModules { number, modules })
    }

    /// Tells whether the database will run the module's code.
    fn runs(&self, upgrade: &DatabaseUpgrade, name: &ModuleName) -> bool {
        let facts = self.observed.databases.get(&upgrade.database);
        let installed = facts
            .and_then(|facts| facts.modules.get(name))
            .is_some_and(InstalledModule::is_installed);
        installed || upgrade.install.contains(name)
    }
}
