//! `deploy attach`.

use std::path::Path;

use serde_json::json;

use super::{
    ExitCode,
    arguments::AttachArguments,
    deploy::{Stands, conclude},
    follow, json,
    surroundings::surroundings,
    terminal::Terminal,
    words,
};
use crate::{
    wire::Attached,
    workflow::{Project, WorkflowError, attach::attach},
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &AttachArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let asked = terminal.asking(attach(&project, &arguments.host)).await?;
    let Some((attached, following)) = asked else {
        terminal.note(&format!("nothing was ever deployed to {}", arguments.host));
        return Ok(ExitCode::Success);
    };
    introduce(&attached, terminal);
    let report = follow::watch(following, terminal).await?;
    Ok(conclude(&report, &Stands::of(&attached), terminal))
}

/// Says which transaction it is.
pub(super) fn introduce(attached: &Attached, terminal: &mut Terminal) {
    let summary = &attached.summary;
    let held_by = words::held_by(&attached.holder);
    terminal.note(&if attached.running {
        format!("following the deploy of {held_by}")
    } else {
        format!("nothing runs; the last deploy ended already, it was that of {held_by}")
    });
    let commit: String = summary.commit.chars().take(7).collect();
    let release = attached.release.map(|number| format!("release {number}: "));
    terminal.note(&format!("{}{commit} {}", release.unwrap_or_default(), summary.subject));
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "attached",
        "running": attached.running,
        "transaction": attached.holder.transaction,
        "who": attached.holder.who,
        "from": attached.holder.from,
        "url": attached.holder.url,
        "message": attached.holder.message,
        "since": attached.holder.since,
        "release": attached.release,
        "previous": attached.previous,
        "environment": summary.environment,
        "branch": summary.branch,
        "commit": summary.commit,
        "subject": summary.subject,
    }));
}
