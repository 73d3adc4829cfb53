//! How the agent is started: as a session, or as a transaction.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::{
    events::EventLog,
    journal, live_secrets,
    recover::{self, RecoverError},
    recovery_unit,
    server::{FileError, Server},
    session, transaction,
};
use crate::{
    host::HostName,
    layout::Layout,
    plan::{Outcome, Step, Transaction},
    secret::{Redactor, Secret},
};

/// An agent that could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The conversation broke.
    #[error("failed to talk to the controller")]
    Wire(#[from] crate::wire::WireError),
    /// A file of the server.
    #[error(transparent)]
    File(#[from] FileError),
    /// What a dead transaction left could not be ended.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// A host could not be brought back to one of its two states.
    #[error("{0} is not recovered; its history says what stands in the way")]
    Broken(HostName),
    /// The plan's file holds no plan.
    #[error("failed to read the plan `{path}`")]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Opens the machine, or the directory that stands for it in tests.
#[must_use]
pub fn open_server(root: Option<PathBuf>, search_path: Option<OsString>) -> Server {
    match root {
        Some(root) => Server::below(root, search_path.unwrap_or_default()),
        None => Server::this(),
    }
}

/// Answers the controller on stdin and stdout.
///
/// # Errors
/// Fails when the conversation breaks.
pub async fn run_session(server: &Server) -> Result<(), AgentError> {
    Ok(session::serve(server, tokio::io::stdin(), tokio::io::stdout()).await?)
}

/// Executes the plan in the file, which is removed first: a plan is used once.
///
/// # Errors
/// Fails when nothing could be begun; how a transaction ended is in its events.
pub fn run_transaction(server: &Server, plan: &Path) -> Result<(), AgentError> {
    let bytes = fs::read(server.path(plan)).map_err(FileError::at("read", plan))?;
    fs::remove_file(server.path(plan)).map_err(FileError::at("remove", plan))?;
    let transaction: Transaction = serde_json::from_slice(&bytes)
        .map_err(|source| AgentError::Plan { path: plan.to_owned(), source })?;
    let layout = Layout::new(transaction.host.clone());
    let directory = layout.journal().join(transaction.id.as_str());
    fs::create_dir_all(server.path(&directory)).map_err(FileError::at("create", &directory))?;
    let events = EventLog::open(server, &directory, redactor(server, &layout, &transaction))?;
    transaction::execute(server, &transaction, events);
    Ok(())
}

/// Ends what dead transactions left on one host, or on all of the server.
///
/// # Errors
/// Fails when a recovery could not be begun, or a host not be brought back: whoever
/// started this tries again later.
pub fn run_recovery(server: &Server, host: Option<&HostName>) -> Result<(), AgentError> {
    let ended = match host {
        Some(host) => {
            let outcome = recover::recover(server, host)?;
            outcome.map(|outcome| (host.clone(), outcome)).into_iter().collect()
        }
        None => recover::recover_all(server)?,
    };
    let broken = ended.into_iter().find(|(_, outcome)| matches!(outcome, Outcome::Broken { .. }));
    broken.map_or(Ok(()), |(host, _)| Err(AgentError::Broken(host)))
}

/// Starts a recovery that outlives this process, where the host needs one.
///
/// # Errors
/// Fails when it cannot be started.
pub fn start_recovery(server: &Server, host: &HostName) -> Result<(), AgentError> {
    let layout = Layout::new(host.clone());
    let Some(id) = journal::unfinished(server, &layout.journal())? else { return Ok(()) };
    recovery_unit::start(server, host, &id).map_err(RecoverError::from)?;
    Ok(())
}

/// Collects the secrets of a transaction: what the odoo.conf it brings says of
/// sensitive options, and the live one, whose values may stay.
pub(super) fn redactor(server: &Server, layout: &Layout, transaction: &Transaction) -> Redactor {
    let mut redactor = Redactor::default();
    if let Some(password) = &transaction.access.password {
        redactor.add(&Secret::new(password));
    }
    let new = transaction.prepare.iter().filter_map(|step| match step {
        Step::CheckOut(step) => Some(step.odoo_conf.clone()),
        _ => None,
    });
    let written = transaction.number.map(|number| layout.release(number));
    let on_disk = written.into_iter().chain([layout.current()]);
    let on_disk =
        on_disk.filter_map(|release| server.read(&release.join("odoo.conf")).ok().flatten());
    for text in new.chain(on_disk) {
        live_secrets::add(&mut redactor, &text, &|key| {
            transaction.sensitive_keys.contains(key)
                || transaction.keep.iter().any(|kept| kept == key)
        });
    }
    redactor
}
