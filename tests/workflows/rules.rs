//! What holds for every workflow and action.

use std::{fs, io::Write as _, path::Path, process::Stdio};

use super::{
    runner::is_installed,
    workflow::{all, platform, read},
};

#[test]
fn no_expression_stands_in_a_script() {
    for path in all() {
        for step in read(&path).steps() {
            let script = step.run.as_deref().unwrap_or_default();
            assert!(!script.contains("${{"), "{}: {script}", path.display());
        }
    }
}

#[test]
fn what_others_wrote_is_pinned_to_a_commit() {
    for path in all() {
        for step in read(&path).steps() {
            let Some(uses) = &step.uses else { continue };
            let commit = uses.split_once('@').map(|(_, commit)| commit);
            let is_commit =
                |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(
                uses.starts_with("./") || commit.is_some_and(is_commit),
                "{}: {uses}",
                path.display()
            );
        }
    }
}

#[test]
fn a_checkout_leaves_no_token_behind() {
    for path in all() {
        for step in read(&path).steps() {
            if step.uses.as_deref().is_some_and(|uses| uses.starts_with("actions/checkout@")) {
                assert_eq!(step.with["persist-credentials"], false, "{}", path.display());
            }
        }
    }
}

#[test]
fn a_pull_request_is_given_nothing() {
    let plan = platform("workflows/plan.yml");
    let permissions = plan.permissions.unwrap();
    assert_eq!(permissions.into_iter().collect::<Vec<_>>(), [("contents".into(), "read".into())]);
    assert!(plan.jobs.values().all(|job| job.permissions.is_none()));
    let text = text("plan.yml");
    for secret in ["secrets.", "github.token", "pull_request_target", "environment:"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn who_may_comment_runs_nothing_of_the_pull_request() {
    let comment = platform("workflows/plan-comment.yml");
    assert_eq!(comment.permissions.as_ref().map(|none| none.len()), Some(0));
    let job = &comment.jobs["comment"];
    let may: Vec<_> = job.permissions.as_ref().unwrap().iter().collect();
    let may: Vec<_> = may.iter().map(|(name, level)| format!("{name}: {level}")).collect();
    assert_eq!(may, ["actions: read", "pull-requests: write"]);
    assert!(comment.steps().iter().all(|step| step.uses.is_none()));
    assert!(!text("plan-comment.yml").contains("secrets."));
}

fn text(name: &str) -> String {
    let directory = super::workflow::root().join("src/workflow/init/platform/workflows");
    let text = fs::read_to_string(directory.join(name)).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    if !is_installed(Path::new("shellcheck")) {
        return;
    }
    for path in all() {
        for step in read(&path).steps() {
            let Some(script) = &step.run else { continue };
            let mut shellcheck = std::process::Command::new("shellcheck")
                .args(["--shell=bash", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // As the runner starts bash.
            let script = format!("set -eo pipefail\n{script}");
            shellcheck.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            let output = shellcheck.wait_with_output().unwrap();
            let found = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{}, {}:\n{found}", path.display(), step.name);
        }
    }
}
