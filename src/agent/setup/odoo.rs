//! Odoo itself: a package, or a checkout with a Python environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{CACHE, SENT, apt, work::Work};
use crate::{
    agent::{
        observe::odoo_version,
        server::{FileError, Server},
        step::{StepError, release},
    },
    odoo::Series,
    setup::{OdooPackage, checkout_of, environment_of},
};

/// The program that a package brings.
pub(super) const PROGRAM: &str = "/usr/bin/odoo";

/// Written last: an environment without it is not complete.
const COMPLETE: &str = ".complete";

/// Installs a package and looks which series came of it.
pub(super) fn install_package(
    work: &mut Work<'_>,
    series: Series,
    package: &OdooPackage,
) -> Result<(), StepError> {
    let server = work.server;
    match package {
        OdooPackage::Named(name) => apt::install_all(work, &[name])?,
        OdooPackage::Url(url) => {
            let path = Path::new(CACHE).join(format!("odoo-{series}.deb"));
            work.log.progress("downloading");
            apt::download(server, url, &path)?;
            install_file(work, &path)?;
        }
        OdooPackage::Sent { .. } => install_file(work, Path::new(SENT))?,
    }
    let found =
        odoo_version(server, Path::new(PROGRAM), ("odoo", "odoo")).map_err(StepError::found)?;
    if found == format!("Odoo {series}") {
        return Ok(());
    }
    Err(StepError::found(format!("the package brought {found}, not Odoo {series}")).with_hint(
        format!("correct [odoo.\"{series}\"] of config/deploy.toml, and remove the package"),
    ))
}

fn install_file(work: &mut Work<'_>, path: &Path) -> Result<(), StepError> {
    let server = work.server;
    set_readable(server, path)?;
    let text = path.to_str().expect("our own path is UTF-8");
    apt::install_all(work, &[text])?;
    apt::forget(server, path);
    Ok(())
}

/// apt reads it as a user of its own.
fn set_readable(server: &Server, path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(server.path(path), fs::Permissions::from_mode(0o644))
        .map_err(FileError::at("find", path))
}

/// Tells whether a series is checked out and its environment complete.
pub(super) fn is_there(server: &Server, series: Series) -> (bool, bool) {
    let code = server.path(&checkout_of(series).join("odoo-bin")).exists();
    let environment = server.path(&environment_of(series).join(COMPLETE)).exists();
    (code, environment)
}

/// Checks the branch of the series out. It is in its place as a whole or not at all.
pub(super) fn check_out(work: &mut Work<'_>, series: Series, url: &str) -> Result<(), StepError> {
    let server = work.server;
    let place = checkout_of(series);
    let beside = beside(&place);
    server.remove_directory(&beside)?;
    work.log.progress("git clone");
    let mut command = server.command("git");
    command
        .args(["clone", "--quiet", "--depth", "1", "--single-branch", "--no-tags"])
        .args(["--branch", series.as_str(), "--"])
        .arg(url)
        .arg(&beside)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", "https:http:file");
    run(server, &mut command, "check Odoo out")?;
    if !server.path(&beside.join("odoo-bin")).exists() {
        return Err(StepError::found(format!("branch {series} of {url} has no `odoo-bin`"))
            .with_hint("`source` is a repository of Odoo itself, with a branch for each series"));
    }
    server.remove_directory(&place)?;
    fs::rename(server.path(&beside), server.path(&place))
        .map_err(FileError::at("create", &place))?;
    Ok(())
}

/// Builds the Python environment anew and tries Odoo in it.
pub(super) fn build_environment(work: &mut Work<'_>, series: Series) -> Result<(), StepError> {
    let server = work.server;
    let (code, place) = (checkout_of(series), environment_of(series));
    server.remove_directory(&place)?;
    work.log.progress("python3 -m venv");
    let mut command = server.command("python3");
    run(server, command.args(["-m", "venv", "--"]).arg(&place), "create the environment")?;
    let python = place.join("bin/python");
    work.log.progress("pip install");
    let mut command = server.command(&python);
    command
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"])
        .args(["--no-cache-dir", "--requirement"])
        .arg(code.join("requirements.txt"));
    run(server, &mut command, "install what Odoo requires")?;
    let mut command = server.command(&python);
    run(server, command.arg(code.join("odoo-bin")).arg("--version"), "start Odoo")?;
    release::replace(server, &place.join(COMPLETE), "", 0o644)?;
    Ok(())
}

fn run(server: &Server, command: &mut Command, what: &str) -> Result<(), StepError> {
    let output = server.output(command)?;
    if output.status.success() {
        return Ok(());
    }
    let said = output.message();
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason");
    Err(StepError::found(format!("failed to {what}: {last}"))
        .with_details(said.lines().map(str::to_owned).collect()))
}

fn beside(place: &Path) -> PathBuf {
    let mut text = place.as_os_str().to_owned();
    text.push(".new");
    text.into()
}
