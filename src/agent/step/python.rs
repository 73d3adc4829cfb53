//! A host's Python environment: built by nobody, read by Odoo, changed by no one.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown},
    path::{Path, PathBuf},
};

use super::{StepError, check, release};
use crate::{
    agent::{
        Account, observe,
        odoo_run::{DependencyCheck, MissingDependency},
        server::FileError,
        transaction::Run,
        undo::Undo,
    },
    layout::environment_is_complete,
    plan::{BuildEnvironment, CheckDependencies},
};

const BUILD: &str = include_str!("build_environment.py");
/// Who builds: `setup.py` of a package is anybody's code, and this user has nothing.
const BUILDER: &str = "nobody";
/// The longest a build may take, in seconds.
const BUILD_SECONDS: u32 = 1800;
/// How many lines of pip's are shown.
const SHOWN: usize = 20;

/// Tells how an environment goes again that is not complete yet.
pub(super) fn way_back(run: &Run<'_>, step: &BuildEnvironment) -> Vec<Undo> {
    let directory = step.directory.clone();
    let is_built = run.server.path(&environment_is_complete(&directory)).exists();
    if is_built { Vec::new() } else { vec![Undo::RemoveEnvironment { directory }] }
}

/// Builds the environment in its place: its programs name it. Until its last file says
/// that it is complete, nothing uses it.
pub(super) fn build(run: &mut Run<'_>, step: &BuildEnvironment) -> Result<(), StepError> {
    let complete = environment_is_complete(&step.directory);
    if run.server.path(&complete).exists() {
        return Ok(());
    }
    remove(run, &step.directory)?;
    let requirements = write_requirements(run, step)?;
    let mut command = run.server.command("systemd-run");
    command.args(["--collect", "--wait", "--quiet", "--pipe"]);
    command.arg("--unit").arg(format!("deployld-{}-python", run.transaction.id));
    command.arg(format!("--property=User={BUILDER}"));
    command.arg(format!("--property=RuntimeMaxSec={BUILD_SECONDS}"));
    command.arg(format!("--property=ReadWritePaths={}", step.directory.display()));
    command.args(["ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes"].map(property));
    command.args(["PrivateDevices=yes", "NoNewPrivileges=yes", "TimeoutStopSec=10"].map(property));
    command.args(["--setenv=HOME=/tmp", "--setenv=LANG=C.UTF-8", "--"]).arg(&step.python);
    command.args(["-I", "-c"]).arg(BUILD.replace('$', "$$"));
    command.arg(&step.directory).arg(&requirements);
    let output = run.server.output(&mut command)?;
    if !output.status.success() {
        return Err(failure(step, &format!("{}\n{}", output.stdout, output.stderr)));
    }
    hand_over(run, &step.directory)?;
    File::open(run.server.path(&step.directory))
        .and_then(|directory| Ok(rustix::fs::syncfs(&directory)?))
        .map_err(FileError::at("sync", &step.directory))?;
    Ok(release::replace(run.server, &complete, "", 0o644)?)
}

fn property(text: &str) -> String {
    format!("--property={text}")
}

/// Makes the directory, the builder's own for now, and puts the requirements into it.
fn write_requirements(run: &Run<'_>, step: &BuildEnvironment) -> Result<PathBuf, StepError> {
    let builder = Account::find(run.server, BUILDER)?.ok_or_else(|| {
        StepError::found(format!("there is no system user `{BUILDER}` to build as"))
    })?;
    let requirements = step.directory.join("requirements");
    fs::create_dir_all(run.server.path(&requirements))
        .map_err(FileError::at("create", &requirements))?;
    for (name, text) in &step.files {
        let path = requirements.join(name);
        let directory = path.parent().expect("it is in a directory");
        fs::create_dir_all(run.server.path(directory))
            .map_err(FileError::at("create", directory))?;
        release::write(run.server, &path, text, 0o644)?;
    }
    chown(run.server.path(&step.directory), Some(builder.uid), Some(builder.gid))
        .map_err(FileError::at("chown", &step.directory))?;
    Ok(requirements.join(&step.file))
}

