//! Deploys that users do not notice, and those that cost a restart.

use crate::{
    load::{Load, LoadReport},
    world::{HOST, Run, World},
};

const PORTAL: &str = "custom-addons/taller_portal";
const STATUS: &str = "/taller/estado";

/// Deploys what was committed while visitors ask for the page.
#[track_caller]
fn deploy_under_load(world: &World) -> (Run, LoadReport) {
    let load = Load::start(world.server(), STATUS);
    let run = world.deploy(&["--branch", "demo"]);
    let report = load.stop();
    (run.expect_code(0), report)
}

/// Asserts that every visitor was served.
#[track_caller]
fn served_all(report: &LoadReport) {
    assert!(report.requests > 20, "{report:?}");
    assert_eq!(report.failed, 0, "{report:?}");
}

#[test]
fn code_and_static_files_and_vhosts_go_live_without_a_failed_request() {
    let world = World::deployed("load");
    let before = world.state();

    let controller = format!("{PORTAL}/controllers/main.py");
    world.edit(&controller, "\"orders\": orders", "\"release\": \"second\", \"orders\": orders");
    world.commit("Say which release answers");
    let (run, report) = deploy_under_load(&world);
    run.expect_said("move to the new release and reload Odoo")
        .expect_said("release 2 is live and verified, users noticed nothing");
    served_all(&report);
    assert!(world.server().get(STATUS).body.contains("second"));
    assert_eq!((world.state().main_pid, world.state().current), (before.main_pid, Some(2)));

    world.write(&format!("{PORTAL}/static/src/portal.js"), "console.log('taller');\n");
    world.commit("Add a script");
    let (run, report) = deploy_under_load(&world);
    run.expect_said("move to the new release and reload Odoo");
    served_all(&report);
    let script = world.server().get("/taller_portal/static/src/portal.js");
    assert_eq!((script.status, script.body.trim()), (200, "console.log('taller');"));
    assert_eq!((world.state().main_pid, world.state().current), (before.main_pid, Some(3)));

    let conf = world.host_conf(HOST);
    let vhost = "[deploy.nginx]\naliases = taller.example\nclient_max_body_size = 64m";
    world.edit(&conf, "[deploy.nginx]", vhost);
    world.commit("Answer another name");
    let (run, report) = deploy_under_load(&world);
    run.expect_said("replace the vhost and reload nginx").expect_said("the vhost is live");
    served_all(&report);
    assert_eq!(world.server().get_as("taller.example", STATUS).status, 200);
    let state = world.state();
    assert_eq!((state.main_pid, state.current), (before.main_pid, Some(3)));
    world.deploy_ok(&["--branch", "demo"]).expect_said("nothing to do");
}

#[test]
fn odoo_conf_with_the_same_ports_goes_live_without_a_failed_request() {
    let world = World::deployed("conf2");
    let before = world.state();
    world.edit("config/base.conf", "limit_time_cpu = 600", "limit_time_cpu = 900");
    world.commit("Let requests compute longer");
    let (run, report) = deploy_under_load(&world);
    run.expect_said("odoo.conf changes").expect_said("users noticed nothing");
    served_all(&report);
    let state = world.state();
    assert_eq!((state.main_pid, state.current), (before.main_pid, Some(2)));
}

#[test]
fn a_threaded_host_restarts() {
    let world = World::deployed("threads");
    let before = world.state();
    world.edit(&world.host_conf(HOST), "[options]", "[options]\nworkers = 0");
    world.commit("Run without workers");
    world.deploy_ok(&["--branch", "demo"]).expect_said("release 2 is live and verified");
    let threaded = world.state();
    assert_ne!(threaded.main_pid, before.main_pid);

    let controller = format!("{PORTAL}/controllers/main.py");
    world.edit(&controller, "\"orders\": orders", "\"release\": \"third\", \"orders\": orders");
    world.commit("Say which release answers");
    world
        .deploy_ok(&["--branch", "demo"])
        .expect_said("Odoo without workers restarts")
        .expect_said("move to the new release and restart Odoo")
        .expect_said("release 3 is live and verified");
    assert!(world.server().get(STATUS).body.contains("third"));
    assert_ne!(world.state().main_pid, threaded.main_pid);

    world.edit(&world.host_conf(HOST), "workers = 0", "workers = 2");
    world.commit("Run with workers again");
    world.deploy_ok(&["--branch", "demo"]).expect_said("release 4 is live and verified");
    assert_eq!(world.server().get(STATUS).status, 200);
}
