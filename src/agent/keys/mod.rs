//! Deploy keys: what authorizes them on the server. For each there is a record of root's that
//! says what it may do, a line in its login's authorized_keys that runs the agent under the
//! key's name and nothing else, and, where the login is no root, a line for sudo that lets it
//! run exactly that.

mod file;
mod fingerprint;
mod lines;
mod record;
mod sudoers;

use std::path::Path;

use super::{
    Account,
    server::{FileError, ProgramError, Server},
    with_causes,
};
use crate::{
    host::KeyName,
    wire::{
        AuthorizeRequest, AuthorizedKey, Fault, FaultKind, KeyChange, PublicKey, Reply, WhichKey,
    },
};
use file::AuthorizedKeys;

pub(super) use record::{KeyRecord, read};

/// What two changes of keys exclude each other by.
const LOCK: &str = "/run/lock/odoo-deploy-keys.lock";

/// Why a key could not be authorized, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file of the server.
    #[error(transparent)]
    File(#[from] FileError),
    /// A program of the server.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The record of a key was changed by somebody else.
    #[error("`{path}` cannot be used: {why}")]
    Record {
        /// The record.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Something on the server, or with the key, in words.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// The next move.
        hint: String,
    },
}

impl KeyError {
    fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: hint.into() }
    }
}

/// Authorizes a key, lists the keys, or revokes one.
pub(super) fn answer_authorize(server: &Server, request: &AuthorizeRequest) -> Reply {
    match authorize(server, request) {
        Ok((key, change)) => Reply::Authorized(Box::new(key), change),
        Err(error) => fault(&error),
    }
}

/// Lists the keys by name.
pub(super) fn answer_keys(server: &Server) -> Reply {
    let listed = record::all(server);
    match listed {
        Ok(records) => Reply::Keys(records.into_iter().map(KeyRecord::into_key).collect()),
        Err(error) => fault(&error),
    }
}

/// Takes a key away.
pub(super) fn answer_revoke(server: &Server, which: &WhichKey) -> Reply {
    match revoke(server, which) {
        Ok(key) => Reply::Revoked(Box::new(key)),
        Err(error) => fault(&error),
    }
}

fn fault(error: &KeyError) -> Reply {
    let hint = match error {
        KeyError::Refused { hint, .. } => Some(hint.clone()),
        KeyError::Record { .. } => Some("remove it on the server, and authorize the key".into()),
        KeyError::File(_) | KeyError::Program(_) => None,
    };
    Reply::Fault(Fault { kind: FaultKind::Refused, message: with_causes(error), hint })
}

/// Writes down what the key may do, then lets sudo and sshd know of it: whatever breaks off
/// in between leaves a key that does not work yet.
fn authorize(
    server: &Server,
    request: &AuthorizeRequest,
) -> Result<(AuthorizedKey, KeyChange), KeyError> {
    let _lock = server.lock(Path::new(LOCK))?;
    let name = &request.name;
    let before = record::read(server, name)?;
    refuse_conflicts(server, request, before.as_ref())?;
    let account = login(server, request)?;
    let fingerprint = fingerprint::of(server, &request.key)?;
    let mut file = AuthorizedKeys::open(server, &account)?;
    let text = file.read()?;
    if lines::opens_otherwise(&text, name, request.key.blob()) {
        return Err(KeyError::refused(
            format!(
                "the key opens the login `{}` without restriction already, by another line of `{}`",
                request.login,
                file.path().display()
            ),
            "remove that line first, or take a key of its own for this",
        ));
    }
    let new = KeyRecord {
        name: name.clone(),
        login: request.login.clone(),
        hosts: request.hosts.clone(),
        key: request.key.clone(),
        fingerprint,
        by: request.by.clone(),
        since: super::observe::now(),
    };
    let is_new = before.is_none();
    let record = match before.filter(|before| before.allows_the_same(&new)) {
        Some(before) => before,
        None => new,
    };
    let is_root = account.uid == 0;
    let mut changed = record::put(server, &record)?;
    changed |= match is_root {
        true => sudoers::remove(server, name)?,
        false => sudoers::write(server, name, &record.login)?,
    };
    let wanted = lines::with(&text, &lines::line(name, &record.key, is_root), name);
    if wanted != text {
        file.replace(&wanted)?;
        changed = true;
    }
    let change = match (changed, is_new) {
        (false, _) => KeyChange::Nothing,
        (true, true) => KeyChange::Added,
        (true, false) => KeyChange::Changed,
    };
    Ok((record.into_key(), change))
}

