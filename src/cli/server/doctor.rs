//! `deploy server doctor`.

use std::path::Path;

use serde_json::json;

use crate::{
    cli::{
        ExitCode,
        arguments::server::DoctorArguments,
        json,
        surroundings::surroundings,
        terminal::{Style, Terminal},
        words,
    },
    setup::{Diagnosis, Severity},
    workflow::{Project, WorkflowError, setup::examine},
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &DoctorArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let found = terminal.asking(examine(&project, &arguments.server)).await?;
    for diagnosis in &found {
        show(diagnosis, terminal);
    }
    let count = |severity| found.iter().filter(|it| it.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let server = &arguments.server;
    terminal.result(&if found.is_empty() {
        terminal.paint(Style::Green, &format!("{server} is well"))
    } else {
        format!("{server}: {errors} errors, {warnings} warnings")
    });
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "doctor",
        "server": server,
        "errors": errors,
        "warnings": warnings,
    }));
    Ok(if found.is_empty() { ExitCode::Success } else { ExitCode::Changes })
}

fn show(diagnosis: &Diagnosis, terminal: &mut Terminal) {
    let label = match diagnosis.severity {
        Severity::Error => terminal.paint(Style::Red, "error"),
        Severity::Warning => terminal.paint(Style::Yellow, "warning"),
    };
    let message = words::plain(&diagnosis.message);
    terminal.result(&format!("{label}[{}]: {message}", diagnosis.about));
    terminal.result(&format!("  {}", words::plain(&diagnosis.remedy)));
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "diagnosis",
        "about": diagnosis.about,
        "severity": diagnosis.severity,
        "message": diagnosis.message,
        "remedy": diagnosis.remedy,
    }));
}
