use super::*;
use crate::plan::{
    Plan,
    sample::{DATABASE, LIVE, Sample, WANTED, addon, database, module},
};

fn names(plan: &Plan) -> Vec<String> {
    plan.upgrades[0].named().iter().map(ToString::to_string).collect()
}

fn seen<'a>(plan: &'a Plan, name: &str) -> &'a SeenAddon {
    &plan.upgrades[0].seen.as_ref().expect("something is recorded")[&module(name)]
}

fn with_choice(choice: UpdateChoice) -> Sample {
    let mut sample = Sample::matching().with_upgrade_of("taller");
    sample.desired.update = choice;
    sample
}

#[test]
fn a_changed_module_is_upgraded_and_reaches_what_depends_on_it() {
    let plan = with_choice(UpdateChoice::Changed).plan();
    let upgrade = &plan.upgrades[0];
    assert_eq!(upgrade.update[&module("taller")], ["views/order.xml changed"]);
    assert_eq!(upgrade.reached, [module("taller_portal")].into());
    assert_eq!(seen(&plan, "taller").commit, WANTED);
    assert_eq!(seen(&plan, "taller_portal").commit, LIVE);
}

#[test]
fn a_changed_body_is_recorded_without_an_upgrade() {
    let plan = Sample::matching().with_changed_body("taller").plan();
    assert!(!plan.upgrades[0].stops_odoo());
    assert_eq!(plan.upgrades[0].process, [module("taller")].into());
    assert_eq!(seen(&plan, "taller").commit, WANTED);
}

#[test]
fn a_module_that_is_left_out_is_remembered() {
    let mut sample = with_choice(UpdateChoice::None);
    let plan = sample.plan();
    assert!(!plan.upgrades[0].stops_odoo());
    assert_eq!(plan.warnings, ["acme-prod needs an upgrade of taller and does not get it"]);
    // What it saw last stays what it was: nothing else is to be recorded either.
    assert_eq!(plan.upgrades[0].seen, None);

    sample.desired.live = Some(WANTED);
    sample.desired.live_addons.clone_from(&sample.desired.addons);
    sample.desired.changes = Some(Vec::new());
    assert!(sample.plan().is_empty());
    sample.desired.update = UpdateChoice::Changed;
    assert_eq!(names(&sample.plan()), ["taller"]);
}

#[test]
fn only_the_named_modules_are_upgraded() {
    let plan = with_choice(UpdateChoice::Only(vec![module("taller_portal")])).plan();
    assert_eq!(names(&plan), ["taller_portal"]);
    assert_eq!(plan.upgrades[0].update[&module("taller_portal")], ["asked for"]);
    assert_eq!(plan.upgrades[0].left_out, [module("taller")].into());
    assert_eq!(seen_by(&plan, "taller").commit, LIVE);
}

/// What is recorded of a module; the state before where nothing is.
fn seen_by(plan: &Plan, name: &str) -> SeenAddon {
    let recorded = plan.upgrades[0].seen.as_ref().and_then(|seen| seen.get(&module(name)));
    let before = Sample::matching().facts().signatures.as_ref().unwrap()[&module(name)].clone();
    recorded.cloned().unwrap_or(before)
}

#[test]
fn all_modules_are_upgraded_by_their_base() {
    let plan = with_choice(UpdateChoice::All).plan();
    assert_eq!(names(&plan), ["base"]);
    assert!(plan.upgrades[0].left_out.is_empty() && plan.warnings.is_empty());
    assert_eq!(seen(&plan, "taller").commit, WANTED);
}

#[test]
fn first_contact_takes_the_running_commit_as_a_baseline() {
    let mut sample = Sample::matching().with_upgrade_of("taller_portal");
    sample.facts().signatures = None;
    let plan = sample.plan();
    assert_eq!(names(&plan), ["taller_portal"]);
    assert_eq!(seen(&plan, "taller").commit, LIVE);
    assert_eq!(
        plan.warnings,
        [
            "first contact with database acme-prod: its modules are taken as up to date with 0707070707"
        ]
    );
}

#[test]
fn first_contact_on_a_first_deploy_upgrades_nothing() {
    let plan = Sample::first_deploy().plan();
    assert!(!plan.upgrades[0].stops_odoo());
    assert!(plan.upgrades[0].first_contact);
    assert_eq!(seen(&plan, "taller").commit, LIVE);
    assert_eq!(
        plan.warnings,
        [
            "first contact with database acme-prod: its modules are taken as up to date with this commit"
        ]
    );
}

#[test]
fn a_new_database_is_created_with_the_modules_of_the_hosts_file() {
    let mut sample = Sample::new_host();
    sample.desired.install = vec![module("taller"), module("taller_portal")];
    let plan = sample.plan();
    assert!(plan.upgrades[0].create);
    assert_eq!(names(&plan), ["base", "taller", "taller_portal"]);
    let warning = "user admin of the new database acme-prod has the password `admin`";
    assert!(plan.warnings.len() == 1 && plan.warnings[0].starts_with(warning));
}

#[test]
fn a_module_to_install_stops_odoo_once() {
    let mut sample = Sample::matching();
    sample.desired.addons.push(addon("ventas", &["base"]));
    sample.desired.install = vec![module("taller"), module("ventas")];
    let plan = sample.plan();
    assert_eq!(names(&plan), ["ventas"], "taller is installed already");
    assert_eq!(seen(&plan, "ventas").commit, LIVE);
}

#[test]
fn a_module_that_is_not_installed_is_not_upgraded() {
    let mut sample = Sample::matching().with_upgrade_of("taller");
    sample.facts().modules.get_mut(&module("taller")).unwrap().state = "uninstalled".into();
    assert!(names(&sample.plan()).is_empty());
}

#[test]
fn each_database_is_taught_what_it_lacks() {
    let mut sample = Sample::matching().with_database("acme-shop").with_upgrade_of("taller");
    let signature = sample.desired.addons[0].signature.clone();
    let signatures = sample.facts().signatures.as_mut().unwrap();
    signatures.get_mut(&module("taller")).unwrap().signature = signature;
    let plan = sample.plan();
    let stopped: Vec<_> = plan.upgrades.iter().filter(|upgrade| upgrade.stops_odoo()).collect();
    assert_eq!(stopped.len(), 1);
    assert_eq!(stopped[0].database, database("acme-shop"));
    assert_ne!(stopped[0].database, database(DATABASE));
}