/// A name has one login, and a key one name.
fn refuse_conflicts(
    server: &Server,
    request: &AuthorizeRequest,
    before: Option<&KeyRecord>,
) -> Result<(), KeyError> {
    let name = &request.name;
    if request.hosts.is_empty() {
        return Err(KeyError::refused("a deploy key is for some hosts", "name them by `--hosts`"));
    }
    if let Some(before) = before.filter(|before| before.login != request.login) {
        return Err(KeyError::refused(
            format!("the key `{name}` opens the login `{}`", before.login),
            format!("revoke it first, or choose another name than `{name}`"),
        ));
    }
    let other = record::all(server)?.into_iter().find(|other| {
        other.name != *name
            && other.login == request.login
            && other.key.blob() == request.key.blob()
    });
    match other {
        None => Ok(()),
        Some(other) => Err(KeyError::refused(
            format!("this key is authorized already, as `{}`", other.name),
            format!("change it by `--name {}`, or revoke it first", other.name),
        )),
    }
}

/// Finds the login: sshd runs the agent by its shell.
fn login(server: &Server, request: &AuthorizeRequest) -> Result<Account, KeyError> {
    let login = request.login.as_str();
    let Some(account) = Account::find(server, login)? else {
        return Err(KeyError::refused(
            format!("there is no login `{login}` on the server"),
            format!("create it: `useradd --system --create-home --shell /bin/sh {login}`"),
        ));
    };
    let shell = Account::shell(server, login)?.unwrap_or_default();
    if ["nologin", "false"].iter().any(|none| shell.ends_with(none)) {
        return Err(KeyError::refused(
            format!("the login `{login}` has no shell that could start the agent: `{shell}`"),
            format!("give it one: `usermod --shell /bin/sh {login}`"),
        ));
    }
    Ok(account)
}

/// Takes a key away. From the first change on it is of no use, whatever breaks off behind.
fn revoke(server: &Server, which: &WhichKey) -> Result<AuthorizedKey, KeyError> {
    let _lock = server.lock(Path::new(LOCK))?;
    let found = record::all(server)?.into_iter().find(|record| match which {
        WhichKey::Name(name) => record.name == *name,
        WhichKey::Key(key) => record.key.blob() == key.blob(),
    });
    let Some(record) = found else {
        let what = match which {
            WhichKey::Name(name) => format!("no key `{name}` is authorized on the server"),
            WhichKey::Key(_) => "this key is not authorized on the server".to_owned(),
        };
        return Err(KeyError::refused(what, "`deploy server keys` lists those that are"));
    };
    record::put(server, &KeyRecord { hosts: Vec::new(), ..record.clone() })?;
    if let Some(account) = Account::find(server, record.login.as_str())? {
        let mut file = AuthorizedKeys::open(server, &account)?;
        let text = file.read()?;
        let without = lines::without(&text, &record.name);
        if without != text {
            file.replace(&without)?;
        }
    }
    sudoers::remove(server, &record.name)?;
    record::remove(server, &record.name)?;
    Ok(record.into_key())
}

/// Returns the command that sshd runs for a key, whatever its holder asks for.
fn command(name: &KeyName, is_root: bool) -> String {
    let agent = crate::layout::AGENT;
    let sudo = if is_root { "" } else { "sudo -n " };
    format!("{sudo}{agent} agent --key {name}")
}

/// Tells whether two keys are the same one, whatever stands behind them.
fn is_same_key(one: &PublicKey, other: &PublicKey) -> bool {
    one.blob() == other.blob()
}

#[cfg(test)]
mod tests;
