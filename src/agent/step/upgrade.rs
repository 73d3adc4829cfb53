//! Upgrading modules in a database, and whether that succeeded.

use std::time::Duration;

use super::{StepError, check, database};
use crate::{
    agent::{
        odoo_run::{OdooJob, OdooRun, RunEnd, Translations},
        transaction::Run,
    },
    odoo::{UpgradeLog, UpgradeProgress},
    plan::UpgradeModules,
};

/// Upgrades and installs modules. Exit status, log and the database's own
/// states must all say that it worked.
pub(super) fn modules(run: &mut Run<'_>, step: &UpgradeModules) -> Result<(), StepError> {
    let log = run.directory.join(format!("upgrade-{}.log", step.database));
    let job = OdooRun {
        unit: format!("deployup-{}-{}", run.transaction.id, step.database),
        conf: run.layout.release(step.number).join("odoo.conf"),
        database: step.database.clone(),
        job: OdooJob::Upgrade {
            install: step.install.clone(),
            upgrade: step.update.clone(),
            translations: if step.overwrite_translations {
                Translations::Overwrite
            } else {
                Translations::Keep
            },
        },
        log: log.clone(),
        timeout: Duration::from_secs(step.timeout),
    };
    let program = check::program(run)?;
    let server = run.server;
    let end = program.run(server, &job, &mut |line| {
        if let Some(UpgradeProgress::Loading { module, number, total }) =
            UpgradeProgress::read(line)
        {
            run.progress(format!("{module} ({number}/{total})"));
        }
    })?;
    let text = server.read(&log)?.unwrap_or_default();
    judge(run, step, &end, &text)
        .inspect_err(|_| run.kept.push(format!("the log {}", log.display())))
}

fn judge(
    run: &mut Run<'_>,
    step: &UpgradeModules,
    end: &RunEnd,
    text: &str,
) -> Result<(), StepError> {
    let log = UpgradeLog::read(text);
    for warning in &log.warnings {
        run.warn(warning.clone());
    }
    if let Some(problem) = log.problem() {
        let excerpt = log.failure.map(|failure| failure.excerpt);
        return Err(StepError::found(problem)
            .with_details(excerpt.unwrap_or_else(|| check::last_lines(text))));
    }
    if !end.is_zero() {
        let during = log.last_step.map(|step| format!(" while {step}")).unwrap_or_default();
        return Err(StepError::found(format!("the upgrade did not succeed{during}: {end}"))
            .with_details(check::last_lines(text)));
    }
    let problems = database::postgres(run)?.verify_modules(
        &step.database,
        run.transaction.service.series,
        &step.versions,
    )?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(StepError::found(format!(
        "Odoo ended well, but database {} is not upgraded: {}",
        step.database,
        problems.join("; ")
    ))
    .with_details(check::last_lines(text)))
}
