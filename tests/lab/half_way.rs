//! A deploy that stops half way, for a reason outside of its code.

use std::fs;

use crate::{
    revert::{Before, VIEWS, add_migration},
    world::{DATABASE, World},
};

const BASE: &str = "/opt/odoo/demo.somosblink.com";
const VHOST: &str = "/etc/nginx/sites-enabled/demo.somosblink.com";
const TEMPLATE: &str = include_str!("../../src/render/templates/nginx.conf.hbs");

/// Puts a disk of its own, with so many kilobytes free, in a directory's place.
pub(crate) fn mount_disk(world: &World, directory: &str, free: u32) {
    let script = format!(
        "set -e; cp -a {directory} /tmp/copy; used=$(du -sk /tmp/copy | cut -f1)
         mount -t tmpfs -o mode=755,size=$((used + {free}))k tmpfs {directory}
         cp -a /tmp/copy/. {directory}; rm -rf /tmp/copy"
    );
    world.server().script(&script).ok();
}

#[test]
fn a_full_disk_keeps_no_host_down() {
    let world = World::deployed("disk");
    let server = world.server();
    let releases = format!("{BASE}/releases");
    mount_disk(&world, &releases, 1024);
    let noise: String = (0..400_000_u32)
        .map(|n| blake3::hash(&n.to_le_bytes()).to_hex()[..12].to_owned())
        .collect();
    world.write("docs/noise.txt", &noise);
    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Add more than the disk takes");
    let before = Before::look(&world);
    world
        .deploy(&[])
        .expect_code(6)
        .expect_said("No space left on device")
        .expect_said("nothing was touched");
    assert_eq!(&world.state(), before.state());
    assert_eq!(server.shell(&["ls", &releases]).ok().trim(), "0001");
    server.shell(&["umount", &releases]).ok();
    world.remove("docs/noise.txt");

    mount_disk(&world, BASE, 400 * 1024);
    add_migration(
        &world,
        "post-fill.py",
        "import time\n\n\ndef migrate(cr, version):\n    time.sleep(4)\n\
         \x20   print('x' * 1000000, flush=True)\n",
    );
    world.commit("Print a lot");
    let fill = format!(
        "while [ $(readlink {BASE}/current) = releases/0001 ]; do sleep 0.1; done
         size=$(($(df -k --output=used {BASE} | tail -1)))
         mount -o remount,size=${{size}}k {BASE} && echo $size >/root/filled"
    );
    server.script(&format!("cat >/root/fill.sh <<'END'\n{fill}\nEND")).ok();
    server.shell(&["systemd-run", "--quiet", "--collect", "bash", "/root/fill.sh"]).ok();
    let before = Before::look(&world);
    let run = world.deploy(&[]);
    assert!(server.path("/root/filled").exists(), "the disk was filled meanwhile");
    // This machine sees what is on the server's own disk only.
    let move_back = format!(
        "set -e; cp -a {BASE} /root/copy; umount --lazy {BASE}
         rm -r {BASE}; mv /root/copy {BASE}"
    );
    server.script(&move_back).ok();
    before.is_back_with_its_database(&world, run);
    world.deploy_ok(&[]);
}

#[test]
fn what_others_left_or_keep_open_is_in_nobodys_way() {
    let world = World::deployed("others");
    let server = world.server();
    // A copy from before the host was set up anew, and a session that nobody ends.
    server.psql("postgres", "CREATE DATABASE \"demo~failed-2\" ALLOW_CONNECTIONS false");
    let sleep = "runuser -u postgres -- psql -qXd demo -c 'BEGIN' -c 'SELECT pg_sleep(600)'";
    server.shell(&["systemd-run", "--quiet", "--collect", "bash", "-c", sleep]).ok();
    world.write(
        "deployment/templates/nginx.conf.hbs",
        &TEMPLATE.replace("location = {{marker_path}}", "location = /elsewhere"),
    );
    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Take the marker out of the vhost");
    let vhost = fs::read_to_string(server.path(VHOST)).unwrap();
    let before = Before::look(&world);
    before
        .is_back_with_its_database(&world, world.deploy(&[]))
        .expect_said("nginx does not serve the new configuration");
    assert_eq!(fs::read_to_string(server.path(VHOST)).unwrap(), vhost);
    let state = world.state();
    assert_eq!(state.releases.get(&3).map(String::as_str), Some("failed"));
    assert!(state.databases.contains_key("demo~failed-2"), "{state:?}");
    world.remove("deployment/templates");
    world.commit("Leave the vhost alone");
    world.deploy_ok(&[]);
    let arch =
        "SELECT count(*) FROM ir_ui_view WHERE arch_db::text LIKE '%optional=\\\\\"show\\\\\"%'";
    assert_ne!(server.psql(DATABASE, arch), "0");
}
