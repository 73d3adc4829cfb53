//! A bare server becomes one that carries hosts, stays so, and says what is wrong with it.

use std::collections::BTreeMap;

use crate::{
    lab::{Server, ask},
    world::{HOST, Run, World},
};

const SERVER: &str = "vps-1";

fn server(world: &World, command: &str, arguments: &[&str]) -> Run {
    world.run(&[&["server", command, "--server", SERVER], arguments].concat())
}

/// The steps that a setup would take.
fn steps(world: &World) -> Vec<String> {
    let run = server(world, "setup", &["--check", "--json"]);
    let steps = run.event("setup-plan")["steps"].as_array().unwrap().clone();
    assert_eq!(run.code, if steps.is_empty() { 0 } else { 3 }, "{steps:?}");
    steps.iter().map(|step| step.as_str().unwrap().to_owned()).collect()
}

/// What the doctor finds, by what it is about, and how it is mended.
fn findings(world: &World) -> BTreeMap<String, String> {
    let run = server(world, "doctor", &["--json"]);
    let found: BTreeMap<_, _> = run
        .events
        .iter()
        .filter(|event| event["event"] == "diagnosis")
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap().to_owned();
            (text("about"), format!("{} -> {}", text("message"), text("remedy")))
        })
        .collect();
    assert_eq!(run.code, if found.is_empty() { 0 } else { 3 }, "{found:?}");
    found
}

/// Every file of configuration and every package: equal texts are equal servers.
fn state_of(server: &Server) -> String {
    let script = "cd /; find etc opt usr/local var/lib/odoo var/log/odoo -xdev \
        \\( -type f -o -type l -o -type d \\) ! -path etc/.pwd.lock \
        -printf '%p %y %m %u %l\\n' | sort; \
        find etc usr/local -xdev -type f -exec sha256sum {} + | sort -k2; \
        dpkg-query -W; systemctl list-unit-files --no-legend --no-pager";
    server.script(script).ok()
}

#[test]
fn a_bare_server_is_set_up_once_and_then_carries_a_host() {
    let world = World::bare("setup");
    let machine = world.server();
    let only = "odoo = [\"19.0\"]\nenvironments = [\"demo\"]";
    world.edit("config/deploy.toml", "odoo = [\"19.0\"]", only);

    let before = packages(machine);
    let planned = steps(&world);
    assert!(planned.iter().any(|step| step == "install Odoo 19.0: package odoo-19"), "{planned:?}");
    server(&world, "setup", &[]).expect_code(2).expect_said("give `--yes`");
    assert_eq!(packages(machine), before);
    assert!(!machine.path("/etc/nginx").exists() && !machine.path("/opt/odoo").exists());

    let run = server(&world, "setup", &["--yes", "--json"]).expect_code(0);
    assert_eq!(run.event("setup")["outcome"], "done");
    assert_eq!(run.event("started")["steps"], planned.len());
    expect_prepared(machine);

    let after = state_of(machine);
    server(&world, "setup", &["--yes"]).expect_code(0).expect_said("nothing to do");
    assert_eq!(state_of(machine), after);
    assert_eq!(findings(&world), BTreeMap::new());

    world.deploy_ok(&["--branch", "demo"]).expect_said("release 1 is live");
    world.server().wait_until_served();
    // An unknown name is hung up on, so that no host answers for another.
    assert!(ask(machine.address(), "nobody.example", "/").is_err());
    assert_eq!(findings(&world), BTreeMap::new());

    drift_is_shown_and_mended(&world);
    the_doctor_names_the_remedy_of_planted_faults(&world);
}

fn packages(server: &Server) -> String {
    server.shell(&["dpkg-query", "-W"]).ok()
}

