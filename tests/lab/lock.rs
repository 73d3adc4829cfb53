//! Two deploys of one host: one works, the other is told or waits.

use std::{process::Stdio, thread};

use crate::world::World;

#[test]
fn a_second_deploy_is_told_who_works_and_may_wait() {
    let world = World::deployed("lock");
    let slow = "import time\n\ndef migrate(cr, version):\n    time.sleep(12)\n";
    world.write("custom-addons/taller_reparaciones/migrations/19.0.9.0.0/pre-slow.py", slow);
    world.edit(
        "custom-addons/taller_reparaciones/__manifest__.py",
        "\"version\": \"19.0.1.2.0\"",
        "\"version\": \"19.0.9.0.0\"",
    );
    world.commit("Migrate slowly");
    let mut first = world
        .deploy_command(&["--branch", "demo", "--message", "the first of two"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.server().wait_until("the first deploy stops Odoo", |_| world.state().maintenance);

    let second = world.deploy(&["--branch", "demo"]).expect_code(4);
    let second = second.expect_said("another deploy of this host is running: ");
    second.expect_said("“the first of two”").expect_said("--wait-lock 10m");

    let third = world.deploy(&["--branch", "demo", "--wait-lock", "2m"]).expect_code(0);
    third.expect_said("waiting for the deploy of ").expect_said("nothing to do");
    assert!(first.wait().unwrap().success());
    let state = world.state();
    assert_eq!((state.current, state.maintenance, state.hold), (Some(2), false, false));
}

#[test]
fn of_two_deploys_at_the_same_moment_one_goes_live_and_one_does_not_begin() {
    let world = World::deployed("race");
    world.edit(
        "custom-addons/taller_portal/controllers/main.py",
        "\"orders\": orders",
        "\"release\": \"second\", \"orders\": orders",
    );
    world.commit("Say which release answers");
    let codes: Vec<i32> = thread::scope(|scope| {
        let deploy = || world.deploy(&["--branch", "demo"]).code;
        let both = [scope.spawn(deploy), scope.spawn(deploy)];
        both.map(|one| one.join().unwrap()).into()
    });
    assert!(codes.contains(&0), "{codes:?}");
    // The other one waits at most for its own look: it finds the lock held, its
    // plan overtaken, or the first one done.
    assert!(codes.iter().all(|code| [0, 4, 6].contains(code)), "{codes:?}");
    let state = world.state();
    assert_eq!(state.current, Some(2));
    assert_eq!(state.releases.get(&2).map(String::as_str), Some("verified"));
    assert!(world.server().get("/taller/estado").body.contains("second"));
    world.deploy(&["--branch", "demo"]).expect_code(0).expect_said("nothing to do");
}
