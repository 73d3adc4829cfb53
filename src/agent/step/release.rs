//! A release's directory.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
};

use super::{StepError, retired};
use crate::{
    agent::{
        Account, as_deployed, deployed_with, observe,
        server::{FileError, Server},
        transaction::Run,
        undo::Undo,
    },
    host::KEPT,
    layout::{Layout, ReleaseNumber},
    plan::{AsDeployed, CheckOut, ReleaseRecord, ReleaseState, Step},
    source::{Previous, Store},
};

/// Tells what has to be removed again when the release comes to nothing.
pub(super) fn way_back(run: &Run<'_>, step: &CheckOut) -> Vec<Undo> {
    let directory = run.layout.release(step.record.number);
    let mut undo = vec![Undo::RemoveRelease { directory }];
    if !run.server.path(&step.record.data_dir).exists() {
        undo.push(Undo::RemoveDirectory { directory: step.record.data_dir.clone() });
    }
    undo
}

/// Writes a release: code, odoo.conf, vhost, maintenance page, record. Nothing names it yet.
pub(super) fn check_out(run: &mut Run<'_>, step: &CheckOut) -> Result<(), StepError> {
    let number = step.record.number;
    let release = run.layout.release(number);
    let path = run.server.path(&release);
    fs::create_dir_all(run.server.path(&run.layout.releases()))
        .and_then(|()| fs::create_dir(&path))
        .map_err(FileError::at("create", &release))?;
    let code = path.join("code");
    let store = Store::open_or_create(&run.server.path(&run.layout.store()))?;
    let base = step.base.map(|(number, tree)| (run.server.path(&run.layout.code(number)), tree));
    let previous = base.as_ref().map(|(directory, tree)| Previous { directory, tree: *tree });
    let over = match retired::take(run.server, &run.layout, number) {
        Some(standing) => store.check_out_over(step.tree, &code, standing, previous).ok(),
        None => None,
    };
    let counts = match over {
        Some(counts) => counts,
        None => {
            // What an earlier release left in the way is not what the deploy is about.
            remove(run, &run.layout.code(number))?;
            store.check_out(step.tree, &code, previous)?
        }
    };
    run.progress(format!("{} files, {} unchanged", counts.files, counts.unchanged));
    write_files(run, step, &release)
}

/// Makes the data directory of a host that is new: its unit lets Odoo write
/// there, and systemd wants it to exist.
fn make_data_directory(run: &Run<'_>, path: &Path, account: &Account) -> Result<(), FileError> {
    if run.server.path(path).exists() {
        return Ok(());
    }
    fs::create_dir_all(run.server.path(path)).map_err(FileError::at("create", path))?;
    set_mode(run.server, path, 0o750)?;
    chown(run.server.path(path), Some(account.uid), Some(account.gid))
        .map_err(FileError::at("chown", path))
}

fn write_files(run: &Run<'_>, step: &CheckOut, release: &Path) -> Result<(), StepError> {
    let user = &run.transaction.service.user;
    let account = Account::find(run.server, user)?.ok_or_else(|| {
        StepError::found(format!("the system user `{user}` does not exist on the server"))
    })?;
    let group = account.gid;
    make_data_directory(run, &step.record.data_dir, &account)?;
    let server = run.server;
    let odoo_conf = with_kept_options(run, step)?;
    write(server, &release.join("odoo.conf"), &odoo_conf, 0o640)?;
    write(server, &release.join("maintenance.html"), &step.maintenance_page, 0o644)?;
    if let Some(vhost) = &step.vhost {
        write(server, &release.join("nginx.conf"), vhost, 0o644)?;
    }
    let files = AsDeployed {
        odoo_conf: Some(odoo_conf),
        unit: Some(step.unit.clone()),
        unit_drop_in: Some(step.unit_drop_in.clone()),
        vhost: step.vhost.clone(),
    };
    as_deployed::write(server, &run.layout, step.record.number, &files)?;
    deployed_with::note(server, &run.layout, step.record.number, run.transaction)?;
    let record = serde_json::to_string_pretty(&step.record).expect("a record is JSON");
    write(server, &release.join("release.json"), &record, 0o644)?;
    write_state(server, &run.layout, step.record.number, ReleaseState::Prepared)?;
    let code = release.join("code");
    for (path, mode) in [(release, 0o755), (code.as_path(), 0o750)] {
        set_mode(server, path, mode)?;
    }
    for path in [code.as_path(), &release.join("odoo.conf")] {
        if rustix::process::geteuid().is_root() {
            chown(server.path(path), None, Some(group)).map_err(FileError::at("chown", path))?;
        }
    }
    Ok(())
}

