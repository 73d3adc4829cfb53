//! Deploys that are refused before anything live is touched: each says why, and what to do.

use std::fs;

use crate::{
    calm::Calm,
    world::{HOST, World},
};

const VHOST: &str = include_str!("../../src/render/templates/nginx.conf.hbs");
const UNIT: &str = include_str!("../../src/render/templates/odoo.service.hbs");
const SETTINGS: &str = "config/deploy.toml";
const BASE_CONF: &str = "config/base.conf";
const WORKSHOP: &str = "custom-addons/taller_reparaciones";

#[test]
fn code_that_does_not_parse_goes_nowhere() {
    let world = World::deployed("code");
    let calm = Calm::of(&world);
    let menus = format!("{WORKSHOP}/views/taller_menus.xml");
    calm.refuses(
        |world| world.edit(&menus, "</odoo>", ""),
        6,
        &["views/taller_menus.xml:", "XML: no element found", "correct it in the branch"],
    );
    calm.refuses(
        |world| world.edit(&format!("{WORKSHOP}/__manifest__.py"), "\n}", "\n"),
        2,
        &["failed to read the manifest", "one dictionary of literals"],
    );
    let orders = format!("{WORKSHOP}/models/repair_order.py");
    calm.refuses(
        |world| world.write(&orders, &(world.read(&orders) + "def broken(:\n")),
        6,
        &["models/repair_order.py:", "SyntaxError", "correct it in the branch"],
    );
    calm.refuses(
        |world| world.write(&orders, &format!("import no_such_library\n{}", world.read(&orders))),
        6,
        &["no_such_library", "correct it in the branch"],
    );
    calm.ends();
}

#[test]
fn a_vhost_or_unit_that_its_program_refuses_is_not_installed() {
    let world = World::deployed("files");
    let other = "upstream odoo_other { server 127.0.0.1:1; }\n\
                 server { listen 80; server_name other.example; return 204; }\n";
    let script = format!("cat >/etc/nginx/sites-enabled/other.example <<'EOF'\n{other}EOF");
    world.server().script(&script).ok();
    let calm = Calm::of(&world);
    let vhost = "deployment/templates/nginx.conf.hbs";
    calm.refuses(
        |world| {
            world.write(vhost, &VHOST.replace("client_max_body_size {{", "client_most_body {{"));
        },
        6,
        &["nginx rejects the configuration", "client_most_body", "[deploy.nginx]"],
    );
    calm.refuses(
        |world| world.write(vhost, &VHOST.replace("{{http_port}}", "{{htp_port}}")),
        2,
        &["failed to fill in template `nginx.conf`", "htp_port"],
    );
    let duplicate = format!("upstream odoo_other {{ server 127.0.0.1:2; }}\n{VHOST}");
    calm.refuses(|world| world.write(vhost, &duplicate), 6, &["duplicate upstream \"odoo_other\""]);
    let conf = world.host_conf(HOST);
    let add = |line: &str| world.read(&conf).replace("[deploy.nginx]", line);
    let alias = add("[deploy.nginx]\naliases = other.example");
    calm.refuses(
        |world| world.write(&conf, &alias),
        6,
        &["conflicting server name \"other.example\""],
    );
    let port = add("[deploy.nginx]\nport = 5432");
    calm.refuses(
        |world| world.write(&conf, &port),
        6,
        &["port 5432 is taken by `postgres`", "choose another `port`"],
    );
    let unit = "deployment/templates/odoo.service.hbs";
    calm.refuses(
        |world| world.write(unit, &UNIT.replace("[Service]", "[Service]\nKillMode=sometimes")),
        6,
        &["systemd rejects", "kill mode", "odoo.service.hbs"],
    );
    calm.refuses(
        |world| world.write(unit, &UNIT.replace("[Service]", "[Service]\nMemoryMaximum=1G")),
        6,
        &["systemd rejects", "MemoryMaximum"],
    );
    calm.ends();
}

