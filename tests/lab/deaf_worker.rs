//! A worker of Odoo that misses that it is to go.

use std::process::Stdio;

use serde_json::Value;

use crate::{
    faults::pause::{self, Process},
    lab::Server,
    revert::VIEWS,
    world::{HOST, Run, World},
};

/// Makes the time between the fork of a worker and its signal handlers as long as a busy
/// machine makes it at times, once it is asked for.
const SLOW_FORK: &str = "
import os
import time

from odoo.service import server

start_at_once = server.Worker.start


def start(self):
    if os.path.exists('/var/lib/odoo/slow-fork'):
        time.sleep(3)
    start_at_once(self)


server.Worker.start = start
";

/// Returns the processes of Odoo, each with its parent.
fn processes(server: &Server) -> Vec<(u32, u32)> {
    let list = server.shell(&["ps", "-o", "pid=,ppid=", "-u", "odoo"]).ok();
    let pair = |line: &str| {
        let (pid, parent) = line.trim().split_once(' ')?;
        Some((pid.parse().ok()?, parent.trim().parse().ok()?))
    };
    list.lines().filter_map(pair).collect()
}

#[test]
fn a_worker_that_was_forked_just_before_a_stop_does_not_keep_odoo_from_ending() {
    let world = World::deployed("deaf-worker");
    let server = world.server();
    let module = "custom-addons/taller_reparaciones/__init__.py";
    world.write(module, &(world.read(module) + SLOW_FORK));
    world.commit("Let workers be slow to listen");
    world.deploy_ok(&[]);
    server.script("touch /var/lib/odoo/slow-fork").ok();
    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Let the device be hidden");

    pause::ask(server, Process::Transaction, 1);
    let mut command = world.deploy_command(&[]);
    let mut deploy = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_stop = |last: &Value| last["entry"] == "before" && last["step"] == "stop Odoo";
    pause::advance(server, &mut deploy, 1, |entries| entries.last().is_some_and(is_stop))
        .expect("the transaction ended before its stop");
    let unit = format!("odoo-{HOST}.service");
    let main = ["systemctl", "show", "--value", "--property", "MainPID", &unit];
    let main: u32 = server.shell(&main).ok().trim().parse().unwrap();
    let before = processes(server);
    // One worker more is wanted.
    server.shell(&["kill", "-TTIN", &main.to_string()]).ok();
    let mut deaf = None;
    server.wait_until("a worker is forked", |server| {
        let is_new = |process: &(u32, u32)| process.1 == main && !before.contains(process);
        deaf = processes(server).into_iter().find(is_new);
        deaf.is_some()
    });
    pause::forget(server);

    Run::of(&deploy.wait_with_output().unwrap()).expect_code(0);
    let (deaf, _) = deaf.expect("it was forked");
    let log = server.shell(&["journalctl", "--unit", &unit, "--output", "cat"]).ok();
    assert!(log.contains(&format!("Worker ({deaf}) exiting")), "it went by itself:\n{log}");
    assert!(!log.contains("timed out. Killing"), "nothing was killed:\n{log}");
}
