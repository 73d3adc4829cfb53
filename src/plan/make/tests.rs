use super::*;
use crate::plan::sample::{DATABASE, Sample, database, module, titles};
use crate::source::FileChange;

/// Tells whether a step changes something that is live.
fn is_live(step: &Step) -> bool {
    match step {
        Step::CreateUser(_)
        | Step::MakeDirectories(_)
        | Step::CreateRole(_)
        | Step::BuildEnvironment(_)
        | Step::CheckDependencies(_)
        | Step::CheckOut(_)
        | Step::CheckCode { .. }
        | Step::CheckUnit { .. }
        | Step::CheckVhost { .. }
        // Beside everything that is served: users notice nothing.
        | Step::ServeChallenges { .. }
        | Step::ObtainCertificate(_)
        | Step::InstallCertificate(_)
        | Step::ImportModules { .. }
        | Step::LoadRelease { .. }
        | Step::WaitForUpgrades { .. }
        | Step::CopyFiles(_)
        | Step::CopySnapshot(_) => false,
        Step::ShowMaintenance
        | Step::Hold
        | Step::StopService
        | Step::Snapshot(_)
        | Step::RestoreDatabase(_)
        | Step::CreateDatabase { .. }
        | Step::Switch { .. }
        | Step::CatchUp(_)
        | Step::InstallUnit { .. }
        | Step::UpgradeModules(_)
        | Step::SetAdminPassword(_)
        | Step::RecordSeen { .. }
        | Step::RecordProvisioned(_)
        | Step::StartService { .. }
        | Step::InstallVhost { .. }
        | Step::RemoveVhost
        | Step::CheckHealth(_)
        | Step::LiftHold
        | Step::HideMaintenance
        | Step::HoldAdopted(_)
        | Step::StopAdopted(_)
        | Step::ReplaceVhosts(_)
        | Step::RemoveUnit
        | Step::StartAdopted { .. }
        | Step::LeaveReleases
        | Step::ReturnVhosts { .. }
        | Step::ReleaseAdopted(_)
        | Step::Prune(_) => true,
    }
}

fn with_new_vhost(mut sample: Sample) -> Sample {
    let vhost = Some("server { listen 80; }\n".to_owned());
    sample.desired.compared.vhost.clone_from(&vhost);
    sample.desired.files.vhost = vhost;
    sample
}

fn with_new_unit(mut sample: Sample) -> Sample {
    let unit = "[Service]\nNice=5\n".to_owned();
    sample.desired.compared.unit.clone_from(&unit);
    sample.desired.files.unit = unit;
    sample
}

fn everything() -> Sample {
    with_new_unit(with_new_vhost(Sample::matching().with_upgrade_of("taller")))
}

#[test]
fn a_matching_host_needs_no_steps() {
    let plan = Sample::matching().plan();
    assert!(plan.is_empty());
    assert_eq!(titles(&plan), "--\n--\n");
    assert_eq!(plan.transaction.number, None);
    assert!(plan.diffs.is_empty() && plan.warnings.is_empty());
}

