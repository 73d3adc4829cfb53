//! The service, the hold and the maintenance page.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{StepError, database, health, release};
use crate::{
    agent::{
        both::both,
        journal,
        log_source::LogSource,
        server::{FileError, Server},
        service::{ProcessSet, Systemd},
        transaction::Run,
        undo::Undo,
    },
    host::DatabaseName,
    plan::HealthCheck,
};

/// How long scheduled jobs that run may go on before Odoo's start is given up.
pub(super) const JOBS_WAIT: Duration = Duration::from_secs(30);

/// Shows the maintenance page: nginx looks for the flag at every request.
pub(super) fn show_maintenance(run: &mut Run<'_>) -> Result<(), StepError> {
    touch(run.server, &run.layout.maintenance_flag())?;
    run.interruption_begins();
    Ok(())
}

/// Lets outsiders in again.
pub(in crate::agent) fn hide_maintenance(run: &mut Run<'_>) -> Result<(), StepError> {
    remove(run.server, &run.layout.maintenance_flag())?;
    run.interruption_ends();
    Ok(())
}

/// Keeps Odoo from starting by itself: from here on a power cut cannot bring
/// it up between two states.
pub(super) fn hold(run: &mut Run<'_>) -> Result<(), StepError> {
    Ok(touch(run.server, &run.layout.hold())?)
}

/// Lets Odoo start by itself again.
pub(in crate::agent) fn lift_hold(run: &mut Run<'_>) -> Result<(), StepError> {
    Ok(remove(run.server, &run.layout.hold())?)
}

/// Tells what a stop has to be followed by on the way back: a start, where the service ran
/// when the transaction began, or runs by now.
pub(super) fn way_back_of_stop(run: &mut Run<'_>) -> Result<Vec<Undo>, StepError> {
    let unit = run.layout.unit_name();
    Ok(if run.ran || Systemd::new(run.server).state(&unit)?.is_running() {
        vec![Undo::StartService { health: run.transaction.previous_health.clone() }]
    } else {
        Vec::new()
    })
}

/// Stops the service, where there is one.
pub(in crate::agent) fn stop(run: &mut Run<'_>) -> Result<(), StepError> {
    let systemd = Systemd::new(run.server);
    let unit = run.layout.unit_name();
    run.interruption_begins();
    let Err(error) = systemd.stop_odoo(&unit) else { return Ok(()) };
    // A unit that is not there is not stopped either.
    if systemd.state(&unit)?.exists() { Err(error.into()) } else { Ok(()) }
}

/// Starts the service while scheduled jobs are held back: what they would send
/// or write is lost, or done twice, if the transaction is taken back.
pub(super) fn start(run: &mut Run<'_>, hold_jobs: &[DatabaseName]) -> Result<(), StepError> {
    let postgres = database::postgres(run)?;
    for database in hold_jobs {
        run.held_jobs.push(postgres.hold_crons(database, JOBS_WAIT)?);
    }
    start_under_hold(run)
}

/// Starts the service that was running before and waits until it is healthy.
pub(in crate::agent) fn start_again(
    run: &mut Run<'_>,
    check: Option<&HealthCheck>,
) -> Result<(), StepError> {
    start_under_hold(run)?;
    check.map_or(Ok(()), |check| health::check_again(run, check))
}

/// Restarts the service.
pub(super) fn restart(run: &mut Run<'_>) -> Result<(), StepError> {
    run.interruption_begins();
    Ok(Systemd::new(run.server).restart_odoo(&run.layout.unit_name())?)
}

/// Starts the service although it is held: the permit lies in memory, so that a
/// power cut takes it away and leaves the hold.
fn start_under_hold(run: &mut Run<'_>) -> Result<(), StepError> {
    let (unit, logfile) = (run.layout.unit_name(), run.transaction.service.logfile.clone());
    start_unit_under_hold(run, &unit, logfile)
}

/// Starts a service that only a permit lets start, which logs to the file where one is named.
pub(super) fn start_unit_under_hold(
    run: &mut Run<'_>,
    unit: &str,
    logfile: Option<PathBuf>,
) -> Result<(), StepError> {
    let permit = run.layout.start_permit();
    let directory = permit.parent().expect("a permit is in a directory");
    fs::create_dir_all(run.server.path(directory)).map_err(FileError::at("create", directory))?;
    release::write(run.server, &permit, "", 0o644)?;
    let (server, systemd) = (run.server, Systemd::new(run.server));
    let source = LogSource { unit: unit.to_owned(), file: logfile };
    let (position, forgotten) = both(|| source.now(server), || systemd.forget_failures(unit));
    let started: Result<(), StepError> = position.map_err(StepError::from).and_then(|position| {
        run.read_log_from(position);
        forgotten?;
        Ok(systemd.start_as_it_is(unit)?)
    });
    forbid_start(run)?;
    started
}

/// Takes the permit to start in spite of the hold away.
pub(in crate::agent) fn forbid_start(run: &mut Run<'_>) -> Result<(), StepError> {
    Ok(remove(run.server, &run.layout.start_permit())?)
}

/// Returns the processes that run now; none where the service does not run.
pub(super) fn processes(run: &Run<'_>) -> Result<ProcessSet, StepError> {
    let systemd = Systemd::new(run.server);
    let state = systemd.state(&run.layout.unit_name())?;
    Ok(systemd.processes(&state)?)
}

/// Puts the well-known link to odoo.conf in place.
pub(super) fn link_conf(run: &Run<'_>) -> Result<(), StepError> {
    let link = run.layout.conf_link();
    let target = run.layout.current().join("odoo.conf");
    let directory = link.parent().expect("the link is in a directory");
    fs::create_dir_all(run.server.path(directory)).map_err(FileError::at("create", directory))?;
    match fs::read_link(run.server.path(&link)) {
        Ok(existing) if existing == target => Ok(()),
        Ok(_) => {
            remove(run.server, &link)?;
            Ok(symlink(&target, run.server.path(&link)).map_err(FileError::at("create", &link))?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(symlink(&target, run.server.path(&link)).map_err(FileError::at("create", &link))?)
        }
        // A file of somebody else's: adopting it is a command of its own.
        Err(_) => Err(StepError::found(format!("`{}` is there and is no link", link.display()))
            .with_hint("move it away, or adopt the server first")),
    }
}

/// Removes `current` and the link to its odoo.conf: no release was live before.
pub(super) fn remove_links(run: &Run<'_>) -> Result<(), StepError> {
    remove(run.server, &run.layout.conf_link())?;
    Ok(remove(run.server, &run.layout.current())?)
}

fn touch(server: &Server, path: &Path) -> Result<(), FileError> {
    release::write(server, path, "", 0o644)?;
    sync_parent(server, path)
}

pub(super) fn remove(server: &Server, path: &Path) -> Result<(), FileError> {
    match fs::remove_file(server.path(path)) {
        Ok(()) => sync_parent(server, path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::at("remove", path)(error)),
    }
}

fn sync_parent(server: &Server, path: &Path) -> Result<(), FileError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if File::open(server.path(parent)).is_err() {
        return Ok(());
    }
    journal::sync_directory(server, parent)
}
