//! Tells how a host is. Writes nothing, and asks Odoo as its users do.

use std::{thread, time::Duration};

use super::{
    Audience, HealthRequest, LogSource, adopt,
    certificate::certificate,
    check_health, history, lock, logs,
    observe::{self, observe},
    server::{FileError, Server},
    step::{release, switch},
    with_causes,
};
use crate::{
    host::HostName,
    layout::{Layout, ReleaseNumber},
    plan::{DatabaseAccess, HistoryLine, ReleaseRecord, Service, adopted_live},
    wire::{Health, LockFacts, ObserveRequest, StatusFacts, StepAt},
};

/// How long a host may take to answer somebody who only asks how it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many lines of the history are looked through for the live release.
const LOOKED_THROUGH: usize = 1000;

/// Tells how the host is.
///
/// # Errors
/// Fails when the host's own files cannot be read.
pub(super) fn status(server: &Server, request: &ObserveRequest) -> Result<StatusFacts, FileError> {
    let layout = Layout::new(request.host.clone());
    let request = ObserveRequest { access: access(server, &layout, request)?, ..request.clone() };
    thread::scope(|scope| {
        let health = scope.spawn(|| health(server, &request.host, &layout, &request.service));
        let observed = observe(server, &request)?;
        let lines = history::newest(server, &layout, LOOKED_THROUGH)?;
        let live = live(server, &layout)?.map(|record| record.number);
        let adopted = adopted_live(&observed).map(|facts| facts.record.number);
        let live = live.or(adopted);
        Ok(StatusFacts {
            certificate: observed.host.vhost.as_deref().and_then(|text| certificate(server, text)),
            deployed: went_live(&lines, live).cloned(),
            last: lines.into_iter().next(),
            lock: lock(server, &layout)?,
            health: health.join().expect("asking for health does not panic")?,
            observed,
        })
    })
}

/// Tells who holds the lock and how far that transaction is.
///
/// # Errors
/// Fails when the host's files cannot be read.
pub(super) fn lock(server: &Server, layout: &Layout) -> Result<Option<LockFacts>, FileError> {
    let Some(holder) = lock::holder(server, layout)? else { return Ok(None) };
    let events = logs::events(server, layout, &holder.transaction);
    Ok(Some(LockFacts { at: StepAt::of(&events), time: observe::now(), holder }))
}

/// Finds the line by which a release went live, the newest where it did so twice.
fn went_live(lines: &[HistoryLine], live: Option<ReleaseNumber>) -> Option<&HistoryLine> {
    let live = live?;
    let is_live = |line: &&HistoryLine| {
        matches!(line.outcome.as_str(), "deployed" | "adopted") && line.release == Some(live.0)
    };
    lines.iter().find(is_live)
}

fn live(server: &Server, layout: &Layout) -> Result<Option<ReleaseRecord>, FileError> {
    let target = switch::target(server, layout)?;
    let number = target.as_deref().and_then(|target| target.file_name()?.to_str());
    let number = number.and_then(ReleaseNumber::from_directory_name);
    Ok(number.and_then(|number| release::read_record(server, layout, number)).map(|read| read.0))
}

/// The host's databases, as the live odoo.conf reaches them.
fn access(
    server: &Server,
    layout: &Layout,
    request: &ObserveRequest,
) -> Result<DatabaseAccess, FileError> {
    if server.read(&layout.conf_link())?.is_none() {
        return Ok(request.access.clone());
    }
    let option = |key: &str| {
        let value = observe::kept_option(server, layout, key)?;
        Ok::<_, FileError>(value.filter(|value| !matches!(value.as_str(), "" | "False")))
    };
    Ok(DatabaseAccess {
        system_user: request.access.system_user.clone(),
        host: option("db_host")?.unwrap_or_default(),
        port: option("db_port")?.and_then(|port| port.parse().ok()),
        user: option("db_user")?.unwrap_or_default(),
        password: option("db_password")?,
    })
}

fn health(
    server: &Server,
    host: &HostName,
    layout: &Layout,
    service: &Service,
) -> Result<Health, FileError> {
    let (unit, logfile, check) = match (live(server, layout)?, adopt::read(server, layout)?) {
        (Some(record), _) => (layout.unit_name(), service.logfile.clone(), record.health),
        (None, Some(adopted)) => {
            let service = adopted.service;
            (service.unit, service.logfile, service.health)
        }
        (None, None) => return Ok(Health::NotAsked),
    };
    let unwell = |problem: String, log| Ok(Health::Unwell { problem, log });
    let source = LogSource { unit: unit.clone(), file: logfile };
    let log = match source.now(server) {
        Ok(log) => log,
        Err(error) => return unwell(with_causes(&error), Vec::new()),
    };
    let request = HealthRequest {
        unit: &unit,
        host,
        interface: &check.interface,
        http_port: check.http_port,
        gevent_port: check.gevent_port,
        databases: &check.databases,
        series: service.series,
        release: None,
        log: &log,
        audience: Audience::Everybody,
        timeout: PATIENCE,
        settle: Duration::ZERO,
        least_age: Duration::ZERO,
    };
    match check_health(server, &request) {
        Ok(_) => Ok(Health::Well),
        Err(failure) => unwell(with_causes(&failure.problem), failure.log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Holder, Summary};

    #[test]
    fn a_release_is_live_since_it_last_was_deployed() {
        let line = |release, outcome: &str, since| HistoryLine {
            schema: 1,
            holder: Holder {
                who: "ana".into(),
                from: "laptop".into(),
                url: None,
                message: None,
                transaction: "t".into(),
                since,
            },
            release: Some(release),
            previous: None,
            summary: Summary::default(),
            outcome: outcome.into(),
            message: None,
            interruption: None,
            recovered: false,
        };
        let lines = [line(3, "reverted", 30), line(2, "deployed", 20), line(2, "deployed", 10)];
        let since = |live| went_live(&lines, live).map(|line| line.holder.since);
        assert_eq!(since(Some(ReleaseNumber(2))), Some(20));
        assert_eq!(since(Some(ReleaseNumber(3))), None);
        assert_eq!(since(None), None);
    }
}
