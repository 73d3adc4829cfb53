//! `deploy server revoke`.

use std::path::Path;

use serde_json::json;

use super::{
    super::{
        ExitCode, arguments::server::RevokeArguments, json, surroundings::surroundings,
        terminal::Terminal,
    },
    keys,
};
use crate::workflow::{Project, WorkflowError, key};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &RevokeArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let which = key::which(arguments.key.as_deref(), arguments.name.as_ref())?;
    let key = terminal.asking(key::revoke(&project, &arguments.server, which)).await?;
    terminal.result(&format!(
        "key `{}` of {} ({} {}) opens nothing any more on {}",
        key.name,
        key.login,
        key.fingerprint,
        key.key.comment(),
        arguments.server
    ));
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "key-revoked",
        "server": arguments.server,
        "key": keys::object(&key),
    }));
    Ok(ExitCode::Success)
}
