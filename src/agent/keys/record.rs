//! What a key may do, in a file of root's: nothing in a login's own files could widen it.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{KeyError, is_same_key};
use crate::{
    agent::{
        server::{FileError, Server},
        step::release,
    },
    host::{HostPattern, KeyName, UserName},
    layout,
    wire::{AuthorizedKey, PublicKey},
};

/// The record of a key: `/etc/odoo-deploy/keys/<name>.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) struct KeyRecord {
    /// Its name.
    pub(in crate::agent) name: KeyName,
    /// The login that it opens.
    pub(in crate::agent) login: UserName,
    /// The hosts that it may deploy; none where it is being revoked.
    pub(in crate::agent) hosts: Vec<HostPattern>,
    /// The key.
    pub(super) key: PublicKey,
    /// Its fingerprint.
    pub(super) fingerprint: String,
    /// Who authorized it.
    pub(super) by: String,
    /// When, in seconds since the epoch.
    pub(super) since: i64,
}

/// The record as it is written; its name is that of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    login: UserName,
    hosts: Vec<HostPattern>,
    key: PublicKey,
    fingerprint: String,
    by: String,
    since: i64,
}

impl KeyRecord {
    /// Tells whether two records let the same key do the same.
    pub(super) fn allows_the_same(&self, other: &Self) -> bool {
        let sorted = |record: &Self| {
            let mut hosts = record.hosts.clone();
            hosts.sort();
            hosts.dedup();
            hosts
        };
        self.login == other.login
            && is_same_key(&self.key, &other.key)
            && sorted(self) == sorted(other)
    }

    /// Describes the key to an operator.
    pub(super) fn into_key(self) -> AuthorizedKey {
        let Self { name, login, hosts, key, fingerprint, by, since } = self;
        AuthorizedKey { name, login, hosts, key, fingerprint, by, since }
    }
}

/// Reads the record of a key; none where there is no such key.
///
/// # Errors
/// Fails where it cannot be read, or somebody else than root could have written it.
pub(in crate::agent) fn read(
    server: &Server,
    name: &KeyName,
) -> Result<Option<KeyRecord>, KeyError> {
    let path = path(name);
    let refused = |why: String| KeyError::Record { path: path.clone(), why };
    match fs::symlink_metadata(server.path(&path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::at("read", &path)(error).into()),
        Ok(data) => {
            let own = rustix::process::geteuid().as_raw();
            if !data.is_file() || data.uid() != own || data.mode() & 0o022 != 0 {
                return Err(refused("somebody else than root may write it".to_owned()));
            }
        }
    }
    let Some(text) = server.read(&path)? else { return Ok(None) };
    let Written { login, hosts, key, fingerprint, by, since } =
        toml::from_str(&text).map_err(|error| refused(error.message().to_owned()))?;
    let name = name.clone();
    Ok(Some(KeyRecord { name, login, hosts, key, fingerprint, by, since }))
}

/// Reads every record, by name.
///
/// # Errors
/// Fails where one cannot be read.
pub(super) fn all(server: &Server) -> Result<Vec<KeyRecord>, KeyError> {
    let directory = Path::new(layout::KEYS);
    let entries = match fs::read_dir(server.path(directory)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::at("list", directory)(error).into()),
    };
    let mut records = Vec::new();
    for entry in entries {
        let name = entry.map_err(FileError::at("list", directory))?.file_name();
        let name = name.to_str().and_then(|name| KeyName::parse(name.strip_suffix(".toml")?).ok());
        let Some(name) = name else { continue };
        records.extend(read(server, &name)?);
    }
    records.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(records)
}

/// Writes a record in the place of the one before. Returns whether it differs.
pub(super) fn put(server: &Server, record: &KeyRecord) -> Result<bool, FileError> {
    let directory = Path::new(layout::KEYS);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(server.path(directory))
        .map_err(FileError::at("create", directory))?;
    let KeyRecord { name, login, hosts, key, fingerprint, by, since } = record.clone();
    let written = Written { login, hosts, key, fingerprint, by, since };
    let text = toml::to_string(&written).expect("a record is TOML");
    let text = format!("# Written by `deploy server authorize`: what a deploy key may do.\n{text}");
    let path = path(&name);
    if server.read(&path)?.as_deref() == Some(&text) {
        return Ok(false);
    }
    release::replace(server, &path, &text, 0o600)?;
    Ok(true)
}

/// Removes a record.
pub(super) fn remove(server: &Server, name: &KeyName) -> Result<(), FileError> {
    let path = path(name);
    fs::remove_file(server.path(&path)).map_err(FileError::at("remove", &path))
}

fn path(name: &KeyName) -> PathBuf {
    Path::new(layout::KEYS).join(format!("{name}.toml"))
}
