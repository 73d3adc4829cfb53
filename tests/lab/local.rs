//! The program on the server itself: no SSH, the same agent.

#![expect(clippy::disallowed_methods, reason = "copies the program and the repository there")]

use std::process::Command;

use crate::world::{HOST, World};

#[test]
fn a_server_can_deploy_to_itself() {
    let world = World::deployed("local");
    let settings = "config/deploy.toml";
    let (before, rest) = {
        let text = world.read(settings);
        let (before, rest) = text.split_once("[servers.vps-1]\n").expect("vps-1 is there");
        let rest = rest.split_once("\n\n").map_or("", |(_, rest)| rest);
        (before.to_owned(), rest.to_owned())
    };
    world.write(settings, &format!("{before}[servers.vps-1]\nlocal = true\n\n{rest}"));
    world.edit(
        "custom-addons/taller_portal/controllers/main.py",
        "\"orders\": orders",
        "\"release\": \"second\", \"orders\": orders",
    );
    world.commit("Deploy from the server itself");

    let here = world.repository().parent().expect("beside its origin").to_owned();
    let there = world.server().path("/root");
    for (from, to) in [
        (env!("CARGO_BIN_EXE_deploy").into(), there.join("deploy")),
        (here.join("platform"), there.join("platform")),
        (here.join("origin.git"), there.join("origin.git")),
    ] {
        let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
        assert!(status.success());
    }
    let run = |command: &str| {
        let script = format!(
            "cd /root/platform && git remote set-url origin /root/origin.git\n\
             export HOME=/root NO_COLOR=1 ODOO_ADMIN_PASSWD={}\n\
             /root/deploy {command} --host {HOST} --branch demo 2>&1",
            crate::world::SECRET
        );
        world.server().script(&script)
    };
    let plan = run("plan").ok();
    assert!(plan.contains("move to the new release and reload Odoo"), "{plan}");
    let main_pid = world.state().main_pid;
    let deploy = run("").ok();
    assert!(deploy.contains("release 2 is live and verified"), "{deploy}");
    assert_eq!((world.state().current, world.state().main_pid), (Some(2), main_pid));
    assert!(world.server().get("/taller/estado").body.contains("second"));
    assert!(run("").ok().contains("nothing to do"));
}
