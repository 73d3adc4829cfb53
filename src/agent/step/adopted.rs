//! Leaving release 0, which the tool did not make, and coming back to it.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{StepError, database, file, health, release, service, switch};
use crate::{
    agent::{
        adopt, journal,
        nginx::{self, Nginx},
        server::{FileError, Server},
        service::Systemd,
        transaction::Run,
        undo::Undo,
        with_causes,
    },
    host::DatabaseName,
    plan::{AdoptedService, AdoptedVhost, ReplaceVhosts},
    render::MARKER_PATH,
};

/// A file as it was before it was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// Where it was.
    pub path: PathBuf,
    /// What was there.
    pub was: Was,
}

/// What was at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Was {
    /// Nothing.
    Absent,
    /// A link to this.
    Link(PathBuf),
    /// A file; this is its copy.
    File(PathBuf),
}

/// Returns the drop-in that keeps a service from starting by itself.
fn drop_in(unit: &str) -> PathBuf {
    Path::new("/etc/systemd/system").join(format!("{unit}.d/odoo-deploy.conf"))
}

/// Keeps the old service from starting but by a transaction: its permit lies in memory,
/// so that a power cut takes it away.
pub(super) fn hold(run: &mut Run<'_>, service: &AdoptedService) -> Result<(), StepError> {
    let path = drop_in(&service.unit);
    let directory = path.parent().expect("a drop-in has a directory");
    fs::create_dir_all(run.server.path(directory)).map_err(FileError::at("create", directory))?;
    let text = format!(
        "# Written by odoo-deploy: {} runs in the unit {} now.\n\
         # `deploy rollback --host {} --to 0` brings this one back, and removes this file.\n\
         # Started by hand, both would work on one database.\n\
         [Unit]\nConditionPathExists={}\n",
        run.transaction.host,
        run.layout.unit_name(),
        run.transaction.host,
        run.layout.start_permit().display(),
    );
    release::replace(run.server, &path, &text, 0o644)?;
    journal::sync_directory(run.server, Path::new("/etc/systemd/system"))?;
    Ok(Systemd::new(run.server).daemon_reload()?)
}

/// Lets the old service start by itself again.
pub(in crate::agent) fn let_go(run: &mut Run<'_>, unit: &str) -> Result<(), StepError> {
    let path = drop_in(unit);
    service::remove(run.server, &path)?;
    if let Some(directory) = path.parent() {
        release::remove_empty(run, directory)?;
    }
    Ok(Systemd::new(run.server).daemon_reload()?)
}

/// Tells how the old service gets back to what it is now.
pub(super) fn way_back_of_stop(
    run: &Run<'_>,
    service: &AdoptedService,
) -> Result<Vec<Undo>, StepError> {
    let systemd = Systemd::new(run.server);
    let enabled = systemd.is_enabled(&service.unit)?;
    let running = systemd.state(&service.unit)?.is_running();
    let service = AdoptedService { enabled, ..service.clone() };
    Ok(vec![Undo::StartAdopted { service, running }])
}

/// Stops the old service and has no boot start it.
pub(in crate::agent) fn stop(run: &mut Run<'_>, service: &AdoptedService) -> Result<(), StepError> {
    let systemd = Systemd::new(run.server);
    run.interruption_begins();
    systemd.stop_odoo(&service.unit)?;
    if systemd.is_enabled(&service.unit)? {
        systemd.disable(&service.unit)?;
    }
    Ok(())
}

/// Starts the old service while scheduled jobs are held back.
pub(super) fn start(
    run: &mut Run<'_>,
    service: &AdoptedService,
    hold_jobs: &[DatabaseName],
) -> Result<(), StepError> {
    let postgres = database::postgres(run)?;
    for database in hold_jobs {
        run.held_jobs.push(postgres.hold_crons(database, service::JOBS_WAIT)?);
    }
    enable_and_start(run, service, true)
}

/// Starts the old service, at boot too where that was so, and waits until it is healthy.
pub(in crate::agent) fn start_again(
    run: &mut Run<'_>,
    service: &AdoptedService,
    running: bool,
) -> Result<(), StepError> {
    enable_and_start(run, service, running)?;
    if running { health::check_again(run, &service.health) } else { Ok(()) }
}

