//! `deploy client remove`.

use std::path::Path;

use serde_json::{Value, json};
use tokio::select;

use super::add::{file_object, what_became};
use crate::{
    cli::{
        ExitCode,
        arguments::ClientRemoveArguments,
        deploy::{request_for, tell},
        dns, json,
        surroundings::surroundings,
        terminal::{Style, Terminal},
        words,
    },
    dns::Change,
    host::HostName,
    plan::{Archived, Event, RemovalOutcome, RemovalStep},
    workflow::{
        Project, WorkflowError,
        client::{Forgotten, HostEnd, HostRemoval, RemoveRequest, Targets, forget, look, remove},
        deploy::Notice,
    },
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &ClientRemoveArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let request = RemoveRequest {
        name: arguments.name.clone(),
        environments: arguments.environment.clone(),
        host: arguments.host.clone(),
        branch: arguments.branch,
        at: jiff::Timestamp::now(),
    };
    let targets = Targets::find(&project, &request)?;
    let consent = Consent::of(arguments, &targets, terminal)?;
    let removals = terminal.asking(look(&project, &targets)).await?;
    for removal in &removals {
        show(removal, terminal);
        terminal.json(&plan_object(removal));
    }
    if arguments.dry_run {
        terminal.note("dry run: nothing was changed");
        return Ok(ExitCode::Success);
    }
    if consent == Consent::Ask && !typed(&targets, terminal).await {
        return Err(WorkflowError::Declined);
    }
    let (mut gone, mut code) = (Vec::new(), ExitCode::Success);
    for removal in &removals {
        code = one(&project, removal, terminal).await?;
        if code != ExitCode::Success {
            break;
        }
        gone.push(removal);
    }
    if !gone.is_empty() {
        let client = targets.client.to_string();
        let names: Vec<_> = gone.iter().map(|removal| removal.host.name.clone()).collect();
        let forgotten =
            if arguments.keep_files { None } else { Some(forget(&project, targets, &names)?) };
        conclude(&client, &gone, forgotten.as_ref(), terminal);
    }
    Ok(code)
}

/// How it is made sure that this is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    Ask,
}

impl Consent {
    /// Decides it before any server is asked.
    fn of(
        arguments: &ClientRemoveArguments,
        targets: &Targets,
        terminal: &Terminal,
    ) -> Result<Self, WorkflowError> {
        let client = &targets.client;
        let usage =
            |message: String, hint: String| WorkflowError::Usage { message, hint: Some(hint) };
        match &arguments.confirm {
            Some(confirm) if confirm == client.as_str() => return Ok(Self::Given),
            Some(confirm) => {
                return Err(usage(
                    format!("`--confirm {confirm}` is not the client's name"),
                    format!("`--confirm {client}` says that client {client} is meant"),
                ));
            }
            None if arguments.dry_run || (arguments.yes && !targets.confirm) => {
                return Ok(Self::Given);
            }
            None => {}
        }
        if terminal.is_interactive() {
            return Ok(Self::Ask);
        }
        Err(usage(
            "a client is removed by somebody who is sure".to_owned(),
            format!("where nobody can be asked, give `--confirm {client}`"),
        ))
    }
}

async fn typed(targets: &Targets, terminal: &mut Terminal) -> bool {
    let question = format!("To remove this for good, type the client's name ({}):", targets.client);
    let interrupts = terminal.interrupts();
    interrupts.gate().close();
    select! {
        answer = terminal.ask(&question) => answer.as_deref() == Some(targets.client.as_str()),
        _ = interrupts.next() => false,
    }
}

/// Shows what is there of a host, what goes and what stays.
fn show(removal: &HostRemoval, terminal: &Terminal) {
    let (host, facts) = (&removal.host, &removal.facts);
    let name = terminal.paint(Style::Bold, host.name.as_str());
    terminal.result(&format!("{name}  {} on {}", host.environment, host.server));
    if removal.removal.steps.is_empty() {
        terminal.result("  nothing of it is on the server");
    }
    for database in facts.databases.iter().flatten() {
        terminal.result(&format!("  database  {}, {}", database.name, words::room(database.bytes)));
    }
    if !facts.copies.is_empty() {
        let bytes = facts.copies.iter().map(|(_, bytes)| bytes).sum();
        terminal.result(&format!("  copies    {}, {}", facts.copies.len(), words::room(bytes)));
    }
    if let Some(data) = facts.data {
        terminal.result(&format!("  files     {}, {}", data.files, words::room(data.bytes)));
    }
    if let Some(directory) = facts.directory {
        terminal.result(&format!(
            "  releases  {} files, {}",
            directory.files,
            words::room(directory.bytes)
        ));
    }
    if let Some(archive) = &facts.archived {
        terminal.result(&format!("  archived already: {}", archive.display()));
    }
    for step in &removal.removal.steps {
        terminal.result(&format!("  - {}", step.title()));
    }
    for line in removal.records.changes().iter().flat_map(Change::lines) {
        terminal.result(&format!("  dns  {line}"));
    }
    for kept in removal.kept() {
        terminal.result(&format!("  stays: {kept}"));
    }
}

