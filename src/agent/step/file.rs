//! Files that other programs read: the unit and the vhost.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{StepError, release};
use crate::{
    agent::{
        as_deployed, deployed_with,
        nginx::{self, Nginx},
        server::{FileError, Server},
        service::Systemd,
        transaction::Run,
        undo::{Reader, Undo},
        with_causes,
    },
    layout::ReleaseNumber,
    plan::Marker,
    render::MARKER_PATH,
};

/// How long nginx may take to replace its workers.
pub(super) const RELOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// What two transactions of different hosts exclude each other by.
const NGINX_LOCK: &str = "/run/lock/odoo-deploy-nginx.lock";

/// Waits for the server's nginx lock: a vhost that another host is just
/// writing would fail the test of this one.
pub(in crate::agent) fn lock_nginx(server: &Server) -> Result<File, FileError> {
    server.lock(Path::new(NGINX_LOCK))
}

/// Tells how the unit gets back to what it is now.
pub(super) fn way_back_of_unit(run: &mut Run<'_>) -> Result<Vec<Undo>, StepError> {
    let files = [run.layout.unit(), run.layout.unit_drop_in()];
    Ok(vec![Undo::RestoreFiles { files: set_copies_aside(run, &files)?, reader: Reader::Systemd }])
}

/// Tells how the vhost gets back to what it is now.
pub(super) fn way_back_of_vhost(run: &mut Run<'_>) -> Result<Vec<Undo>, StepError> {
    let mut files = vec![run.layout.vhost()];
    if let Some(live) = noted_by_itself(run) {
        files.push(run.layout.as_deployed(live).join(as_deployed::VHOST));
        files.push(deployed_with::path(&run.layout, live));
    }
    Ok(vec![Undo::RestoreFiles { files: set_copies_aside(run, &files)?, reader: Reader::Nginx }])
}

/// Returns the live release where the vhost is deployed by itself: the release has to
/// know. A new one brings its own copy.
fn noted_by_itself(run: &Run<'_>) -> Option<ReleaseNumber> {
    let transaction = run.transaction;
    let live = transaction.previous.filter(|_| transaction.number.is_none())?;
    run.server.path(&run.layout.as_deployed(live)).exists().then_some(live)
}

fn note_vhost(run: &Run<'_>, vhost: Option<&str>) -> Result<(), FileError> {
    match noted_by_itself(run) {
        Some(live) => {
            as_deployed::note_vhost(run.server, &run.layout, live, vhost)?;
            deployed_with::note(run.server, &run.layout, live, run.transaction)
        }
        None => Ok(()),
    }
}

/// Puts the unit and its drop-in in place.
pub(super) fn install_unit(run: &mut Run<'_>, unit: &str, drop_in: &str) -> Result<(), StepError> {
    let path = run.layout.unit_drop_in();
    let directory = path.parent().expect("a drop-in has a directory");
    fs::create_dir_all(run.server.path(directory)).map_err(FileError::at("create", directory))?;
    release::replace(run.server, &path, drop_in, 0o644)?;
    release::replace(run.server, &run.layout.unit(), unit, 0o644)?;
    Ok(Systemd::new(run.server).take_up(&run.layout.unit_name(), unit)?)
}

/// Puts the vhost in place, reloads nginx and fetches the vhost's marker: a reload
/// succeeds where nginx silently keeps what it had.
pub(super) fn install_vhost(
    run: &mut Run<'_>,
    vhost: &str,
    marker: &Marker,
) -> Result<(), StepError> {
    let _lock = lock_nginx(run.server)?;
    release::replace(run.server, &run.layout.vhost(), vhost, 0o644)?;
    let url = format!("http://{}:{}{MARKER_PATH}", run.transaction.host, marker.port);
    let proof = nginx::Marker { url: &url, expected: &marker.text, timeout: RELOAD_TIMEOUT };
    Nginx::new(run.server).reload_proven(proof)?;
    Ok(note_vhost(run, Some(vhost))?)
}

