//! `deploy hosts`.

use std::path::Path;

use super::{
    ExitCode,
    arguments::{HostsArguments, HostsFormat},
    surroundings::surroundings,
    terminal::Terminal,
};
use crate::{
    fleet::{FleetHost, Matrix, MatrixError},
    host::{Host, host_names},
    settings::Server,
    workflow::{Project, WorkflowError},
};

pub(super) fn run(
    directory: &Path,
    arguments: &HostsArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let format = arguments.format();
    if arguments.groups.is_some() && format != HostsFormat::Matrix {
        return Err(WorkflowError::Usage {
            message: "`--groups` spreads hosts over the jobs of a matrix".to_owned(),
            hint: Some("add `--format matrix`".to_owned()),
        });
    }
    let project = Project::open(directory, surroundings())?;
    let hosts = load(&project)?;
    let fleet = hosts.iter().map(|host| place(host, &project)).collect::<Result<Vec<_>, _>>()?;
    let chosen = arguments.selection().choose(&fleet, &project.settings)?;
    if format == HostsFormat::Matrix {
        let reached = reachable(chosen, arguments, &project);
        terminal.result(&matrix(&reached, arguments.groups)?);
        return Ok(ExitCode::Success);
    }
    // Both are in the order of names.
    let rows: Vec<_> = hosts
        .iter()
        .filter_map(|host| Some(row(host, chosen.iter().find(|place| place.host == host.name)?)))
        .collect();
    if format == HostsFormat::Table {
        terminal.table(["HOST", "ENVIRONMENT", "BRANCH", "SERVER", "ODOO", "DATABASE"], &rows);
        return Ok(ExitCode::Success);
    }
    for [host, environment, branch, server, odoo, databases] in &rows {
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
    Ok(ExitCode::Success)
}

pub(super) fn load(project: &Project) -> Result<Vec<Host>, WorkflowError> {
    let mut hosts = Vec::new();
    for name in host_names(&project.files)? {
        hosts.push(Host::load(&project.files, &name)?);
    }
    Ok(hosts)
}

pub(super) fn place(host: &Host, project: &Project) -> Result<FleetHost, WorkflowError> {
    Ok(FleetHost {
        host: host.name.clone(),
        environment: host.environment.clone(),
        branch: project.settings.environment(&host.environment)?.branch.clone(),
        server: host.server.clone(),
    })
}

fn row(host: &Host, place: &FleetHost) -> [String; 6] {
    let databases: Vec<_> = host.databases.iter().map(ToString::to_string).collect();
    [
        place.host.to_string(),
        place.environment.to_string(),
        place.branch.to_string(),
        place.server.to_string(),
        host.odoo.to_string(),
        databases.join(","),
    ]
}

/// Leaves out hosts of the machine that runs the command: a runner is no server, unless its
/// server is named.
fn reachable(
    mut chosen: Vec<FleetHost>,
    arguments: &HostsArguments,
    project: &Project,
) -> Vec<FleetHost> {
    let named = arguments.selection().servers;
    chosen.retain(|host| {
        let is_local = project.settings.servers.get(&host.server) == Some(&Server::Local);
        !is_local || named.contains(&host.server)
    });
    chosen
}

fn matrix(chosen: &[FleetHost], groups: Option<u16>) -> Result<String, WorkflowError> {
    let matrix = match groups {
        None => Matrix::of_hosts(chosen),
        Some(groups) => Matrix::of_groups(chosen, groups.into()),
    };
    let matrix = matrix.map_err(|error: MatrixError| WorkflowError::Usage {
        hint: Some(error.hint()),
        message: error.to_string(),
    })?;
    Ok(serde_json::to_string(&matrix).expect("names are text"))
}
