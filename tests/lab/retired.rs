//! What becomes of a release that is pruned.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::world::{HOST, World};

const CONTROLLER: &str = "custom-addons/taller_portal/controllers/main.py";

#[test]
fn a_pruned_release_becomes_the_next_one_and_nothing_of_it_shows() {
    let world = World::deployed("retired");
    let first = bytecode(&world, 1);
    assert!(first.iter().any(|file| file.starts_with("custom-addons/taller_portal/")), "{first:?}");

    world.edit(&world.host_conf(HOST), "[deploy]", "[deploy]\nkeep_releases = 0");
    world.edit(CONTROLLER, r#""orders": orders"#, r#""second": orders"#);
    world.write("custom-addons/taller_portal/static/gone.txt", "of the second release only");
    world.commit("The second");
    world.deploy_ok(&[]);
    assert_eq!(world.state().releases.keys().collect::<Vec<_>>(), [&2]);
    assert_eq!(bytecode(&world, 2), first, "Odoo would compile them at each start");

    // What the first release had is on the disk still, and nothing that could be gone back to.
    let retired = format!("/opt/odoo/{HOST}/releases/retired");
    let found = world.server().script(&format!("cd {retired} && stat -c '%a %U' . && ls")).ok();
    assert_eq!(found, "700 root\ncode\nrelease.json\n");
    world.run(&["rollback", "--host", HOST, "--yes", "--to", "1"]).expect_code(6);

    // A person who edits there edits the next release: it is mended.
    let edit = format!("cd {retired}/code && echo x >>README.md && touch x.py");
    world.server().script(&edit).ok();
    world.remove("custom-addons/taller_portal/static/gone.txt");
    world.edit(CONTROLLER, r#""second": orders"#, r#""third": orders"#);
    world.commit("The third");
    // Neither is anything that Odoo may write to handed on.
    world
        .server()
        .script(&format!("find {retired}/code -mindepth 1 -type d -exec chown odoo: {{}} +"))
        .ok();
    let directory = inode(&world, &format!("{retired}/code"));
    world.deploy_ok(&[]);
    assert_eq!(inode(&world, &format!("/opt/odoo/{HOST}/releases/0003/code")), directory);
    assert_eq!(world.state().releases.keys().collect::<Vec<_>>(), [&3]);
    assert!(world.server().get("/taller/estado").body.contains("third"));
    assert_eq!(bytecode(&world, 3), first);
    let foreign = format!("find /opt/odoo/{HOST}/releases/0003/code ! -user root");
    assert_eq!(world.server().script(&foreign).ok(), "");
    is_what_was_committed(&world, 3);
}

fn inode(world: &World, path: &str) -> u64 {
    fs::metadata(world.server().path(path)).unwrap().ino()
}

/// Lists the files of a release's bytecode, relative to its code.
fn bytecode(world: &World, release: u32) -> Vec<String> {
    let script =
        format!("cd /opt/odoo/{HOST}/releases/{release:04}/code && find . -name '*.pyc' | sort");
    let found = world.server().script(&script).ok();
    found.lines().map(|line| line.trim_start_matches("./").to_owned()).collect()
}

/// Has git compare a release, but for its bytecode, with the commit.
#[track_caller]
fn is_what_was_committed(world: &World, release: u32) {
    let live = world.server().path(format!("/opt/odoo/{HOST}/releases/{release:04}/code"));
    let live = live.to_str().unwrap();
    let bytecode = ":(exclude,glob)**/__pycache__/**";
    let status = ["status", "--porcelain", "--untracked-files=all", "--ignored", "--", bytecode];
    let differs = world.git(&[&["--work-tree", live], &status[..]].concat());
    assert_eq!(differs, "");
}
