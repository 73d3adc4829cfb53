//! What the environment says about who works, and where.

use std::{env, path::PathBuf, process::Command};

use crate::{
    notify::Session,
    transport::{Links, Machine},
    workflow::{Operator, Surroundings},
};

/// Reads the environment.
pub(super) fn surroundings() -> Surroundings {
    Surroundings {
        variables: env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        operator: operator(),
        machine: machine(),
        cache: cache(),
    }
}

/// Tells whether there is a desktop that could show something.
pub(super) fn desktop_session() -> Session {
    Session::of(text("DBUS_SESSION_BUS_ADDRESS").as_deref())
}

fn operator() -> Operator {
    let who = text("GITHUB_ACTOR")
        .or_else(|| text("GITLAB_USER_LOGIN"))
        .or_else(|| program("git", &["config", "user.name"]))
        .or_else(|| text("SUDO_USER"))
        .or_else(|| text("USER"))
        .unwrap_or_else(|| "somebody".to_owned());
    let from = text("RUNNER_NAME")
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map_or_else(|| "somewhere".to_owned(), |name| name.trim().to_owned());
    Operator { who: clean(&who), from: clean(&from), url: ci_url() }
}

/// Names the CI run: GitHub Actions, GitLab, Jenkins.
fn ci_url() -> Option<String> {
    let github = || {
        let server = text("GITHUB_SERVER_URL")?;
        let repository = text("GITHUB_REPOSITORY")?;
        let run = text("GITHUB_RUN_ID")?;
        Some(format!("{server}/{repository}/actions/runs/{run}"))
    };
    github().or_else(|| text("CI_JOB_URL")).or_else(|| text("BUILD_URL")).map(|url| clean(&url))
}

fn machine() -> Machine {
    Machine {
        executable: env::current_exe().unwrap_or_else(|_| "deploy".into()),
        runtime_directory: runtime_directory(),
        home: home(),
        local_root: path("ODOO_DEPLOY_LOCAL_ROOT")
            .map(|root| (root, env::var_os("ODOO_DEPLOY_LOCAL_PATH").unwrap_or_default())),
        links: Links::default(),
    }
}

/// ssh's control socket needs a short path: `$XDG_RUNTIME_DIR` has one.
fn runtime_directory() -> PathBuf {
    /// What `sockaddr_un` takes, less what ssh and the session add.
    const LONGEST: usize = 40;
    path("XDG_RUNTIME_DIR")
        .filter(|path| path.is_dir() && path.as_os_str().len() <= LONGEST)
        .unwrap_or_else(|| "/tmp".into())
}

fn cache() -> PathBuf {
    path("ODOO_DEPLOY_CACHE")
        .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("odoo-deploy")))
        .unwrap_or_else(|| home().join(".cache/odoo-deploy"))
}

fn home() -> PathBuf {
    path("HOME").unwrap_or_else(|| "/root".into())
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn program(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Keeps control characters out of locks and histories.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
