//! Hooks of a run over many hosts, and who hears of its end.
//!
//! No host is ever begun here: a hook before refuses each, or some.

use serde_json::Value;

use crate::platform::Platform;

/// Keeps what is on stdin, under the hook's name and a number of its own.
const KEEP: &str = "mkdir -p ../seen && cat >\"../seen/$ODOO_DEPLOY_HOOK.$$\"";
const ALL: [&str; 5] = ["--environment", "test", "--yes", "--json", "--max-parallel=1"];

fn hosts<'a>(seen: &'a [(String, Value)], hook: &str) -> Vec<&'a str> {
    let objects = seen.iter().filter(|(name, _)| name.starts_with(hook));
    let mut hosts: Vec<_> = objects.map(|(_, object)| object["host"].as_str().unwrap()).collect();
    hosts.sort_unstable();
    hosts
}

#[test]
fn hooks_run_for_each_host_with_its_own_plan() {
    let platform = Platform::new(3, 0);
    platform.hook("before-plan", KEEP);
    platform.hook("before-deploy", &format!("{KEEP}\necho wait for Monday; exit 4"));
    platform.hook("after-failure", &format!("{KEEP}\necho came to $ODOO_DEPLOY_RESULT; exit 9"));
    platform.hook("after-deploy", KEEP);
    let arguments = [&ALL[..], &["--on-failure", "continue", "--message", "as agreed"]].concat();
    let run = platform.run(&arguments);
    assert_eq!(run.code, 6, "all hosts were refused: {}", run.stderr);
    let every = ["h000.example.com", "h001.example.com", "h002.example.com"];
    let seen = platform.seen();
    for hook in ["before-plan", "before-deploy", "after-failure"] {
        assert_eq!(hosts(&seen, hook), every, "{hook}");
    }
    assert_eq!(hosts(&seen, "after-deploy"), [""; 0]);
    for (name, object) in &seen {
        if name.starts_with("before-plan") {
            assert_eq!(
                (&object["action"], &object["message"]),
                (&"deploy".into(), &"as agreed".into())
            );
        } else {
            assert_eq!(object["event"], "plan", "{name}: {object}");
            let planned = run.of("plan").into_iter().find(|plan| plan["host"] == object["host"]);
            assert_eq!(object["commit"], planned.unwrap()["commit"]);
        }
    }
    for host in every {
        assert!(
            run.stderr.contains(&format!("before-deploy | {host}: wait for Monday")),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.contains(&format!("after-failure | {host}: came to refused")),
            "{}",
            run.stderr
        );
        let warning =
            format!("warning: {host}: hook `after-failure` failed: it ended with status 9");
        assert!(run.stderr.contains(&warning), "{}", run.stderr);
    }
    let ends: Vec<_> = run.of("host-ended").iter().map(|host| host["end"].clone()).collect();
    assert_eq!(ends, ["refused"; 3], "a hook after changes nothing");
    assert!(!platform.path("server/opt/odoo-deploy/repo.git").exists(), "nothing was sent");
}

#[test]
fn a_host_that_the_hook_before_its_turn_refuses_ends_the_run() {
    let platform = Platform::new(3, 0);
    platform.hook("before-deploy", &format!("{KEEP}\nexit 4"));
    let run = platform.run(&ALL);
    assert_eq!(run.code, 9, "one refused, two not begun: {}", run.stderr);
    assert_eq!(hosts(&platform.seen(), "before-deploy"), ["h000.example.com"]);
    let result = run.of("fleet-result")[0];
    assert_eq!(result["stop"], "failed");
    let ends: Vec<_> = (0..3).map(|place| result["hosts"][place]["end"].clone()).collect();
    assert_eq!(ends, ["refused".into(), Value::Null, Value::Null]);
    let problem = result["hosts"][0]["problem"].as_str().unwrap();
    assert!(problem.contains("hook `before-deploy` failed: it ended with status 4"), "{problem}");
}

#[test]
fn a_host_that_the_hook_before_its_plan_refuses_keeps_the_run_from_beginning() {
    let platform = Platform::new(3, 0);
    platform.hook("before-plan", "! grep -q h001");
    platform.hook("before-deploy", &format!("{KEEP}\nexit 4"));
    let run = platform.run(&ALL);
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stderr.contains("nothing was touched on any host"), "{}", run.stderr);
    assert_eq!(run.of("plan").len(), 2, "the others were looked at");
    assert!(platform.seen().is_empty(), "no turn begins");

    let run = platform.run(&[&ALL[..], &["--max-failed", "2"]].concat());
    assert_eq!(hosts(&platform.seen(), "before-deploy"), ["h000.example.com", "h002.example.com"]);
    assert_eq!(run.code, 6, "each was refused: {}", run.stderr);
}

#[test]
fn hosts_that_begin_at_once_are_looked_at_once() {
    let platform = Platform::new(3, 0);
    platform.hook("before-deploy", &format!("{KEEP}\nexit 4"));
    let run = |at_once: &str, more: &[&str]| {
        let words = ["--on-failure", "continue", "--max-parallel", at_once, "--per-server", "3"];
        let all = ["--environment", "test", "--yes", "--json"];
        let run = platform.run(&[&all, &words[..], more].concat());
        assert_eq!(run.of("host-ended").len(), 3, "{}", run.stderr);
        platform.looks()
    };
    assert_eq!(run("3", &[]), 3);
    assert_eq!(run("1", &[]), 3 + 2, "two come later, and are looked at again");
    assert_eq!(run("3", &["--wait-lock", "1m"]), 3 + 3, "the wait is that of a new plan");
    assert_eq!(hosts(&platform.seen(), "before-deploy").len(), 9);
}

#[test]
fn no_hook_runs_in_a_plan_or_where_they_are_left_out() {
    let platform = Platform::new(2, 0);
    platform.hook("before-plan", &format!("{KEEP}\nexit 1"));
    let run = platform.run(&["plan", "--environment", "test"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = platform.run(&[&ALL[..], &["--dry-run"]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = platform.run(&[&ALL[..], &["--dry-run", "--no-hooks"]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(platform.seen().is_empty());
}

#[test]
fn the_desktop_hears_of_a_run_where_it_is_asked_to() {
    let platform = Platform::new(2, 0);
    platform.hook("before-deploy", "exit 4");
    // A desktop that is gone: what cannot be shown is said to who asked for it.
    let bus = format!("unix:path={}", platform.path("no-bus").display());
    let desktop = [("DBUS_SESSION_BUS_ADDRESS", bus.as_str())];
    let said = "warning: no desktop notification: ";
    let run = platform.run_with(&[&ALL[..], &["--notify"]].concat(), &desktop);
    assert_eq!((run.code, run.stderr.matches(said).count()), (9, 1), "{}", run.stderr);
    let run = platform.run_with(&["resume", "--yes", "--notify"], &desktop);
    assert_eq!((run.code, run.stderr.matches(said).count()), (9, 1), "{}", run.stderr);
    let run = platform.run_with(&ALL, &desktop);
    assert_eq!((run.code, run.stderr.matches(said).count()), (9, 0), "{}", run.stderr);
    let run = platform.run_with(&[&ALL[..], &["--dry-run", "--notify"]].concat(), &desktop);
    assert_eq!((run.code, run.stderr.matches(said).count()), (0, 0), "{}", run.stderr);
}
