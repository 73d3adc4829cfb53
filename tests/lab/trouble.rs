//! What goes wrong around a deploy: PostgreSQL, nginx, memory, time, the clock.

use std::{
    process::{Child, Stdio},
    thread,
};

use crate::{
    revert::{Before, VIEWS, add_migration, fails},
    world::{DATABASE, Run, World},
};

const BASE: &str = "/opt/odoo/demo.somosblink.com";
const CONF: &str = "config/hosts/demo.somosblink.com.conf";

/// Begins a deploy whose upgrade waits for [`let_go_on`].
fn upgrade_that_waits(world: &World) -> Child {
    add_migration(
        world,
        "end-wait.py",
        "import os\nimport time\n\n\ndef migrate(cr, version):\n\
         \x20   while not os.path.exists(\"/var/lib/odoo/go-on\"):\n\
         \x20       time.sleep(0.1)\n",
    );
    world.commit("Wait in a migration");
    // What an earlier one wrote is not what is waited for.
    world.server().script(&format!("rm -f {BASE}/journal/*/upgrade-*.log")).ok();
    let deploy =
        world.deploy_command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    world.server().wait_until("the migration waits", |server| {
        server.script(&format!("cat {BASE}/journal/*/upgrade-*.log")).stdout.contains("end-wait")
    });
    deploy
}

fn let_go_on(world: &World) {
    world.server().script("touch /var/lib/odoo/go-on").ok();
}

fn end(deploy: Child) -> Run {
    Run::of(&deploy.wait_with_output().unwrap())
}

#[test]
fn an_upgrade_that_never_ends_is_ended_at_its_time_limit() {
    let world = World::deployed("endless");
    world.edit(CONF, "[deploy]\n", "[deploy]\nupgrade_timeout = 8s\n");
    add_migration(
        &world,
        "post-sleep.py",
        "import time\n\n\ndef migrate(cr, version):\n    time.sleep(3600)\n",
    );
    world.commit("Never end");
    let before = Before::look(&world);
    before
        .is_back_with_its_database(&world, world.deploy(&[]))
        .expect_said("it took longer than allowed and was ended");
}

#[test]
fn an_upgrade_that_runs_out_of_memory_is_taken_back() {
    let world = World::deployed("memory");
    add_migration(
        &world,
        "post-eat.py",
        "import resource\n\n\ndef migrate(cr, version):\n\
         \x20   resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n\
         \x20   bytearray(1 << 30)\n",
    );
    fails(&world, "Eat memory").expect_said("MemoryError");
    // The kernel's own way to end it.
    add_migration(
        &world,
        "post-eat.py",
        "import os\n\n\ndef migrate(cr, version):\n    os.kill(os.getpid(), 9)\n",
    );
    fails(&world, "Be killed for it").expect_said("it was ended by signal 9");
}

#[test]
fn a_postgresql_that_restarts_in_an_upgrade_costs_no_data() {
    let world = World::deployed("pgrestart");
    let before = Before::look(&world);
    let deploy = upgrade_that_waits(&world);
    world.server().script("systemctl restart postgresql").ok();
    let_go_on(&world);
    before.is_back_with_its_database(&world, end(deploy));
    // Once more, and away for longer than a step takes to fail.
    world.server().script("rm /var/lib/odoo/go-on").ok();
    world.git(&["revert", "--no-edit", "HEAD"]);
    let before = Before::look(&world);
    let deploy = upgrade_that_waits(&world);
    let away = "systemctl stop postgresql; sleep 8; systemctl start postgresql";
    world.server().shell(&["systemd-run", "--quiet", "--collect", "bash", "-c", away]).ok();
    world.server().wait_until("PostgreSQL is away", |server| {
        server.script("runuser -u postgres -- psql -c 'SELECT 1'").code != 0
    });
    let_go_on(&world);
    before.is_back_with_its_database(&world, end(deploy));
}

#[test]
fn a_host_whose_postgresql_is_gone_is_held_and_recovers_when_it_is_back() {
    let world = World::deployed("pggone");
    let before = Before::look(&world);
    let deploy = upgrade_that_waits(&world);
    world.server().script("systemctl stop postgresql").ok();
    let_go_on(&world);
    end(deploy).expect_code(8).expect_said("the server tries again every minute");
    let server = world.server();
    assert!(server.path(format!("{BASE}/hold")).exists());
    assert_eq!(server.get("/web/login").status, 503, "users see the maintenance page");
    server.script("systemctl start postgresql").ok();
    server.wait_until_served();
    server.wait_until("the hold is lifted", |_| !world.state().hold);
    world.plan(&[]).expect_code(0).expect_said("was cut off");
    let now = world.state();
    assert!(now.active && !now.hold && !now.maintenance, "{now:?}");
    assert_eq!(now.current, before.state().current);
    assert_eq!(world.database_content(DATABASE), before.content());
}

