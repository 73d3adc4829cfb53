//! A disk that fills up at each step of a deploy in turn.

use std::{
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use crate::{
    half_way::mount_disk,
    revert::VIEWS,
    world::{DATABASE, Run, World},
};

const BASE: &str = "/opt/odoo/demo.somosblink.com";
const CONTROLLER: &str = "custom-addons/taller_portal/controllers/main.py";

/// Has the next deploy stand still behind an entry of its journal, and one that
/// stands still go on.
fn stand_still_at(world: &World, entry: usize) {
    world.server().script(&format!("echo {entry} >{BASE}/pause-at && rm -f {BASE}/paused")).ok();
}

/// Waits until the deploy stands still, and returns the last entry of its journal;
/// none where it has ended.
fn last_entry(world: &World, deploy: &mut Child) -> Option<String> {
    loop {
        let ended = deploy.try_wait().unwrap().is_some();
        let look = format!(
            "test -e {BASE}/paused || exit 1
             tail -qn 1 $(ls -t {BASE}/journal/*/journal | head -n 1)"
        );
        let entry = world.server().script(&look);
        if entry.code == 0 {
            return Some(entry.stdout);
        }
        if ended {
            return None;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Leaves no block of the host's disk free.
fn fill(world: &World) {
    let script = format!(
        "size=$(df -k --output=used {BASE} | tail -n 1)
         mount -o remount,size=$((size))k {BASE}"
    );
    world.server().script(&script).ok();
}

fn make_room(world: &World) {
    world
        .server()
        .script(&format!("mount -o remount,size=600m {BASE}; rm -f {BASE}/pause-at"))
        .ok();
}

/// Tells what is not as on a host at rest. The host's disk is seen on the server only.
fn unrest(world: &World) -> String {
    let look = format!(
        "systemctl is-active --quiet odoo-demo.somosblink.com || echo 'Odoo is down'
         for file in hold maintenance ballast; do
           [ ! -e {BASE}/$file ] || echo \"$file is there\"
         done
         cat {BASE}/current/state | grep -qx '\"verified\"' || echo 'not verified'"
    );
    world.server().script(&look).ok()
}

/// Fills the disk when a step is about to be done, of each deploy the next step, and
/// judges where that leaves the host. Steps before `first` are left out.
fn fill_at_each_step(world: &World, first: &str, change: impl Fn(u32)) {
    mount_disk(world, BASE, 400 * 1024);
    let (mut entry, mut round, mut changed, mut struck) = (1, 0, false, 0);
    loop {
        if !changed {
            round += 1;
            change(round);
            world.commit("Change something");
            changed = true;
        }
        let content = world.database_content(DATABASE);
        let page = world.server().get("/taller/estado").body;
        stand_still_at(world, entry);
        let mut deploy = world
            .deploy_command(&[])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut step = None;
        while let Some(last) = last_entry(world, &mut deploy) {
            let is_wanted = struck > 0 || last.contains(first);
            if last.contains("\"before\"") && is_wanted {
                step = Some(last);
                fill(world);
                break;
            }
            entry += 1;
            stand_still_at(world, entry);
        }
        world.server().script(&format!("rm -f {BASE}/paused")).ok();
        let run = Run::of(&deploy.wait_with_output().unwrap());
        make_room(world);
        let Some(step) = step else {
            assert_eq!(run.code, 0, "{}", run.stderr);
            assert!(struck > 4, "the disk was filled {struck} times only");
            return;
        };
        struck += 1;
        entry += 1;
        let said = format!("full at {step}\n{}", run.stderr);
        assert_eq!(unrest(world), "", "{said}");
        assert_eq!(world.server().get("/web/login").status, 200, "{said}");
        match run.code {
            0 => changed = false,
            6 | 7 => {
                assert_eq!(world.database_content(DATABASE), content, "{said}");
                assert_eq!(world.server().get("/taller/estado").body, page, "{said}");
            }
            code => panic!("{code}: {said}"),
        }
    }
}

#[test]
fn a_disk_that_fills_up_at_any_step_of_an_upgrade_leaves_a_whole_host() {
    let world = World::deployed("full-upgrade");
    fill_at_each_step(&world, "show the maintenance page", |round| {
        let text = world.read(VIEWS);
        let plain =
            text.replace("<field name=\"device\" optional=\"show\"/>", "<field name=\"device\"/>");
        let shown = plain.replacen(
            "<field name=\"device\"/>",
            "<field name=\"device\" optional=\"show\"/>",
            1,
        );
        world.write(VIEWS, if round % 2 == 0 { &plain } else { &shown });
    });
}

#[test]
fn a_disk_that_fills_up_at_any_step_of_a_deploy_of_code_leaves_a_whole_host() {
    let world = World::deployed("full-code");
    let original = world.read(CONTROLLER);
    fill_at_each_step(&world, "write release", |round| {
        let marked = original.replacen(
            "\"orders\": orders",
            &format!("\"round\": {round}, \"orders\": orders"),
            1,
        );
        world.write(CONTROLLER, &marked);
    });
}