#[test]
fn a_configuration_that_odoo_or_the_tool_would_misread_is_named_by_line() {
    let world = World::deployed("conf");
    let calm = Calm::of(&world);
    let conf = world.host_conf(HOST);
    calm.refuses(
        |world| world.edit(BASE_CONF, "workers = 2", "workers = 2  ; enough"),
        2,
        &["`workers`", "a comment has a line of its own", "config/base.conf:"],
    );
    calm.refuses(
        |world| world.edit(BASE_CONF, "workers = 2", "worker = 2"),
        2,
        &["`worker` is no option of Odoo 19.0", "did you mean `workers`?", "config/base.conf:"],
    );
    calm.refuses(
        |world| world.edit(&conf, "[deploy]\n", "[deploy]\nenviroment = demo\n"),
        2,
        &["`enviroment` is no key of `[deploy]`", "environment"],
    );
    calm.refuses(
        |world| world.edit(&conf, "[options]", "[options]\ndb_password = ${NO_SUCH_SECRET}"),
        2,
        &["no value for `NO_SUCH_SECRET`", "config/secrets.env"],
    );
    calm.refuses(
        |world| world.edit(&conf, "db_name = demo", "db_name = dmeo"),
        6,
        &["the host serves database demo, its file says dmeo", "undo the change"],
    );
    calm.refuses(
        |world| world.edit(BASE_CONF, "data_dir = /var/lib/odoo/", "data_dir = /srv/odoo/"),
        6,
        &["the host's data directory is /var/lib/odoo/", "its file says /srv/odoo/"],
    );
    calm.refuses(
        |world| world.edit(BASE_CONF, "odoo = 19.0", "odoo = 18.0"),
        6,
        &["the server has Odoo 19.0, the host's file says 18.0", "install that series"],
    );
    calm.refuses(
        |world| world.edit(&conf, "user = odoo", "user = nobody-of-this-name"),
        6,
        &["the system user `nobody-of-this-name` does not exist", "create it"],
    );
    calm.ends();
}

#[test]
fn a_server_that_cannot_be_worked_on_is_told_from_one_that_cannot_be_reached() {
    let world = World::deployed("reach");
    let calm = Calm::of(&world);
    let set = |line: &str| {
        let settings = world.read(SETTINGS);
        let (name, _) = line.split_once(" = ").expect("a setting");
        let (before, section) = settings.split_once("[servers.vps-1]\n").expect("vps-1");
        let prefix = format!("{name} = ");
        let kept = |old: &&str| !old.starts_with(&prefix);
        let section: Vec<_> = section.lines().filter(kept).collect();
        world
            .write(SETTINGS, &format!("{before}[servers.vps-1]\n{line}\n{}\n", section.join("\n")));
    };
    calm.refuses(
        |_| set("user = \"nosudo\""),
        6,
        &["may not run the agent as root", "allow it in sudoers"],
    );
    calm.refuses(
        |_| set("user = \"nobody-of-this-name\""),
        5,
        &["Permission denied", "check `user` and `identity`"],
    );
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHSpEIQczXkVx9i0";
    let run = calm.refuses(
        |_| set(&format!("host_key = \"{key}\"")),
        5,
        &["the server's host key is not the known one: it shows SHA256:", "find out why"],
    );
    assert!(!run.stderr.contains("ssh-keygen"), "{}", run.stderr);
    calm.refuses(|_| set("port = 2"), 5, &["Connection refused", "by hand"]);
    calm.refuses(
        |_| set("address = \"no-such-server.invalid\""),
        5,
        &["Could not resolve", "check `address`"],
    );
    world.server().lab("link", &["down"]).ok();
    let run = world.deploy(&["--branch", "demo"]).expect_code(5);
    // Which of the two the kernel says depends on whether it still knows the server's
    // hardware address.
    let causes = ["Connection timed out", "No route to host"];
    assert!(causes.iter().any(|cause| run.stderr.contains(cause)), "{}", run.stderr);
    run.expect_said("failed to reach server vps-1");
    world.server().lab("link", &["up"]).ok();
    calm.ends();
}

