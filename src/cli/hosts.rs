//! `deploy hosts`.

use std::path::Path;

use super::{ExitCode, arguments::HostsArguments, surroundings::surroundings, terminal::Terminal};
use crate::{
    host::{Host, host_names},
    workflow::{Project, WorkflowError},
};

pub(super) fn run(
    directory: &Path,
    arguments: &HostsArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let mut rows = Vec::new();
    for name in host_names(&project.files)? {
        let host = Host::load(&project.files, &name)?;
        if arguments.environment.as_ref().is_some_and(|only| only != host.environment.as_str()) {
            continue;
        }
        let branch = &project.settings.environment(&host.environment)?.branch;
        let databases: Vec<_> = host.databases.iter().map(ToString::to_string).collect();
        rows.push([
            host.name.to_string(),
            host.environment.to_string(),
            branch.to_string(),
            host.server.to_string(),
            host.odoo.to_string(),
            databases.join(","),
        ]);
    }
    if arguments.json {
        for row in &rows {
            let [host, environment, branch, server, odoo, databases] = row;
            terminal.json(&serde_json::json!({
                "schema": super::json::SCHEMA,
                "event": "host",
                "host": host,
                "environment": environment,
                "branch": branch,
                "server": server,
                "odoo": odoo,
                "databases": databases.split(',').collect::<Vec<_>>(),
            }));
        }
    } else {
        terminal.table(["HOST", "ENVIRONMENT", "BRANCH", "SERVER", "ODOO", "DATABASE"], &rows);
    }
    Ok(ExitCode::Success)
}
