//! Hooks through the real binary, as far as they run without a server.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::platform::Platform;

#[test]
fn the_hook_before_the_plan_gets_the_request_and_no_secret() {
    let platform = Platform::unreachable();
    platform.write("config/secrets.env", "FROM_FILE=geheim-1\n");
    platform.configure("[notify.team]\nwebhook = \"${CHAT}\"\non = [\"unchanged\"]");
    platform.program(
        "deployment/hooks/before-plan",
        "cat; echo; pwd; echo geheim-3 geheim-2; env | grep -e ^FROM_FILE -e ^CHAT -e ^COPY -e ^KEEP -e ^ODOO",
    );
    let variables = [
        ("FROM_FILE", "geheim-2"),
        ("CHAT", "http://127.0.0.1:1/geheim-3"),
        ("COPY", "x geheim-2 x"),
        ("KEEP", "this"),
    ];
    let run = platform.deploy(&["--message", "as agreed", "--json"], &variables);
    let lines = run.events.iter().filter(|event| event["event"] == "hook");
    let lines = lines.map(|event| event["text"].as_str().unwrap()).collect::<Vec<_>>();
    let request: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(request["host"], "demo.somosblink.com");
    assert_eq!(request["action"], "deploy");
    assert_eq!(request["message"], "as agreed");
    assert_eq!(request["branch"], serde_json::Value::Null);
    let root = platform.root().canonicalize().unwrap();
    let rest = lines[1..].iter().filter(|line| !line.is_empty()).copied().collect::<Vec<_>>();
    assert_eq!(rest[0], root.to_str().unwrap());
    assert_eq!(rest[1], "geheim-3 ********");
    let mut environment = rest[2..].to_vec();
    environment.sort_unstable();
    assert_eq!(environment, ["KEEP=this", "ODOO_DEPLOY_HOOK=before-plan"]);
    assert!(run.said.contains("before-plan | geheim-3 ********"), "{}", run.said);
    assert_eq!(run.code, 5, "the server does not answer: {}", run.said);
}

#[test]
fn a_hook_before_the_plan_refuses_before_anything_is_looked_at() {
    let platform = Platform::unreachable();
    platform.program("deployment/hooks/before-plan", "echo frozen until Monday >&2; exit 3");
    let run = platform.deploy(&[], &[]).expect(6, "before-plan | frozen until Monday");
    let run = run.expect(6, "error: hook `before-plan` failed: it ended with status 3");
    let run = run.expect(6, "nothing was touched");
    assert!(!run.said.contains("127.0.0.1"), "no server was asked: {}", run.said);
    platform.deploy(&["--no-hooks"], &[]).expect(5, "127.0.0.1");
}

#[test]
fn no_hook_runs_where_nothing_is_deployed() {
    let platform = Platform::unreachable();
    platform.program("deployment/hooks/before-plan", "exit 3");
    platform.deploy(&["--dry-run"], &[]).expect(5, "127.0.0.1");
    platform.run(&["plan", "--host", "demo.somosblink.com"]).expect(5, "127.0.0.1");
}

#[test]
fn a_rollback_runs_hooks_too() {
    let platform = Platform::unreachable();
    platform.program("deployment/hooks/before-plan", "grep -o '\"action\":\"[a-z]*\"'; exit 1");
    let run = platform.run(&["rollback", "--host", "demo.somosblink.com"]);
    run.expect(6, "before-plan | \"action\":\"rollback\"");
}

#[test]
fn the_hook_after_a_failure_hears_what_it_came_to_and_changes_nothing() {
    let platform = Platform::unreachable();
    platform
        .program("deployment/hooks/after-failure", "echo \"came to $ODOO_DEPLOY_RESULT\"; exit 9");
    platform.program("deployment/hooks/after-deploy", "echo deployed");
    let run = platform.deploy(&[], &[]).expect(5, "after-failure | came to unreachable");
    let run = run.expect(5, "warning: hook `after-failure` failed: it ended with status 9");
    assert!(!run.said.contains("after-deploy"), "{}", run.said);
}

#[test]
fn a_branch_that_is_fetched_runs_nothing() {
    let platform = Platform::unreachable();
    platform.program("deployment/hooks/before-plan", "echo from the branch");
    platform.program("deployment/hooks/after-failure", "echo from the branch");
    platform.publish();
    std::fs::remove_dir_all(platform.root().join("deployment")).unwrap();
    let run = platform.deploy(&[], &[]).expect(5, "127.0.0.1");
    assert!(!run.said.contains("from the branch"), "{}", run.said);
}

#[test]
fn a_hook_that_cannot_run_refuses() {
    let platform = Platform::unreachable();
    platform.write("deployment/hooks/before-plan", "#!/bin/sh\n");
    platform.deploy(&[], &[]).expect(6, "hook `before-plan` is no file that may be executed");
    std::fs::remove_file(platform.root().join("deployment/hooks/before-plan")).unwrap();
    std::os::unix::fs::symlink("/bin/true", platform.root().join("deployment/hooks/before-plan"))
        .unwrap();
    platform.deploy(&[], &[]).expect(6, "is a link that leads out of the repository");
}

#[test]
fn a_hook_has_as_much_time_as_is_written() {
    let platform = Platform::unreachable();
    platform.configure("[defaults]\nhook_timeout = \"1s\"");
    platform.program("deployment/hooks/before-plan", "sleep 60");
    let begun = Instant::now();
    platform.deploy(&[], &[]).expect(6, "hook `before-plan` was ended after 1 s");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn ctrl_c_ends_a_hook_and_the_deploy() {
    let platform = Platform::unreachable();
    platform.program("deployment/hooks/before-plan", "touch begun; (sleep 3; touch lived) & wait");
    let root = platform.root();
    let mut command =
        platform.command(&["-C", root.to_str().unwrap(), "--host", "demo.somosblink.com"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !root.join("begun").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the hook begins");
        thread::sleep(Duration::from_millis(50));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    thread::sleep(Duration::from_secs(4));
    assert!(!root.join("lived").exists(), "what the hook began is ended with it");
}
