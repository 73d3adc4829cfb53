//! `deploy logs`.

use std::path::Path;

use serde_json::json;

use super::{
    ExitCode, arguments::LogsArguments, json, surroundings::surroundings, terminal::Terminal, words,
};
use crate::{
    wire::{LogLine, LogsRequest},
    workflow::{Project, WorkflowError, logs::Logs},
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &LogsArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let interrupts = terminal.interrupts();
    interrupts.gate().close();
    let request = LogsRequest {
        host: arguments.host.clone(),
        deploys: !arguments.odoo,
        odoo: !arguments.deploys,
        lines: arguments.lines,
        follow: arguments.follow,
    };
    let has_both = request.deploys && request.odoo;
    terminal.busy("asking the server");
    let opened = interrupts.or(Logs::open(&project, request)).await;
    terminal.idle();
    let mut logs = opened?;
    let ended = loop {
        let lines = match interrupts.or(logs.next()).await {
            Ok(Some(lines)) => lines,
            Ok(None) => break Ok(ExitCode::Success),
            // How following ends.
            Err(WorkflowError::Declined) if arguments.follow => break Ok(ExitCode::Success),
            Err(error) => break Err(error),
        };
        for line in &lines {
            show(line, has_both, terminal);
            let mut object = serde_json::to_value(line).expect("a line is JSON");
            object["schema"] = json!(json::SCHEMA);
            object["event"] = json!("log");
            terminal.json(&object);
        }
    };
    logs.close().await;
    ended
}

fn show(line: &LogLine, has_both: bool, terminal: &Terminal) {
    let (source, text) = match line {
        LogLine::Deploy { transaction, entry } => {
            ("deploy | ", format!("{transaction} {}", words::plain(&words::event(entry))))
        }
        LogLine::Odoo { text } => ("odoo   | ", words::plain(text)),
    };
    terminal.result(&format!("{}{text}", if has_both { source } else { "" }));
}
