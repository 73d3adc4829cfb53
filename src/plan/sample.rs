//! A host and a release that match. Each test of the plan changes what it is about.

mod parts;
mod plans;

use std::{collections::BTreeMap, path::PathBuf};

pub(crate) use self::plans::{SamplePlan, sample_plans};

use self::parts::{desired, observed};
use super::{
    CertificateFacts, CodeChange, DatabaseFacts, Desired, Files, HostFacts, ModuleDiff, Observed,
    Plan, ServiceFacts, Step, make_plan,
};
use crate::{
    host::{DatabaseName, HostName, ModuleName},
    odoo::Manifest,
    source::{Addon, BlobId, CommitId, FileChange, Signature, TreeId},
};

/// The commit that is live.
pub(super) const LIVE: CommitId = CommitId::from_bytes([7; 20]);
/// The commit that is wanted, where it is another one.
pub(super) const WANTED: CommitId = CommitId::from_bytes([8; 20]);
/// The host's only database.
pub(super) const DATABASE: &str = "acme-prod";

/// What is wanted of a host and what its server has.
pub(super) struct Sample {
    pub(super) desired: Desired,
    pub(super) observed: Observed,
}

pub(super) fn module(name: &str) -> ModuleName {
    ModuleName::parse(name).expect("a good name")
}

pub(super) fn database(name: &str) -> DatabaseName {
    DatabaseName::parse(name).expect("a good name")
}

pub(super) fn host(name: &str) -> HostName {
    HostName::parse(name).expect("a good name")
}

impl Sample {
    /// A host on Odoo 19 with two workers, one database and the modules
    /// `taller` and `taller_portal` (which depends on it), live as release 4.
    pub(super) fn matching() -> Self {
        let addons = vec![addon("taller", &["base"]), addon("taller_portal", &["taller"])];
        let files = Files {
            odoo_conf: "[options]\nworkers = 2\n".into(),
            unit: "[Service]\nExecStart=odoo\n".into(),
            unit_drop_in: "[Unit]\n".into(),
            vhost: Some("server {}\n".into()),
            maintenance_page: "<html>".into(),
        };
        let desired = desired(addons, files);
        let observed = observed(&desired);
        Self { desired, observed }
    }

    /// The same host before its first deploy; its database exists and knows
    /// the modules.
    pub(super) fn first_deploy() -> Self {
        let mut sample = Self::matching();
        sample.desired.live = None;
        sample.desired.live_addons = Vec::new();
        sample.desired.changes = None;
        let host = &mut sample.observed.host;
        *host = HostFacts {
            releases: Vec::new(),
            current: None,
            last_number: 0,
            odoo_conf: None,
            unit: None,
            unit_drop_in: None,
            vhost: None,
            maintenance_page: None,
            service: ServiceFacts::default(),
            lock: None,
            unfinished: None,
            recovered: None,
            knows_transaction: false,
            series: sample.desired.service.series,
            as_deployed: None,
            foreign_drop_ins: Vec::new(),
            certificates: CertificateFacts::default(),
            adopted: None,
        };
        sample.observed.server.listeners = Vec::new();
        let facts = sample.facts();
        facts.signatures = None;
        facts.deployed_by = None;
        sample
    }

    /// The same host before its first deploy, without a database, which the
    /// host's file says how to fill.
    pub(super) fn new_host() -> Self {
        let mut sample = Self::first_deploy();
        sample.observed.databases.clear();
        sample.observed.cluster.names.clear();
        sample.desired.policy.install = vec![module("base"), module("taller")];
        sample
    }

    /// Returns what is known of the host's database.
    pub(super) fn facts(&mut self) -> &mut DatabaseFacts {
        self.observed.databases.get_mut(&database(DATABASE)).expect("the database exists")
    }

