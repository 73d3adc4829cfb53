//! Checkouts of Git on the server, asked as the user that owns them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    agent::server::Server,
    plan::Checkout,
    source::{CommitId, plain_address},
};

/// Looks at the checkout that a directory is in; none where it is in none, or Git is
/// not there to tell.
pub(super) fn look(server: &Server, directory: &Path) -> Option<Checkout> {
    let git = |arguments: &[&str]| {
        let output = server.output(git(server, directory)?.args(arguments)).ok()?;
        output.status.success().then_some(output.stdout)
    };
    let line = |arguments: &[&str]| Some(git(arguments)?.trim_end_matches('\n').to_owned());
    let root = PathBuf::from(line(&["rev-parse", "--show-toplevel"])?);
    let head = CommitId::parse(&line(&["rev-parse", "--verify", "HEAD^{commit}"])?).ok()?;
    let remote = line(&["remote", "get-url", "origin"]);
    let status = git(&["status", "--porcelain=v1", "-z", "--no-renames"])?;
    Some(Checkout {
        below: line(&["rev-parse", "--show-prefix"])?.trim_end_matches('/').into(),
        root,
        remote: remote.map(|address| plain_address(&address)),
        branch: line(&["symbolic-ref", "--quiet", "--short", "HEAD"]),
        head,
        dirty: dirty(&status),
    })
}

/// Prepares Git, which reads settings of the checkout: its owner may have written them,
/// and nobody else runs them.
fn git(server: &Server, directory: &Path) -> Option<Command> {
    let metadata = fs::metadata(server.path(directory)).ok()?;
    let mut command = server.command("setpriv");
    command
        .arg(format!("--reuid={}", metadata.uid()))
        .arg(format!("--regid={}", metadata.gid()))
        .args(["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--", "git"])
        .args(["--no-optional-locks", "-c", "core.fsmonitor=false", "-C"])
        .arg(directory)
        .env("HOME", "/nonexistent")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    Some(command)
}

/// Names the files that differ from the commit; what Python compiles is nobody's edit.
fn dirty(status: &str) -> Vec<PathBuf> {
    let paths = status.split('\0').filter_map(|entry| entry.get(3..));
    let is_compiled = |path: &&str| path.ends_with(".pyc") || path.contains("__pycache__/");
    // They are only shown: a name must not drive a terminal.
    let shown = |path: &str| path.replace(char::is_control, "\u{fffd}");
    paths
        .filter(|path| !path.is_empty() && !is_compiled(path))
        .map(|path| PathBuf::from(shown(path)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_compiles_is_nobodys_edit() {
        let status = " M a/models/x.py\0?? a/__pycache__/\0?? b.txt\0";
        assert_eq!(dirty(status), [PathBuf::from("a/models/x.py"), "b.txt".into()]);
        assert!(dirty("").is_empty());
        assert_eq!(dirty("?? a\u{1b}[2J\0"), [PathBuf::from("a\u{fffd}[2J")]);
    }
}
