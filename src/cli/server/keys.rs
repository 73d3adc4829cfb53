//! `deploy server keys`.

use std::path::Path;

use serde_json::{Value, json};

use super::super::{
    ExitCode, arguments::server::KeysArguments, json, surroundings::surroundings,
    terminal::Terminal, words,
};
use crate::{
    wire::AuthorizedKey,
    workflow::{Project, WorkflowError, key},
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &KeysArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let keys = terminal.asking(key::list(&project, &arguments.server)).await?;
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            [
                key.name.to_string(),
                key.login.to_string(),
                patterns(key),
                words::when(key.since),
                key.by.clone(),
                key.fingerprint.clone(),
            ]
        })
        .collect();
    if rows.is_empty() {
        terminal.result(&format!("no deploy key is authorized on {}", arguments.server));
    } else {
        terminal.table(["KEY", "LOGIN", "HOSTS", "SINCE", "BY", "FINGERPRINT"], &rows);
    }
    for key in &keys {
        terminal.json(&json!({
            "schema": json::SCHEMA,
            "event": "key",
            "server": arguments.server,
            "key": object(key),
        }));
    }
    Ok(ExitCode::Success)
}

/// Describes a key.
pub(super) fn object(key: &AuthorizedKey) -> Value {
    json!({
        "name": key.name,
        "login": key.login,
        "hosts": key.hosts,
        "public": key.key,
        "fingerprint": key.fingerprint,
        "by": key.by,
        "since": key.since,
    })
}

/// Names the hosts that a key may deploy.
pub(super) fn patterns(key: &AuthorizedKey) -> String {
    if key.hosts.is_empty() {
        return "none: it is being revoked".to_owned();
    }
    key.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
