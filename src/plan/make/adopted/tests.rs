use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    layout::ReleaseNumber,
    plan::{
        ADOPTED, ADOPTED_SCHEMA, AcmeIssuer, Adopted, AdoptedFacts, AdoptedKind, AdoptedService,
        AdoptedVhost, CopyFacts, CopyName, HealthCheck, Issuer, Listener, OnDrift, Provision,
        ProvisionFacts, ReleaseState, Rollback, Step, WantedCertificate,
        sample::{DATABASE, LIVE, Sample, database, module, titles},
    },
};

fn facts(sample: &Sample, is_live: bool) -> Box<AdoptedFacts> {
    let desired = &sample.desired;
    let record = Adopted {
        schema: ADOPTED_SCHEMA,
        kind: AdoptedKind::Adopted,
        state: ReleaseState::Verified,
        number: ADOPTED,
        host: desired.host.clone(),
        service: AdoptedService {
            unit: "odoo.service".into(),
            enabled: true,
            logfile: None,
            health: HealthCheck {
                number: ADOPTED,
                databases: desired.databases.clone(),
                interface: String::new(),
                http_port: 8069,
                gevent_port: Some(8072),
                timeout: 120,
                settle: 8,
            },
        },
        is_script: false,
        unit_file: Some("/etc/systemd/system/odoo.service".into()),
        user: "odoo".into(),
        series: desired.service.series,
        conf: Some("/etc/odoo/odoo.conf".into()),
        data_dir: desired.service.data_dir.clone(),
        vhosts: vec![AdoptedVhost {
            path: "/etc/nginx/sites-enabled/odoo".into(),
            link: Some("../sites-available/odoo".into()),
            others: Vec::new(),
        }],
        aliases: Vec::new(),
        code: Vec::new(),
        commit: Some(LIVE),
    };
    Box::new(AdoptedFacts {
        record,
        is_live,
        is_running: is_live,
        since: ADOPTED,
        first_changes: BTreeMap::new(),
        odoo_conf: Some("[options]\nworkers = 1\n".into()),
        changed: Vec::new(),
        dirty: Vec::new(),
        missing: Vec::new(),
        vhost: is_live.then(|| "server { server_name acme.example.com; }".into()),
    })
}

/// A host that runs what was adopted; its addon `taller` changes.
fn adopted() -> Sample {
    let mut sample = Sample::first_deploy();
    let live_addons = sample.desired.addons.clone();
    sample = sample.with_upgrade_of("taller");
    sample.desired.changes = None;
    sample.desired.live = Some(LIVE);
    sample.desired.live_addons = live_addons;
    sample.observed.host.adopted = Some(facts(&sample, true));
    sample.observed.server.listeners =
        vec![Listener { port: 8069, unit: Some("odoo.service".into()) }];
    sample
}

fn record(sample: &mut Sample) -> &mut AdoptedFacts {
    sample.observed.host.adopted.as_mut().unwrap()
}

