//! A client comes beside another host, and goes without a trace.

use std::{path::Path, process::Stdio, thread, time::Duration};

use crate::{interrupt::signal, world::World};

const CLIENT_HOST: &str = "acme-demo.somosblink.com";
const DATABASE: &str = "acme";

/// A host that runs as the user that Odoo's package brings, and has no certificate.
const TEMPLATE: &str = "\
;; for the tests
extends = ../base.conf

[options]
db_name = <client>
dbfilter = ^<client>$
data_dir = /var/lib/odoo/<client>
logfile = /var/log/odoo/<client>.log
workers = 0
http_port = <http_port>
gevent_port = <gevent_port>

[deploy]
environment = demo
server = <server>
odoo = <odoo>
install = base

[deploy.nginx]
port = 80
";

/// A dump that waits for as long as the file `/run/wait` is there.
const SLOW_DUMP: &str = "#!/bin/sh\nwhile [ -e /run/wait ]; do sleep 0.1; done\n\
                         exec /usr/bin/pg_dump \"$@\"\n";

fn add<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["client", "add", name, "--environment", "demo", "--server", "vps-1"];
    [&words, more].concat()
}

const REMOVE: [&str; 5] = ["client", "remove", "acme", "--confirm", "acme"];

/// Everything of the client that is on the server, archives left out.
fn traces(world: &World) -> String {
    let script = format!(
        "find / -xdev \\( -name '*{CLIENT_HOST}*' -o -name '{DATABASE}' -o -name '{DATABASE}.log*' \\) \
           -not -path '/proc/*' -not -path '/sys/*' -not -path '/usr/*' -not -path '/var/backups/*' 2>/dev/null
         ls -A /run/odoo-deploy
         runuser -u postgres -- psql -XAtqc \
           \"SELECT datname FROM pg_database WHERE datname LIKE '{DATABASE}%'\"
         systemctl list-units --all --plain --no-legend '*{CLIENT_HOST}*' 'deployrm-*'
         grep -rl {CLIENT_HOST} /etc 2>/dev/null; true"
    );
    world.server().script(&script).ok()
}

#[test]
fn a_client_is_added_beside_another_host_and_removed_without_a_trace() {
    let world = World::deployed("client");
    world.write("config/templates/demo.template.conf", TEMPLATE);
    world.commit("Say what a demo host is made of");
    refusals_touch_nothing(&world);
    added_and_deployed(&world);
    world.server().psql(DATABASE, "INSERT INTO res_partner (name) VALUES ('Only here')");
    let partners = world.server().psql(DATABASE, "SELECT count(*) FROM res_partner");
    a_copy_that_is_kept(&world);
    not_removed_unasked(&world);
    killed_while_it_archives(&world);
    let archive = removed_in_two_goes(&world);
    assert_eq!(traces(&world), "");
    assert_eq!(world.server().get("/web/login").status, 200);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname = 'odoo'";
    assert_eq!(world.server().psql("postgres", roles), "1");
    the_archive_can_be_restored(&world, &archive, &partners);
}

fn refusals_touch_nothing(world: &World) {
    let server = world.server();
    server.psql("postgres", "CREATE DATABASE taken");
    let before = (world.state(), traces(world));
    for (name, said) in [
        ("www", "reserved"),
        ("demo", "reserved"),
        ("a.b", "cannot be a client's name"),
        ("taken", "server vps-1 has already: database taken"),
        ("3m", "no hosts of"),
    ] {
        if name == "3m" {
            let run = world.run(&["client", "add", name, "--environment", "production"]);
            run.expect_code(2).expect_said("cannot be: `3m` is not a valid user name");
        } else {
            world.run(&add(name, &[])).expect_code(2).expect_said(said);
        }
        assert_eq!(world.git(&["status", "--porcelain"]), "", "{name}");
    }
    assert_eq!((world.state(), traces(world)), before);
    server.psql("postgres", "DROP DATABASE taken");
}

fn added_and_deployed(world: &World) {
    // The repository would give ports 8079 and 8082.
    let squatter = ["systemd-run", "--unit=squatter", "python3", "-m", "http.server", "8082"];
    world.server().shell(&squatter).ok();
    world.server().wait_until("the port is taken", |server| {
        server.shell(&["ss", "-Hltn", "sport = :8082"]).ok().contains("8082")
    });
    let run = world.run(&add("acme", &["--json"])).expect_code(0);
    let added = run.event("client-added");
    assert_eq!(added["hosts"][0]["host"], CLIENT_HOST);
    assert_eq!(added["hosts"][0]["http_port"], 8089, "{added}");
    assert_eq!(added["hosts"][0]["gevent_port"], 8092, "{added}");
    world.commit("Add client acme");
    world.deploy_ok(&["--host", CLIENT_HOST]);
    assert_eq!(world.server().get_as(CLIENT_HOST, "/web/login").status, 200);
    assert_eq!(world.server().get("/web/login").status, 200);
    // What is there now is taken.
    world.git(&["rm", "-q", "--cached", &world.host_conf(CLIENT_HOST)]);
    world.remove(&world.host_conf(CLIENT_HOST));
    let run = world.run(&add("acme", &[])).expect_code(2);
    run.expect_said("has already").expect_said(&format!("host {CLIENT_HOST}"));
    world.git(&["checkout", "-q", "HEAD", "--", &world.host_conf(CLIENT_HOST)]);
}

