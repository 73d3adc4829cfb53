//! The two halves of the sample: what is wanted, and what is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{DATABASE, LIVE, database, host, module};
use crate::{
    host::{EnvironmentName, ModuleName},
    layout::ReleaseNumber,
    odoo::Series,
    plan::{
        AsDeployed, CertificateFacts, ClusterFacts, DatabaseAccess, DatabaseFacts, Desired,
        EnvironmentFacts, Files, HealthCheck, Holder, HostFacts, InstalledModule, Marker, Network,
        Observed, OnDrift, Policy, ProvisionFacts, RELEASE_SCHEMA, ReleaseFacts, ReleaseRecord,
        ReleaseState, RoleFacts, RunningFrom, SeenAddon, ServerFacts, Service, ServiceFacts, Space,
        TransactionId, UpdateChoice,
    },
    source::{Addon, Branch, CommitSummary, TreeId},
};

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

fn access() -> DatabaseAccess {
    DatabaseAccess {
        system_user: "odoo".into(),
        host: String::new(),
        port: None,
        user: "odoo".into(),
        password: None,
    }
}

fn policy() -> Policy {
    Policy {
        install: Vec::new(),
        keep: Vec::new(),
        upgrade_timeout: Duration::from_secs(3600),
        health_timeout: Duration::from_secs(120),
        health_settle: Duration::from_secs(8),
        load_check: true,
        keep_releases: 3,
        keep_snapshots: 1,
        upgrades_at_once: 1,
    }
}

pub(super) fn desired(addons: Vec<Addon>, files: Files) -> Desired {
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
            python_environment: None,
            series: Series::V19,
            has_workers: true,
            logfile: None,
            data_dir: "/var/lib/odoo/acme".into(),
        },
        access: access(),
        databases: vec![database(DATABASE)],
        network: Network {
            interface: "127.0.0.1".into(),
            http_port: 8069,
            gevent_port: Some(8072),
            aliases: vec![host("www.acme.example.com")],
            marker: Some(Marker { port: 80, text: "marker".into() }),
        },
        policy: policy(),
        python: None,
        admin_password: None,
        compared: files.clone(),
        files,
        certificate: None,
        sensitive_keys: BTreeSet::new(),
        changes: Some(Vec::new()),
        diffs: BTreeMap::new(),
        update: UpdateChoice::Changed,
        install: Vec::new(),
        on_drift: OnDrift::Refuse,
        rollback: None,
    }
}

fn environments() -> EnvironmentFacts {
    EnvironmentFacts { python_version: Ok("cpython-313 3.13.5".into()), built: BTreeSet::new() }
}

fn provision() -> ProvisionFacts {
    ProvisionFacts {
        has_group: true,
        has_data_dir: true,
        has_logfile: true,
        role: RoleFacts::NotAsked,
    }
}

pub(super) fn observed(desired: &Desired) -> Observed {
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
                release: Some(ReleaseNumber(4)),
                ..ServiceFacts::default()
            },
            lock: None,
            unfinished: None,
            recovered: None,
            knows_transaction: false,
            series: desired.service.series,
            as_deployed: Some(AsDeployed {
                odoo_conf: Some(files.odoo_conf.clone()),
                unit: Some(files.unit.clone()),
                unit_drop_in: Some(files.unit_drop_in.clone()),
                vhost: files.vhost.clone(),
            }),
            foreign_drop_ins: Vec::new(),
            certificates: CertificateFacts::default(),
            adopted: None,
        },
        cluster: ClusterFacts {
            version: Ok("17.5".into()),
            may_create: true,
            names: vec![DATABASE.into()],
        },
        databases: BTreeMap::from([(database(DATABASE), facts(desired))]),
        neighbours: Vec::new(),
        environments: environments(),
        provision: provision(),
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
            settle: 8,
        },
        sensitive_keys: BTreeSet::new(),
        changed: Some(BTreeSet::new()),
        python_environment: None,
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
        copies: Vec::new(),
    }
}
