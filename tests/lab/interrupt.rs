//! Ctrl-C, killed controllers and links that freeze: the transaction belongs to the server.

#![expect(clippy::disallowed_methods, reason = "kills the program and looks for what it left")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    ops::sessions,
    pty::{CTRL_C, Pty},
    revert::add_migration,
    world::{HOST, Run, World},
};

/// Waits, in the upgrade, until the test lets it go on.
const HELD: &str = "import os, time\n\n\ndef migrate(cr, version):\n    for _ in range(1200):\n\
                    \x20       if os.path.exists('/var/lib/odoo/go'):\n            return\n\
                    \x20       time.sleep(0.1)\n";

/// Sends a signal to a process.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {name} {process}");
}

/// A world whose next deploy stands still in the middle of its upgrade.
fn held(name: &str) -> World {
    let world = World::deployed(name);
    add_migration(&world, "post-wait.py", HELD);
    world.commit("Migrate when told to");
    world
}

/// Lets the upgrade go on.
fn go(world: &World) {
    world.server().shell(&["touch", "/var/lib/odoo/go"]).ok();
}

fn wait_until_held(world: &World) {
    world.server().wait_until("the upgrade waits", |_| {
        let lock = world.run(&["lock", "status", "--host", HOST, "--json"]).expect_code(0);
        let title =
            lock.event("lock")["held"]["step"]["title"].as_str().unwrap_or_default().to_owned();
        title.starts_with("upgrade ")
    });
}

/// A directory for ssh's control sockets that belongs to one test.
struct Runtime(PathBuf);

