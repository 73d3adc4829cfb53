use std::{future::pending, path::Path, time::Instant};

use super::*;

/// A directory with a script, which runs as a hook.
struct Script {
    directory: tempfile::TempDir,
    run: HookRun,
}

impl Script {
    /// Writes the script by a process of its own: a file that is open for writing cannot be
    /// run, and a test beside this one may just have inherited it.
    async fn new(body: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("hook");
        let mut install = Command::new("install");
        install.args(["-m", "755", "/dev/stdin"]).arg(&program).stdin(Stdio::piped());
        let mut child = install.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("#!/bin/sh\n{body}").as_bytes()).await.unwrap();
        drop(stdin);
        assert!(child.wait().await.unwrap().success());
        let run = HookRun {
            hook: Hook::BeforeDeploy,
            program,
            directory: directory.path().canonicalize().unwrap(),
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            input: "{\"host\":\"demo\"}\n".to_owned(),
            limit: Duration::from_secs(30),
        };
        Self { directory, run }
    }

    async fn until(&self, stop: impl Future<Output = ()>) -> (Result<(), HookError>, Vec<String>) {
        let mut lines = Vec::new();
        let ended = self.run.clone().run(stop, &mut |line| lines.push(line.to_owned())).await;
        (ended, lines)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

async fn run(body: &str) -> (Result<(), HookError>, Vec<String>) {
    Script::new(body).await.until(pending()).await
}

#[tokio::test]
async fn a_hook_reads_the_plan_in_the_repository_with_its_own_environment() {
    let script = Script::new("cat; pwd; env | sort | grep -v -e ^PWD= -e ^_= -e ^SHLVL=").await;
    let (ended, lines) = script.until(pending()).await;
    ended.unwrap();
    let root = script.run.directory.display().to_string();
    let expected =
        ["{\"host\":\"demo\"}", &root, "ODOO_DEPLOY_HOOK=before-deploy", "PATH=/usr/bin:/bin"];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn both_streams_are_shown_line_by_line_without_what_moves_a_cursor() {
    let (ended, mut lines) = run("printf 'a\\033[31mb\\r\\n\\tc'; printf 'd\\377\\n' >&2").await;
    ended.unwrap();
    lines.sort();
    assert_eq!(lines, ["\tc", "a[31mb", "d\u{fffd}"]);
}

#[tokio::test]
async fn a_line_without_end_is_several() {
    let (ended, lines) = run("head -c 10000 /dev/zero | tr '\\0' x").await;
    ended.unwrap();
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [4096, 4096, 1808]);
}

#[tokio::test]
async fn a_status_other_than_0_is_a_failure() {
    let (ended, lines) = run("echo no; exit 3").await;
    let error = ended.unwrap_err();
    assert_eq!(error.to_string(), "hook `before-deploy` failed: it ended with status 3");
    assert_eq!(lines, ["no"]);
    let killed = run("kill -9 $$").await.0.unwrap_err();
    assert_eq!(killed.to_string(), "hook `before-deploy` failed: it was ended by signal 9");
}

#[tokio::test]
async fn a_hook_that_does_not_read_is_no_failure() {
    let mut script = Script::new("exec <&-; sleep 0.2").await;
    script.run.input = "x".repeat(1 << 20);
    script.until(pending()).await.0.unwrap();
}

#[tokio::test]
async fn a_program_without_a_first_line_says_what_is_missing() {
    let mut script = Script::new("").await;
    script.run.program = script.path().join("none");
    let error = script.until(pending()).await.0.unwrap_err();
    assert!(matches!(error, HookError::Start { .. }), "{error}");
    let hint = HookError::Start {
        hook: Hook::BeforePlan,
        source: io::Error::from_raw_os_error(rustix::io::Errno::NOEXEC.raw_os_error()),
    };
    assert!(hint.hint().contains("#!/bin/sh"));
}

/// A script whose child would write a file after two seconds, were it left alone.
const WITH_CHILD: &str = "(sleep 2; touch lived) & sleep 60";

async fn is_gone(script: &Script) -> bool {
    sleep(Duration::from_millis(2500)).await;
    !script.path().join("lived").exists()
}

#[tokio::test]
async fn a_hook_that_takes_too_long_is_ended_with_its_children() {
    let mut script = Script::new(WITH_CHILD).await;
    script.run.limit = Duration::from_millis(300);
    let begun = Instant::now();
    let error = script.until(pending()).await.0.unwrap_err();
    assert!(matches!(error, HookError::TooLong { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(error.hint().contains("hook_timeout"));
    assert!(is_gone(&script).await);
}

#[tokio::test]
async fn an_interrupt_ends_a_hook_with_its_children() {
    let script = Script::new(WITH_CHILD).await;
    let error = script.until(sleep(Duration::from_millis(300))).await.0.unwrap_err();
    assert!(matches!(error, HookError::Interrupted(_)), "{error}");
    assert!(is_gone(&script).await);
}

#[tokio::test]
async fn a_hook_that_ignores_the_end_is_killed() {
    let script = Script::new("trap '' TERM; while :; do sleep 0.1; done").await;
    let begun = Instant::now();
    let error = script.until(sleep(Duration::from_millis(300))).await.0.unwrap_err();
    assert!(matches!(error, HookError::Interrupted(_)), "{error}");
    assert!(begun.elapsed() < GRACE + Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_a_hook_leaves_behind_does_not_keep_a_deploy() {
    let begun = Instant::now();
    let (ended, lines) = run("echo a; sleep 60 &").await;
    ended.unwrap();
    assert_eq!(lines, ["a"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
