//! `deploy dns`, and what a deploy prints of records in the DNS.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    ExitCode, json, plan_view,
    surroundings::surroundings,
    terminal::{Style, Terminal},
};
use crate::{
    dns::{Change, Found, Wanted},
    host::HostName,
    workflow::{
        Project, WorkflowError,
        deploy::Prepared,
        dns::{Settled, Standing, look, remove_records},
    },
};

#[derive(Debug, Clone, Args)]
pub(super) struct DnsArguments {
    #[command(subcommand)]
    pub(super) command: DnsCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum DnsCommand {
    /// Shows the records of a host, whose they are, and what a deploy would change.
    Status(DnsStatusArguments),
    /// Removes the records that this tool made for a host. Others stay.
    Remove(DnsRemoveArguments),
}

#[derive(Debug, Clone, Args)]
pub(super) struct DnsStatusArguments {
    /// The host.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct DnsRemoveArguments {
    /// The host; its file may be gone already.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// Do not ask; needed where nobody can be asked.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

impl DnsArguments {
    /// Tells whether objects are wanted.
    pub(super) const fn json(&self) -> bool {
        match &self.command {
            DnsCommand::Status(arguments) => arguments.json,
            DnsCommand::Remove(arguments) => arguments.json,
        }
    }
}

pub(super) fn run(
    directory: &Path,
    arguments: &DnsArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    match &arguments.command {
        DnsCommand::Status(arguments) => status(directory, arguments, terminal),
        DnsCommand::Remove(arguments) => remove(directory, arguments, terminal),
    }
}

#[tokio::main]
async fn status(
    directory: &Path,
    arguments: &DnsStatusArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let standing = terminal.asking(look(&project, &arguments.host)).await?;
    show(&arguments.host, &standing, terminal);
    let plan = standing.plan.map_err(WorkflowError::Obstacles)?;
    for note in &plan.notes {
        terminal.note(note);
    }
    Ok(ExitCode::Success)
}

#[tokio::main]
async fn remove(
    directory: &Path,
    arguments: &DnsRemoveArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    if !arguments.yes && !terminal.is_interactive() {
        return Err(WorkflowError::Usage {
            message: "records are removed by somebody who is sure".to_owned(),
            hint: Some("give `--yes` where nobody can be asked".to_owned()),
        });
    }
    let project = Project::open(directory, surroundings())?;
    let host = &arguments.host;
    let question = format!("Remove the DNS records of {host}? Nobody will find it any more.");
    if !arguments.yes && !terminal.confirm(&question).await {
        return Err(WorkflowError::Declined);
    }
    let changes = terminal.asking(async { Ok(remove_records(&project, host).await?) }).await?;
    if changes.is_empty() {
        terminal.result(&format!("this tool has made no records for {host}"));
    }
    removed(&changes, terminal);
    Ok(ExitCode::Success)
}

fn show(host: &HostName, standing: &Standing, terminal: &Terminal) {
    if standing.wanted.is_empty() {
        terminal.result(&format!("the DNS records of {host} are not managed"));
    }
    for found in &standing.found {
        terminal.result(&terminal.paint(Style::Bold, found.name.as_str()));
        if found.records.is_empty() {
            terminal.result("  no records");
        }
        for record in &found.records {
            terminal.result(&format!("  {}  {}", record.data, whose(record)));
        }
    }
    let changes = standing.plan.as_ref().map(|plan| plan.changes.as_slice()).unwrap_or_default();
    plan_view::records(changes, terminal);
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "dns",
        "host": host,
        "wanted": standing.wanted.iter().map(wish).collect::<Vec<_>>(),
        "found": standing.found.iter().map(found).collect::<Vec<_>>(),
        "changes": changes,
    }));
}

fn whose(record: &crate::dns::FoundRecord) -> String {
    match &record.owner {
        crate::dns::Owner::Host(mark) => format!("made for {}", mark.host()),
        crate::dns::Owner::Stranger => "not made by this tool".to_owned(),
    }
}

fn wish(wanted: &Wanted) -> serde_json::Value {
    json!({ "zone": wanted.zone, "name": wanted.name, "addresses": wanted.addresses })
}

fn found(found: &Found) -> serde_json::Value {
    let record = |record: &crate::dns::FoundRecord| json!({ "record": record.data.to_string(), "owner": whose(record) });
    let records: Vec<_> = found.records.iter().map(record).collect();
    json!({ "zone": found.zone, "name": found.name, "records": records })
}

/// Writes the records of a plan and waits until they are handed out. An interrupt takes
/// them back: nothing else was begun.
pub(super) async fn write(
    prepared: &mut Prepared,
    terminal: &mut Terminal,
) -> Result<(), WorkflowError> {
    if prepared.records.is_empty() {
        return Ok(());
    }
    terminal.busy("writing the DNS records");
    prepared.write_records().await?;
    let written = prepared.records.changes().iter().filter(|change| !change.removes());
    told(&written.cloned().collect::<Vec<_>>(), "written", terminal);
    terminal.busy("waiting for the name servers");
    let interrupts = terminal.interrupts();
    let waited = interrupts.or(async { Ok(prepared.await_records().await) }).await;
    terminal.idle();
    match waited {
        Ok(late) => {
            late.iter().for_each(|text| terminal.warning(text));
            Ok(())
        }
        Err(error) => {
            settled(&prepared.take_records_back().await, terminal);
            Err(error)
        }
    }
}

/// Carries a plan out that changes nothing but records.
pub(super) async fn alone(
    mut prepared: Prepared,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    terminal.interrupts().gate().close();
    let written = write(&mut prepared, terminal).await;
    if written.is_ok() {
        settled(&prepared.finish_records().await, terminal);
        terminal.result("the DNS records are as they should be");
    }
    prepared.leave().await;
    written.map(|()| ExitCode::Success)
}

/// Says what became of the records at the end.
pub(super) fn settled(settled: &Settled, terminal: &mut Terminal) {
    let done = if settled.taken_back { "taken-back" } else { "removed" };
    told(&settled.changes, done, terminal);
    settled.problems.iter().for_each(|problem| terminal.warning(problem));
}

/// Says which records went with their host.
pub(super) fn removed(changes: &[Change], terminal: &mut Terminal) {
    told(changes, "removed", terminal);
}

fn told(changes: &[Change], done: &str, terminal: &mut Terminal) {
    let word = match done {
        "taken-back" => " (taken back)",
        _ => "",
    };
    for change in changes {
        for line in change.lines() {
            terminal.note(&format!("dns  {line}{word}"));
        }
        terminal.json(&json!({
            "schema": json::SCHEMA,
            "event": "dns-changed",
            "what": done,
            "zone": change.zone,
            "name": change.name,
            "before": change.before,
            "after": change.after,
        }));
    }
}