    /// Gives the host a second database that is like the first.
    pub(super) fn with_database(mut self, name: &str) -> Self {
        let facts = self.facts().clone();
        self.observed.databases.insert(database(name), DatabaseFacts { oid: 17_000, ..facts });
        self.observed.cluster.names.push(name.into());
        self.desired.databases.push(database(name));
        for release in &mut self.observed.host.releases {
            release.record.databases.clone_from(&self.desired.databases);
        }
        self
    }

    /// Changes a file of the code in a way that concerns no database.
    pub(super) fn with_changed_file(mut self, path: &str) -> Self {
        self.desired.commit.id = WANTED;
        self.desired.tree = TreeId::from_bytes([11; 20]);
        self.desired.changes.get_or_insert_default().push(change(path));
        self
    }

    /// Changes a file of an addon in a way that its databases have to be upgraded for.
    pub(super) fn with_upgrade_of(self, name: &str) -> Self {
        self.with_changed_addon(name, "views/order.xml", &[])
    }

    /// Changes the body of a function of an addon.
    pub(super) fn with_changed_body(self, name: &str) -> Self {
        self.with_changed_addon(name, "models/order.py", &[CodeChange::Bodies])
    }

    fn with_changed_addon(self, name: &str, file: &str, python: &[CodeChange]) -> Self {
        let path = format!("custom-addons/{name}/{file}");
        let mut sample = self.with_changed_file(&path);
        let addon = sample.desired.addons.iter_mut().find(|addon| addon.name == module(name));
        let addon = addon.expect("the addon is part of the sample");
        let old_manifest = Some(addon.manifest.clone());
        addon.signature.tree = TreeId::from_bytes([12; 20]);
        let python = python.iter().map(|change| (PathBuf::from(file), change.clone())).collect();
        let diff = ModuleDiff { old_manifest, files: vec![change(file)], python };
        sample.desired.diffs.insert((LIVE, module(name)), diff);
        sample
    }

    /// Makes the plan, which nothing stands in the way of.
    pub(super) fn plan(&self) -> Plan {
        make_plan(&self.desired, &self.observed).unwrap_or_else(|obstacles| {
            panic!("something stands in the way: {obstacles:?}");
        })
    }

    /// Returns what stands in the way, one line for each obstacle.
    pub(super) fn refusal(&self) -> String {
        let Err(obstacles) = make_plan(&self.desired, &self.observed) else {
            panic!("nothing stands in the way");
        };
        let lines: Vec<_> = obstacles
            .into_iter()
            .map(|obstacle| match obstacle.hint {
                Some(hint) => format!("{}\n  hint: {hint}", obstacle.message),
                None => obstacle.message,
            })
            .collect();
        lines.join("\n")
    }
}

/// Lists the steps of a plan by their titles, the three parts apart.
pub(super) fn titles(plan: &Plan) -> String {
    let part = |steps: &[Step]| steps.iter().map(|step| step.title() + "\n").collect::<String>();
    let transaction = &plan.transaction;
    let parts = [&transaction.prepare, &transaction.carry_out, &transaction.finish];
    parts.map(|steps| part(steps)).join("--\n")
}

fn change(path: &str) -> FileChange {
    FileChange {
        path: path.into(),
        old: Some(BlobId::from_bytes([1; 20])),
        new: Some(BlobId::from_bytes([2; 20])),
    }
}

/// Makes an addon as the databases of the sample have seen it.
pub(super) fn addon(name: &str, depends: &[&str]) -> Addon {
    Addon {
        name: module(name),
        path: format!("custom-addons/{name}").into(),
        tree: TreeId::from_bytes([9; 20]),
        signature: Signature { tree: TreeId::from_bytes([10; 20]), translations: BTreeMap::new() },
        manifest: Manifest {
            version: "1.0".into(),
            depends: depends.iter().map(|name| module(name)).collect(),
            installable: true,
            hooks: Vec::new(),
            python_dependencies: Vec::new(),
            fingerprint: "1".into(),
        },
    }
}
