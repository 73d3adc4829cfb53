//! A server that somebody set up by hand: adopted, taken over, and gone back to.

#![expect(clippy::disallowed_methods, reason = "clones the repository onto the server's disk")]

use std::{path::Path, process::Command};

use crate::{
    lab::{Disk, Server},
    revert::VIEWS,
    world::{DATABASE, HOST, Run, SECRET, World},
};

/// Where the addons are checked out by hand.
pub(crate) const CHECKOUT: &str = "/opt/odoo/custom_addons";
const DEVICE: &str = "<field name=\"device\"/>";

/// Its unit.
const UNIT: &str = "\
[Unit]
Description=Odoo, as somebody set it up
After=postgresql.service

[Service]
User=odoo
Group=odoo
ExecStart=/usr/bin/odoo --config /etc/odoo/odoo.conf --logfile /var/log/odoo/odoo-server.log
KillMode=mixed
Restart=always

[Install]
WantedBy=multi-user.target
";

/// A server whose host was not set up by the tool: unit `odoo`, /etc/odoo/odoo.conf with
/// clear passwords, a checkout of the platform repository, a vhost of its own.
pub(crate) fn by_hand(name: &str) -> World {
    by_hand_on(name, Disk::Folder)
}

/// The same on a disk of that kind.
pub(crate) fn by_hand_on(name: &str, disk: Disk) -> World {
    let world = World::deployed_on(name, disk);
    world.remove(&world.host_conf(HOST));
    world.commit("Have a host that is not in the repository");
    let server = world.server();
    let script = format!(
        "set -e
        systemctl disable --quiet --now odoo-{HOST}
        rm -rf /opt/odoo/{HOST} /etc/odoo/{HOST}.conf /etc/nginx/sites-enabled/{HOST}
        rm -rf /etc/systemd/system/odoo-{HOST}.service*
        rm -f /etc/systemd/system/odoo.service
        cat >/etc/systemd/system/odoo.service <<'END'
{UNIT}END
        cat >/etc/odoo/odoo.conf <<'END'
[options]
; by hand
admin_passwd = {SECRET}-admin
db_host = localhost
db_user = odoo
db_password = {SECRET}-db
db_name = {DATABASE}
addons_path = {CHECKOUT}/custom-addons
data_dir = /var/lib/odoo/{HOST}
http_port = 8269
gevent_port = 8272
http_interface = 127.0.0.1
workers = 2
max_cron_threads = 1
proxy_mode = True
list_db = False
limit_time_real = 1200
END
        chown odoo:odoo /etc/odoo/odoo.conf; chmod 640 /etc/odoo/odoo.conf
        install -d -o odoo -g odoo /var/log/odoo
        cat >/etc/nginx/sites-available/odoo <<'END'
upstream odoo {{ server 127.0.0.1:8269; }}
server {{
    listen 80;
    server_name {HOST};
    client_max_body_size 200m;
    location / {{
        proxy_pass http://odoo;
        proxy_set_header X-Forwarded-Host $host;
        proxy_set_header X-By-Hand 1;
        add_header X-Vhost by-hand always;
    }}
}}
END
        ln -s ../sites-available/odoo /etc/nginx/sites-enabled/odoo
        systemctl daemon-reload; systemctl reload nginx"
    );
    server.script(&script).ok();
    database_by_hand(server);
    clone(&world);
    server.script("systemctl enable --quiet --now odoo").ok();
    server.wait_until_served();
    world
}

/// Gives the role a password, and the database nothing of the tool.
fn database_by_hand(server: &Server) {
    let sql = format!(
        "ALTER ROLE odoo PASSWORD '{SECRET}-db';
         DELETE FROM ir_config_parameter WHERE key LIKE 'odoo_deploy.%';
         INSERT INTO res_partner (name, active) VALUES ('Taller de antes', true);"
    );
    server.psql(DATABASE, &sql);
    // Else a power cut would move the sequence on.
    server.psql(DATABASE, "CHECKPOINT");
}

