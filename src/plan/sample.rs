//! A host and a release that match. Each test of the plan changes what it is about.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use super::{
    ClusterFacts, CodeChange, DatabaseAccess, DatabaseFacts, Desired, Files, HealthCheck, Holder,
    HostFacts, InstalledModule, Marker, ModuleDiff, Network, Observed, Plan, Policy,
    RELEASE_SCHEMA, ReleaseFacts, ReleaseRecord, ReleaseState, RunningFrom, SeenAddon, ServerFacts,
    Service, ServiceFacts, Space, Step, TransactionId, UpdateChoice, make_plan,
};
use crate::{
    host::{DatabaseName, EnvironmentName, HostName, ModuleName},
    layout::ReleaseNumber,
    odoo::{Manifest, Series},
    source::{Addon, BlobId, Branch, CommitId, CommitSummary, FileChange, Signature, TreeId},
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

fn holder() -> Holder {
    Holder {
        who: "Ana".into(),
        from: "laptop".into(),
        url: None,
        message: None,
        transaction: "20260101T000000Z-00000000".into(),
        since: 1_767_225_600,
    }
}

fn desired(addons: Vec<Addon>, files: Files) -> Desired {
    Desired {
        id: TransactionId::parse("20260101T000000Z-00000000").unwrap(),
        holder: holder(),
        host: host("acme.example.com"),
        environment: EnvironmentName::parse("production").expect("a good name"),
        branch: Branch::parse("main").ok(),
        commit: CommitSummary {
            id: LIVE,
            author: "Ana".into(),
            subject: "Orders".into(),
            time: 1_767_225_600,
        },
        tree: TreeId::from_bytes([6; 20]),
        live: Some(LIVE),
        live_addons: addons.clone(),
        addons,
        service: Service {
            user: "odoo".into(),
            group: "odoo".into(),
            odoo_bin: "/usr/bin/odoo".into(),
            python: "/usr/bin/python3".into(),
            series: Series::V19,
            has_workers: true,
            logfile: None,
            data_dir: "/var/lib/odoo/acme".into(),
        },
        access: DatabaseAccess {
            system_user: "odoo".into(),
            host: String::new(),
            port: None,
            user: "odoo".into(),
            password: None,
        },
        databases: vec![database(DATABASE)],
        network: Network {
            interface: "127.0.0.1".into(),
            http_port: 8069,
            gevent_port: Some(8072),
            aliases: vec![host("www.acme.example.com")],
            marker: Some(Marker { port: 80, text: "marker".into() }),
        },
        policy: Policy {
            install: Vec::new(),
            keep: Vec::new(),
            upgrade_timeout: Duration::from_secs(3600),
            health_timeout: Duration::from_secs(120),
            keep_releases: 3,
            keep_snapshots: 1,
        },
        compared: files.clone(),
        files,
        sensitive_keys: BTreeSet::new(),
        changes: Some(Vec::new()),
        diffs: BTreeMap::new(),
        update: UpdateChoice::Changed,
        install: Vec::new(),
    }
}

fn observed(desired: &Desired) -> Observed {
    let space = Space { bytes: 50 << 30, inodes: 1_000_000, device: 1 };
    let files = &desired.files;
    Observed {
        server: ServerFacts {
            agent_version: "0.1.0".into(),
            time: 1_767_225_600,
            odoo_version: Ok("Odoo Server 19.0-20250901".into()),
            code_space: space,
            data_space: space,
            database_space: space,
            has_nginx: true,
            has_ipv6: true,
            has_user: true,
            listeners: Vec::new(),
        },
        host: HostFacts {
            releases: vec![ReleaseFacts { record: record(desired), state: ReleaseState::Verified }],
            current: Some(RunningFrom::Release(ReleaseNumber(4))),
            last_number: 4,
            odoo_conf: Some(files.odoo_conf.clone()),
            unit: Some(files.unit.clone()),
            unit_drop_in: Some(files.unit_drop_in.clone()),
            vhost: files.vhost.clone(),
            maintenance_page: Some(files.maintenance_page.clone()),
            service: ServiceFacts {
                load: "loaded".into(),
                active: "active".into(),
                main_pid: 4711,
            },
            lock: None,
            unfinished: None,
        },
        cluster: ClusterFacts {
            version: Ok("17.5".into()),
            may_create: true,
            names: vec![DATABASE.into()],
        },
        databases: BTreeMap::from([(database(DATABASE), facts(desired))]),
        neighbours: Vec::new(),
    }
}

fn record(desired: &Desired) -> ReleaseRecord {
    ReleaseRecord {
        schema: RELEASE_SCHEMA,
        number: ReleaseNumber(4),
        host: desired.host.clone(),
        environment: desired.environment.clone(),
        branch: desired.branch.clone(),
        commit: LIVE,
        tree: desired.tree,
        databases: desired.databases.clone(),
        data_dir: desired.service.data_dir.clone(),
        ports: vec![8069, 8072],
        aliases: desired.network.aliases.clone(),
        health: HealthCheck {
            number: ReleaseNumber(4),
            databases: desired.databases.clone(),
            interface: desired.network.interface.clone(),
            http_port: 8069,
            gevent_port: Some(8072),
            timeout: 120,
        },
        sensitive_keys: BTreeSet::new(),
    }
}

fn facts(desired: &Desired) -> DatabaseFacts {
    let installed = |depends: &[ModuleName]| InstalledModule {
        state: "installed".into(),
        version: Some("19.0.1.0".into()),
        depends: depends.to_vec(),
    };
    let mut modules = BTreeMap::from([(module("base"), installed(&[]))]);
    let mut signatures = BTreeMap::new();
    for addon in &desired.addons {
        modules.insert(addon.name.clone(), installed(&addon.manifest.depends));
        let seen = SeenAddon { signature: addon.signature.clone(), commit: LIVE };
        signatures.insert(addon.name.clone(), seen);
    }
    DatabaseFacts {
        oid: 16_384,
        owner: "odoo".into(),
        size: 300 << 20,
        uuid: Some("7d1e9c3a".into()),
        deployed_by: Some(desired.host.to_string()),
        modules,
        languages: BTreeSet::from(["en_US".into()]),
        partially_updated: false,
        signatures: Some(signatures),
        foreign_sessions: Vec::new(),
        filestore: None,
        snapshot_obstacles: Vec::new(),
    }
}
