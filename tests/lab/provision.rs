//! The first deploy of hosts that are new to a prepared server: each gets its accounts,
//! directories and database, or the server is as it was.

#![expect(clippy::disallowed_methods, reason = "asks for pauses, on the server's disk")]

use std::{fs, process::Stdio};

use crate::{
    lab::Server,
    secrets::Witness,
    world::{Run, World},
};

const ACME: &str = "acme.somosblink.com";
const BETA: &str = "beta.somosblink.com";
/// What both passwords have in them.
const CORE: &str = "Kanari0";
const DATABASE_PASSWORD: &str = "db-'Kanari0-ñ";
const ADMIN_PASSWORD: &str = "adm-\"in'Kanari0 $x";
/// A module whose installation fails.
const BROKEN: &str = "custom-addons/taller_roto";

/// Writes a host's file: user, role, database and log are named as the client.
fn add_host(world: &World, client: &str, port: u16, more: &str) {
    let gevent = port + 1;
    world.write(
        &format!("config/hosts/{client}.somosblink.com.conf"),
        &format!(
            "extends = ../base.conf\n\n[options]\ndb_name = {client}\nhttp_port = {port}\n\
             gevent_port = {gevent}\nlogfile = /var/log/odoo/{client}.log\n{more}\n\
             [deploy]\nenvironment = demo\nserver = vps-1\nuser = {client}\ninstall = base, web\n\
             admin_password = ${{ADMIN_OF_{}}}\n\n[deploy.nginx]\n",
            client.to_uppercase()
        ),
    );
}

/// Runs the program with both passwords in its environment; none may be printed.
#[track_caller]
fn run(world: &World, arguments: &[&str]) -> Run {
    let run = Run::of(&command(world, arguments).output().unwrap());
    for said in [&run.stdout, &run.stderr] {
        assert!(!said.contains(CORE), "a secret of {arguments:?}:\n{said}");
    }
    run
}

fn command(world: &World, arguments: &[&str]) -> std::process::Command {
    let mut command = world.command(arguments);
    command
        .env("ADMIN_OF_ACME", ADMIN_PASSWORD)
        .env("ADMIN_OF_BETA", ADMIN_PASSWORD)
        .env("ACME_DB_PASSWORD", DATABASE_PASSWORD);
    command
}

/// What a browser sends to log in as admin.
pub(crate) fn login_call(database: &str, password: &str) -> String {
    let call = serde_json::json!({
        "jsonrpc": "2.0",
        "params": { "db": database, "login": "admin", "password": password },
    });
    call.to_string()
}

/// Logs in as admin through nginx, and says whether that worked.
fn logs_in(server: &Server, host: &str, database: &str, password: &str) -> bool {
    fs::write(server.path("/root/login.json"), login_call(database, password)).unwrap();
    let url = "http://127.0.0.1/web/session/authenticate";
    let host = format!("Host: {host}");
    let answer = server.shell(&[
        "curl",
        "-sS",
        "-H",
        &host,
        "-H",
        "Content-Type: application/json",
        "-d",
        "@/root/login.json",
        url,
    ]);
    server.shell(&["rm", "/root/login.json"]).ok();
    let answer: serde_json::Value = serde_json::from_str(&answer.ok()).unwrap();
    answer["result"]["uid"].as_u64().is_some()
}

