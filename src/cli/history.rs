//! `deploy history`.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    ExitCode,
    arguments::HistoryArguments,
    deploy::seconds,
    json,
    surroundings::surroundings,
    terminal::{Style, Terminal},
    words,
};
use crate::{
    plan::{HistoryLine, RolledBack},
    workflow::{Project, WorkflowError, history::history},
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &HistoryArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let lines = terminal.asking(history(&project, &arguments.host, arguments.limit)).await?;
    if lines.is_empty() {
        terminal.note(&format!("nothing was ever deployed to {}", arguments.host));
    }
    for line in &lines {
        show(line, terminal);
        terminal.json(&object(arguments.host.as_str(), line));
    }
    Ok(ExitCode::Success)
}

/// Describes a line of a history.
pub(super) fn object(host: &str, line: &HistoryLine) -> Value {
    let summary = &line.summary;
    json!({
        "schema": json::SCHEMA,
        "event": "record",
        "host": host,
        "transaction": line.holder.transaction,
        "time": line.holder.since,
        "who": line.holder.who,
        "from": line.holder.from,
        "url": line.holder.url,
        "message": line.holder.message,
        "outcome": line.outcome,
        "failure": line.message,
        "release": line.release,
        "previous": line.previous,
        "environment": summary.environment,
        "branch": summary.branch,
        "commit": summary.commit,
        "subject": summary.subject,
        "switch": summary.switch,
        "modules": summary.modules,
        "rollback": summary.rollback,
        "interruption_ms": line.interruption,
        "recovered": line.recovered,
    })
}

fn show(line: &HistoryLine, terminal: &Terminal) {
    let holder = &line.holder;
    let style = if matches!(line.outcome.as_str(), "deployed" | "adopted") {
        Style::Green
    } else {
        Style::Red
    };
    let outcome = terminal.paint(style, &format!("{:8}", line.outcome));
    let release =
        line.release.map_or_else(|| "vhost only".to_owned(), |number| format!("release {number}"));
    terminal.result(&format!(
        "{}  {outcome}  {release:10}  {:7}  {} on {}",
        words::when(holder.since),
        line.summary.switch,
        holder.who,
        holder.from
    ));
    for detail in details(line) {
        terminal.result(&format!("    {detail}"));
    }
}

/// What is worth a line below the first one.
fn details(line: &HistoryLine) -> Vec<String> {
    let mut details = vec![code(line)];
    details.extend(line.summary.rollback.as_ref().map(rollback));
    for (database, modules) in &line.summary.modules {
        let names: Vec<_> = modules.iter().map(ToString::to_string).collect();
        if !names.is_empty() {
            details.push(format!("modules of {database}: {}", names.join(", ")));
        }
    }
    details.extend(line.interruption.map(|waited| format!("users waited {}", seconds(waited))));
    if line.recovered {
        details.push("its process died; the server ended it".to_owned());
    }
    details.extend(line.holder.url.clone());
    details.extend(line.holder.message.as_ref().map(|message| format!("“{message}”")));
    details.extend(line.message.as_deref().map(words::plain));
    details
}

fn rollback(back: &RolledBack) -> String {
    let names: Vec<_> = back.databases.iter().map(ToString::to_string).collect();
    let with = if names.is_empty() { String::new() } else { format!(" with {}", names.join(", ")) };
    format!("rollback to release {}{with}", back.to)
}

/// Writes commit, subject and branch.
pub(super) fn code(line: &HistoryLine) -> String {
    let summary = &line.summary;
    let commit: String = summary.commit.chars().take(7).collect();
    let branch = summary.branch.as_ref().map(|branch| format!(" (branch {branch})"));
    format!("{commit} {}{}", summary.subject, branch.unwrap_or_default())
}