fn a_copy_that_is_kept(world: &World) {
    world.server().psql("postgres", "CREATE DATABASE \"acme~snap-1\" OWNER odoo");
    let script = "cd /var/lib/odoo/acme/filestore && cp -al acme 'acme~snap-1' && \
                  chown odoo: 'acme~snap-1'";
    world.server().script(script).ok();
}

fn not_removed_unasked(world: &World) {
    let before = world.state_of(CLIENT_HOST);
    world.run(&["client", "remove", "acme"]).expect_code(2).expect_said("--confirm acme");
    world.run(&["client", "remove", "nobody", "--yes"]).expect_code(2).expect_said("no client");
    let run = world.run(&[&REMOVE[..], &["--dry-run"]].concat()).expect_code(0);
    let run = run.expect_said("drop database acme").expect_said("stays: role odoo");
    run.expect_said("archive acme and its files");
    let lock = format!("/opt/odoo/{CLIENT_HOST}/deploy.lock");
    let mut holder = world.server().start(&["flock", &lock, "cat"]);
    world.server().wait_until("the lock is held", |server| {
        server.shell(&["flock", "--nonblock", &lock, "true"]).code != 0
    });
    world.run(&REMOVE).expect_code(4);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(world.state_of(CLIENT_HOST), before);
}

/// Starts a removal that waits in its archive, and returns its process here.
fn waiting_in_its_archive(world: &World) -> std::process::Child {
    world.server().shell(&["touch", "/run/wait"]).ok();
    let mut command = world.command(&REMOVE);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    world.server().wait_until("it dumps", |server| {
        server.shell(&["pgrep", "-f", "/usr/local/sbin/pg_dump"]).code == 0
    });
    child
}

fn killed_while_it_archives(world: &World) {
    let server = world.server();
    let script = format!(
        "cat >/usr/local/sbin/pg_dump <<'END'\n{SLOW_DUMP}END\nchmod 755 /usr/local/sbin/pg_dump"
    );
    server.script(&script).ok();
    let mut child = waiting_in_its_archive(world);
    server.script("systemctl kill --signal=KILL --kill-whom=main 'deployrm-*'").ok();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    server.wait_until("the host is served again", |server| {
        server.get_as(CLIENT_HOST, "/web/login").status == 200
    });
}

/// The first one loses its operator and then cannot drop the database.
fn removed_in_two_goes(world: &World) -> String {
    let server = world.server();
    server.psql("postgres", "ALTER DATABASE acme IS_TEMPLATE true");
    let mut child = waiting_in_its_archive(world);
    signal(child.id(), "KILL");
    child.wait().unwrap();
    server.shell(&["rm", "/run/wait"]).ok();
    server.wait_until("the removal goes on by itself", |server| {
        let unit = format!("/etc/systemd/system/odoo-{CLIENT_HOST}.service");
        !server.path(&unit).exists()
            && server.script("systemctl -q is-active 'deployrm-*'").code != 0
    });
    let run = world.run(&REMOVE).expect_code(8);
    run.expect_said("cannot drop a template database").expect_said("run the command again");
    server.psql("postgres", "ALTER DATABASE acme IS_TEMPLATE false");
    let run = thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let mut answers = (0..20).map(|_| {
                thread::sleep(Duration::from_millis(50));
                server.get("/web/login").status
            });
            answers.all(|status| status == 200)
        });
        let run = world.run(&[&REMOVE[..], &["--json"]].concat()).expect_code(0);
        assert!(neighbour.join().unwrap(), "the neighbour is served all the time");
        run
    });
    let removed = run.event("client-removed");
    assert_eq!(removed["hosts"][0], CLIENT_HOST);
    let left = format!("DNS records that you made for {CLIENT_HOST} are yours to remove");
    assert_eq!(removed["left"], serde_json::json!([left]));
    let state = world.git(&["status", "--porcelain"]);
    assert!(state.contains(&format!("D config/hosts/{CLIENT_HOST}.conf")), "{state}");
    assert!(!Path::new(&world.repository()).join("docs/clients/acme.md").exists());
    assert!(!world.read("docs/host-environment-map.md").contains("acme"));
    server.script("rm /usr/local/sbin/pg_dump /run/odoo-deploy/removal-*.jsonl").ok();
    run.event("removed")["result"]["archive"]["path"].as_str().unwrap().to_owned()
}

fn the_archive_can_be_restored(world: &World, archive: &str, partners: &str) {
    let script = format!(
        "set -e; [ $(stat -c '%a %U' {archive} | tr ' ' -) = 600-root ]
         ls -A /var/backups/odoo-deploy | wc -l
         mkdir /root/restored; tar -xzf {archive} -C /root/restored; cd /root/restored
         ls; ls filestore
         runuser -u postgres -- createdb scratch
         runuser -u postgres -- pg_restore --no-owner -d scratch <databases/acme.dump
         runuser -u postgres -- psql -XAtqd scratch -c 'SELECT count(*) FROM res_partner'"
    );
    let said = world.server().script(&script).ok();
    let expected = format!(
        "1\ndatabases\nfilestore\nhistory.jsonl\nnginx.conf\nodoo.conf\nodoo.service\n\
         release.json\nacme\n{partners}\n"
    );
    assert_eq!(said, expected);
}
