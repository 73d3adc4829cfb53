//! The whole way: a machine with Debian and sshd becomes a server with two clients,
//! production and test each, who answer over HTTPS and do not see each other; and goes
//! back to a server without hosts.

#![expect(
    clippy::disallowed_methods,
    reason = "writes to stderr past the test runner, and runs the program with secrets"
)]

use std::{
    io::{self, Write},
    time::Instant,
};

use crate::{
    authority::Authority,
    lab::{Disk, Server, server_name},
    provision::login_call,
    world::{Run, World},
};

const CLIENTS: [&str; 2] = ["alfa", "beta"];
const DOMAIN: &str = "somosblink.com";
const ADMIN_PASSWORD: &str = "Kanari0-adm-\"in' $x";

/// A host as `deploy client add` made it, by the templates.
struct Instance {
    hostname: String,
    database: String,
    user: String,
}

/// Production and test of each client.
fn instances() -> Vec<Instance> {
    let of = |client: &str, environment: &str| {
        let suffix = if environment == "test" { "-test" } else { "" };
        Instance {
            hostname: format!("{client}{suffix}.{DOMAIN}"),
            database: format!("{client}-{}", if environment == "test" { "test" } else { "prod" }),
            user: format!("{client}{suffix}"),
        }
    };
    CLIENTS.iter().flat_map(|client| [of(client, "production"), of(client, "test")]).collect()
}

/// The server that is set up, and beside it the one with the authority and the zone.
struct Scene<'a> {
    world: &'a World,
    /// Where the name server and the authority are, and a browser.
    beside: &'a Server,
    authority: Authority<'a>,
}

impl<'a> Scene<'a> {
    fn set(world: &'a World, beside: &'a Server) -> Self {
        let authority = Authority::start(beside);
        world.write("config/lab.crt", &authority.root);
        let acme =
            format!("[acme]\ndirectory = \"{}\"\nca = \"config/lab.crt\"", authority.directory);
        world.edit("config/deploy.toml", "[acme]", &acme);
        let zone = format!("{}[clients]", authority.names.settings());
        world.edit("config/deploy.toml", "[clients]", &zone);
        let mut secrets = format!("DNS_KEY={}\n", authority.names.secret);
        for client in CLIENTS {
            let client = client.to_uppercase();
            for name in
                [format!("{client}_ADMIN_PASSWORD"), format!("{client}_TEST_ADMIN_PASSWORD")]
            {
                secrets.push_str(&format!("{name}={ADMIN_PASSWORD}\n"));
            }
        }
        world.write("config/secrets.env", &secrets);
        world.commit("Name the authority and the name server");
        Self { world, beside, authority }
    }