/// Takes the vhost away and reloads nginx.
pub(super) fn remove_vhost(run: &mut Run<'_>) -> Result<(), StepError> {
    let _lock = lock_nginx(run.server)?;
    run.server.remove_file(&run.layout.vhost())?;
    Nginx::new(run.server).reload()?;
    Ok(note_vhost(run, None)?)
}

/// Puts files back as they were and has their reader read them again.
pub(in crate::agent) fn restore(
    run: &mut Run<'_>,
    files: &[(PathBuf, Option<PathBuf>)],
    reader: Reader,
) -> Result<(), StepError> {
    let _lock = match reader {
        Reader::Nginx => Some(lock_nginx(run.server)?),
        Reader::Systemd => None,
    };
    let systemd = Systemd::new(run.server);
    let is_new = files.iter().all(|(_, copy)| copy.is_none());
    if reader == Reader::Systemd && is_new && run.server.path(&run.layout.unit()).exists() {
        // systemd only finds the links to remove while the unit is there.
        systemd.disable(&run.layout.unit_name())?;
    }
    put_back(run.server, files)?;
    if reader == Reader::Systemd && is_new {
        let drop_ins = run.layout.unit_drop_in();
        let drop_ins = drop_ins.parent().expect("a drop-in has a directory");
        // Somebody else's drop-in keeps it.
        let _ = fs::remove_dir(run.server.path(drop_ins));
    }
    match reader {
        Reader::Nginx => reload_restored(run, files)?,
        Reader::Systemd => systemd.daemon_reload()?,
    }
    Ok(())
}

/// Puts files back as they were.
pub(super) fn put_back(
    server: &Server,
    files: &[(PathBuf, Option<PathBuf>)],
) -> Result<(), StepError> {
    for (path, copy) in files {
        let is_own = path.components().any(|part| part.as_os_str() == "as-deployed");
        let mode = if is_own { as_deployed::MODE } else { 0o644 };
        match copy {
            Some(copy) => {
                let text = server.read(copy)?.ok_or_else(|| {
                    StepError::found(format!("the copy of `{}` is gone", path.display()))
                })?;
                // A full disk may be why the step failed: what is right already is left alone.
                if server.read(path)?.as_ref() != Some(&text) {
                    release::replace(server, path, &text, mode)?;
                }
            }
            None => server.remove_file(path)?,
        }
    }
    Ok(())
}

/// Has nginx read restored files. One that does not reload because of somebody
/// else's file never left them where it still serves what is back in place.
fn reload_restored(
    run: &mut Run<'_>,
    files: &[(PathBuf, Option<PathBuf>)],
) -> Result<(), StepError> {
    let nginx = Nginx::new(run.server);
    let Err(error) = nginx.reload() else { return Ok(()) };
    // The release's own notes are no files that nginx serves from.
    for (path, _) in files.iter().filter(|(path, _)| *path == run.layout.vhost()) {
        let restored = run.server.read(path)?;
        let host = run.transaction.host.as_str();
        if !restored.is_some_and(|text| nginx.serves(host, MARKER_PATH, &text)) {
            return Err(error.into());
        }
    }
    run.warn(format!(
        "nginx does not reload: {}; it still serves the vhost that is in place",
        with_causes(&error)
    ));
    Ok(())
}

/// Copies files into the transaction's own directory; a file that does not
/// exist has no copy. The first copy of a file counts: it is what was there before all steps.
pub(super) fn set_copies_aside(
    run: &Run<'_>,
    files: &[PathBuf],
) -> Result<Vec<(PathBuf, Option<PathBuf>)>, StepError> {
    let mut copies = Vec::new();
    for path in files {
        let copy = match run.server.read(path)? {
            Some(text) => {
                let name = path.to_string_lossy().replace('/', "%");
                let copy = run.directory.join(name);
                if !run.server.path(&copy).exists() {
                    release::replace(run.server, &copy, &text, 0o600)?;
                }
                Some(copy)
            }
            None => None,
        };
        copies.push((path.clone(), copy));
    }
    Ok(copies)
}
