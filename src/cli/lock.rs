//! `deploy lock`.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    ExitCode,
    arguments::{LockArguments, LockBreakArguments, LockCommand, LockStatusArguments},
    attach,
    deploy::{Stands, conclude},
    follow, json,
    surroundings::surroundings,
    terminal::Terminal,
    words,
};
use crate::{
    host::HostName,
    plan::Outcome,
    wire::{LockFacts, Phase, StepAt},
    workflow::{Project, WorkflowError, lock::look},
};

pub(super) fn run(
    directory: &Path,
    arguments: &LockArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    match &arguments.command {
        LockCommand::Status(arguments) => status(directory, arguments, terminal),
        LockCommand::Break(arguments) => break_open(directory, arguments, terminal),
    }
}

#[tokio::main]
async fn status(
    directory: &Path,
    arguments: &LockStatusArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let held = terminal.asking(look(&project, &arguments.host)).await?;
    let facts = held.as_ref().map(|held| &held.facts);
    show(&arguments.host, facts, terminal);
    if let Some(held) = held {
        held.leave().await;
    }
    Ok(ExitCode::Success)
}

#[tokio::main]
async fn break_open(
    directory: &Path,
    arguments: &LockBreakArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    if !arguments.yes && !terminal.is_interactive() {
        return Err(WorkflowError::Usage {
            message: "a lock is broken by somebody who is sure".to_owned(),
            hint: Some("give `--yes` where nobody can be asked".to_owned()),
        });
    }
    let project = Project::open(directory, surroundings())?;
    let held = terminal.asking(look(&project, &arguments.host)).await?;
    show(&arguments.host, held.as_ref().map(|held| &held.facts), terminal);
    let Some(held) = held else { return Ok(ExitCode::Success) };
    let question = "Stop this deploy and take back what it began?";
    if !arguments.yes && !terminal.confirm(question).await {
        held.leave().await;
        return Err(WorkflowError::Declined);
    }
    let Some((attached, following)) = held.break_open(&project).await? else {
        terminal.note("that deploy is gone meanwhile");
        return Ok(ExitCode::Success);
    };
    attach::introduce(&attached, terminal);
    let report = follow::watch(following, terminal).await?;
    let code = conclude(&report, &Stands::of(&attached), terminal);
    // What was wished for is a host that is whole, whichever state it is in.
    Ok(match report.outcome {
        Outcome::Reverted { .. } | Outcome::Refused { .. } | Outcome::Deployed => ExitCode::Success,
        Outcome::Locked { .. } | Outcome::Broken { .. } => code,
    })
}

fn show(host: &HostName, facts: Option<&LockFacts>, terminal: &Terminal) {
    match facts {
        None => terminal.result(&format!("nobody deploys to {host}: the lock is free")),
        Some(facts) => {
            terminal.result(&format!("locked by {}", words::held_by(&facts.holder)));
            terminal.result(&format!("for         {}", words::duration(held_for(facts))));
            terminal.result(&format!("transaction {}", facts.holder.transaction));
            terminal.result(&format!("at          {}", at(facts.at.as_ref())));
        }
    }
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "lock",
        "host": host,
        "held": facts.map(object),
    }));
}

/// Describes a held lock.
pub(super) fn object(facts: &LockFacts) -> Value {
    json!({
        "transaction": facts.holder.transaction,
        "who": facts.holder.who,
        "from": facts.holder.from,
        "url": facts.holder.url,
        "message": facts.holder.message,
        "since": facts.holder.since,
        "seconds": held_for(facts),
        "step": facts.at,
    })
}

/// Says how far a transaction is.
pub(super) fn at(at: Option<&StepAt>) -> String {
    let Some(at) = at else { return "its beginning".to_owned() };
    let phase = match at.phase {
        Phase::Open => "",
        Phase::Reverting => ", and takes everything back",
        Phase::Committed => ", verified",
    };
    format!("step {} of {}: {}{phase}", at.index, at.steps, at.title)
}

fn held_for(facts: &LockFacts) -> i64 {
    (facts.time - facts.holder.since).max(0)
}