#[test]
fn the_first_deploy_shows_the_page_before_the_old_service_stops() {
    let plan = adopted().plan();
    assert_eq!(plan.transaction.previous, Some(ADOPTED));
    assert_eq!(plan.transaction.adopted.as_ref().unwrap().unit, "odoo.service");
    assert!(plan.interruption.contains("maintenance page"), "{}", plan.interruption);
    insta::assert_snapshot!(titles(&plan), @r"
    write release 1
    check Python, XML and manifests
    check the unit
    check the vhost
    check what the modules need besides modules
    import the modules
    wait for other upgrades on the server
    link the files of acme-prod
    --
    show the maintenance page
    hold the service
    hold odoo.service
    move to release 1
    install the unit
    install the vhost in the place of the old one
    stop odoo.service
    snapshot database acme-prod
    upgrade taller in acme-prod
    record in acme-prod what it has seen
    start Odoo
    check health
    --
    release the service
    hide the maintenance page
    prune old releases and snapshots
    ");
}

#[test]
fn challenges_are_answered_in_the_place_of_the_old_vhost_before_anything_is_noticed() {
    let mut sample = adopted();
    let aside = vec![PathBuf::from("/etc/nginx/sites-enabled/odoo")];
    sample.desired.certificate = Some(WantedCertificate {
        names: vec![sample.desired.host.clone()],
        issuer: Issuer::Acme(AcmeIssuer {
            email: "ops@example.com".into(),
            directory: "https://acme.example/directory".into(),
            root: None,
            challenge_vhost: "the old one, and challenges".into(),
            aside: aside.clone(),
        }),
    });
    sample.observed.host.certificates.has_certbot = true;
    let prepare = sample.plan().transaction.prepare;
    let place = |is: &dyn Fn(&Step) -> bool| prepare.iter().position(is).expect("there is one");
    let served = place(
        &|step| matches!(step, Step::ServeChallenges { aside: paths, .. } if *paths == aside),
    );
    let obtained = place(&|step| matches!(step, Step::ObtainCertificate(_)));
    let checked =
        place(&|step| matches!(step, Step::CheckVhost { aside: paths, .. } if *paths == aside));
    assert!(served < obtained && obtained < checked, "{prepare:?}");
}

#[test]
fn nothing_is_provisioned_for_a_host_that_runs_already() {
    let mut sample = adopted();
    sample.observed.provision = ProvisionFacts::default();
    assert_eq!(sample.plan().provision, Provision::default());
}

#[test]
fn modules_are_compared_with_the_commit_that_was_adopted() {
    let plan = adopted().plan();
    let upgraded: Vec<_> = plan.upgrades[0].update.keys().cloned().collect();
    assert_eq!(upgraded, [module("taller")]);
}

#[test]
fn edits_in_the_checkout_are_named_and_not_left_behind_unseen() {
    let mut sample = adopted();
    record(&mut sample).dirty = vec!["/opt/odoo/custom_addons/x.py".into()];
    let refusal = sample.refusal();
    assert!(refusal.contains("`/opt/odoo/custom_addons/x.py` was edited"), "{refusal}");
    sample.desired.on_drift = OnDrift::Overwrite;
    assert_eq!(sample.plan().drift.len(), 1);
}

#[test]
fn what_changed_since_it_was_adopted_is_adopted_again_first() {
    let mut sample = adopted();
    record(&mut sample).changed = vec!["/etc/odoo/odoo.conf".into()];
    let refusal = sample.refusal();
    assert!(refusal.contains("`/etc/odoo/odoo.conf` changed"), "{refusal}");
    assert!(refusal.contains("deploy adopt --unit odoo.service"), "{refusal}");
}

#[test]
fn a_host_is_what_was_adopted() {
    let mut sample = adopted();
    let record = &mut record(&mut sample).record;
    record.data_dir = "/srv/odoo".into();
    record.service.health.databases = vec![database("other-db")];
    record.is_script = true;
    record.vhosts[0].others = vec!["blog.example".into()];
    let refusal = sample.refusal();
    for text in ["is other-db", "is /srv/odoo", "init script", "also serves blog.example"] {
        assert!(refusal.contains(text), "{text}: {refusal}");
    }
}

#[test]
fn a_port_of_a_foreign_odoo_is_a_reason_to_adopt_it() {
    let mut sample = adopted();
    sample.observed.host.adopted = None;
    let refusal = sample.refusal();
    assert!(refusal.contains("port 8069 is taken by odoo.service"), "{refusal}");
    assert!(refusal.contains("deploy adopt --unit odoo.service"), "{refusal}");
}

/// A host that left what was adopted with release 4, which changed its database.
fn taken_over() -> Sample {
    let mut sample = Sample::matching();
    sample.observed.host.adopted = Some(facts(&sample, false));
    let wish = Rollback { to: ADOPTED, with_database: true, lost: BTreeMap::new() };
    sample.desired.rollback = Some(wish);
    let changed = BTreeMap::from([(database(DATABASE), ReleaseNumber(4))]);
    record(&mut sample).first_changes = changed;
    let name = CopyName::snapshot(&database(DATABASE), ReleaseNumber(4));
    let created = Some(sample.observed.server.time - 60);
    sample.facts().copies = vec![CopyFacts { name, oid: 20_000, bytes: 1, created }];
    sample
}

#[test]
fn the_way_back_starts_the_old_service_before_its_vhost_is_back() {
    let plan = taken_over().plan();
    assert_eq!(plan.transaction.number, Some(ADOPTED));
    assert_eq!(plan.transaction.previous, Some(ReleaseNumber(4)));
    insta::assert_snapshot!(titles(&plan), @r"
    copy the snapshot acme-prod~snap-4
    --
    show the maintenance page
    hold the service
    stop Odoo
    put database acme-prod back to acme-prod~snap-4
    remove the unit
    start odoo.service
    check health
    go back to release 0
    --
    release the service
    put the old vhost back and reload nginx
    hide the maintenance page
    release odoo.service
    ");
    // What answers while health is checked is not yet what users will see.
    assert_eq!(plan.transaction.checked_from(), None);
}

#[test]
fn a_database_that_a_deploy_changed_goes_back_only_by_consent() {
    let mut sample = taken_over();
    sample.desired.rollback.as_mut().unwrap().with_database = false;
    let refusal = sample.refusal();
    assert!(refusal.contains("release 0 needs database acme-prod"), "{refusal}");
    assert!(refusal.contains("--to 0 --with-database"), "{refusal}");
    // One that none changed stays as it is.
    record(&mut sample).first_changes.clear();
    assert!(sample.plan().rollback.unwrap().databases.is_empty());
}

#[test]
fn without_the_snapshot_of_before_the_first_change_there_is_no_way_back() {
    let mut sample = taken_over();
    let first = BTreeMap::from([(database(DATABASE), ReleaseNumber(2))]);
    record(&mut sample).first_changes = first;
    let refusal = sample.refusal();
    assert!(refusal.contains("acme-prod~snap-2 was pruned or dropped"), "{refusal}");
}

#[test]
fn the_options_that_change_are_shown() {
    let plan = adopted().plan();
    let conf = plan.diffs.iter().find(|diff| diff.name == "odoo.conf").unwrap();
    assert_eq!((conf.added, conf.removed), (1, 1), "{}", conf.hunks);
}

#[test]
fn release_0_is_not_gone_back_to_without_what_it_needs() {
    let mut sample = taken_over();
    record(&mut sample).missing = vec![PathBuf::from("/etc/odoo/odoo.conf")];
    assert!(sample.refusal().contains("release 0 needs `/etc/odoo/odoo.conf`, which is gone"));
    record(&mut sample).is_live = true;
    assert!(sample.refusal().contains("release 0 is not on the server"));
}