fn enable_and_start(
    run: &mut Run<'_>,
    service: &AdoptedService,
    running: bool,
) -> Result<(), StepError> {
    if service.enabled {
        Systemd::new(run.server).enable(&service.unit)?;
    }
    if !running {
        return Ok(());
    }
    service::start_unit_under_hold(run, &service.unit, service.logfile.clone())
}

/// Tells how the unit gets back to what it is now.
pub(super) fn way_back_of_unit(run: &Run<'_>) -> Result<Vec<Undo>, StepError> {
    let files = [run.layout.unit(), run.layout.unit_drop_in()];
    Ok(vec![Undo::RestoreUnit { files: keep(run, &files)? }])
}

/// Takes the unit and its drop-in away.
pub(super) fn remove_unit(run: &mut Run<'_>) -> Result<(), StepError> {
    let unit = run.layout.unit_name();
    let systemd = Systemd::new(run.server);
    if systemd.state(&unit)?.exists() {
        // systemd only finds the links to remove while the unit is there.
        systemd.disable(&unit)?;
    }
    service::remove(run.server, &run.layout.unit_drop_in())?;
    service::remove(run.server, &run.layout.unit())?;
    Ok(systemd.daemon_reload()?)
}

/// Puts the unit back, started at boot.
pub(in crate::agent) fn restore_unit(
    run: &mut Run<'_>,
    files: &[KeptFile],
) -> Result<(), StepError> {
    restore(run, files)?;
    let systemd = Systemd::new(run.server);
    systemd.daemon_reload()?;
    Ok(systemd.enable(&run.layout.unit_name())?)
}

/// Tells how `current` gets back.
pub(super) fn way_back_of_leaving(run: &Run<'_>) -> Result<Vec<Undo>, StepError> {
    let target = switch::target(run.server, &run.layout)?;
    Ok(target.map(|target| Undo::ReturnToRelease { target }).into_iter().collect())
}

/// Has `current` and the link to its odoo.conf name a release again.
pub(in crate::agent) fn return_to(run: &mut Run<'_>, target: &Path) -> Result<(), StepError> {
    switch::move_back(run, Some(target), false, None)?;
    service::link_conf(run)
}

/// Tells how the vhosts get back to what they are now.
pub(super) fn way_back_of_vhosts(run: &Run<'_>, aside: &[PathBuf]) -> Result<Vec<Undo>, StepError> {
    let own = run.layout.vhost();
    let mut files = vec![own.clone()];
    files.extend(aside.iter().filter(|path| **path != own).cloned());
    Ok(vec![Undo::RestoreVhosts { files: keep(run, &files)? }])
}

/// Puts the host's vhost in the place of the old ones, which stay in the release that
/// they belong to.
pub(super) fn replace_vhosts(run: &mut Run<'_>, step: &ReplaceVhosts) -> Result<(), StepError> {
    let _lock = file::lock_nginx(run.server)?;
    put_in_place_of(run, &step.vhost, &step.aside)?;
    let url = format!("http://{}:{}{MARKER_PATH}", run.transaction.host, step.marker.port);
    let timeout = file::RELOAD_TIMEOUT;
    let proof = nginx::Marker { url: &url, expected: &step.marker.text, timeout };
    Ok(Nginx::new(run.server).prove(proof)?)
}

/// Puts the host's vhost in the place of others and has nginx read it. The caller has
/// nginx's lock.
pub(super) fn put_in_place_of(
    run: &Run<'_>,
    vhost: &str,
    aside: &[PathBuf],
) -> Result<(), StepError> {
    let own = run.layout.vhost();
    release::replace(run.server, &own, vhost, 0o644)?;
    for path in aside.iter().filter(|path| **path != own) {
        service::remove(run.server, path)?;
    }
    Nginx::new(run.server).test()?;
    Ok(Nginx::new(run.server).reload()?)
}

