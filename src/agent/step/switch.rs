//! Moving `current`, and the running Odoo with it.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{StepError, health, release, service};
use crate::{
    agent::{
        journal,
        server::{FileError, Server},
        service::{ProcessSet, Systemd},
        transaction::Run,
        undo::Undo,
    },
    layout::{Layout, ReleaseNumber},
    plan::{CatchUp, Follow, HealthCheck, ReleaseState},
};

/// Tells how `current` gets back to what it names now.
pub(super) fn way_back(run: &Run<'_>, follow: Follow) -> Result<Vec<Undo>, StepError> {
    let target = target(run.server, &run.layout)?;
    if follow == Follow::Later {
        return Ok(vec![Undo::MoveBack { target, restart: false, health: None }]);
    }
    let state = Systemd::new(run.server).state(&run.layout.unit_name())?;
    if !state.is_running() {
        // What did not run before is not made to run by the way back.
        let back = Undo::MoveBack { target, restart: false, health: None };
        return Ok(vec![back, Undo::StopService]);
    }
    let health = run.transaction.previous_health.clone();
    Ok(vec![Undo::MoveBack { target, restart: true, health }])
}

/// Tells how a service that is to run what its files say gets back to what it runs now:
/// `current` names that release for the moment of a restart.
pub(super) fn way_back_of_catch_up(run: &Run<'_>, step: &CatchUp) -> Result<Vec<Undo>, StepError> {
    let Some(before) = &step.before else { return Ok(vec![Undo::StopService]) };
    let live = target(run.server, &run.layout)?;
    let running = Path::new("releases").join(before.number.directory_name());
    let restart =
        Undo::MoveBack { target: Some(running), restart: true, health: Some(before.clone()) };
    let stay = Undo::MoveBack { target: live, restart: false, health: None };
    // The last one is done first.
    Ok(vec![stay, restart])
}

/// Has Odoo run what its files say.
pub(super) fn catch_up(run: &mut Run<'_>, step: &CatchUp) -> Result<(), StepError> {
    let before = service::processes(run)?;
    run.position_log()?;
    match (&step.before, step.follow) {
        (Some(_), Follow::Reload) => health::reload(run, &before, step.number),
        (Some(_), Follow::Restart | Follow::Later) => {
            Systemd::new(run.server).daemon_reload()?;
            service::restart(run)
        }
        (None, _) => {
            let systemd = Systemd::new(run.server);
            systemd.daemon_reload()?;
            Ok(systemd.start(&run.layout.unit_name())?)
        }
    }
}

/// Moves `current` to the release by one rename. A reload stands right behind
/// it: a process that dies in between comes back with the new release's files.
pub(super) fn to(
    run: &mut Run<'_>,
    number: ReleaseNumber,
    follow: Follow,
) -> Result<(), StepError> {
    release::write_state(run.server, &run.layout, number, ReleaseState::Live)?;
    // A reload is known by the processes that it replaces.
    let before = match follow {
        Follow::Reload => service::processes(run)?,
        Follow::Restart | Follow::Later => ProcessSet::default(),
    };
    // What follows later notes for itself where the log is.
    if follow != Follow::Later {
        run.position_log()?;
    }
    let target = Path::new("releases").join(number.directory_name());
    point(run.server, &run.layout, &target)?;
    service::link_conf(run)?;
    match follow {
        Follow::Later => Ok(()),
        Follow::Restart => service::restart(run),
        Follow::Reload => health::reload(run, &before, number),
    }
}

/// Moves `current` back and has Odoo follow by a restart: whether a reload
/// would work depends on what just failed.
pub(in crate::agent) fn move_back(
    run: &mut Run<'_>,
    target: Option<&Path>,
    restart: bool,
    check: Option<&HealthCheck>,
) -> Result<(), StepError> {
    let present = self::target(run.server, &run.layout)?;
    // A full disk may be why the step failed: what is right already is left alone.
    let moved = target != present.as_deref();
    match target {
        Some(_) if !moved => {}
        Some(target) => point(run.server, &run.layout, target)?,
        None => service::remove_links(run)?,
    }
    if !restart {
        return Ok(());
    }
    // Where it never moved, nothing followed: users need not wait for a restart.
    if !moved && check.is_some_and(|check| health::check_again(run, check).is_ok()) {
        return Ok(());
    }
    if target.is_none() {
        return service::stop(run);
    }
    run.interruption_begins();
    run.position_log()?;
    service::restart(run)?;
    check.map_or(Ok(()), |check| health::check_again(run, check))
}

/// Returns what `current` names; none where it does not exist.
pub(in crate::agent) fn target(
    server: &Server,
    layout: &Layout,
) -> Result<Option<PathBuf>, FileError> {
    let current = layout.current();
    match fs::read_link(server.path(&current)) {
        Ok(target) => Ok(Some(target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at("read", &current)(error)),
    }
}

fn point(server: &Server, layout: &Layout, target: &Path) -> Result<(), FileError> {
    let current = layout.current();
    let beside = layout.base().join(".current.odoo-deploy");
    server.remove_file(&beside)?;
    symlink(target, server.path(&beside)).map_err(FileError::at("create", &beside))?;
    fs::rename(server.path(&beside), server.path(&current))
        .map_err(FileError::at("replace", &current))?;
    journal::sync_directory(server, &layout.base())
}