#[test]
fn a_postgresql_without_connections_to_spare_delays_the_way_back() {
    let world = World::deployed("pgfull");
    let before = Before::look(&world);
    let deploy = upgrade_that_waits(&world);
    let full = "runuser -u postgres -- psql -qc 'ALTER ROLE odoo CONNECTION LIMIT 0'
                pkill -KILL -f 'odoo.*--stop-after-init'
                sleep 6
                runuser -u postgres -- psql -qc 'ALTER ROLE odoo CONNECTION LIMIT -1'";
    world.server().script(full).ok();
    before.is_back_with_its_database(&world, end(deploy));
}

#[test]
fn an_nginx_that_refuses_to_reload_leaves_the_host_as_it_was() {
    let world = World::deployed("nginx");
    let server = world.server();
    world.edit(CONF, "[deploy.nginx]\n", "[deploy.nginx]\nclient_max_body_size = 77m\n");
    world.commit("Let users upload more");
    // Somebody else's file breaks between the check and the reload: nothing can be
    // checked any more, and nginx takes no new configuration.
    server
        .script(
            "mkdir -p /etc/systemd/system/nginx.service.d
             printf '[Service]\\nExecReload=\\nExecReload=/bin/false\\n' \\
               >/etc/systemd/system/nginx.service.d/broken.conf
             systemctl daemon-reload",
        )
        .ok();
    let vhost = "/etc/nginx/sites-enabled/demo.somosblink.com";
    let text = || std::fs::read_to_string(server.path(vhost)).unwrap();
    let before = text();
    let state = world.state();
    world.deploy(&[]).expect_code(7).expect_said("reload nginx");
    assert_eq!(text(), before);
    assert_eq!(world.state(), state);
    assert_eq!(server.get("/web/login").status, 200);
    server.script("rm -r /etc/systemd/system/nginx.service.d; systemctl daemon-reload").ok();
    world.deploy_ok(&[]);
    assert!(text().contains("77m"));
}

#[test]
fn deploys_at_the_same_instant_never_mix() {
    let world = World::deployed("instants");
    for round in 0..4 {
        world.edit(
            "custom-addons/taller_portal/controllers/main.py",
            "\"orders\": orders",
            &format!("\"round\": {round}, \"orders\": orders"),
        );
        world.commit("Say which round it is");
        let runs: Vec<Run> = thread::scope(|scope| {
            let deploy = || world.deploy(&["--branch", "demo"]);
            let three = [scope.spawn(deploy), scope.spawn(deploy), scope.spawn(deploy)];
            three.map(|one| one.join().unwrap()).into()
        });
        let codes: Vec<_> = runs.iter().map(|run| run.code).collect();
        assert!(codes.contains(&0), "{runs:?}");
        assert!(codes.iter().all(|code| [0, 4, 6].contains(code)), "{runs:?}");
        let state = world.state();
        assert!(state.active && !state.hold && !state.maintenance, "{state:?}");
        let live = state.current.and_then(|number| state.releases.get(&number).cloned());
        assert_eq!(live.as_deref(), Some("verified"), "{state:?}");
        let page = world.server().get("/taller/estado").body;
        assert!(page.contains(&format!("\"round\": {round}")), "{page}");
    }
}

#[test]
fn a_clock_that_was_set_back_changes_nothing() {
    let world = World::deployed("clock");
    let server = world.server();
    // All that was recorded until now lies an hour ahead.
    let ahead = format!(
        "cd {BASE}/journal
         for id in *; do
           later=$(date -u -d '+1 hour' +%Y%m%dT%H%M%SZ)-${{id##*-}}
           sed -i \"s/$id/$later/g\" $id/* ../history.jsonl
           mv $id $later
         done
         now=$(date +%s)
         sed -i -E \"s/\\\"since\\\":[0-9]+/\\\"since\\\":$((now + 3600))/\" ../history.jsonl"
    );
    server.script(&ahead).ok();
    for (round, from) in ["<field name=\"device\"/>", "optional=\"show\""].iter().enumerate() {
        let to = ["<field name=\"device\" optional=\"show\"/>", "optional=\"hide\""][round];
        world.edit(VIEWS, from, to);
        world.commit("Change a view");
        world.deploy_ok(&[]);
        assert_eq!(world.state().current, Some(u32::try_from(round).unwrap() + 2));
    }
    let attached = world.run(&["attach", "--host", crate::world::HOST, "--json"]);
    assert_eq!(attached.expect_code(0).event("result")["release"], 3);
    assert_eq!(world.state().releases.get(&3).map(String::as_str), Some("verified"));
}
