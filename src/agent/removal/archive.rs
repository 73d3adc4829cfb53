//! The archive of a host: one file with all that nobody could make again, verified before
//! anything is removed.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::{
    execute::Doing,
    facts::{ARCHIVES, Begun, marker, newest},
};
use crate::{
    agent::{
        journal,
        postgres::Postgres,
        server::{FileError, Server},
        step::{StepError, release},
    },
    plan::{ArchiveStep, Archived, TransactionId},
};

/// Archives the host. Done again, it makes another archive.
pub(super) fn archive(doing: &mut Doing<'_>, step: &ArchiveStep) -> Result<Archived, StepError> {
    let server = doing.server;
    let host = doing.layout.base();
    let host = host.file_name().unwrap_or_default().to_string_lossy().into_owned();
    make_directory(server, Path::new(ARCHIVES))?;
    remove_leftovers(server, &host)?;
    let staging = Path::new(ARCHIVES).join(format!(".{host}-{}", doing.order.id));
    make_directory(server, &staging)?;
    let archived = fill(doing, step, &staging).and_then(|members| {
        doing.told.progress("packing");
        pack(server, step, &staging, &members)?;
        doing.told.progress("verifying");
        verify(server, step, &staging, &members)?;
        finish(doing, &host, &staging)
    });
    remove_leftovers(server, &host)?;
    archived
}

/// Describes an archive that is there.
pub(super) fn archived(server: &Server, path: &Path) -> Archived {
    let bytes = fs::metadata(server.path(path)).map_or(0, |metadata| metadata.len());
    Archived { path: path.to_owned(), bytes }
}

fn make_directory(server: &Server, path: &Path) -> Result<(), FileError> {
    let place = server.path(path);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&place)
        .and_then(|()| fs::set_permissions(&place, fs::Permissions::from_mode(0o700)))
        .map_err(FileError::at("create", path))
}

/// Removes what an archive that was not finished left.
fn remove_leftovers(server: &Server, host: &str) -> Result<(), FileError> {
    let prefix = format!(".{host}-");
    let directory = Path::new(ARCHIVES);
    let entries = fs::read_dir(server.path(directory)).map_err(FileError::at("list", directory))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(id) = name.strip_prefix(&prefix) else { continue };
        // Another host's name may begin with this one's.
        let id = id.trim_end_matches(".tar.gz");
        let is_time = id.split('T').next().is_some_and(|day| day.parse::<u32>().is_ok());
        if TransactionId::parse(id).is_none() || !is_time {
            continue;
        }
        let removed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
            _ => fs::remove_file(entry.path()),
        };
        removed.map_err(FileError::at("remove", &directory.join(&name)))?;
    }
    Ok(())
}

/// Puts dumps and the host's own files into the directory, and names them.
fn fill(
    doing: &mut Doing<'_>,
    step: &ArchiveStep,
    staging: &Path,
) -> Result<Vec<String>, StepError> {
    let server = doing.server;
    let mut members = Vec::new();
    if !step.databases.is_empty() {
        make_directory(server, &staging.join("databases"))?;
        members.push("databases".to_owned());
    }
    for database in &step.databases {
        doing.told.progress(format!("dumping {database}"));
        let application = format!("odoo-deploy-{}", doing.order.id);
        let postgres = Postgres::for_removal(server, &doing.access, &application)?;
        let path = dump_path(staging, database.as_str());
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(server.path(&path))
            .map_err(FileError::at("create", &path))?;
        postgres.dump(database, file)?;
        expect_readable(server, &path)?;
    }
    let layout = &doing.layout;
    let own = [
        (layout.current().join("odoo.conf"), "odoo.conf"),
        (layout.current().join("release.json"), "release.json"),
        (layout.history(), "history.jsonl"),
        (layout.unit(), "odoo.service"),
        (layout.vhost(), "nginx.conf"),
    ];
    for (path, name) in own {
        let Some(text) = server.read(&path)? else { continue };
        release::write(server, &staging.join(name), &text, 0o600)?;
        members.push(name.to_owned());
    }
    Ok(members)
}

fn dump_path(staging: &Path, database: &str) -> PathBuf {
    staging.join("databases").join(format!("{database}.dump"))
}

/// Has pg_restore read a dump's table of contents.
fn expect_readable(server: &Server, dump: &Path) -> Result<(), StepError> {
    let mut command = server.command("pg_restore");
    let list = server.run(command.arg("--list").arg(server.path(dump)))?;
    if list.lines().any(|line| !line.starts_with(';') && !line.trim().is_empty()) {
        return Ok(());
    }
    Err(StepError::found(format!("the dump `{}` is empty", dump.display())))
}

/// Names the archive before it is verified.
fn unverified(staging: &Path) -> PathBuf {
    let name = staging.file_name().unwrap_or_default().to_string_lossy();
    staging.with_file_name(format!("{name}.tar.gz"))
}

fn pack(
    server: &Server,
    step: &ArchiveStep,
    staging: &Path,
    members: &[String],
) -> Result<(), StepError> {
    let path = unverified(staging);
    // tar opens it as it is: for root alone from the first byte.
    release::write(server, &path, "", 0o600)?;
    let mut command = server.command("tar");
    command.args(["--create", "--gzip", "--numeric-owner", "--file"]).arg(server.path(&path));
    server.run(with_members(&mut command, server, step, staging, members))?;
    let synced = File::open(server.path(&path)).and_then(|file| file.sync_all());
    Ok(synced.map_err(FileError::at("sync", &path))?)
}

/// Reads the archive back and compares every file with the one it was made of.
fn verify(
    server: &Server,
    step: &ArchiveStep,
    staging: &Path,
    members: &[String],
) -> Result<(), StepError> {
    let mut command = server.command("tar");
    command.args(["--compare", "--gzip", "--file"]).arg(server.path(&unverified(staging)));
    let output = server.output(with_members(&mut command, server, step, staging, members))?;
    if output.status.success() {
        return Ok(());
    }
    let lines = output.message().lines().map(str::to_owned).collect();
    Err(StepError::found("the archive is not what it was made of").with_details(lines))
}

fn with_members<'a>(
    command: &'a mut std::process::Command,
    server: &Server,
    step: &ArchiveStep,
    staging: &Path,
    members: &[String],
) -> &'a mut std::process::Command {
    command.arg("--directory").arg(server.path(staging)).args(members);
    if !step.filestores.is_empty() {
        command.arg("--directory").arg(server.path(&step.data_dir));
        command.args(step.filestores.iter().map(|name| format!("filestore/{name}")));
    }
    command
}

/// Gives the archive its name, and notes in the host's directory that it was made.
fn finish(doing: &Doing<'_>, host: &str, staging: &Path) -> Result<Archived, StepError> {
    let server = doing.server;
    let time = doing.order.id.as_str().split('-').next().unwrap_or_default();
    let path = Path::new(ARCHIVES).join(format!("{host}-{time}.tar.gz"));
    fs::rename(server.path(&unverified(staging)), server.path(&path))
        .map_err(FileError::at("replace", &path))?;
    journal::sync_directory(server, Path::new(ARCHIVES))?;
    let archived = archived(server, &path);
    if server.path(&doing.layout.base()).exists() {
        let begun = Begun { archive: path, newest: newest(server, &doing.layout)? };
        let text = serde_json::to_string(&begun).expect("a marker is JSON");
        release::replace(server, &marker(&doing.layout), &text, 0o600)?;
    }
    Ok(archived)
}