#[test]
fn a_full_disk_stops_a_deploy_before_it_hurts() {
    let world = World::deployed("disk");
    let calm = Calm::of(&world);
    let orders = format!("{WORKSHOP}/models/repair_order.py");
    small_disk(&world, "60M");
    calm.refuses(
        |world| world.write(&orders, &(world.read(&orders) + "\n# Changed.\n")),
        6,
        &["the disk of /opt/odoo is full", "256 MB", "free some space"],
    );
    world.server().shell(&["umount", "/opt/odoo"]).ok();

    // Enough when the plan is made, too little for what Git keeps well packed.
    small_disk(&world, "262M");
    calm.refuses(
        |world| {
            let path = world.repository().join(WORKSHOP).join("static/large.bin");
            let file = fs::File::create(path).unwrap();
            file.set_len(300 << 20).unwrap();
        },
        6,
        &["failed to write release 2", "No space left on device", "free some space"],
    );
    world.server().shell(&["umount", "/opt/odoo"]).ok();
    calm.ends();
}

/// Puts a small disk in the place of the one that holds the hosts, with the same on it.
fn small_disk(world: &World, size: &str) {
    let script = format!(
        "set -e; cp -a /opt/odoo /var/tmp/odoo\n\
         mount -t tmpfs -o size={size},mode=755 none /opt/odoo\n\
         cp -a /var/tmp/odoo/. /opt/odoo; rm -r /var/tmp/odoo"
    );
    world.server().script(&script).ok();
}

#[test]
fn two_hosts_of_a_server_share_nothing() {
    let world = World::deployed("two");
    let second = "second.somosblink.com";
    let conf = world.host_conf(second);
    let good = world
        .read(&world.host_conf(HOST))
        .replace("db_name = demo", "db_name = second\ndata_dir = /var/lib/odoo/second")
        .replace("8269", "8369")
        .replace("8272", "8372");
    let calm = Calm::of_host(&world, second);
    let cases: [(&str, &str, &[&str]); 5] = [
        ("second\n", "demo\n", &["database demo belongs to host demo.somosblink.com"]),
        (
            "/var/lib/odoo/second",
            "/var/lib/odoo/demo.somosblink.com",
            &["demo.somosblink.com on the same server already has data directory"],
        ),
        (
            "http_port = 8369",
            "http_port = 8269",
            &["port 8269 is taken by odoo-demo.somosblink.com.service", "choose another"],
        ),
        (
            "gevent_port = 8372",
            "gevent_port = 8272",
            &["already has port 8272", "two hosts of a server must not share"],
        ),
        (
            "[deploy.nginx]",
            "[deploy.nginx]\naliases = demo.somosblink.com",
            &["already has hostname demo.somosblink.com"],
        ),
    ];
    for (from, to, says) in cases {
        assert!(good.contains(from), "{from}");
        calm.refuses(|world| world.write(&conf, &good.replacen(from, to, 1)), 6, says);
    }
    let squat = ["systemd-run", "--unit=squatter", "python3", "-m", "http.server", "8372"];
    world.server().shell(&squat).ok();
    world.server().wait_until("a program listens", |server| {
        server.shell(&["ss", "-Hltn", "sport = :8372"]).stdout.contains("8372")
    });
    calm.refuses(
        |world| world.write(&conf, &good),
        6,
        &["port 8372 is taken by squatter.service", "choose another `http_port` or `gevent_port`"],
    );
    world.server().shell(&["systemctl", "stop", "squatter"]).ok();
    calm.refuses(
        |world| {
            let typo = good.replace("install = base, taller_reparaciones, taller_portal\n", "");
            world.write(&conf, &typo);
        },
        6,
        &["database second does not exist", "correct `db_name` (there is: demo)"],
    );
    calm.ends();
}
