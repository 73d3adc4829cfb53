//! Checks that touch nothing live: code, unit, vhost, imports, loading.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use super::StepError;
use crate::{
    agent::{
        inspect::{Bytecode, CheckRequest, Inspector, Problem, Waiting},
        nginx::Nginx,
        odoo_run::{ImportCheck, ImportFailure, OdooJob, OdooProgram, OdooRun},
        server::Server,
        service::Systemd,
        transaction::{Run, cancel_file},
    },
    host::{DatabaseName, ModuleName, UserName},
    layout::{Layout, ReleaseNumber},
    plan::{Service, unfit_for_loading},
};

/// How long loading a release, or importing its modules, may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// How many problems are shown.
const SHOWN: usize = 10;

/// Compiles the Python of the release and parses its XML and manifests.
pub(super) fn code(
    run: &mut Run<'_>,
    number: ReleaseNumber,
    files: Option<&[PathBuf]>,
    addons: &[PathBuf],
) -> Result<(), StepError> {
    let root = run.layout.code(number);
    let program = program(run)?;
    let inspector = inspector(run.server, &program);
    let in_addon = |path: &&PathBuf| addons.iter().any(|addon| path.starts_with(addon));
    let files = match files {
        Some(files) => files.iter().filter(in_addon).map(text).collect(),
        None => all_files(&run.server.path(&root), addons),
    };
    let addons = addons.iter().map(text).collect();
    let request = CheckRequest { root, series: program.series, files, addons };
    let waiting = match run.ahead.code_check.take() {
        Some(waiting) => waiting,
        None => inspector.await_check()?,
    };
    let problems = inspector.check(waiting, &request, Bytecode::Write)?;
    let Some(first) = problems.first() else { return Ok(()) };
    let further = match problems.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let details = problems.iter().skip(1).take(SHOWN).map(said).collect();
    Err(StepError::found(format!("{}{further}", said(first)))
        .with_hint("correct it in the branch and deploy again")
        .with_details(details))
}

/// Starts what will check the code.
pub(super) fn await_code(server: &Server, service: &Service) -> Result<Waiting, StepError> {
    Ok(inspector(server, &program_of(service)?).await_check()?)
}

fn inspector<'a>(server: &'a Server, program: &'a OdooProgram) -> Inspector<'a> {
    Inspector { server, python: &program.python, user: &program.user, group: &program.group }
}

fn said(problem: &Problem) -> String {
    match problem.line {
        Some(line) => format!("{}:{line}: {}", problem.file, problem.message),
        None => format!("{}: {}", problem.file, problem.message),
    }
}

/// Lists every file of the addons: where nothing is known of a release before.
fn all_files(root: &Path, addons: &[PathBuf]) -> Vec<String> {
    let mut files = BTreeSet::new();
    let mut left: Vec<PathBuf> = addons.iter().map(|addon| root.join(addon)).collect();
    while let Some(directory) = left.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => left.push(path),
                Ok(kind) if kind.is_file() => {
                    files.extend(path.strip_prefix(root).ok().map(text));
                }
                _ => {}
            }
        }
    }
    files.into_iter().collect()
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

/// Has systemd verify the unit.
pub(super) fn unit(server: &Server, layout: &Layout, unit: &str) -> Result<(), StepError> {
    Systemd::new(server).verify_unit(&layout.unit_name(), unit)?;
    Ok(())
}

/// Has nginx test the vhost among the others, but for those whose place it takes.
pub(super) fn vhost(
    server: &Server,
    layout: &Layout,
    vhost: &str,
    aside: &[PathBuf],
) -> Result<(), StepError> {
    Nginx::new(server).test_staged(&layout.vhost(), vhost, aside)?;
    Ok(())
}

/// Imports the Python of modules that will be upgraded.
pub(super) fn imports(
    run: &mut Run<'_>,
    number: ReleaseNumber,
    modules: &[ModuleName],
) -> Result<(), StepError> {
    let conf = run.layout.release(number).join("odoo.conf");
    let unit = format!("deployld-{}-import", run.transaction.id);
    let check = ImportCheck { unit: &unit, conf: &conf, modules, timeout: LOAD_TIMEOUT };
    let failures = program(run)?.import_check(run.server, &check)?;
    let Some(first) = failures.first() else { return Ok(()) };
    let details = failures.iter().skip(1).take(SHOWN).map(|failure| cause(failure, run)).collect();
    Err(StepError::found(cause(first, run))
        .with_hint("correct it in the branch and deploy again")
        .with_details(details))
}

fn cause(failure: &ImportFailure, run: &Run<'_>) -> String {
    let mut text = match &failure.module {
        Some(module) => format!("module `{module}` does not import: {}", failure.cause),
        None => failure.cause.clone(),
    };
    if let Some(file) = &failure.file {
        let code = run.transaction.number.map(|number| run.layout.code(number));
        let file = code.and_then(|code| file.strip_prefix(code).ok()).unwrap_or(file);
        text.push_str(&format!(" ({}", file.display()));
        if let Some(line) = failure.line {
            text.push_str(&format!(":{line}"));
        }
        text.push(')');
    }
    text
}

/// Loads the release against each database, beside the one that serves.
pub(super) fn load(
    run: &mut Run<'_>,
    number: ReleaseNumber,
    databases: &[DatabaseName],
) -> Result<(), StepError> {
    let program = program(run)?;
    for database in databases {
        refuse_unfit(run, database)?;
        let log = run.directory.join(format!("load-{database}.log"));
        let job = OdooRun {
            unit: format!("deployld-{}-{database}", run.transaction.id),
            conf: run.layout.release(number).join("odoo.conf"),
            database: database.clone(),
            job: OdooJob::Load,
            log: log.clone(),
            timeout: LOAD_TIMEOUT,
            stop_file: cancel_file(&run.directory),
        };
        let report = program.run(run.server, &job, &mut |_| {})?;
        run.redact_log(&log)?;
        let Some(why) = report.problem() else { continue };
        let text = run.server.read(&log)?.unwrap_or_default();
        return Err(StepError::found(format!("the release does not load on {database}: {why}"))
            .with_hint("correct it in the branch and deploy again")
            .with_details(last_lines(&text)));
    }
    Ok(())
}

/// Makes sure that loading a database does no more: somebody may have begun to install
/// a module since the plan was made.
fn refuse_unfit(run: &Run<'_>, database: &DatabaseName) -> Result<(), StepError> {
    let Some(facts) = super::database::postgres(run)?.facts(database)? else { return Ok(()) };
    match unfit_for_loading(&facts, run.transaction.service.series.rules()) {
        None => Ok(()),
        Some(why) => Err(StepError::found(format!(
            "the release is not tried on {database}, which that would change: {why}"
        ))
        .with_hint("finish or cancel that in Odoo (Apps), and deploy again")),
    }
}

/// Returns the end of a log.
pub(super) fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(2 * SHOWN)..].to_vec()
}

/// Describes how Odoo is run on this host.
pub(super) fn program(run: &Run<'_>) -> Result<OdooProgram, StepError> {
    program_of(&run.transaction.service)
}

fn program_of(service: &Service) -> Result<OdooProgram, StepError> {
    let name =
        |text: &str| UserName::parse(text).map_err(|error| StepError::found(error.to_string()));
    Ok(OdooProgram {
        path: service.odoo_bin.clone(),
        python: service.interpreter(),
        is_started_by_python: service.python_environment.is_some(),
        series: service.series,
        user: name(&service.user)?,
        group: name(&service.group)?,
        environment_file: None,
    })
}
