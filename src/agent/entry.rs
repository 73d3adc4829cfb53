//! How the agent is started: as a session, or as a transaction.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    thread,
};

use super::{
    deployed_with,
    events::EventLog,
    journal, live_secrets,
    recover::{self, RecoverError},
    recovery_unit,
    restricted::Guard,
    server::{FileError, Server},
    service::Systemd,
    session, transaction, with_causes,
};
use crate::{
    host::{HostName, KeyName},
    layout::Layout,
    plan::{ADOPTED, Step, Transaction},
    secret::{Redactor, Secret},
    wire::Order,
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

/// Answers the controller on stdin and stdout; where a deploy key is named, only as far as
/// that may go.
///
/// # Errors
/// Fails when the conversation breaks.
pub async fn run_session(server: &Server, key: Option<KeyName>) -> Result<(), AgentError> {
    let guard = key.map(Guard::new);
    let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
    Ok(session::serve(server, guard.as_ref(), stdin, stdout).await?)
}

/// Executes the plan in the file, which is removed first: a plan is used once.
///
/// # Errors
/// Fails when nothing could be begun; how a transaction ended is in its events.
pub fn run_transaction(server: &Server, plan: &Path) -> Result<(), AgentError> {
    let bytes = fs::read(server.path(plan)).map_err(FileError::at("read", plan))?;
    fs::remove_file(server.path(plan)).map_err(FileError::at("remove", plan))?;
    let Order { transaction, inputs } = serde_json::from_slice(&bytes)
        .map_err(|source| AgentError::Plan { path: plan.to_owned(), source })?;
    let layout = Layout::new(transaction.host.clone());
    let directory = layout.journal().join(transaction.id.as_str());
    fs::create_dir_all(server.path(&directory)).map_err(FileError::at("create", &directory))?;
    deployed_with::keep(server, &directory, &inputs)?;
    let events = EventLog::open(server, &directory, redactor(server, &layout, &transaction))?;
    transaction::execute(server, &transaction, events);
    Ok(())
}

/// Ends what dead transactions left on one host, or on all of the server.
///
/// One that fails is tried again later.
///
/// # Errors
/// Fails when nothing could be looked at, or no later try be ordered.
pub fn run_recovery(server: &Server, host: Option<&HostName>) -> Result<(), AgentError> {
    let hosts = match host {
        Some(host) => vec![host.clone()],
        None => recovery_unit::hosts(server)?,
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            hosts.iter().map(|host| scope.spawn(move || recover_or_order(server, host))).collect();
        let ended = workers.into_iter().map(|worker| worker.join().expect("it does not panic"));
        ended.fold(Ok(()), Result::and)
    })
}

fn recover_or_order(server: &Server, host: &HostName) -> Result<(), AgentError> {
    if let Err(error) = recover::recover(server, host) {
        tracing::warn!(%host, "{}", with_causes(&error));
    }
    let journals = Layout::new(host.clone()).journal();
    if let Some(id) = journal::unfinished(server, &journals)? {
        let unit = recovery_unit::of_transaction(&id);
        let lives = Systemd::new(server).state(&unit).is_ok_and(|state| state.main_pid.is_some());
        if !lives {
            recovery_unit::start_later(server, host, &id).map_err(RecoverError::from)?;
        }
    }
    Ok(())
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
    let adopted = layout.release(ADOPTED);
    let on_disk = written.into_iter().chain([layout.current(), adopted]);
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