/// Clones the platform repository onto the server, as its user would.
fn clone(world: &World) {
    let server = world.server();
    let origin = world.git(&["remote", "get-url", "origin"]);
    let to = server.path(CHECKOUT);
    let status = Command::new("git")
        .args(["clone", "-q", "--branch", "demo", &origin, to.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(status.success());
    server.script(&format!("chown -R odoo:odoo {CHECKOUT}")).ok();
}

pub(crate) fn adopt(world: &World, more: &[&str]) -> Run {
    world.run(&[&["adopt", "--server", "vps-1"], more].concat())
}

/// What runs of the old Odoo, for comparison.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Old {
    active: String,
    enabled: String,
    main_pid: String,
    link: String,
}

impl Old {
    pub(crate) fn look(server: &Server) -> Self {
        let say = |command: &[&str]| server.shell(command).stdout.trim().to_owned();
        Self {
            active: say(&["systemctl", "is-active", "odoo"]),
            enabled: say(&["systemctl", "is-enabled", "odoo"]),
            main_pid: say(&["systemctl", "show", "--value", "--property", "MainPID", "odoo"]),
            link: say(&["readlink", "/etc/nginx/sites-enabled/odoo"]),
        }
    }

    fn is_as(&self, other: &Self) -> bool {
        (&self.active, &self.enabled, &self.link) == (&other.active, &other.enabled, &other.link)
    }
}

/// Checks that users are served by the old Odoo, through its own vhost, as they left it.
#[track_caller]
pub(crate) fn is_old(world: &World, before: &Old, content: &str) {
    let server = world.server();
    let now = Old::look(server);
    assert!(now.is_as(before), "{now:?} is not {before:?}");
    let page = server.get("/web/login");
    assert_eq!(page.status, 200);
    assert_eq!(page.headers.get("x-vhost").map(String::as_str), Some("by-hand"));
    assert_eq!(world.database_content(DATABASE), content);
    for gone in [
        format!("/opt/odoo/{HOST}/current"),
        format!("/opt/odoo/{HOST}/hold"),
        format!("/opt/odoo/{HOST}/maintenance"),
        format!("/etc/odoo/{HOST}.conf"),
        format!("/etc/systemd/system/odoo-{HOST}.service"),
        format!("/etc/nginx/sites-enabled/{HOST}"),
        "/etc/systemd/system/odoo.service.d/odoo-deploy.conf".to_owned(),
    ] {
        assert!(std::fs::symlink_metadata(server.path(Path::new(&gone))).is_err(), "{gone}");
    }
}

/// Checks that the host's own unit serves the release, through its own vhost.
#[track_caller]
pub(crate) fn is_new(world: &World, release: u32) {
    let server = world.server();
    let state = world.state();
    assert_eq!(state.current, Some(release));
    assert!(state.active && !state.hold && !state.maintenance, "{state:?}");
    let old = Old::look(server);
    assert_eq!((old.active.as_str(), old.enabled.as_str()), ("inactive", "disabled"));
    let page = server.get("/web/login");
    assert_eq!((page.status, page.headers.get("x-vhost")), (200, None));
    assert_eq!(old.link, "", "the old vhost is set aside");
}

#[test]
fn a_server_set_up_by_hand_is_adopted_taken_over_and_gone_back_to() {
    let world = by_hand("adopt");
    let server = world.server();
    let before = Old::look(server);
    let untouched = world.database_content(DATABASE);

    let dry = adopt(&world, &["--dry-run"]).expect_code(0).expect_said("dry run");
    assert!(!world.repository().join(world.host_conf(HOST)).exists(), "{}", dry.stdout);
    assert!(!server.path(format!("/opt/odoo/{HOST}")).exists());

    let run = adopt(&world, &["--json"]).expect_code(0);
    assert_eq!(run.event("adopted")["outcome"], "recorded");
    assert_eq!(run.event("adopted")["host"], HOST);
    assert_eq!(Old::look(server), before, "nothing was restarted");
    let file = world.read(&world.host_conf(HOST));
    assert!(file.contains("addons_path = custom-addons\n"), "{file}");
    assert!(file.contains("keep = admin_passwd, db_password\n"), "{file}");
    assert!(!file.contains(SECRET), "{file}");
    adopt(&world, &["--json"]).expect_code(0).expect_said("\"outcome\":\"unchanged\"");

    world.commit("Adopt the host");
    let plan = world.run(&["plan", "--host", HOST]).expect_code(0);
    plan.expect_said("takes over from odoo.service").expect_said("release 0");
    is_old(&world, &before, &untouched);

    // A bad upgrade comes back to what was adopted.
    world.edit(VIEWS, DEVICE, "<field name=\"device\"/><field name=\"no_such_field\"/>");
    world.commit("Show a field that does not exist");
    let bad = world.deploy(&[]);
    bad.expect_code(7).expect_said("no_such_field").expect_said("back on release 0");
    is_old(&world, &before, &untouched);

    // A good one goes live under the host's own unit.
    world.edit(VIEWS, "<field name=\"no_such_field\"/>", "<field name=\"work_done\"/>");
    world.commit("Show the work that was done");
    world.deploy(&[]).expect_code(0);
    is_new(&world, 2);
    let partner = "SELECT count(*) FROM res_partner WHERE name = 'Taller de antes'";
    assert_eq!(server.psql(DATABASE, partner), "1");
    world.deploy(&[]).expect_code(0).expect_said("nothing to do");
    world.run(&["status", "--host", HOST]).expect_code(0).expect_said("well");

    // Back to what was adopted, which needs its database.
    world
        .run(&["rollback", "--host", HOST, "--to", "0", "--yes"])
        .expect_code(6)
        .expect_said("--with-database");
    let back = world.run(&["rollback", "--host", HOST, "--to", "0", "--with-database", "--yes"]);
    back.expect_code(0);
    is_old(&world, &before, &untouched);
    let history = world.run(&["history", "--host", HOST]).expect_code(0);
    history.expect_said("adopted").expect_said("rollback to release 0");
    let status = world.run(&["status", "--host", HOST]).expect_code(0);
    status.expect_said("0, as it was adopted").expect_said("odoo.service, active");

    // And forward again.
    world.deploy(&[]).expect_code(0);
    let state = world.state();
    is_new(&world, state.current.unwrap());
    assert_eq!(server.psql(DATABASE, partner), "1");
}