/// Removes one host and says how that ended.
async fn one(
    project: &Project,
    removal: &HostRemoval,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let host = &removal.host.name;
    let id = request_for(host)?.id;
    let interrupts = terminal.interrupts();
    interrupts.gate().close();
    let mut listen = |event: Event| tell(&Notice::Event(event), terminal);
    let left = async {
        interrupts.next().await;
    };
    let end = remove(project, removal, &id, &mut listen, left).await;
    terminal.idle();
    let HostEnd { outcome, records } = end?;
    let mut code = ExitCode::Success;
    if let Some(outcome) = &outcome {
        terminal.json(&json!({
            "schema": json::SCHEMA,
            "event": "removed",
            "host": host,
            "result": outcome,
            "kept": removal.kept().collect::<Vec<_>>(),
        }));
        code = say(host, outcome, terminal);
    }
    match records {
        Some(Ok(changes)) => dns::removed(&changes, terminal),
        Some(Err(error)) => code = terminal.failure(&error),
        None => {}
    }
    Ok(code)
}

fn say(host: &HostName, outcome: &RemovalOutcome, terminal: &mut Terminal) -> ExitCode {
    match outcome {
        RemovalOutcome::Removed { archive } => {
            let done = terminal.paint(Style::Green, &format!("{host} is removed"));
            terminal.result(&done);
            archived(archive.as_ref(), terminal);
            ExitCode::Success
        }
        RemovalOutcome::Locked { holder } => {
            terminal.failure(&WorkflowError::Locked(holder.clone()))
        }
        RemovalOutcome::Refused { failure } => {
            terminal.step_failure(failure);
            terminal.note("nothing was removed");
            ExitCode::Refused
        }
        RemovalOutcome::Stopped { failure, archive } => {
            terminal.step_failure(failure);
            archived(archive.as_ref(), terminal);
            terminal.note(&format!(
                "{host} is removed in part: run the command again, and it goes on from there"
            ));
            ExitCode::Broken
        }
    }
}

fn archived(archive: Option<&Archived>, terminal: &Terminal) {
    if let Some(archive) = archive {
        let size = words::room(archive.bytes);
        terminal.result(&format!("  archive   {} on the server, {size}", archive.path.display()));
    }
}

/// What the tool did not make and so does not remove.
fn left_to_do(gone: &[&HostRemoval]) -> Option<String> {
    let names = gone.iter().flat_map(|removal| &removal.records.elsewhere);
    let names: Vec<_> = names.map(HostName::as_str).collect();
    (!names.is_empty())
        .then(|| format!("DNS records that you made for {} are yours to remove", names.join(", ")))
}

fn conclude(
    client: &str,
    gone: &[&HostRemoval],
    forgotten: Option<&Forgotten>,
    terminal: &mut Terminal,
) {
    let files = forgotten.map(|forgotten| forgotten.files.as_slice()).unwrap_or_default();
    for file in files {
        terminal.result(&format!("{}  {}", what_became(file), file.path.display()));
    }
    let branch = forgotten.and_then(|forgotten| forgotten.branch.as_ref());
    let next = match branch {
        Some((branch, _)) => vec![format!("git push -u origin {branch}")],
        None if files.is_empty() => Vec::new(),
        None => {
            let paths: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
            vec![
                format!("git add --all {}", paths.join(" ")),
                format!("git commit -m \"Remove client {client}\" && git push"),
            ]
        }
    };
    if !next.is_empty() {
        terminal.result("next, on every branch that is deployed:");
        next.iter().for_each(|line| terminal.result(&format!("  {line}")));
    }
    let left = left_to_do(gone);
    left.iter().for_each(|line| terminal.note(line));
    let gone: Vec<_> = gone.iter().map(|removal| &removal.host.name).collect();
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "client-removed",
        "client": client,
        "hosts": gone,
        "files": files.iter().map(file_object).collect::<Vec<_>>(),
        "branch": branch.map(|(branch, _)| branch),
        "commit": branch.map(|(_, commit)| commit),
        "next": next,
        "left": left.into_iter().collect::<Vec<_>>(),
    }));
}

fn plan_object(removal: &HostRemoval) -> Value {
    let (host, facts) = (&removal.host, &removal.facts);
    let databases = facts.databases.iter().flatten();
    let databases: Vec<_> =
        databases.map(|one| json!({ "database": one.name, "bytes": one.bytes })).collect();
    let copies: Vec<_> = facts
        .copies
        .iter()
        .map(|(copy, bytes)| json!({ "database": copy, "bytes": bytes }))
        .collect();
    json!({
        "schema": json::SCHEMA,
        "event": "removal",
        "host": host.name,
        "environment": host.environment,
        "server": host.server,
        "release": facts.live,
        "databases": databases,
        "copies": copies,
        "files": facts.data,
        "directory": facts.directory,
        "archived": facts.archived,
        "steps": removal.removal.steps.iter().map(RemovalStep::title).collect::<Vec<_>>(),
        "dns": removal.records.changes(),
        "kept": removal.kept().collect::<Vec<_>>(),
    })
}