    fn server(&self) -> &Server {
        self.world.server()
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Run {
        let run = self.world.run(arguments);
        for said in [&run.stdout, &run.stderr] {
            assert!(!said.contains("Kanari0"), "a secret of {arguments:?}:\n{said}");
        }
        run
    }

    fn deploy(&self, host: &str, more: &[&str]) -> Run {
        self.run(&[&["--host", host, "--yes"], more].concat())
    }

    /// Brings what is committed to the branches of production and test.
    fn push(&self) {
        self.world.git(&["push", "-q", "origin", "HEAD:main", "HEAD:test"]);
        self.world.git(&["fetch", "-q", "origin", "main:main", "test:test"]);
    }

    /// Asks as a browser does that trusts what the authority issues: the address is the one
    /// that the zone names.
    fn browse(&self, host: &str, path: &str, more: &[&str]) -> String {
        let address = self.authority.names.dig(host, "A");
        let resolve = format!("{host}:443:{address}");
        let url = format!("https://{host}{path}");
        let curl = ["curl", "-sS", "--cacert", "/root/issued.pem", "--resolve", &resolve, &url];
        let answer = self.beside.shell(&[&curl[..], more].concat());
        answer.stdout + &answer.stderr
    }

    fn status(&self, host: &str, path: &str) -> String {
        self.browse(host, path, &["-o", "/dev/null", "-w", "%{http_code}"])
    }

    /// Logs in as admin, and says whether that worked.
    fn logs_in(&self, host: &str, database: &str, password: &str) -> bool {
        let call = login_call(database, password);
        std::fs::write(self.beside.path("/root/login.json"), call).unwrap();
        let json = ["-H", "Content-Type: application/json", "-d", "@/root/login.json"];
        let answer = self.browse(host, "/web/session/authenticate", &json);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["result"]["uid"].as_u64().is_some()
    }

    /// Everything on the server that a command of the tool may change: equal texts are
    /// equal servers.
    fn everything(&self) -> String {
        let script = "cd /; find etc opt usr/local var/backups -xdev -type f ! -path etc/.pwd.lock \
            -printf '%p %m %u ' -exec sha256sum {} \\; | sort; getent passwd; \
            find etc opt -xdev \\( -type l -o -type d \\) | sort; ls var/lib/odoo var/log/odoo; \
            systemctl show --property=Id,MainPID,ActiveState 'odoo-*' nginx postgresql@17-main; \
            runuser -u postgres -- psql -XAtqc 'SELECT rolname FROM pg_roles UNION ALL \
              SELECT datname FROM pg_database ORDER BY 1'";
        self.server().script(script).ok() + &self.authority.names.zone()
    }
}

#[test]
fn a_bare_machine_becomes_a_server_of_two_clients_and_is_empty_again() {
    let world = World::bare("from-bare");
    let beside = Server::boot(&server_name("from-bare-beside"), "base", Disk::Folder, None);
    let scene = Scene::set(&world, &beside);
    let begun = Instant::now();
    scene.run(&["server", "setup", "--server", "vps-1", "--yes"]).expect_code(0);
    let set_up = begun.elapsed();
    for client in CLIENTS {
        add(&scene, client);
    }
    scene.world.commit("Add two clients");
    scene.push();
    let without_hosts = traces(&scene);

    let all = instances();
    scene.authority.trust(&beside);
    scene.deploy(&all[0].hostname, &[]).expect_code(0);
    assert_eq!(scene.status(&all[0].hostname, "/web/login"), "200");
    let answered = begun.elapsed();
    writeln!(
        io::stderr(),
        "from a bare machine to a server that is set up: {} s; to the first client that \
         answers over HTTPS: {} s",
        set_up.as_secs(),
        answered.as_secs()
    )
    .unwrap();
    for instance in &all[1..] {
        scene.deploy(&instance.hostname, &[]).expect_code(0);
    }

    all.iter().for_each(|instance| keeps_to_itself(&scene, instance, &all));
    nothing_is_left_to_do(&scene, &all);
    refusals_touch_nothing(&scene);
    for client in CLIENTS {
        scene.run(&["client", "remove", client, "--confirm", client]).expect_code(0);
    }
    assert_same(&without_hosts, &traces(&scene));
}

fn add(scene: &Scene<'_>, client: &str) {
    let both = ["client", "add", client, "--environment", "production,test", "--server", "vps-1"];
    scene.run(&both).expect_code(0);
}

/// A host answers with its own database over HTTPS, and nobody sees another's.
fn keeps_to_itself(scene: &Scene<'_>, own: &Instance, all: &[Instance]) {
    let Instance { hostname, database, user } = own;
    let address = scene.server().address();
    assert_eq!(scene.authority.names.dig(hostname, "A"), address);
    assert_eq!(scene.status(hostname, "/web/login"), "200");
    for closed in ["/web/database/manager", "/web/database/selector", "/web/database/list"] {
        assert_ne!(scene.status(hostname, closed), "200", "{hostname}{closed}");
    }
    assert!(scene.logs_in(hostname, database, ADMIN_PASSWORD));
    assert!(!scene.logs_in(hostname, database, "admin"));
    for other in all.iter().filter(|other| other.hostname != *hostname) {
        let seen = scene.logs_in(hostname, &other.database, ADMIN_PASSWORD);
        assert!(!seen, "{hostname} leads to {}", other.database);
        let connect = ["runuser", "-u", user, "--", "psql", "-XAtqc", "SELECT 1", "-d"];
        let refused = scene.server().shell(&[&connect[..], &[&other.database]].concat());
        assert!(refused.stderr.contains("permission denied for database"), "{refused:?}");
        let files = format!("/var/lib/odoo/{}/filestore", other.user);
        let look = scene.server().shell(&["runuser", "-u", user, "--", "ls", &files]);
        assert!(look.stderr.contains("Permission denied"), "{look:?}");
        let conf = format!("/etc/odoo/{}.conf", other.hostname);
        let look = scene.server().shell(&["runuser", "-u", user, "--", "cat", &conf]);
        assert!(look.stderr.contains("Permission denied"), "{look:?}");
    }
}

/// Everything once more: the server, the zone and the repository stay as they are.
fn nothing_is_left_to_do(scene: &Scene<'_>, all: &[Instance]) {
    let before = scene.everything();
    scene
        .run(&["server", "setup", "--server", "vps-1", "--yes"])
        .expect_code(0)
        .expect_said("nothing to do");
    for client in CLIENTS {
        let again = ["client", "add", client, "--server", "vps-1"];
        scene.run(&again).expect_code(2).expect_said("already");
    }
    for instance in all {
        scene.deploy(&instance.hostname, &[]).expect_code(0).expect_said("nothing to do");
    }
    assert_eq!(scene.world.git(&["status", "--porcelain"]), "");
    assert_same(&before, &scene.everything());
    assert_eq!(scene.authority.issued(), all.len());
}

/// What cannot be is said, and the server, the zone and the repository stay as they are.
fn refusals_touch_nothing(scene: &Scene<'_>) {
    let before = scene.everything();
    for (name, said) in [("www", "reserved"), ("a_b", "cannot be a client's name")] {
        scene.run(&["client", "add", name, "--server", "vps-1"]).expect_code(2).expect_said(said);
    }
    assert_eq!(scene.world.git(&["status", "--porcelain"]), "");

    // A third client, and one thing after the other that is wrong with it.
    add(scene, "gamma");
    let host = format!("gamma.{DOMAIN}");
    let conf = scene.world.host_conf(&host);
    let commit = |why: &str| {
        scene.world.commit(why);
        scene.push();
    };
    commit("Add a third client");
    let run = scene.deploy(&host, &[]).expect_code(2);
    run.expect_said("no value for `GAMMA_ADMIN_PASSWORD`");

    let secrets = scene.world.read("config/secrets.env");
    let secrets = format!("{secrets}GAMMA_ADMIN_PASSWORD={ADMIN_PASSWORD}\n");
    scene.world.write("config/secrets.env", &secrets);
    scene.authority.names.point(&host, "198.51.100.7");
    let run = scene.deploy(&host, &[]).expect_code(6);
    run.expect_said("leads elsewhere in the DNS: A 198.51.100.7 (not made by this tool)");
    scene.authority.names.update(&format!("update delete {host} A"));

    let port = scene.world.read(&conf);
    let port = port.lines().find(|line| line.starts_with("http_port")).unwrap();
    let taken = scene.world.read(&scene.world.host_conf(&instances()[0].hostname));
    let taken = taken.lines().find(|line| line.starts_with("http_port")).unwrap();
    scene.world.edit(&conf, port, taken);
    commit("Give it the port of another");
    let run = scene.deploy(&host, &[]).expect_code(6);
    run.expect_said("alfa.somosblink.com on the same server already has port");
    assert_same(&before, &scene.everything());

    scene.world.git(&["rm", "-q", &conf, &scene.world.host_conf(&format!("gamma-test.{DOMAIN}"))]);
    commit("No third client");
}

/// Shows the lines that differ only: the texts are long.
#[track_caller]
fn assert_same(before: &str, after: &str) {
    let differs = |one: &str, other: &str| {
        let other: std::collections::BTreeSet<_> = other.lines().collect();
        one.lines().filter(|line| !other.contains(line)).collect::<Vec<_>>().join("\n")
    };
    assert_eq!((differs(before, after), differs(after, before)), Default::default());
}

/// What is on the server and in the zone of any client. Archives are left out, and the copies
/// that Debian keeps of its accounts as they were before the last change (`/etc/passwd-`).
fn traces(scene: &Scene<'_>) -> String {
    let script =
        "find / -xdev \\( -name '*alfa*.somosblink.com*' -o -name '*beta*.somosblink.com*' \
          -o -name 'alfa*' -o -name 'beta*' \\) \
          -not -path '/proc/*' -not -path '/sys/*' -not -path '/usr/*' -not -path '/var/backups/*'
        getent passwd; getent group; ls -A /var/lib/odoo /opt/odoo /var/log/odoo /etc/odoo
        runuser -u postgres -- psql -XAtqc 'SELECT datname FROM pg_database ORDER BY 1'
        runuser -u postgres -- psql -XAtqc 'SELECT rolname FROM pg_roles ORDER BY 1'
        systemctl list-units --all --plain --no-legend 'odoo-*' 'deploytx-*' 'deployrm-*'
        grep -rl -e 'alfa' -e 'beta[.-]' --exclude='*-' /etc 2>/dev/null; true";
    scene.server().script(script).ok() + &scene.authority.names.zone()
}
