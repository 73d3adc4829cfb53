//! `deploy client add`.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    cli::{
        ExitCode,
        arguments::ClientAddArguments,
        json,
        surroundings::surroundings,
        terminal::{Style, Terminal},
    },
    secret::SECRETS_FILE,
    workflow::{
        Project, WorkflowError,
        client::{AddRequest, Added, AddedHost, FileChange, add},
    },
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &ClientAddArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let request = AddRequest {
        name: arguments.name.clone(),
        environments: arguments.environment.clone(),
        domain: arguments.domain.clone(),
        server: arguments.server.clone(),
        odoo: arguments.odoo,
        branch: arguments.branch,
        offline: arguments.offline,
        at: jiff::Timestamp::now(),
    };
    let added = terminal.asking(add(&project, &request)).await?;
    for note in &added.notes {
        terminal.warning(note);
    }
    for finding in &added.findings {
        terminal.finding(finding);
    }
    show(&added, terminal);
    terminal.json(&object(&added));
    Ok(ExitCode::Success)
}

fn show(added: &Added, terminal: &Terminal) {
    terminal.result(&terminal.paint(Style::Bold, added.client.as_str()));
    for AddedHost { host, why, .. } in &added.hosts {
        terminal.result(&format!("  {}", terminal.paint(Style::Bold, host.name.as_str())));
        terminal.result(&format!("    {} on {}: {why}", host.environment, host.server));
        let databases: Vec<_> = host.databases.iter().map(ToString::to_string).collect();
        terminal.result(&format!(
            "    Odoo {}, ports {} and {}, database {}, system user {}",
            host.odoo,
            host.http_port,
            host.gevent_port,
            databases.join(", "),
            host.deploy.user
        ));
    }
    for file in &added.files {
        terminal.result(&format!("{}  {}", what_became(file), file.path.display()));
    }
    if !added.missing_secrets.is_empty() {
        terminal.result("");
        terminal.result(&format!(
            "secrets that have no value here: set them in the environment (in CI: as its \
             secrets), or add these lines to {SECRETS_FILE}, with a value each:"
        ));
        for name in &added.missing_secrets {
            terminal.result(&format!("  {name}="));
        }
    }
    terminal.result("");
    terminal.result("next:");
    for line in next(added) {
        terminal.result(&format!("  {line}"));
    }
}

/// Says what became of a file.
pub(super) fn what_became(file: &FileChange) -> &'static str {
    match (&file.before, &file.after) {
        (None, _) => "added  ",
        (Some(_), Some(_)) => "updated",
        (Some(_), None) => "removed",
    }
}

/// The commands that make a live client of it.
fn next(added: &Added) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((branch, commit)) = &added.branch {
        lines.push(format!("git push -u origin {branch}    # commit {}", commit.short()));
    } else {
        let files: Vec<_> =
            added.files.iter().map(|file| file.path.display().to_string()).collect();
        lines.push(format!("git add {}", files.join(" ")));
        lines.push(format!("git commit -m \"Add client {}\" && git push", added.client));
    }
    let mut branches: Vec<_> = added
        .hosts
        .iter()
        .map(|added| format!("{} ({})", added.branch, added.host.environment))
        .collect();
    branches.dedup();
    lines.push(format!("bring it to the branches that are deployed: {}", branches.join(", ")));
    // What is tried out goes first.
    for AddedHost { host, .. } in added.hosts.iter().rev() {
        lines.push(format!("deploy --host {}", host.name));
    }
    lines
}

fn object(added: &Added) -> Value {
    let host = |added: &AddedHost| {
        let host = &added.host;
        json!({
            "host": host.name,
            "environment": host.environment,
            "branch": added.branch,
            "server": host.server,
            "why": added.why,
            "odoo": host.odoo.as_str(),
            "http_port": host.http_port,
            "gevent_port": host.gevent_port,
            "databases": host.databases,
            "user": host.deploy.user,
        })
    };
    json!({
        "schema": json::SCHEMA,
        "event": "client-added",
        "client": added.client.as_str(),
        "hosts": added.hosts.iter().map(host).collect::<Vec<_>>(),
        "files": added.files.iter().map(file_object).collect::<Vec<_>>(),
        "branch": added.branch.as_ref().map(|(branch, _)| branch),
        "commit": added.branch.as_ref().map(|(_, commit)| commit),
        "missing_secrets": added.missing_secrets,
        "next": next(added),
    })
}

/// Describes a file that was changed.
pub(super) fn file_object(file: &FileChange) -> Value {
    json!({ "path": file.path, "change": what_became(file).trim_end() })
}
