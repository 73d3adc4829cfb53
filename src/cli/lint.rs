//! `deploy lint`.

use std::path::Path;

use super::{ExitCode, arguments::LintArguments, surroundings::surroundings, terminal::Terminal};
use crate::{
    host::{
        Host, host_names,
        lint::{Severity, lint, lint_fleet},
    },
    workflow::{Project, WorkflowError},
};

pub(super) fn run(
    directory: &Path,
    arguments: &LintArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let names = host_names(&project.files)?;
    let mut hosts = Vec::new();
    let mut unreadable = 0;
    for name in &names {
        match Host::load(&project.files, name) {
            Ok(host) => hosts.push(host),
            Err(error) => {
                unreadable += 1;
                terminal.config_error(&error);
            }
        }
    }
    let mut findings: Vec<_> = hosts
        .iter()
        .filter(|host| arguments.host.is_empty() || arguments.host.contains(&host.name))
        .flat_map(lint)
        .collect();
    if arguments.host.is_empty() {
        findings.extend(lint_fleet(&hosts));
    }
    for finding in &findings {
        terminal.finding(finding);
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    terminal.lint_summary(hosts.len(), errors + unreadable, findings.len() - errors);
    Ok(if errors + unreadable == 0 { ExitCode::Success } else { ExitCode::Usage })
}
