//! What is not adopted, and what keeps an adopted host from its first deploy: each is said
//! clearly, and nothing is touched.

use crate::{
    adopt::{CHECKOUT, Old, adopt, by_hand},
    world::{HOST, SECRET, World},
};

#[test]
fn what_cannot_be_adopted_is_said_and_nothing_is_touched() {
    let world = by_hand("adopt-refused");
    let server = world.server();
    let before = Old::look(server);
    no_root(&world);
    two_candidates(&world);
    let file = world.repository().join(world.host_conf(HOST));
    assert!(!file.exists() && !server.path(format!("/opt/odoo/{HOST}")).exists());

    // Edits that are not in Git are listed, and not left behind unseen.
    server.script(&format!("echo >>{CHECKOUT}/custom-addons/taller_portal/edited.txt")).ok();
    let run = adopt(&world, &["--secrets", "env"]).expect_code(0);
    run.expect_said("taller_portal/edited.txt").expect_said("DEMO_DB_PASSWORD");
    assert!(world.read(&world.host_conf(HOST)).contains("db_password = ${DEMO_DB_PASSWORD}\n"));
    std::fs::remove_file(&file).unwrap();
    adopt(&world, &[]).expect_code(0).expect_said("adopted already");
    world.commit("Adopt the host");
    let refused = world.deploy(&[]).expect_code(6);
    refused.expect_said("taller_portal/edited.txt").expect_said("--overwrite-drift");

    // What changed since is adopted again.
    server.script("echo '; by hand, again' >>/etc/odoo/odoo.conf").ok();
    world.plan(&["--overwrite-drift"]).expect_code(6).expect_said("odoo.conf` changed since");
    adopt(&world, &["--json"]).expect_code(0).expect_said("\"outcome\":\"renewed\"");
    world.plan(&["--overwrite-drift", "--exit-code"]).expect_code(3);
    assert_eq!(Old::look(server), before, "nothing was touched");

    server.script("systemctl stop odoo").ok();
    adopt(&world, &[]).expect_code(6).expect_said("no Odoo runs on the server");
    assert!(!world.git(&["log", "-p", "--all"]).contains(SECRET));
}

/// A login that may not become root is told what to add, for exactly that.
fn no_root(world: &World) {
    let settings = world.read("config/deploy.toml");
    let section = |user: &str| format!("\"{}\"\nuser = \"{user}\"", world.server().address());
    world.edit("config/deploy.toml", &section("deploy"), &section("nosudo"));
    adopt(world, &[])
        .expect_code(6)
        .expect_said("nosudo ALL=(root) NOPASSWD: /usr/local/lib/odoo-deploy/deploy agent")
        .expect_said("install -D -m 0755");
    world.write("config/deploy.toml", &settings);
}

fn two_candidates(world: &World) {
    let server = world.server();
    let unit = "set -e
        sed 's/8269/8369/; s/8272/8372/' /etc/odoo/odoo.conf >/etc/odoo/second.conf
        chown odoo:odoo /etc/odoo/second.conf
        cp -p /etc/systemd/system/odoo.service /etc/systemd/system/odoo18.service
        sed -i 's/odoo.conf --logfile [^ ]*/second.conf/' /etc/systemd/system/odoo18.service
        systemctl daemon-reload; systemctl start odoo18";
    server.script(unit).ok();
    let several = adopt(world, &[]).expect_code(6);
    several.expect_said("2 services of the server run Odoo").expect_said("odoo18.service: runs");
    adopt(world, &["--unit", "odoo18", "--dry-run"])
        .expect_code(6)
        .expect_said("no vhost of nginx passes requests on");
    adopt(world, &["--unit", "odoo18", "--dry-run", "--host", "second.example"])
        .expect_code(0)
        .expect_said("http_port = 8369");
    let gone = "systemctl stop odoo18; rm /etc/systemd/system/odoo18.service /etc/odoo/second.conf
        systemctl daemon-reload";
    server.script(gone).ok();
}