/// Puts vhosts back as they were and has nginx read them.
pub(in crate::agent) fn restore_vhosts(
    run: &mut Run<'_>,
    files: &[KeptFile],
) -> Result<(), StepError> {
    let _lock = file::lock_nginx(run.server)?;
    restore(run, files)?;
    Ok(Nginx::new(run.server).reload()?)
}

/// Puts the vhosts of release 0 back in the place of the host's own. Where nginx would
/// not take them, the host's own stays: it serves release 0 as well.
pub(super) fn return_vhosts(run: &mut Run<'_>, vhosts: &[AdoptedVhost]) -> Result<(), StepError> {
    let _lock = file::lock_nginx(run.server)?;
    let own = run.layout.vhost();
    let mut paths: Vec<_> = vhosts.iter().map(|vhost| vhost.path.clone()).collect();
    if !paths.contains(&own) {
        paths.push(own.clone());
    }
    let before = keep(run, &paths)?;
    let back: Vec<_> = adopt::vhosts_of_release_zero(&run.layout, vhosts);
    let swapped = restore(run, &back).and_then(|()| {
        if !vhosts.iter().any(|vhost| vhost.path == own) {
            service::remove(run.server, &own)?;
        }
        Nginx::new(run.server).test()?;
        Ok(Nginx::new(run.server).reload()?)
    });
    if let Err(error) = swapped {
        restore(run, &before)?;
        let why = with_causes(&error);
        return Err(StepError::found(format!("nginx does not take the old vhost: {why}"))
            .with_hint("the new one stays, and serves the old Odoo"));
    }
    Ok(())
}

/// Copies what is at some places into the transaction's own directory. The first copy of a
/// place counts: it is what was there before all steps.
fn keep(run: &Run<'_>, paths: &[PathBuf]) -> Result<Vec<KeptFile>, StepError> {
    let mut kept = Vec::new();
    for path in paths {
        let was = match link_at(run.server, path)? {
            Some(target) => Was::Link(target),
            None => match run.server.read(path)? {
                None => Was::Absent,
                Some(text) => {
                    let copy = run.directory.join(adopt::copy_name(path));
                    if !run.server.path(&copy).exists() {
                        release::replace(run.server, &copy, &text, 0o600)?;
                    }
                    Was::File(copy)
                }
            },
        };
        kept.push(KeptFile { path: path.clone(), was });
    }
    Ok(kept)
}

fn restore(run: &Run<'_>, files: &[KeptFile]) -> Result<(), StepError> {
    for KeptFile { path, was } in files {
        match was {
            Was::Absent => service::remove(run.server, path)?,
            Was::Link(target) => {
                if link_at(run.server, path)?.as_ref() != Some(target) {
                    make_link(run.server, path, target)?;
                }
            }
            Was::File(copy) => {
                let text = run.server.read(copy)?.ok_or_else(|| {
                    StepError::found(format!("the copy of `{}` is gone", path.display()))
                })?;
                let is_link = link_at(run.server, path)?.is_some();
                // A full disk may be why the step failed: what is right already is left alone.
                if is_link || run.server.read(path)?.as_ref() != Some(&text) {
                    release::replace(run.server, path, &text, 0o644)?;
                }
            }
        }
    }
    Ok(())
}

fn link_at(server: &Server, path: &Path) -> Result<Option<PathBuf>, FileError> {
    use io::ErrorKind::{InvalidInput, NotFound};
    match fs::read_link(server.path(path)) {
        Ok(target) => Ok(Some(target)),
        Err(error) if matches!(error.kind(), NotFound | InvalidInput) => Ok(None),
        Err(error) => Err(FileError::at("read", path)(error)),
    }
}

/// Makes a link in the place of whatever is there, by one rename.
fn make_link(server: &Server, path: &Path, target: &Path) -> Result<(), FileError> {
    let parent = path.parent().expect("an absolute path has a parent");
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let beside = parent.join(format!(".{name}.odoo-deploy"));
    service::remove(server, &beside)?;
    symlink(target, server.path(&beside)).map_err(FileError::at("create", &beside))?;
    fs::rename(server.path(&beside), server.path(path)).map_err(FileError::at("replace", path))?;
    journal::sync_directory(server, parent)
}