/// Says which requirement pip did not like, in its own words.
fn failure(step: &BuildEnvironment, said: &str) -> StepError {
    let lines: Vec<_> = said.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let error = lines.iter().rev().find_map(|line| line.strip_prefix("ERROR: "));
    let error = error.or(lines.last().copied()).unwrap_or("pip said nothing");
    let shown = lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| (*line).to_owned());
    StepError::found(format!("the Python packages of {} cannot be installed: {error}", step.file))
        .with_hint(
            "correct it in the branch; where packages come from is said by /etc/pip.conf on the server",
        )
        .with_details(shown.collect())
}

/// Gives all of it to root, and lets Odoo's group read it.
fn hand_over(run: &Run<'_>, directory: &Path) -> Result<(), StepError> {
    let full = run.server.path(directory);
    take(&full).map_err(FileError::at("chown", directory))?;
    let user = &run.transaction.service.user;
    let account = Account::find(run.server, user)?
        .ok_or_else(|| StepError::found(format!("the system user `{user}` does not exist")))?;
    chown(&full, Some(0), Some(account.gid))
        .and_then(|()| fs::set_permissions(&full, fs::Permissions::from_mode(0o750)))
        .map_err(FileError::at("chown", directory))?;
    Ok(())
}

/// Follows no link: what a package puts there may lead anywhere.
fn take(path: &Path) -> io::Result<()> {
    let file = fs::symlink_metadata(path)?;
    lchown(path, Some(0), Some(0))?;
    if file.is_symlink() {
        return Ok(());
    }
    let read = if file.is_dir() { 0o555 } else { 0o444 };
    let mode = (file.mode() & 0o755) | read;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    if file.is_dir() {
        for entry in fs::read_dir(path)? {
            take(&entry?.path())?;
        }
    }
    Ok(())
}

/// Removes an environment that is not complete, or not used any more.
pub(in crate::agent) fn remove(run: &mut Run<'_>, directory: &Path) -> Result<(), StepError> {
    // Whoever dies in between leaves none that seems whole.
    run.server.remove_file(&environment_is_complete(directory))?;
    Ok(run.server.remove_directory(directory)?)
}

/// Removes the environments that no release on the server uses.
pub(super) fn prune(run: &mut Run<'_>) -> Result<(), StepError> {
    let releases = observe::releases_of_host(run.server, &run.layout)?;
    let used: BTreeSet<_> = releases
        .releases
        .into_iter()
        .filter_map(|release| release.facts.record.python_environment)
        .collect();
    let directory = run.layout.environments();
    let entries = fs::read_dir(run.server.path(&directory)).into_iter().flatten().flatten();
    let unused = entries.map(|entry| directory.join(entry.file_name()));
    for environment in unused.filter(|path| !used.contains(path)).collect::<Vec<_>>() {
        remove(run, &environment)?;
    }
    Ok(())
}

/// Checks what the manifests ask for, in the environment that the release will run in.
pub(super) fn dependencies(run: &mut Run<'_>, step: &CheckDependencies) -> Result<(), StepError> {
    let number = run.transaction.number.ok_or_else(|| StepError::found("no release is written"))?;
    let conf = run.layout.release(number).join("odoo.conf");
    let unit = format!("deployld-{}-dependencies", run.transaction.id);
    let check = DependencyCheck { unit: &unit, conf: &conf, modules: &step.modules };
    let missing = check::program(run)?.missing_dependencies(run.server, &check)?;
    let mut lines: Vec<_> = missing.iter().map(MissingDependency::to_string).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let first = lines.remove(0);
    let is_python = missing.iter().any(|missing| missing.python.is_some());
    let hint = match (is_python, &step.file) {
        (true, Some(file)) => format!("add it to {file}, commit and push it"),
        (true, None) => {
            "add it to requirements.txt at the root of the repository, commit and push it"
                .to_owned()
        }
        (false, _) => "install the program on the server".to_owned(),
    };
    Err(StepError::found(first).with_hint(hint).with_details(lines))
}