/// The promises of a setup, as the server's own programs see them.
fn expect_prepared(server: &Server) {
    let said = |script: &str| server.script(script).ok();
    let firewall = said("ufw status verbose");
    for rule in ["Status: active", "deny (incoming)", "22/tcp", "80/tcp", "443/tcp"] {
        assert!(firewall.contains(rule), "{rule}:\n{firewall}");
    }
    let units = ["postgresql@17-main", "nginx", "fail2ban", "certbot.timer", "logrotate.timer"];
    for unit in units {
        assert_eq!(said(&format!("systemctl is-active {unit}")).trim(), "active", "{unit}");
    }
    assert_eq!(server.shell(&["systemctl", "is-enabled", "odoo"]).stdout.trim(), "masked");
    assert!(said("fail2ban-client status sshd").contains("Banned IP list"));
    let rotation = said("logrotate --debug /etc/logrotate.conf 2>&1");
    let own = rotation.lines().find(|line| line.contains("/var/log/odoo/*.log after 1 days"));
    assert!(own.is_some_and(|line| line.contains("(7 rotations)")), "{rotation}");
    assert!(!rotation.contains("duplicate"), "{rotation}");
    assert!(said("apt-config dump").contains("APT::Periodic::Unattended-Upgrade \"1\""));
    let shown = server.psql(
        "postgres",
        "SELECT name, setting, pending_restart FROM pg_settings \
        WHERE sourcefile LIKE '%odoo-deploy.conf' AND name = 'shared_buffers'",
    );
    assert!(shown.starts_with("shared_buffers|") && shown.ends_with("|f"), "{shown}");
    assert_eq!(
        server.psql("postgres", "SELECT rolcreatedb FROM pg_roles WHERE rolname = 'odoo'"),
        "t"
    );
    // Without what the hoster gave it, the login may run the agent as root and nothing else.
    let script = "mv /etc/sudoers.d/deploy /root/; \
        runuser -u deploy -- sudo -n /usr/local/lib/odoo-deploy/deploy agent </dev/null && \
        ! runuser -u deploy -- sudo -n id && \
        ! runuser -u deploy -- sudo -n /usr/local/lib/odoo-deploy/deploy agent recover; \
        code=$?; mv /root/deploy /etc/sudoers.d/; exit $code";
    assert_eq!(server.script(script).code, 0);
}

fn drift_is_shown_and_mended(world: &World) {
    let script = "sed -i 's/444/404/' /etc/nginx/conf.d/odoo-deploy.conf; \
        systemctl stop fail2ban; apt-get -qq -y purge certbot >/dev/null 2>&1; \
        ufw delete allow 443/tcp; rm /etc/sudoers.d/odoo-deploy";
    world.server().script(script).ok();
    let planned = steps(world).join("\n");
    for part in [
        "install certbot",
        "configure nginx: /etc/nginx/conf.d/odoo-deploy.conf",
        "configure sudo",
        "enable and start fail2ban.service",
        "close every port but 22, 80, 443",
    ] {
        assert!(planned.contains(part), "no `{part}`:\n{planned}");
    }
    let run = server(world, "setup", &["--check"]).expect_code(3);
    run.expect_said("-    return 404;").expect_said("+    return 444;");
    server(world, "setup", &["--yes"]).expect_code(0);
    assert_eq!(steps(world), Vec::<String>::new());
    world.server().wait_until_served();
}

fn the_doctor_names_the_remedy_of_planted_faults(world: &World) {
    let machine = world.server();
    // What nginx would not start with is not put in place by a setup, either.
    let script = "echo 'nonsense on;' >/etc/nginx/conf.d/x.conf; \
        echo '# edited' >>/etc/nginx/conf.d/odoo-deploy.conf; \
        systemctl stop postgresql@17-main; \
        mount -t tmpfs -o size=4M none /var/lib/odoo; \
        systemd-run -q --unit=planted false; sleep 1";
    machine.script(script).ok();
    let edited = machine.script("cat /etc/nginx/conf.d/odoo-deploy.conf").ok();
    let found = findings(world);
    for (about, part) in [
        ("nginx", "unknown directive \"nonsense\""),
        ("nginx", "systemctl reload nginx"),
        ("postgresql", "systemctl restart postgresql"),
        ("disk", "the disk of /var/lib/odoo is full"),
        ("units", "`journalctl -u planted.service -n 50` says why"),
    ] {
        assert!(found.get(about).is_some_and(|text| text.contains(part)), "{part}: {found:#?}");
    }
    let run = server(world, "setup", &["--yes"]).expect_code(8);
    run.expect_said("nginx rejects the configuration").expect_said("nonsense");
    assert_eq!(machine.script("cat /etc/nginx/conf.d/odoo-deploy.conf").ok(), edited);

    let script = "rm /etc/nginx/conf.d/x.conf; umount /var/lib/odoo; \
        systemctl reset-failed planted";
    machine.script(script).ok();
    server(world, "setup", &["--yes"]).expect_code(0);
    let unit = format!("odoo-{HOST}");
    machine.shell(&["systemctl", "restart", &unit]).ok();
    machine.wait_until_served();
    assert_eq!(findings(world), BTreeMap::new());
}
