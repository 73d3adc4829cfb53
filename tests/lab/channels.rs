//! What a deploy costs: one connection, one channel, and nothing that stays.

use std::{fs, path::PathBuf};

use crate::world::World;

/// What sshd has logged so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    connections: usize,
    logins: usize,
    sessions: usize,
}

impl Counts {
    fn of(world: &World) -> Self {
        let log = ["journalctl", "-o", "cat", "-t", "sshd", "-t", "sshd-session"];
        let log = world.server().shell(&log).ok();
        let count = |text: &str| log.lines().filter(|line| line.starts_with(text)).count();
        Self {
            connections: count("Connection from "),
            logins: count("Accepted publickey "),
            sessions: count("Starting session: "),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            connections: self.connections - before.connections,
            logins: self.logins - before.logins,
            sessions: self.sessions - before.sessions,
        }
    }
}

const ONE_OF_EACH: Counts = Counts { connections: 1, logins: 1, sessions: 1 };

#[test]
fn a_deploy_is_one_connection_and_one_channel_and_leaves_nothing_on_this_machine() {
    let world = World::deployed("ssh");
    let before = Counts::of(&world);
    world.deploy_ok(&["--branch", "demo"]).expect_said("nothing to do");
    assert_eq!(Counts::of(&world).since(before), ONE_OF_EACH);
    assert_eq!(left(&world), Vec::<String>::new());

    world.edit(
        "custom-addons/taller_portal/controllers/main.py",
        "\"orders\": orders",
        "\"open\": orders",
    );
    world.commit("Rename what monitoring reads");
    let before = Counts::of(&world);
    world.deploy_ok(&["--branch", "demo"]).expect_said("release 2 is live");
    assert_eq!(Counts::of(&world).since(before), ONE_OF_EACH);
    assert_eq!(left(&world), Vec::<String>::new());

    world.edit("custom-addons/taller_portal/controllers/main.py", "\"open\": ", "\"open\": (");
    world.commit("Break it");
    world.deploy(&["--branch", "demo"]).expect_code(6);
    assert_eq!(left(&world), Vec::<String>::new());
}

/// Lists the ssh processes to the server, and their directories: deploys to
/// other servers have their own.
fn left(world: &World) -> Vec<String> {
    let mut left = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = fs::read(process.path().join("cmdline")) else { continue };
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        if words[0] == "ssh" && words.iter().any(|word| word == world.server().address()) {
            left.push(words.join(" "));
        }
    }
    let directories: Vec<PathBuf> =
        fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path()).collect();
    for directory in directories {
        let known_hosts = fs::read_to_string(directory.join("known_hosts")).unwrap_or_default();
        if known_hosts.contains(world.server().host_key()) {
            left.push(directory.display().to_string());
        }
    }
    left
}