impl Runtime {
    fn new(name: &str) -> Self {
        let copy = blake3::hash(env!("CARGO_MANIFEST_DIR").as_bytes()).to_hex();
        let path = Path::new("/tmp").join(format!("odl-{name}-{}", &copy[..4]));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn command(&self, world: &World, arguments: &[&str]) -> Command {
        let mut command = world.command(arguments);
        command.env("XDG_RUNTIME_DIR", &self.0);
        command
    }

    /// Counts the ssh processes that use it.
    fn ssh(&self) -> usize {
        let path = self.0.to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines
            .filter(|line| {
                let line = String::from_utf8_lossy(line);
                line.starts_with("ssh") && line.contains(path)
            })
            .count()
    }

    fn directories(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_deploy_that_is_left_goes_on_and_can_be_attached_to() {
    let world = held("leave");
    let runtime = Runtime::new("leave");
    let child = runtime
        .command(&world, &["--host", HOST, "--message", "the one that is left"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_held(&world);
    let lock = world.run(&["lock", "status", "--host", HOST]).expect_code(0);
    lock.expect_said("“the one that is left”").expect_said("upgrade taller_reparaciones in demo");
    signal(child.id(), "TERM");
    let left = Run::of(&child.wait_with_output().unwrap()).expect_code(130);
    left.expect_said("goes on by itself").expect_said(&format!("deploy attach --host {HOST}"));
    assert_eq!((runtime.ssh(), runtime.directories()), (0, 0));
    world.server().wait_until("the session ended", |_| sessions(&world) == 0);

    let attached = thread::scope(|scope| {
        let attached = scope.spawn(|| world.run(&["attach", "--host", HOST, "--json"]));
        world.server().wait_until("somebody is attached", |_| sessions(&world) == 1);
        go(&world);
        attached.join().unwrap().expect_code(0)
    });
    assert_eq!(attached.events[0]["event"], "attached");
    assert_eq!(attached.events[0]["running"], true);
    assert_eq!(attached.events[1]["event"], "started");
    let result = attached.event("result");
    assert_eq!((&result["result"]["outcome"], &result["release"]), (&"deployed".into(), &2.into()));
    assert_eq!(world.state().current, Some(2));

    let again = world.run(&["attach", "--host", HOST]).expect_code(0);
    again.expect_said("the last deploy ended already").expect_said("release 2 is live");
}

#[test]
fn a_person_who_interrupts_chooses_between_leaving_and_reverting() {
    let world = held("choose");
    let before = world.state();
    let mut terminal = Pty::start(&world.deploy_command(&[]));
    wait_until_held(&world);
    terminal.press(CTRL_C);
    terminal.wait_for("[r]evert?", 1);
    terminal.press("what?\n");
    terminal.wait_for("[r]evert?", 2);
    terminal.press("r\n");
    terminal.wait_for("asked to take everything back", 1);
    go(&world);
    let (code, shown) = terminal.end();
    assert_eq!(code, 7, "{shown}");
    let state = world.state();
    assert_eq!((state.current, state.hold, state.maintenance), (before.current, false, false));
    let status = world.run(&["status", "--host", HOST, "--json"]).expect_code(0);
    let kept = &status.event("status")["kept"];
    assert_eq!(kept[0]["database"], "demo~failed-2", "{kept}");
    assert!(kept[0]["bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000), "{kept}");

    world.server().shell(&["rm", "/var/lib/odoo/go"]).ok();
    let mut terminal = Pty::start(&world.deploy_command(&[]));
    wait_until_held(&world);
    terminal.press(CTRL_C);
    terminal.wait_for("[r]evert?", 1);
    terminal.press(CTRL_C);
    let (code, shown) = terminal.end();
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("deploy attach --host"), "{shown}");
    go(&world);
    world.run(&["attach", "--host", HOST]).expect_code(0);
    assert_eq!(world.state().current, Some(3));
}

#[test]
fn a_broken_lock_leaves_a_whole_host_and_no_holder() {
    let world = held("break");
    let before = world.state();
    world.run(&["lock", "break", "--host", HOST, "--yes"]).expect_code(0).expect_said("is free");
    let first = world
        .deploy_command(&["--message", "the one that is broken"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_held(&world);
    world.run(&["lock", "break", "--host", HOST]).expect_code(2).expect_said("--yes");
    let mut terminal = Pty::start(&world.command(&["lock", "break", "--host", HOST]));
    terminal.wait_for("[y/N]", 1);
    terminal.press("n\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("“the one that is broken”"), "{shown}");
    assert!(world.state().maintenance, "it still runs");

    world.run(&["lock", "break", "--host", HOST, "--yes"]).expect_code(0).expect_said("is back on");
    let first = Run::of(&first.wait_with_output().unwrap());
    assert_eq!(first.code, 7, "{}", first.stderr);
    let state = world.state();
    assert_eq!((state.current, state.hold, state.maintenance), (before.current, false, false));
    world.server().wait_until_served();
    world.run(&["lock", "status", "--host", HOST]).expect_said("the lock is free");
}

#[test]
fn a_person_confirms_where_the_environment_asks_for_it() {
    let world = World::deployed("confirm");
    world.edit("config/deploy.toml", "branch = \"demo\"", "branch = \"demo\"\nconfirm = true");
    world.edit(
        "custom-addons/taller_portal/controllers/main.py",
        "\"orders\": orders",
        "\"release\": \"second\", \"orders\": orders",
    );
    world.commit("Say which release answers, and ask before a deploy");
    let before = world.state();
    for (keys, code) in [("n\n", 130), (CTRL_C, 130), ("\u{4}", 130)] {
        let mut terminal = Pty::start(&world.deploy_command(&[]));
        terminal.wait_for("Deploy this to demo.somosblink.com (demo)? [y/N]", 1);
        terminal.press(keys);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, code, "{shown}");
        assert!(shown.contains("nothing was changed"), "{shown}");
        assert_eq!(world.state(), before);
    }
    let mut terminal = Pty::start(&world.deploy_command(&[]));
    terminal.wait_for("[y/N]", 1);
    terminal.press("y\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(world.state().current, Some(2));
}

#[test]
fn a_controller_that_is_ended_while_it_connects_leaves_nothing_behind() {
    let world = World::deployed("connect");
    let runtime = Runtime::new("connect");
    let before = world.state();
    for (name, times) in [("KILL", 20), ("INT", 20)] {
        for time in 0..times {
            let mut child = runtime
                .command(&world, &["plan", "--host", HOST])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            thread::sleep(Duration::from_millis(time * 60));
            if child.try_wait().unwrap().is_none() {
                signal(child.id(), name);
            }
            let code = child.wait().unwrap().code();
            // A signal before the first line of the program ends it as any program.
            let expected: &[_] = if name == "KILL" || time == 0 {
                &[None, Some(0), Some(130)]
            } else {
                &[Some(130), Some(0)]
            };
            assert!(expected.contains(&code), "{name} after {} ms: {code:?}", time * 60);
        }
        world.server().wait_until("no ssh is left", |_| runtime.ssh() == 0);
        world.server().wait_until("no agent is left", |_| sessions(&world) == 0);
        let plan = runtime.command(&world, &["plan", "--host", HOST]).status().unwrap();
        assert!(plan.success());
        assert_eq!(runtime.directories(), 0, "the next one swept what {name} left");
    }
    assert_eq!(world.state(), before);
}

#[test]
fn a_frozen_link_is_noticed_and_the_deploy_goes_on() {
    let world = held("freeze");
    let child =
        world.deploy_command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until_held(&world);
    // What serves the connection, and not the one that listens.
    world.server().shell(&["pkill", "--signal", "STOP", "--exact", "sshd-session"]).ok();
    let lost = Run::of(&child.wait_with_output().unwrap()).expect_code(5);
    lost.expect_said("the connection to the server was lost")
        .expect_said(&format!("deploy attach --host {HOST}"));
    go(&world);
    world.run(&["attach", "--host", HOST]).expect_code(0).expect_said("release 2 is live");
    assert_eq!(world.state().current, Some(2));
}