#[test]
fn a_reload_loads_the_release_before_it_moves_to_it() {
    let plan = Sample::matching().with_changed_body("taller").plan();
    assert_eq!(plan.interruption, "none");
    insta::assert_snapshot!(titles(&plan), @r"
    write release 5
    check Python, XML and manifests
    load release 5 beside the running one
    --
    move to release 5 and reload Odoo
    check health
    --
    record in acme-prod what it has seen
    prune old releases and snapshots
    ");
}

#[test]
fn a_restart_differs_from_a_reload_in_how_odoo_follows() {
    let mut sample = Sample::matching().with_changed_body("taller");
    sample.observed.host.service.active = "failed".into();
    insta::assert_snapshot!(titles(&sample.plan()), @r"
    write release 5
    check Python, XML and manifests
    load release 5 beside the running one
    --
    move to release 5 and restart Odoo
    check health
    --
    record in acme-prod what it has seen
    prune old releases and snapshots
    ");
}

#[test]
fn a_service_that_does_not_run_is_started_from_the_release_that_is_live() {
    let mut sample = Sample::matching();
    sample.observed.host.service.active = "failed".into();
    let plan = sample.plan();
    assert_eq!(plan.interruption, "none: the service does not run");
    assert_eq!(titles(&plan), "--\nstart Odoo\ncheck health\n--\n");
}

#[test]
fn a_restart_that_is_owed_needs_no_new_release() {
    let mut sample = Sample::matching();
    let mut old = sample.observed.host.releases[0].clone();
    old.record.number = ReleaseNumber(3);
    old.record.health.number = ReleaseNumber(3);
    sample.observed.host.releases.insert(0, old);
    sample.observed.host.service.release = Some(ReleaseNumber(3));
    let plan = sample.plan();
    assert_eq!(plan.reasons, ["the service still runs release 3"]);
    assert_eq!(plan.transaction.number, None);
    assert_eq!(titles(&plan), "--\nrestart Odoo\ncheck health\n--\n");
    let [Step::CatchUp(step), Step::CheckHealth(health)] = plan.transaction.carry_out.as_slice()
    else {
        panic!("two steps are enough");
    };
    assert_eq!((step.number, health.number), (ReleaseNumber(4), ReleaseNumber(4)));
    assert_eq!(step.before.as_ref().map(|health| health.number), Some(ReleaseNumber(3)));
}

#[test]
fn what_is_owed_is_reloaded_where_that_is_enough() {
    let mut sample = Sample::matching();
    sample.observed.host.service.older_than_conf = true;
    for port in [8069, 8072] {
        sample.observed.server.listeners.push(crate::plan::Listener { port, unit: None });
    }
    assert_eq!(titles(&sample.plan()), "--\nreload Odoo\ncheck health\n--\n");
    sample.observed.host.service.older_than_unit = true;
    let plan = sample.plan();
    assert_eq!(titles(&plan), "--\nrestart Odoo\ncheck health\n--\n");
    assert_eq!(plan.reasons[0], "the service was started before its unit changed");
}

#[test]
fn a_vhost_is_tested_and_installed_without_a_release() {
    let plan = with_new_vhost(Sample::matching()).plan();
    assert_eq!(plan.transaction.number, None);
    insta::assert_snapshot!(titles(&plan), @r"
    check the vhost
    --
    install the vhost and reload nginx
    --
    ");
}

#[test]
fn a_vhost_that_is_not_wanted_any_more_is_removed() {
    let mut sample = Sample::matching();
    sample.desired.compared.vhost = None;
    sample.desired.files.vhost = None;
    insta::assert_snapshot!(titles(&sample.plan()), @r"
    --
    remove the vhost and reload nginx
    --
    ");
}

#[test]
fn the_page_goes_up_before_the_stop_and_down_after_the_commit_point() {
    insta::assert_snapshot!(titles(&everything().plan()), @r"
    write release 5
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
    stop Odoo
    snapshot database acme-prod
    install the unit
    move to release 5
    upgrade taller in acme-prod
    record in acme-prod what it has seen
    start Odoo
    install the vhost and reload nginx
    check health
    --
    release the service
    hide the maintenance page
    prune old releases and snapshots
    ");
}

#[test]
fn a_new_unit_alone_takes_no_snapshot() {
    insta::assert_snapshot!(titles(&with_new_unit(Sample::matching()).plan()), @r"
    write release 5
    check Python, XML and manifests
    check the unit
    load release 5 beside the running one
    --
    show the maintenance page
    hold the service
    stop Odoo
    install the unit
    move to release 5
    start Odoo
    check health
    --
    release the service
    hide the maintenance page
    prune old releases and snapshots
    ");
}

#[test]
fn a_check_waits_for_steps_that_may_make_what_it_looks_at() {
    let mut transaction = everything().plan().transaction;
    let ahead: Vec<_> = transaction.checks_ahead().map(Step::title).collect();
    assert_eq!(ahead, ["check Python, XML and manifests", "check the unit", "check the vhost"]);
    transaction.prepare.insert(0, Step::Hold);
    assert_eq!(transaction.checks_ahead().count(), 0);
}

#[test]
fn a_host_is_public_when_the_page_is_down() {
    let transaction = everything().plan().transaction;
    let steps: Vec<_> = [&transaction.prepare, &transaction.carry_out, &transaction.finish]
        .into_iter()
        .flatten()
        .map(Step::title)
        .collect();
    let from = transaction.public_from().unwrap();
    assert_eq!(
        steps[from - 2..],
        ["hide the maintenance page", "prune old releases and snapshots"]
    );
    let checked = transaction.checked_from().unwrap();
    assert_eq!(steps[checked - 2..checked], ["install the vhost and reload nginx", "check health"]);
}

#[test]
fn a_release_is_not_loaded_beforehand_where_the_host_leaves_that_out() {
    let mut sample = with_new_unit(Sample::matching());
    assert!(titles(&sample.plan()).contains("load release 5"));
    sample.desired.policy.load_check = false;
    assert!(!titles(&sample.plan()).contains("load release"));
}

#[test]
fn a_new_host_gets_its_database_and_its_modules() {
    let plan = Sample::new_host().plan();
    assert_eq!(plan.interruption, "none: the host is not live yet");
    insta::assert_snapshot!(titles(&plan), @r"
    write release 1
    check Python, XML and manifests
    check the unit
    check the vhost
    check what the modules need besides modules
    import the modules
    wait for other upgrades on the server
    --
    show the maintenance page
    hold the service
    stop Odoo
    create database acme-prod
    install the unit
    move to release 1
    install base, taller in acme-prod
    record in acme-prod what it has seen
    start Odoo
    install the vhost and reload nginx
    check health
    --
    release the service
    hide the maintenance page
    prune old releases and snapshots
    ");
}

#[test]
fn each_database_has_its_own_snapshot_upgrade_and_record() {
    let sample = Sample::matching().with_database("acme-shop").with_upgrade_of("taller");
    insta::assert_snapshot!(titles(&sample.plan()), @r"
    write release 5
    check Python, XML and manifests
    check what the modules need besides modules
    import the modules
    wait for other upgrades on the server
    link the files of acme-prod
    link the files of acme-shop
    --
    show the maintenance page
    hold the service
    stop Odoo
    snapshot database acme-prod
    snapshot database acme-shop
    move to release 5
    upgrade taller in acme-prod
    upgrade taller in acme-shop
    record in acme-prod what it has seen
    record in acme-shop what it has seen
    start Odoo
    check health
    --
    release the service
    hide the maintenance page
    prune old releases and snapshots
    ");
}

#[test]
fn a_database_that_needs_no_upgrade_is_recorded_after_the_commit_point() {
    let mut sample = Sample::matching().with_database("acme-shop").with_upgrade_of("taller");
    let taller = sample.facts().modules.get_mut(&module("taller")).unwrap();
    taller.state = "uninstalled".into();
    let steps = titles(&sample.plan());
    let [_, carried_out, finished]: [&str; 3] =
        steps.split("--\n").collect::<Vec<_>>().try_into().unwrap();
    assert!(carried_out.contains("snapshot database acme-shop\n"), "{carried_out}");
    assert!(!carried_out.contains(DATABASE), "{carried_out}");
    assert!(finished.contains("record in acme-prod what it has seen\n"), "{finished}");
}

#[test]
fn preparing_touches_nothing_live() {
    let samples = [
        Sample::matching().with_changed_body("taller"),
        with_new_vhost(Sample::matching()),
        with_new_unit(Sample::matching()),
        everything(),
        Sample::first_deploy(),
        Sample::new_host(),
        everything().with_database("acme-shop"),
    ];
    for sample in samples {
        let transaction = sample.plan().transaction;
        let live = transaction.prepare.iter().find(|step| is_live(step));
        assert_eq!(live, None);
        assert!(transaction.carry_out.iter().all(is_live));
    }
}

#[test]
fn a_plan_makes_the_next_release_and_knows_the_one_before() {
    let mut sample = everything();
    sample.observed.host.last_number = 9;
    let transaction = sample.plan().transaction;
    assert_eq!(transaction.number, Some(ReleaseNumber(10)));
    assert_eq!(transaction.previous, Some(ReleaseNumber(4)));
    assert_eq!(transaction.previous_health.map(|health| health.number), Some(ReleaseNumber(4)));
    let Some(Step::CheckOut(check_out)) = transaction.prepare.first() else {
        panic!("the release is written first");
    };
    assert_eq!(check_out.record.number, ReleaseNumber(10));
    assert_eq!(check_out.record.ports, [8069, 8072]);
    assert_eq!(check_out.base.map(|(number, _)| number), Some(ReleaseNumber(4)));
}

#[test]
fn jobs_are_held_back_where_a_database_is_upgraded() {
    let mut sample = Sample::matching().with_database("acme-shop").with_upgrade_of("taller");
    let taller = sample.facts().modules.get_mut(&module("taller")).unwrap();
    taller.state = "uninstalled".into();
    let held = sample.plan().transaction.carry_out.into_iter().find_map(|step| match step {
        Step::StartService { hold_jobs } => Some(hold_jobs),
        _ => None,
    });
    assert_eq!(held, Some(vec![database("acme-shop")]));
}

#[test]
fn only_files_that_are_new_or_changed_are_checked() {
    let mut sample = Sample::matching().with_changed_body("taller");
    let gone = FileChange {
        path: "custom-addons/taller/models/gone.py".into(),
        new: None,
        ..sample.desired.changes.as_ref().unwrap()[0].clone()
    };
    sample.desired.changes.as_mut().unwrap().push(gone);
    let checked = |sample: &Sample| {
        sample.plan().transaction.prepare.into_iter().find_map(|step| match step {
            Step::CheckCode { files, .. } => Some(files),
            _ => None,
        })
    };
    let changed = vec!["custom-addons/taller/models/order.py".into()];
    assert_eq!(checked(&sample), Some(Some(changed)));
    assert_eq!(checked(&Sample::first_deploy()), Some(None));
}

#[test]
fn the_interruption_is_told_with_the_size_of_the_snapshot() {
    insta::assert_snapshot!(
        Sample::matching().with_upgrade_of("taller").plan().interruption,
        @"maintenance page from stop to verified: a snapshot of 300 MB (about 3 s) and the upgrade"
    );
    insta::assert_snapshot!(with_new_unit(Sample::matching()).plan().interruption, @"a stop and a start behind the maintenance page");
}

#[test]
fn a_changed_file_is_shown_and_an_equal_one_is_not() {
    let plan = with_new_vhost(Sample::matching()).plan();
    let names: Vec<_> = plan.diffs.iter().map(|diff| diff.name.as_str()).collect();
    assert_eq!(names, ["vhost"]);
}
