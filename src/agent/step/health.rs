//! Whether the host is well, and whether a reload took place.

use std::time::Duration;

use super::StepError;
use crate::{
    agent::{
        health::{
            Audience, HealthFailure, HealthRequest, ReloadWatch, check_health, wait_for_reload,
        },
        service::{ProcessSet, Systemd},
        transaction::Run,
        with_causes,
    },
    layout::ReleaseNumber,
    plan::{ADOPTED, HealthCheck},
};

/// What a service must have lasted before it counts as well.
struct Patience {
    /// Since it answered.
    settle: Duration,
    /// Since it was started or reloaded.
    least_age: Duration,
}

impl Patience {
    /// One that dies seconds after its start is no success: how many are watched, the host's
    /// file says. However long it took to answer, it is watched a little longer.
    fn with_new(check: &HealthCheck) -> Self {
        const WATCHED: Duration = Duration::from_secs(3);
        let least_age = Duration::from_secs(check.settle);
        Self { settle: WATCHED.min(least_age), least_age }
    }
}

/// An earlier release is known to be well.
const AGAIN: Patience = Patience { settle: Duration::from_secs(1), least_age: Duration::ZERO };

/// How long Odoo may take to swap its workers: it gives up itself after 60 s,
/// and old workers finish their requests for `limit_time_real`.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(180);

/// Asks Odoo whether it serves every database from the release.
pub(super) fn check(run: &mut Run<'_>, check: &HealthCheck) -> Result<(), StepError> {
    for held in &mut run.held_jobs {
        held.check()?;
    }
    let report = ask(run, check, &Patience::with_new(check), true)?;
    for warning in report {
        run.warn(format!("Odoo logged: {warning}"));
    }
    Ok(())
}

/// Asks the release before whether it serves again.
pub(super) fn check_again(run: &mut Run<'_>, check: &HealthCheck) -> Result<(), StepError> {
    ask(run, check, &AGAIN, false)?;
    run.interruption_ends();
    Ok(())
}

fn ask(
    run: &mut Run<'_>,
    check: &HealthCheck,
    patience: &Patience,
    is_new: bool,
) -> Result<Vec<String>, StepError> {
    let audience = if run.server.path(&run.layout.maintenance_flag()).exists() {
        Audience::Nobody
    } else {
        Audience::Everybody
    };
    let log = run.log_position()?;
    let adopted = run.transaction.adopted.as_ref().filter(|_| check.number == ADOPTED);
    let unit = adopted.map_or_else(|| run.layout.unit_name(), |service| service.unit.clone());
    // Release 0 has no directory of its own on its addons path.
    let release = adopted.is_none().then(|| run.layout.release(check.number));
    let request = HealthRequest {
        unit: &unit,
        host: &run.transaction.host,
        interface: &check.interface,
        http_port: check.http_port,
        gevent_port: check.gevent_port,
        databases: &check.databases,
        series: run.transaction.service.series,
        release: release.as_deref(),
        log: &log,
        audience,
        timeout: Duration::from_secs(check.timeout),
        settle: patience.settle,
        least_age: patience.least_age,
    };
    match check_health(run.server, &request) {
        Ok(report) => Ok(report.warnings),
        Err(failure) if is_new => Err(found(&failure)),
        Err(failure) => {
            let error = found(&failure);
            Err(error.with_hint("the release before is in place, but does not answer as it should"))
        }
    }
}

/// Has Odoo swap its workers and waits until the new ones serve the release.
pub(super) fn reload(
    run: &mut Run<'_>,
    before: &ProcessSet,
    number: ReleaseNumber,
) -> Result<(), StepError> {
    let unit = run.layout.unit_name();
    let systemd = Systemd::new(run.server);
    let Some(main_pid) = systemd.state(&unit)?.main_pid else {
        return Err(StepError::found(format!("`{unit}` does not run, so it cannot be reloaded")));
    };
    systemd.reload(&unit)?;
    let log = run.log_position()?;
    let release = run.layout.release(number);
    watch(
        run,
        &ReloadWatch {
            unit: &unit,
            main_pid,
            before,
            release: &release,
            log: &log,
            timeout: RELOAD_TIMEOUT,
        },
    )
}

fn watch(run: &Run<'_>, watch: &ReloadWatch<'_>) -> Result<(), StepError> {
    wait_for_reload(run.server, watch).map(drop).map_err(|failure| found(&failure))
}

fn found(failure: &HealthFailure) -> StepError {
    StepError::found(with_causes(&failure.problem)).with_details(failure.log.clone())
}
