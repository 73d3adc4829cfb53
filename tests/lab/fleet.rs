//! One run over eight servers with two hosts each: a canary, hosts that fail, servers that
//! are gone, a link that breaks, a branch that moves, Ctrl-C; and what `deploy resume` does.

#![expect(clippy::disallowed_methods, reason = "asks for pauses, on the servers' disks")]

use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Stdio},
    thread,
};

use serde_json::Value;

use crate::{
    interrupt::signal,
    lab::{Disk, Server, server_name},
    world::{Run, World},
};

const SERVERS: usize = 8;
const MODULE: &str = "custom-addons/flota";
const ALL: [&str; 4] = ["--environment", "demo", "--per-server", "1"];

/// The servers; the first is the world's own.
struct Fleet {
    world: World,
    others: Vec<Server>,
}

/// How a run said each host ended, by its name.
type Ends = BTreeMap<String, String>;

fn host(server: usize, letter: char) -> String {
    format!("f{server}{letter}.somosblink.com")
}

/// Every host, in the order of a run.
fn hosts() -> Vec<String> {
    (1..=SERVERS).flat_map(|number| ['a', 'b'].map(|letter| host(number, letter))).collect()
}

impl Fleet {
    fn start() -> Self {
        let world = World::fresh("fleet");
        let boot = |number: usize| {
            Server::boot(&server_name(&format!("fleet-{number}")), "base", Disk::Folder, None)
        };
        let others: Vec<_> = thread::scope(|scope| {
            let booting: Vec<_> =
                (2..=SERVERS).map(|number| scope.spawn(move || boot(number))).collect();
            booting.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let fleet = Self { world, others };
        fleet.describe();
        fleet
    }

    /// Writes servers, hosts and a module of their own into the repository.
    fn describe(&self) {
        let world = &self.world;
        world.remove(&world.host_conf(crate::world::HOST));
        let mut settings = world.read("config/deploy.toml");
        for (number, server) in (2..).zip(&self.others) {
            settings.push_str(&format!(
                "\n[servers.fleet-{number}]\naddress = \"{}\"\nuser = \"deploy\"\n\
                 identity = \"{}\"\nhost_key = \"{}\"\n",
                server.address(),
                server.identity,
                server.host_key()
            ));
        }
        world.write("config/deploy.toml", &settings);
        for number in 1..=SERVERS {
            for (letter, port) in [('a', 8301), ('b', 8311)] {
                let name = host(number, letter);
                let server = if number == 1 { "vps-1".into() } else { format!("fleet-{number}") };
                let conf = format!(
                    "extends = ../base.conf\n\n[options]\ndb_name = f{number}{letter}\n\
                     workers = 0\nmax_cron_threads = 0\nhttp_port = {port}\n\n[deploy]\n\
                     environment = demo\nserver = {server}\ninstall = flota\n\n[deploy.nginx]\n"
                );
                world.write(&world.host_conf(&name), &conf);
            }
        }
        self.write_module("1.0", "");
        world.write(&format!("{MODULE}/__init__.py"), "WORD = 1\n");
        world.commit("Sixteen hosts on eight servers");
    }

    /// Writes the module's version, and the migration to it.
    fn write_module(&self, version: &str, migration: &str) {
        let manifest = format!(
            "{{'name': 'Flota', 'version': '{version}', 'depends': ['base'], 'license': 'LGPL-3'}}\n"
        );
        self.world.write(&format!("{MODULE}/__manifest__.py"), &manifest);
        if !migration.is_empty() {
            let path = format!("{MODULE}/migrations/{version}/post-migrate.py");
            self.world.write(&path, &format!("def migrate(cr, version):\n    {migration}\n"));
        }
    }

    /// Changes code that no database notices.
    fn change_code(&self, word: u32) -> String {
        self.world.write(&format!("{MODULE}/__init__.py"), &format!("WORD = {word}\n"));
        self.world.commit(&format!("Word {word}"))
    }

    fn server(&self, number: usize) -> &Server {
        if number == 1 { self.world.server() } else { &self.others[number - 2] }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.world.run(&[arguments, &["--json"]].concat())
    }

    fn start_run(&self, arguments: &[&str]) -> Child {
        let mut command = self.world.command(&[arguments, &["--json"]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Has the next deploy of a host stand still behind an entry of its journal.
    fn pause(&self, number: usize, letter: char) {
        let base = self.server(number).path(format!("/opt/odoo/{}", host(number, letter)));
        fs::write(base.join("pause-at"), "4").unwrap();
    }

    fn wait_until_paused(&self, number: usize, letter: char) {
        let name = host(number, letter);
        self.server(number).wait_until("the deploy stands still", |server| {
            server.path(format!("/opt/odoo/{name}/paused")).exists()
        });
    }

    fn go_on(&self, number: usize, letter: char) {
        let base = self.server(number).path(format!("/opt/odoo/{}", host(number, letter)));
        for name in ["pause-at", "paused"] {
            let _ = fs::remove_file(base.join(name));
        }
    }

    /// The commit that a host's live release is of; panics where it stands between two.
    fn commit_of(&self, name: &str) -> String {
        let number: usize = name[1..2].parse().unwrap();
        let server = self.server(number);
        let base = server.path(format!("/opt/odoo/{name}"));
        assert!(!base.join("hold").exists() && !base.join("maintenance").exists(), "{name}");
        let unit = format!("odoo-{name}.service");
        let state = server.shell(&["systemctl", "is-active", &unit]).stdout;
        assert_eq!(state.trim(), "active", "{name}");
        let release = base
            .join("releases")
            .join(fs::read_link(base.join("current")).unwrap().file_name().unwrap());
        let state = fs::read_to_string(release.join("state")).unwrap();
        assert_eq!(state.trim().trim_matches('"'), "verified", "{name}");
        assert_eq!(server.get_as(name, "/web/login").status, 200, "{name}");
        let record = fs::read_to_string(release.join("release.json")).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        record["commit"].as_str().unwrap().to_owned()
    }

    /// How many hosts are at each commit.
    fn commits(&self) -> BTreeMap<String, usize> {
        let mut commits = BTreeMap::new();
        for name in hosts() {
            *commits.entry(self.commit_of(&name)).or_default() += 1;
        }
        commits
    }

    /// Counts the connections that a server's sshd took.
    fn connections(&self, number: usize) -> usize {
        let log =
            self.server(number).shell(&["journalctl", "-o", "cat", "_COMM=sshd-session"]).ok();
        log.lines().filter(|line| line.starts_with("Accepted publickey")).count()
    }
}

/// Reads the table at the end.
#[track_caller]
fn ends(run: &Run) -> Ends {
    let hosts = run.event("fleet-result")["hosts"].as_array().unwrap().clone();
    let end = |host: &Value| {
        let end = host["end"].as_str().unwrap_or("not-begun").to_owned();
        let name = host["host"].as_str().unwrap();
        (name.split('.').next().unwrap().to_owned(), end)
    };
    hosts.iter().map(end).collect()
}

/// Counts the ends of each kind.
fn counts(ends: &Ends) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for end in ends.values() {
        *counts.entry(end.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn sixteen_hosts_are_deployed_to_as_one() {
    let fleet = Fleet::start();
    all_at_once_behind_a_canary(&fleet);
    interrupted_and_resumed_while_the_branch_moves(&fleet);
    one_fails_and_the_others_are_not_begun(&fleet);
    one_fails_and_the_others_go_back(&fleet);
    one_fails_and_the_others_go_on(&fleet);
    a_server_is_gone_and_a_link_breaks(&fleet);
}

fn all_at_once_behind_a_canary(fleet: &Fleet) {
    let before = fleet.connections(3);
    let run = fleet.run(&[&ALL[..], &["--batches", "1,25%,100%"]].concat()).expect_code(0);
    assert_eq!(counts(&ends(&run)), [("deployed", 16)].into());
    assert_eq!(fleet.connections(3) - before, 1, "both hosts share a connection");
    // The canary ended before another began.
    let place = |event: &str, name: &str| {
        run.events.iter().position(|one| one["event"] == event && one["host"] == name).unwrap()
    };
    let canary = place("host-ended", &host(1, 'a'));
    assert!(hosts()[1..].iter().all(|name| place("host-began", name) > canary));
    assert_eq!(fleet.commits().len(), 1);
    let run = fleet.run(&ALL).expect_code(0);
    assert_eq!(counts(&ends(&run)), [("unchanged", 16)].into());
}

fn interrupted_and_resumed_while_the_branch_moves(fleet: &Fleet) {
    let first = fleet.change_code(2);
    fleet.pause(1, 'a');
    let run = fleet.start_run(&[&ALL[..], &["--batches", "1,100%"]].concat());
    fleet.wait_until_paused(1, 'a');
    let second = fleet.change_code(3);
    signal(run.id(), "INT");
    // The host that is begun comes to its end.
    thread::sleep(std::time::Duration::from_secs(3));
    fleet.go_on(1, 'a');
    let run = Run::of(&run.wait_with_output().unwrap()).expect_code(9);
    assert_eq!(counts(&ends(&run)), [("deployed", 1), ("not-begun", 15)].into());
    assert_eq!(run.event("fleet-result")["stop"], "interrupted");

    let run = fleet.run(&["resume", "--yes"]).expect_code(0);
    assert_eq!(counts(&ends(&run)), [("deployed", 15)].into());
    assert_eq!(fleet.commits(), [(first, 16)].into());
    fleet.run(&["resume"]).expect_code(0);
    let run = fleet.run(&ALL).expect_code(0);
    assert_eq!(counts(&ends(&run)), [("deployed", 16)].into());
    assert_eq!(fleet.commits(), [(second, 16)].into());
}

/// A migration that fails in the database of one host.
const FAILS: &str = "assert cr.dbname != 'f3a', 'this one never migrates'";

fn one_fails_and_the_others_are_not_begun(fleet: &Fleet) {
    fleet.write_module("2.0", FAILS);
    fleet.world.commit("Migrate, which one cannot");
    let before = fleet.commit_of(&host(3, 'a'));
    let run = fleet.run(&[&ALL[..], &["--batches", "1,25%,100%"]].concat()).expect_code(9);
    run_says(&run, "this one never migrates");
    let ends = ends(&run);
    assert_eq!(ends["f3a"], "reverted");
    // What was begun beside it came to its end; `f2b` waits for `f2a`, longer or shorter
    // than `f3a` takes to fail.
    assert!(["f1a", "f1b", "f2a"].iter().all(|name| ends[*name] == "deployed"), "{ends:?}");
    assert!(["deployed", "not-begun"].contains(&ends["f2b"].as_str()), "{ends:?}");
    let later = ends.iter().filter(|(name, _)| name.as_str() > "f3a");
    assert!(later.into_iter().all(|(_, end)| end == "not-begun"), "{ends:?}");
    assert_eq!(fleet.commit_of(&host(3, 'a')), before);
    assert_eq!(fleet.commits().len(), 2);
}

fn one_fails_and_the_others_go_back(fleet: &Fleet) {
    let before = fleet.commits();
    fleet.write_module("3.0", FAILS);
    fleet.world.commit("Migrate once more");
    let some = ["--hosts", "f1*,f3a*", "--batches", "1", "--on-failure", "rollback"];
    let run = fleet.run(&[&some[..], &["--with-database"]].concat()).expect_code(9);
    let ends = ends(&run);
    assert_eq!(ends["f3a"], "reverted");
    assert_eq!(counts(&ends), [("reverted", 1), ("rolled-back", 2)].into());
    assert_eq!(fleet.commits(), before);
}

fn one_fails_and_the_others_go_on(fleet: &Fleet) {
    let some = ["--hosts", "f3*,f4*", "--on-failure", "continue"];
    let run = fleet.run(&some).expect_code(9);
    assert_eq!(counts(&ends(&run)), [("deployed", 3), ("reverted", 1)].into());
}

fn a_server_is_gone_and_a_link_breaks(fleet: &Fleet) {
    let path = format!("{MODULE}/migrations/3.0/post-migrate.py");
    fleet.world.write(&path, "def migrate(cr, version):\n    pass\n");
    fleet.world.write(&path.replace("3.0", "2.0"), "def migrate(cr, version):\n    pass\n");
    let commit = fleet.change_code(4);
    let before = fleet.commits();
    fleet.server(5).lab("down", &[]).ok();
    let run = fleet.run(&ALL).expect_code(5);
    assert_eq!(counts(&ends(&run)), [("not-begun", 14), ("unreachable", 2)].into());

    fleet.pause(6, 'a');
    let run = fleet.start_run(&[&ALL[..], &["--max-unreachable", "2"]].concat());
    fleet.wait_until_paused(6, 'a');
    fleet.server(6).lab("link", &["down"]).ok();
    fleet.go_on(6, 'a');
    // ssh gives the connection up after half a minute.
    thread::sleep(std::time::Duration::from_secs(45));
    fleet.server(6).lab("link", &["up"]).ok();
    let run = Run::of(&run.wait_with_output().unwrap()).expect_code(9);
    let ended = ends(&run);
    assert_eq!(counts(&ended), [("deployed", 14), ("unreachable", 2)].into(), "{ended:?}");
    fleet.server(5).lab("up", &[]).ok();
    let run = fleet.run(&["resume", "--yes"]).expect_code(0);
    assert_eq!(counts(&ends(&run)), [("deployed", 2)].into());
    assert_eq!(fleet.commits(), [(commit, 16)].into());
    assert_eq!(before.values().sum::<usize>(), 16);
}

#[track_caller]
fn run_says(run: &Run, text: &str) {
    assert!(run.stdout.contains(text) || run.stderr.contains(text), "{}", run.stderr);
}
