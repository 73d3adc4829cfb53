//! `deploy server authorize`.

use std::path::Path;

use serde_json::json;

use super::{
    super::{
        ExitCode, arguments::server::AuthorizeArguments, json, surroundings::surroundings,
        terminal::Terminal,
    },
    keys,
};
use crate::{
    wire::KeyChange,
    workflow::{
        Project, WorkflowError,
        key::{self, Authorization},
    },
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &AuthorizeArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let authorization = Authorization {
        server: arguments.server.clone(),
        file: arguments.key.clone(),
        hosts: arguments.hosts.clone(),
        login: arguments.user.clone(),
        name: arguments.name.clone(),
    };
    let (key, change) = terminal.asking(key::authorize(&project, &authorization)).await?;
    let said = match change {
        KeyChange::Added => "is authorized now",
        KeyChange::Changed => "was changed",
        KeyChange::Nothing => "was authorized already: nothing had to be done",
    };
    terminal.result(&format!("key `{}` {said}", key.name));
    terminal.result(&format!("  login        {}", key.login));
    terminal.result(&format!("  hosts        {}", keys::patterns(&key)));
    terminal.result(&format!("  fingerprint  {} {}", key.fingerprint, key.key.comment()));
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "key-authorized",
        "server": arguments.server,
        "change": change,
        "key": keys::object(&key),
    }));
    Ok(ExitCode::Success)
}
