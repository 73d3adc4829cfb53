//! What an operator can ask of a host: how it is, what was deployed, what is logged.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::{
    interrupt::signal,
    revert::VIEWS,
    world::{HOST, SECRET, World},
};

/// Counts the sessions of the agent on the server.
pub(crate) fn sessions(world: &World) -> usize {
    let list = world.server().shell(&["ps", "-eo", "args="]).ok();
    list.lines().filter(|line| *line == "/usr/local/lib/odoo-deploy/deploy agent").count()
}

#[test]
fn an_operator_sees_what_runs_what_was_deployed_and_what_odoo_wrote() {
    let world = World::deployed("ops");
    world.write("custom-addons/taller_portal/controllers/main.py", "def broken(:\n");
    let broken = world.commit("Break the portal");
    world.deploy(&[]).expect_code(6);

    let history = world.run(&["history", "--host", HOST, "--json"]).expect_code(0);
    let outcomes: Vec<_> = history.events.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["refused", "deployed"]);
    assert_eq!(history.events[0]["subject"], "Break the portal");
    assert_eq!(history.events[1]["release"], 1);
    let limited = world.run(&["history", "--host", HOST, "--limit", "1"]).expect_code(0);
    assert!(limited.stdout.contains("refused") && !limited.stdout.contains("deployed"));

    let status = world.run(&["status", "--host", HOST, "--json"]).expect_code(0);
    let status = status.event("status");
    assert_eq!(status["release"], 1);
    assert_eq!(status["health"]["health"], "well", "{status}");
    assert_eq!(status["service"], "active");
    assert_eq!(status["last"]["outcome"], "refused");
    let commits = status["pending"]["commits"]["commits"].as_array().unwrap();
    assert_eq!(commits[0]["id"], broken);
    assert!(status["lock"].is_null() && status["unfinished"].is_null(), "{status}");
    let text = world.run(&["status", "--host", HOST]).expect_code(0);
    text.expect_said("well").expect_said("Break the portal").expect_said("certificate  none");

    world.server().shell(&["systemctl", "stop", &format!("odoo-{HOST}")]).ok();
    let status = world.run(&["status", "--host", HOST, "--json"]).expect_code(0);
    assert_eq!(status.event("status")["health"]["health"], "unwell");
    world.server().shell(&["systemctl", "start", &format!("odoo-{HOST}")]).ok();
    world.server().wait_until_served();

    world.server().odoo_get(&format!("/web/login?token={SECRET}"));
    let logs = world.run(&["logs", "--host", HOST, "--odoo", "--lines", "30"]).expect_code(0);
    logs.expect_said("/web/login?token=********");
    let logs = world.run(&["logs", "--host", HOST, "--deploys"]).expect_code(0);
    logs.expect_said("ended: refused").expect_said("ended: deployed");
    world.run(&["lock", "status", "--host", HOST]).expect_code(0).expect_said("the lock is free");
}

#[test]
fn the_certificate_of_the_vhost_is_watched() {
    let world = World::deployed("certificate");
    let script = format!(
        "set -e; openssl req -x509 -newkey rsa:2048 -nodes -days 40 -subj /CN=x \
           -keyout /etc/x.key -out /etc/x.pem 2>/dev/null
         sed -i '0,/listen/s||ssl_certificate /etc/x.pem; ssl_certificate_key /etc/x.key; listen|' \
           /etc/nginx/sites-enabled/{HOST}; grep -q 'ssl_certificate ' /etc/nginx/sites-enabled/{HOST}"
    );
    world.server().script(&script).ok();
    let status = world.run(&["status", "--host", HOST, "--json"]).expect_code(0);
    let certificate = &status.event("status")["certificate"];
    assert_eq!(certificate["path"], "/etc/x.pem", "{certificate}");
    assert!(certificate["until"].as_i64().is_some(), "{certificate}");
    world.run(&["status", "--host", HOST]).expect_said("valid until").expect_said("39 days");
}

#[test]
fn followed_logs_end_with_whoever_follows() {
    let world = World::deployed("logs");
    for ending in ["INT", "TERM", "KILL"] {
        let arguments = ["logs", "--host", HOST, "--follow", "--lines", "0"];
        let mut child =
            world.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let marker = format!("/web/login?marker={ending}");
        let begun = Instant::now();
        thread::scope(|scope| {
            let seen = scope.spawn(|| lines.any(|line| line.unwrap().contains(&marker)));
            while !seen.is_finished() {
                assert!(begun.elapsed() < Duration::from_secs(60), "{marker} never came");
                world.server().odoo_get(&marker);
                thread::sleep(Duration::from_millis(500));
            }
            assert!(seen.join().unwrap());
        });
        assert_eq!(sessions(&world), 1);
        signal(child.id(), ending);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), if ending == "KILL" { None } else { Some(0) }, "{ending}");
        world.server().wait_until("the agent ended", |_| sessions(&world) == 0);
    }
}

#[test]
fn every_host_is_asked_over_one_connection_and_one_that_is_down_is_named() {
    let world = World::deployed("fleet");
    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Make a column optional");
    let run = world.run(&["status"]);
    // The other servers of the sample platform do not exist.
    let run = run.expect_code(5).expect_said("well, ");
    run.expect_said("not asked").expect_said("failed to reach server aws-1");
}
