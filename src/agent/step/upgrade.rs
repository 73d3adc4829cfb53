//! Upgrading modules in a database, and whether that succeeded.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{StepError, check, database};
use crate::{
    agent::{
        odoo_run::{OdooJob, OdooRun, OdooRunReport, Translations},
        server::FileError,
        transaction::{Run, cancel_file},
    },
    odoo::UpgradeProgress,
    plan::UpgradeModules,
};

/// How long to wait between two looks for a free place.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits until one of the server's places for an upgrade is free, and takes it for as
/// long as this process lives.
pub(super) fn wait_for_others(run: &mut Run<'_>, at_once: u32) -> Result<(), StepError> {
    let mut told = false;
    loop {
        for place in 0..at_once {
            let path = PathBuf::from(format!("/run/lock/odoo-deploy-upgrade-{place}.lock"));
            let file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(run.server.path(&path))
                .map_err(FileError::at("open", &path))?;
            if file.try_lock().is_ok() {
                run.upgrade_place = Some(file);
                return Ok(());
            }
        }
        if run.is_cancelled() {
            return Err(StepError::found("the operator stopped it"));
        }
        if !told {
            run.progress("others are upgraded; users notice nothing of the wait");
            told = true;
        }
        thread::sleep(PAUSE);
    }
}

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
        .inspect_err(|_| run.kept.push(format!("the log {}", log.display())))?;
    // The row of an attachment must not outlive a power cut without its file.
    database::sync_files(run)
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
