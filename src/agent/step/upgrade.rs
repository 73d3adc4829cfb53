//! Upgrading modules in a database, and whether that succeeded.

use std::{path::Path, time::Duration};

use super::{StepError, check, database};
use crate::{
    agent::{
        odoo_run::{OdooJob, OdooRun, OdooRunReport, Translations},
        transaction::{Run, cancel_file},
    },
    odoo::UpgradeProgress,
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
        stop_file: cancel_file(&run.directory),
    };
    let program = check::program(run)?;
    let server = run.server;
    let report = program.run(server, &job, &mut |line| {
        if let Some(UpgradeProgress::Loading { module, number, total }) =
            UpgradeProgress::read(line)
        {
            run.progress(format!("{module} ({number}/{total})"));
        }
    })?;
    run.redact_log(&log)?;
    judge(run, step, report, &log)
        .inspect_err(|_| run.kept.push(format!("the log {}", log.display())))
}

fn judge(
    run: &mut Run<'_>,
    step: &UpgradeModules,
    report: OdooRunReport,
    log: &Path,
) -> Result<(), StepError> {
    for warning in &report.log.warnings {
        run.warn(warning.clone());
    }
    let problem = match report.problem() {
        Some(problem) => problem,
        None => {
            let problems = database::postgres(run)?.verify_modules(
                &step.database,
                run.transaction.service.series,
                &step.versions,
            )?;
            if problems.is_empty() {
                return Ok(());
            }
            let (database, problems) = (&step.database, problems.join("; "));
            format!("Odoo ended well, but database {database} is not upgraded: {problems}")
        }
    };
    let excerpt = match report.log.failure {
        Some(failure) => failure.excerpt,
        None => check::last_lines(&run.server.read(log)?.unwrap_or_default()),
    };
    Err(StepError::found(problem).with_details(excerpt))
}