/// Lists what a client has on the server; nothing where it was never there.
fn traces(server: &Server, client: &str) -> String {
    let host = format!("{client}.somosblink.com");
    server
        .script(&format!(
            "getent passwd {client}; getent group {client}
             ls -d /var/lib/odoo/{host} /var/log/odoo/{client}.log 2>/dev/null
             ls -d /etc/systemd/system/odoo-{host}.service* /etc/odoo/{host}.conf 2>/dev/null
             ls -d /etc/systemd/system/*.wants/odoo-{host}.service 2>/dev/null
             ls -d /etc/nginx/sites-enabled/{host} /opt/odoo/{host}/provisioned.json 2>/dev/null
             ls -d /opt/odoo/{host}/hold /opt/odoo/{host}/current 2>/dev/null
             find /opt/odoo/{host} -nogroup -o -nouser 2>/dev/null
             runuser -u postgres -- psql -XAtq -c \"SELECT 'role ' || rolname FROM pg_roles \
               WHERE rolname = '{client}' UNION SELECT 'database ' || datname \
               FROM pg_database WHERE datname LIKE '{client}%'\""
        ))
        .ok()
}

#[test]
fn two_new_hosts_get_accounts_of_their_own_and_do_not_see_each_other() {
    let world = World::fresh("newcomers");
    let server = world.server();
    let witness = Witness::start();
    add_host(
        &world,
        "acme",
        8301,
        "db_host = localhost\ndb_user = acme\ndb_password = ${ACME_DB_PASSWORD}\n",
    );
    add_host(&world, "beta", 8311, "");
    world.commit("Add two clients");

    world.run(&["plan", "--host", ACME]).expect_code(2).expect_said("ACME_DB_PASSWORD");
    let mut without = command(&world, &["plan", "--host", ACME]);
    let without = Run::of(&without.env_remove("ADMIN_OF_ACME").output().unwrap());
    without.expect_code(2).expect_said("no value for `ADMIN_OF_ACME`");
    run(&world, &["plan", "--host", ACME])
        .expect_code(0)
        .expect_said(
            "system user acme (group acme, home /var/lib/odoo/acme.somosblink.com, no login)",
        )
        .expect_said("PostgreSQL role acme (may create databases, no superuser)")
        .expect_said("log /var/log/odoo/acme.log")
        .expect_said("password of user admin: ${ADMIN_OF_ACME}");
    assert_eq!(traces(server, "acme"), "", "a plan creates nothing");

    run(&world, &["--host", ACME, "-vv"]).expect_code(0);
    run(&world, &["--host", BETA, "--json", "-vv"]).expect_code(0);
    accounts_are_their_own(server);
    nobody_sees_another(server);

    world.edit(&world.host_conf(BETA), "install", "upgrade_timeout = 2h\ninstall");
    world.edit("config/base.conf", "workers = 2", "workers = 3");
    world.commit("Give Odoo a worker more");
    run(&world, &["--host", BETA]).expect_code(0);
    let kept = server.path("/opt/odoo/beta.somosblink.com/provisioned.json");
    assert!(fs::read_to_string(kept).unwrap().contains("\"user\":true"));

    let (processes, _) = witness.stop();
    assert_eq!(processes.into_iter().collect::<Vec<_>>(), [""; 0]);
    secrets_are_where_they_belong(server);
}

fn accounts_are_their_own(server: &Server) {
    let roles = server.psql(
        "postgres",
        "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles
          WHERE rolname IN ('acme', 'beta') ORDER BY 1",
    );
    assert_eq!(roles, "acme|f|t|f\nbeta|f|t|f");
    let accounts = server.script(
        "getent passwd acme beta | cut -d: -f1,6,7
         stat -c '%a %U:%G' /var/lib/odoo/acme.* /var/lib/odoo/beta.*
         cat /opt/odoo/acme.somosblink.com/provisioned.json",
    );
    assert_eq!(
        accounts.ok().trim(),
        "acme:/var/lib/odoo/acme.somosblink.com:/usr/sbin/nologin\n\
         beta:/var/lib/odoo/beta.somosblink.com:/usr/sbin/nologin\n\
         750 acme:acme\n750 beta:beta\n\
         {\"schema\":1,\"user\":true,\"role\":true}"
    );
}

fn nobody_sees_another(server: &Server) {
    for (host, database) in [(ACME, "acme"), (BETA, "beta")] {
        assert_eq!(server.get_as(host, "/web/login").status, 200);
        assert_ne!(server.get_as(host, "/web/database/manager").status, 200);
        assert!(!logs_in(server, host, database, "admin"));
        assert!(logs_in(server, host, database, ADMIN_PASSWORD));
    }
    assert!(!logs_in(server, ACME, "beta", ADMIN_PASSWORD), "a name leads to no other database");
    for (client, other) in [("acme", "beta"), ("beta", "acme")] {
        let connect = ["runuser", "-u", client, "--", "psql", "-XAtqc", "SELECT 1", "-d"];
        let own = server.shell(&[connect.as_slice(), &[client]].concat());
        assert_eq!(own.ok().trim(), "1");
        let refused = server.shell(&[connect.as_slice(), &[other]].concat());
        assert!(refused.stderr.contains("permission denied for database"), "{refused:?}");
        let files = format!("/var/lib/odoo/{other}.somosblink.com/filestore");
        let look = server.shell(&["runuser", "-u", client, "--", "ls", &files]);
        assert!(look.stderr.contains("Permission denied"), "{look:?}");
    }
}

/// The role's password stands in odoo.conf, and admin's nowhere.
fn secrets_are_where_they_belong(server: &Server) {
    let places = "/etc /opt /home /root /run /srv /tmp /usr/local /var";
    let found = server
        .script(&format!("grep -rIl -s -D skip 'Kanari[0]' {places}; journalctl -a --no-pager | grep 'Kanari[0]'; true"))
        .ok();
    let belongs = |line: &str| {
        line.starts_with("/opt/odoo/acme.somosblink.com/releases/") && line.ends_with("/odoo.conf")
    };
    assert!(!found.is_empty() && found.lines().all(belongs), "{found}");
}

#[test]
fn a_first_deploy_that_fails_or_dies_leaves_the_server_as_it_was() {
    let world = World::fresh("stillborn");
    let server = world.server();
    // All that fails is logged: the worst case for a password.
    server.psql("postgres", "ALTER SYSTEM SET log_statement = 'all'");
    server.psql("postgres", "SELECT pg_reload_conf()");
    add_host(
        &world,
        "acme",
        8301,
        "db_host = localhost\ndb_user = acme\ndb_password = ${ACME_DB_PASSWORD}\n",
    );
    world.edit(&world.host_conf(ACME), "install = base, web", "install = base, taller_roto");
    world.write(
        &format!("{BROKEN}/__manifest__.py"),
        "{'name': 'Roto', 'version': '1.0', 'depends': ['base'], 'license': 'LGPL-3',\n \
         'post_init_hook': 'fail'}\n",
    );
    world.write(
        &format!("{BROKEN}/__init__.py"),
        "def fail(env):\n    raise ValueError('this module never installs')\n",
    );
    world.commit("Add a client whose module fails");
    run(&world, &["--host", ACME]).expect_code(7).expect_said("this module never installs");
    assert_eq!(traces(server, "acme"), "");

    let journal = journal(server);
    let entry = |kind: &str, title: &str| {
        let is = |line: &&str| line.contains(kind) && line.contains(title);
        1 + journal.lines().position(|line| is(&line)).unwrap_or_else(|| panic!("{journal}"))
    };
    let points = [
        entry("\"before\"", "create system user"),
        entry("\"after\"", "create system user"),
        entry("\"before\"", "create PostgreSQL role"),
        entry("\"after\"", "create PostgreSQL role"),
        // Behind the installation the password is set.
        entry("\"before\"", "install base") + 3,
    ];
    world.edit(&world.host_conf(ACME), "install = base, taller_roto", "install = base");
    world.commit("Leave the module out");
    for point in points {
        kill_at(&world, point);
        assert_eq!(traces(server, "acme"), "", "killed at {point}");
    }
    let log = server.script("cat /var/log/postgresql/*.log").ok();
    assert!(log.contains("CREATE ROLE") && !log.contains(CORE), "the verifier is logged at most");
    run(&world, &["--host", ACME]).expect_code(0);
    assert!(logs_in(server, ACME, "acme", ADMIN_PASSWORD));
}

/// Reads the newest journal of the host.
fn journal(server: &Server) -> String {
    let newest =
        "cd /opt/odoo/acme.somosblink.com/journal && cat \"$(ls | sort | tail -1)/journal\"";
    server.script(newest).ok()
}

/// Kills a first deploy behind an entry of its journal, and waits for the end of its recovery.
fn kill_at(world: &World, entry: usize) {
    let server = world.server();
    let base = server.path(format!("/opt/odoo/{ACME}"));
    fs::write(base.join("pause-at"), entry.to_string()).unwrap();
    let mut deploy = command(world, &["--host", ACME]);
    let deploy = deploy.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_until("the deploy stands still", |_| base.join("paused").exists());
    server.script("systemctl kill --kill-whom=main --signal=SIGKILL 'deploytx-*'").ok();
    fs::remove_file(base.join("paused")).unwrap();
    let run = Run::of(&deploy.wait_with_output().unwrap());
    assert!([6, 7].contains(&run.code), "{run:?}");
    fs::remove_file(base.join("pause-at")).unwrap();
}
