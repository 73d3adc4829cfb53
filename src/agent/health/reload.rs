//! Whether a reload took place: its own exit code says nothing.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    super::{LogPosition, ProcessSet, Server, Systemd},
    HealthFailure, HealthProblem, POLL, scan,
};

/// A reload that is under way.
#[derive(Debug, Clone)]
pub struct ReloadWatch<'a> {
    /// The service.
    pub unit: &'a str,
    /// Its main process, which stays the same.
    pub main_pid: u32,
    /// Its processes before the reload.
    pub before: &'a ProcessSet,
    /// The release it must run from now on.
    pub release: &'a Path,
    /// Its log, from just before the reload.
    pub log: &'a LogPosition,
    /// The longest the reload may take. Odoo itself gives up on its new server after 60 s.
    pub timeout: Duration,
}

/// A reload that took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadReport {
    /// How long it took.
    pub duration: Duration,
    /// Processes of the old server that still finish their last requests.
    pub draining: Vec<u32>,
    /// Whether the log names the new release; none where it logs too little to tell.
    pub release_logged: Option<bool>,
}

/// Waits until a service that was sent SIGHUP (19.0, with workers) runs on new
/// processes from the new release.
///
/// # Errors
/// Fails when its main process ends, its log tells of a failure, or the old
/// processes are not asked to go in time.
pub fn wait_for_reload(
    server: &Server,
    watch: &ReloadWatch<'_>,
) -> Result<ReloadReport, HealthFailure> {
    let mut clock = Clock { begun: Instant::now(), hatched: None };
    loop {
        let state = look(server, watch, &mut clock).map_err(|problem| {
            let log = watch.log.since(server).unwrap_or_default();
            HealthFailure { problem, log: scan::matter(&log) }
        })?;
        if let Some(report) = state {
            return Ok(report);
        }
        std::thread::sleep(POLL);
    }
}

/// How long old processes are waited for once the new server is there: they may
/// serve a last request for as long as `limit_time_real`.
const DRAIN: Duration = Duration::from_secs(5);

struct Clock {
    begun: Instant,
    /// When the log first told that the new server is there.
    hatched: Option<Instant>,
}

/// Looks once; none while the reload goes on.
fn look(
    server: &Server,
    watch: &ReloadWatch<'_>,
    clock: &mut Clock,
) -> Result<Option<ReloadReport>, HealthProblem> {
    let systemd = Systemd::new(server);
    let state = systemd.state(watch.unit)?;
    let unit = watch.unit.to_owned();
    match state.main_pid.filter(|_| state.is_running() || state.active == "reloading") {
        None => return Err(HealthProblem::Ended { unit, state: state.to_string() }),
        Some(pid) if pid != watch.main_pid => return Err(HealthProblem::Restarted { unit }),
        Some(_) => {}
    }
    let now = systemd.processes(&state)?;
    let log = watch.log.since(server)?;
    if let Some(line) = failure(&log) {
        return Err(HealthProblem::Logged { line });
    }
    let old = watch.before.still_in(&now, Some(watch.main_pid));
    let logged = scan::release_logged(&log, watch.release);
    let duration = clock.begun.elapsed();
    if clock.hatched.is_none() && log.contains(": New server has started") {
        clock.hatched = Some(Instant::now());
    }
    let drained = old.is_empty() || clock.hatched.is_some_and(|time| time.elapsed() >= DRAIN);
    if logged != Some(false) && now.len() > 1 && drained {
        return Ok(Some(ReloadReport { duration, draining: old, release_logged: logged }));
    }
    if duration < watch.timeout {
        return Ok(None);
    }
    let why = match logged {
        Some(false) => format!("it still names another release than {}", watch.release.display()),
        _ if now.len() <= 1 => "no new workers are there".to_owned(),
        _ => format!("old processes go on: {}", list(&old)),
    };
    Err(HealthProblem::NotReloaded { unit, waited: duration.as_secs(), why })
}

fn failure(log: &str) -> Option<String> {
    let timed_out = log.lines().find(|line| line.contains(": Server reload timed out"));
    let said = timed_out.and_then(|line| line.split_once(": ")).map(|(_, said)| said.to_owned());
    said.or_else(|| scan::failure(log, scan::Audience::Everybody))
}

fn list(pids: &[u32]) -> String {
    pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
