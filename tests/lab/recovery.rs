//! What a transaction leaves that dies: ended by the server, without a person.

use std::process::{Child, Stdio};

use crate::{
    revert::{Before, VIEWS},
    world::{DATABASE, Run, World},
};

const BASE: &str = "/opt/odoo/demo.somosblink.com";

/// Starts a deploy and waits until its transaction has upgraded the database.
fn upgrade_half_way(world: &World) -> Child {
    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Let the device be hidden");
    let slow = "import time\n\ndef migrate(cr, version):\n    time.sleep(600)\n";
    world.write("custom-addons/taller_reparaciones/migrations/19.0.9.0.0/end-slow.py", slow);
    world.edit(
        "custom-addons/taller_reparaciones/__manifest__.py",
        "\"version\": \"19.0.1.2.0\"",
        "\"version\": \"19.0.9.0.0\"",
    );
    world.commit("Migrate for a very long time");
    let deploy = world
        .deploy_command(&["--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    world.server().wait_until("the migration runs", |server| {
        let log =
            server.script(&format!("cat {BASE}/journal/*/upgrade-{DATABASE}.log 2>/dev/null"));
        log.stdout.contains("end-slow") || log.stdout.contains("end migration")
    });
    deploy
}

/// Ends the transaction's process as the kernel would for lack of memory.
fn kill_transaction(world: &World) {
    let kill = "systemctl kill --kill-whom=main --signal=SIGKILL 'deploytx-*'";
    world.server().script(kill).ok();
}

#[test]
fn a_transaction_that_is_killed_in_an_upgrade_is_taken_back() {
    let world = World::deployed("killed");
    let before = Before::look(&world);
    let deploy = upgrade_half_way(&world);
    kill_transaction(&world);
    let run = Run::of(&deploy.wait_with_output().unwrap());
    assert_eq!(
        run.event("recovering")["step"],
        format!("upgrade taller_reparaciones in {DATABASE}")
    );
    before
        .is_back_with_its_database(&world, run)
        .expect_said("the transaction was killed in the middle of it");
    world.plan(&[]).expect_said("was cut off");
    let units = world.server().script(
        "systemctl list-units --all --plain --no-legend 'deploytx-*' 'deployrc-*' 'deployup-*'",
    );
    assert_eq!(units.stdout, "", "nothing runs any more");
}

#[test]
fn a_controller_that_is_killed_leaves_the_transaction_to_the_server() {
    let world = World::deployed("orphan");
    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Let the device be hidden");
    let mut deploy =
        world.deploy_command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    world.server().wait_until("Odoo is stopped", |_| world.state().maintenance);
    deploy.kill().unwrap();
    deploy.wait().unwrap();
    world.server().wait_until("the deploy has ended", |_| {
        let state = world.state();
        state.current == Some(2) && !state.maintenance
    });
    world.deploy(&[]).expect_code(0).expect_said("nothing to do");
    assert_eq!(world.state().releases.get(&2).map(String::as_str), Some("verified"));
}

#[test]
fn a_server_that_goes_down_in_an_upgrade_comes_back_with_the_release_before() {
    let world = World::deployed("outage");
    let before = Before::look(&world);
    let deploy = upgrade_half_way(&world);
    world.server().lab("kill", &[]).ok();
    let run = Run::of(&deploy.wait_with_output().unwrap());
    run.expect_code(5);
    world.server().lab("up", &[]).ok();
    world.server().wait_until_served();
    let now = world.state();
    assert_eq!(now.current, before.state().current);
    assert!(now.active && !now.hold && !now.maintenance, "{now:?}");
    assert_eq!(world.database_content(DATABASE), before.content());
    world.plan(&[]).expect_said("the server went down in the middle of it");
}
