//! Records what runs as release 0 of a host.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use super::{as_found, copy_name, instance::Found, is_live, read, recorded_files};
use crate::{
    agent::{
        history, journal,
        lock::{HostLock, LockError},
        server::{FileError, Server},
        session,
        step::release,
    },
    layout::Layout,
    plan::{ADOPTED, Adopted, HistoryLine, ReleaseState, Summary},
    wire::{AdoptRequest, Adoption, Fault, FaultKind, Reply},
};

/// Records release 0 and answers what became of it.
pub(in crate::agent) fn record(server: &Server, request: &AdoptRequest) -> Reply {
    match try_record(server, request) {
        Ok(adoption) => Reply::Adopted(adoption),
        Err(reply) => *reply,
    }
}

fn try_record(server: &Server, request: &AdoptRequest) -> Result<Adoption, Box<Reply>> {
    let failed = |error: FileError| Box::new(session::fault(&error));
    let record = &request.record;
    let layout = Layout::new(record.host.clone());
    let base = layout.base();
    fs::create_dir_all(server.path(&base))
        .map_err(|e| failed(FileError::at("create", &base)(e)))?;
    let _lock = match HostLock::take(server, &layout, &request.holder) {
        Ok(lock) => lock,
        Err(LockError::File(error)) => return Err(failed(error)),
        Err(LockError::Held(_)) => return Err(refused("a deploy of this host is running")),
    };
    if !is_live(server, &layout) {
        return Err(refused("this host has a release of the tool's own live"));
    }
    if record.number != ADOPTED {
        return Err(refused("what is adopted is release 0"));
    }
    let found = Found::read(server, &record.service.unit)
        .map_err(|error| Box::new(session::fault(&error)))?;
    let before = read(server, &layout).map_err(failed)?;
    let is_new = before.is_none();
    if before.as_ref() == Some(record) && is_as_recorded(server, &layout, record, &found) {
        return Ok(Adoption::Unchanged);
    }
    write(server, &layout, record, &found.odoo_conf()).map_err(failed)?;
    history::append(server, &layout, &line(request)).map_err(failed)?;
    Ok(if is_new { Adoption::Recorded } else { Adoption::Renewed })
}

fn refused(message: &str) -> Box<Reply> {
    Box::new(Reply::Fault(Fault {
        kind: FaultKind::Refused,
        message: message.to_owned(),
        hint: None,
    }))
}

fn is_as_recorded(server: &Server, layout: &Layout, record: &Adopted, found: &Found) -> bool {
    let directory = as_found(layout);
    let same = |path: &Path, copy: &Path| matches!((server.read(path), server.read(copy)), (Ok(now), Ok(then)) if now == then);
    let conf = server.read(&layout.release(ADOPTED).join("odoo.conf"));
    recorded_files(record).all(|path| same(path, &directory.join(copy_name(path))))
        && conf.is_ok_and(|text| text.as_deref() == Some(&found.odoo_conf()))
}

/// Writes the record beside its place and moves it there: release 0 is there as a whole
/// or not at all.
fn write(
    server: &Server,
    layout: &Layout,
    record: &Adopted,
    odoo_conf: &str,
) -> Result<(), FileError> {
    let releases = layout.releases();
    let place = layout.release(ADOPTED);
    let (new, old) = (releases.join(".adopted.new"), releases.join(".adopted.old"));
    fs::create_dir_all(server.path(&releases)).map_err(FileError::at("create", &releases))?;
    server.remove_directory(&new)?;
    server.remove_directory(&old)?;
    let found = new.join("as-found");
    for directory in [&new, &found] {
        make_directory(server, directory)?;
    }
    for path in recorded_files(record) {
        if let Some(text) = server.read(path)? {
            release::write(server, &found.join(copy_name(path)), &text, 0o600)?;
        }
    }
    release::write(server, &new.join("odoo.conf"), odoo_conf, 0o600)?;
    let text = serde_json::to_string_pretty(record).expect("a record is JSON");
    release::write(server, &new.join("release.json"), &text, 0o600)?;
    let state = serde_json::to_string(&ReleaseState::Verified).expect("a state is JSON");
    release::write(server, &new.join("state"), &state, 0o600)?;
    journal::sync_directory(server, &new)?;
    if server.path(&place).exists() {
        rename(server, &place, &old)?;
    }
    rename(server, &new, &place)?;
    journal::sync_directory(server, &releases)?;
    server.remove_directory(&old)
}

fn make_directory(server: &Server, path: &Path) -> Result<(), FileError> {
    let real = server.path(path);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&real)
        .and_then(|()| fs::set_permissions(&real, fs::Permissions::from_mode(0o700)))
        .map_err(FileError::at("create", path))
}

fn rename(server: &Server, from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(server.path(from), server.path(to)).map_err(FileError::at("rename", from))
}

fn line(request: &AdoptRequest) -> HistoryLine {
    let record = &request.record;
    let branch = record.code.iter().find_map(|place| {
        place.in_repository.as_ref()?;
        place.checkout.as_ref()?.branch.clone()
    });
    HistoryLine {
        schema: 1,
        holder: request.holder.clone(),
        release: Some(ADOPTED.0),
        previous: None,
        summary: Summary {
            environment: request.environment.clone(),
            branch,
            commit: record.commit.map(|commit| commit.to_string()).unwrap_or_default(),
            subject: format!("what {} runs", record.service.unit),
            switch: "nothing".to_owned(),
            ..Summary::default()
        },
        outcome: "adopted".to_owned(),
        message: None,
        interruption: None,
        recovered: false,
    }
}