/// Puts the server's own values in where options stay as they are.
fn with_kept_options(run: &Run<'_>, step: &CheckOut) -> Result<String, StepError> {
    let mut text = step.odoo_conf.clone();
    for key in &step.keep {
        let Some(value) = observe::kept_option(run.server, &run.layout, key)? else {
            return Err(StepError::found(format!(
                "`keep` names `{key}`, but the server's odoo.conf does not set it"
            ))
            .with_hint(format!(
                "set `{key}` in {} on the server, or give it in the host's file",
                run.layout.conf_link().display()
            )));
        };
        let placeholder = format!("\n{key} = {KEPT}\n");
        let line = format!("\n{key} = {}\n", value.replace('\n', "\n    "));
        text = text.replacen(&placeholder, &line, 1);
    }
    Ok(text)
}

/// Removes a release that never was live.
pub(in crate::agent) fn remove(run: &mut Run<'_>, directory: &Path) -> Result<(), StepError> {
    Ok(run.server.remove_directory(directory)?)
}

/// Removes a directory, unless something is in it.
pub(in crate::agent) fn remove_empty(run: &mut Run<'_>, path: &Path) -> Result<(), StepError> {
    use std::io::ErrorKind;
    match fs::remove_dir(run.server.path(path)) {
        Err(error)
            if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) =>
        {
            Err(FileError::at("remove", path)(error).into())
        }
        _ => Ok(()),
    }
}

/// Notes what became of a release.
///
/// # Errors
/// Fails when the note cannot be written.
pub(in crate::agent) fn write_state(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
    state: ReleaseState,
) -> Result<(), FileError> {
    let text = serde_json::to_string(&state).expect("a state is JSON");
    replace(server, &layout.release(number).join("state"), &text, 0o644)
}

/// Reads what a release is made of and what became of it; none where the
/// directory is no complete release.
pub(in crate::agent) fn read_record(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
) -> Option<(ReleaseRecord, ReleaseState)> {
    let release = layout.release(number);
    let record = server.read(&release.join("release.json")).ok()??;
    let state = server.read(&release.join("state")).ok()??;
    Some((serde_json::from_str(&record).ok()?, serde_json::from_str(&state).ok()?))
}

/// Writes a new file.
pub(in crate::agent) fn write(
    server: &Server,
    path: &Path,
    text: &str,
    mode: u32,
) -> Result<(), FileError> {
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    options
        .write(true)
        .create(true)
        .truncate(true)
        .open(server.path(path))
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(FileError::at("write", path))?;
    set_mode(server, path, mode)
}

/// Writes a file beside its place and renames it: it is there as a whole or
/// not at all, also after a power cut.
pub(in crate::agent) fn replace(
    server: &Server,
    path: &Path,
    text: &str,
    mode: u32,
) -> Result<(), FileError> {
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let parent = path.parent().expect("an absolute file has a parent");
    let beside = parent.join(format!(".{name}.odoo-deploy"));
    write(server, &beside, text, mode)?;
    fs::rename(server.path(&beside), server.path(path)).map_err(FileError::at("replace", path))?;
    crate::agent::journal::sync_directory(server, parent)
}

fn set_mode(server: &Server, path: &Path, mode: u32) -> Result<(), FileError> {
    fs::set_permissions(server.path(path), fs::Permissions::from_mode(mode))
        .map_err(FileError::at("set the mode of", path))
}

/// Waits until all of a release that was written is on disk, its bytecode too: before
/// `current` may name it.
pub(in crate::agent) fn sync(run: &Run<'_>) -> Result<(), StepError> {
    let is_new = run.transaction.prepare.iter().any(|step| matches!(step, Step::CheckOut(_)));
    let Some(number) = run.transaction.number.filter(|_| is_new) else { return Ok(()) };
    let release = run.layout.release(number);
    let synced = File::open(run.server.path(&release))
        .and_then(|directory| Ok(rustix::fs::syncfs(&directory)?));
    Ok(synced.map_err(FileError::at("sync", &release))?)
}
