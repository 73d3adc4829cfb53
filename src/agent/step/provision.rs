//! What a host that is new to the server gets there: user, role, directories, and the
//! password of user `admin`.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{StepError, check, database, release};
use crate::{
    agent::{
        Account, Postgres,
        account::{group_of, is_group_unused},
        odoo_run::PasswordChange,
        server::{FileError, ProgramError, Server},
        transaction::Run,
        undo::Undo,
        with_causes,
    },
    layout::Layout,
    plan::{CreateRole, CreateUser, MakeDirectories, Provisioned, SetAdminPassword},
};

/// How long the last processes of a user may take to be gone.
const PROCESSES: Duration = Duration::from_secs(10);
/// How long Odoo may take to set a password.
const PASSWORD_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a way back waits for PostgreSQL.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(60);
/// What Odoo and libraries make in a data directory by themselves: nobody's documents.
const MADE_BY_ITSELF: [&str; 5] = ["sessions", ".cache", ".config", ".local", ".odoorc"];

/// What the entries of users and roles say that this transaction created.
fn mark(run: &Run<'_>) -> String {
    format!("odoo-deploy {} {}", run.transaction.host, run.transaction.id)
}

/// Tells how the user goes again; a user that exists is nobody's to remove.
pub(super) fn way_back_of_user(run: &Run<'_>, step: &CreateUser) -> Result<Vec<Undo>, StepError> {
    if Account::find(run.server, &step.user)?.is_some() {
        return Ok(Vec::new());
    }
    let group = group_of(run.server, &step.group)?.is_none().then(|| step.group.clone());
    Ok(vec![Undo::RemoveUser { user: step.user.clone(), group, mark: mark(run) }])
}

/// Creates the system user and its group: no password, no shell, no mail.
pub(super) fn create_user(run: &mut Run<'_>, step: &CreateUser) -> Result<(), StepError> {
    if Account::find(run.server, &step.user)?.is_some() {
        return Ok(());
    }
    let server = run.server;
    if group_of(server, &step.group)?.is_none() {
        server.run(server.command("groupadd").arg("--system").arg("--").arg(&step.group))?;
    }
    let mut command = server.command("useradd");
    command.args(["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "--gid"]);
    command.arg(&step.group).arg("--home-dir").arg(&step.home);
    command.arg("--comment").arg(mark(run)).arg("--").arg(&step.user);
    server.run(&mut command)?;
    Ok(())
}

/// Removes a user that this transaction created, and its group.
pub(in crate::agent) fn remove_user(
    run: &mut Run<'_>,
    user: &str,
    group: Option<&str>,
    mark: &str,
) -> Result<(), StepError> {
    let server = run.server;
    if Account::is_marked(server, user, mark)? {
        hand_over_releases(run, user)?;
        let deadline = Instant::now() + PROCESSES;
        loop {
            let removed = server.run(server.command("userdel").arg("--").arg(user));
            match removed {
                // "is currently used by process": the service was just stopped.
                Err(ProgramError::Status { status, .. })
                    if status.code() == Some(8) && Instant::now() < deadline =>
                {
                    thread::sleep(Duration::from_millis(200));
                }
                other => break other.map(drop)?,
            }
        }
    }
    let Some(group) = group else { return Ok(()) };
    if group_of(server, group)?.is_some() && is_group_unused(server, group)? {
        server.run(server.command("groupdel").arg("--").arg(group))?;
    }
    Ok(())
}

/// Gives what a failed release lets a group read to root: the group's number may be
/// another one's next.
fn hand_over_releases(run: &Run<'_>, user: &str) -> Result<(), StepError> {
    let Some(account) = Account::find(run.server, user)? else { return Ok(()) };
    let entries = fs::read_dir(run.server.path(&run.layout.releases())).into_iter().flatten();
    for release in entries.flatten() {
        for name in ["code", "odoo.conf"] {
            let path = release.path().join(name);
            let has = fs::symlink_metadata(&path).is_ok_and(|file| file.gid() == account.gid);
            if has {
                chown(&path, None, Some(0)).map_err(FileError::at("chown", &path))?;
            }
        }
    }
    Ok(())
}

/// Tells how the directories go again: what exists stays.
pub(super) fn way_back_of_directories(run: &Run<'_>, step: &MakeDirectories) -> Vec<Undo> {
    let mut undo = Vec::new();
    let missing = |path: &Path| !run.server.path(path).exists();
    // The last one is done first: a directory before the one that it is in.
    let parents = |path: &Path, undo: &mut Vec<Undo>| {
        let mut above: Vec<_> = path.ancestors().skip(1).filter(|path| missing(path)).collect();
        above.reverse();
        undo.extend(
            above
                .into_iter()
                .map(|directory| Undo::RemoveDirectory { directory: directory.to_owned() }),
        );
    };
    if let Some(directory) = step.data_dir.as_deref().filter(|path| missing(path)) {
        parents(directory, &mut undo);
        undo.push(Undo::RemoveDataDirectory { directory: directory.to_owned() });
    }
    if let Some(file) = step.logfile.as_deref().filter(|path| missing(path)) {
        parents(file, &mut undo);
        undo.push(Undo::RemoveLog { file: file.to_owned() });
    }
    undo
}

/// Makes the data directory, which only Odoo's user and group see, and the log.
pub(super) fn make_directories(run: &mut Run<'_>, step: &MakeDirectories) -> Result<(), StepError> {
    let service = &run.transaction.service;
    let account = Account::find(run.server, &service.user)?.ok_or_else(|| {
        StepError::found(format!("the system user `{}` does not exist", service.user))
    })?;
    let group = group_of(run.server, &service.group)?.unwrap_or(account.gid);
    let owner = Owner { server: run.server, uid: account.uid, gid: group };
    if let Some(path) = &step.data_dir {
        make_parents(run.server, path)?;
        owner.make_directory(path, 0o750)?;
        is_reached(run, path)?;
    }
    if let Some(path) = &step.logfile {
        let directory = path.parent().expect("a log is in a directory");
        if !run.server.path(directory).exists() {
            make_parents(run.server, directory)?;
            // Other hosts may log beside this one; what they log stays theirs.
            owner.make_directory(directory, 0o755)?;
        }
        owner.make_file(path)?;
    }
    Ok(())
}

fn make_parents(server: &Server, path: &Path) -> Result<(), FileError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(server.path(parent)).map_err(FileError::at("create", parent))
}

/// Whose the files are.
struct Owner<'a> {
    server: &'a Server,
    uid: u32,
    gid: u32,
}

impl Owner<'_> {
    fn make_directory(&self, path: &Path, mode: u32) -> Result<(), FileError> {
        let full = self.server.path(path);
        match fs::create_dir(&full) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(FileError::at("create", path)(error));
            }
            Err(_) => return Ok(()),
            Ok(()) => {}
        }
        fs::set_permissions(&full, fs::Permissions::from_mode(mode))
            .map_err(FileError::at("set the mode of", path))?;
        self.take(path)
    }

    fn make_file(&self, path: &Path) -> Result<(), FileError> {
        let made = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(self.server.path(path));
        match made {
            Ok(_) => self.take(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(FileError::at("create", path)(error)),
        }
    }

    fn take(&self, path: &Path) -> Result<(), FileError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        chown(self.server.path(path), Some(self.uid), Some(self.gid))
            .map_err(FileError::at("chown", path))
    }
}

/// A directory above that lets nobody pass would only show when Odoo starts.
fn is_reached(run: &Run<'_>, path: &Path) -> Result<(), StepError> {
    let program = check::program(run)?;
    let mut command = run.server.command_as(&program.user, &program.group, "test");
    if run.server.output(command.arg("-w").arg(path))?.status.success() {
        return Ok(());
    }
    Err(StepError::found(format!("`{}` cannot be reached by {}", path.display(), program.user))
        .with_hint("let others pass through the directories above it: `chmod o+x`"))
}

/// Removes a data directory that did not exist before. Files that Odoo does not make by
/// itself keep it.
pub(in crate::agent) fn remove_data_directory(
    run: &mut Run<'_>,
    directory: &Path,
) -> Result<(), StepError> {
    let full = run.server.path(directory);
    for name in MADE_BY_ITSELF {
        let path = full.join(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(file) if file.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(_) => Ok(()),
        };
        removed.map_err(FileError::at("remove", &directory.join(name)))?;
    }
    remove_empty_below(&full).map_err(FileError::at("remove", directory))?;
    release::remove_empty(run, directory)
}

/// Removes the directories that hold nothing but directories.
fn remove_empty_below(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty_below(&entry.path())?;
            match fs::remove_dir(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                    return Err(error);
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Removes a log that did not exist before.
pub(in crate::agent) fn remove_log(run: &mut Run<'_>, file: &Path) -> Result<(), StepError> {
    Ok(run.server.remove_file(file)?)
}

/// Tells how the role goes again; a role that exists is nobody's to drop.
pub(super) fn way_back_of_role(run: &Run<'_>, step: &CreateRole) -> Result<Vec<Undo>, StepError> {
    if superuser(run)?.role(&step.role)?.is_some() {
        return Ok(Vec::new());
    }
    Ok(vec![Undo::DropRole { role: step.role.clone(), mark: mark(run) }])
}

/// Creates the role and tries to connect as it.
pub(super) fn create_role(run: &mut Run<'_>, step: &CreateRole) -> Result<(), StepError> {
    let superuser = superuser(run)?;
    if superuser.role(&step.role)?.is_none() {
        superuser.create_role(&step.role, run.access.password.as_deref(), &mark(run))?;
    }
    let Err(error) = database::postgres(run)?.version() else { return Ok(()) };
    Err(StepError::found(format!(
        "role `{}` was created, and cannot connect: {}",
        step.role,
        with_causes(&error)
    ))
    .with_hint(
        "without `db_host`, `db_user` has to be the name of the system user; with \
         `db_host = localhost` the role needs `db_password`; `pg_hba.conf` decides",
    ))
}

/// Drops a role that this transaction created.
pub(in crate::agent) fn drop_role(
    run: &mut Run<'_>,
    role: &str,
    mark: &str,
) -> Result<(), StepError> {
    let superuser = superuser(run)?;
    superuser.wait_until_there(POSTGRES_PATIENCE)?;
    Ok(superuser.drop_role(role, mark)?)
}

fn superuser(run: &Run<'_>) -> Result<Postgres, StepError> {
    let application = format!("odoo-deploy-{}", run.transaction.id);
    Postgres::as_superuser(run.server, &run.access, &application).ok_or_else(|| {
        StepError::found("PostgreSQL's administrator `postgres` cannot be used on this server")
    })
}

/// Sets the password of user `admin` while nobody reaches Odoo.
pub(super) fn set_admin_password(
    run: &mut Run<'_>,
    step: &SetAdminPassword,
) -> Result<(), StepError> {
    let number = run.transaction.number.expect("a database is created with a release");
    let conf: PathBuf = run.layout.release(number).join("odoo.conf");
    let change = PasswordChange {
        unit: &format!("deployld-{}-password", run.transaction.id),
        conf: &conf,
        database: &step.database,
        password: &step.password,
        timeout: PASSWORD_TIMEOUT,
    };
    match check::program(run)?.set_admin_password(run.server, &change)? {
        None => Ok(()),
        Some(why) => Err(StepError::found(format!(
            "the password of user admin in database {} was not set: {why}",
            step.database
        ))),
    }
}

/// Notes what was created: later deploys of the host keep the note.
pub(super) fn record(run: &mut Run<'_>, made: Provisioned) -> Result<(), StepError> {
    let mut noted = provisioned(run.server, &run.layout)?.unwrap_or_default();
    noted.user |= made.user;
    noted.role |= made.role;
    let text = serde_json::to_string(&noted).expect("a note is JSON");
    Ok(release::replace(run.server, &run.layout.provisioned(), &text, 0o644)?)
}

/// Reads what the tool created for a host; none where it created nothing.
pub(in crate::agent) fn provisioned(
    server: &Server,
    layout: &Layout,
) -> Result<Option<Provisioned>, FileError> {
    let text = server.read(&layout.provisioned())?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;

    #[test]
    fn what_the_tool_created_is_read_from_notes_of_earlier_versions_too() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        assert_eq!(provisioned(&server, &layout).unwrap(), None);
        fs::create_dir_all(server.path(&layout.base())).unwrap();
        let note = server.path(&layout.provisioned());
        fs::write(&note, r#"{"schema":1,"user":true,"role":false,"certificate":true}"#).unwrap();
        let made = Provisioned { user: true, ..Provisioned::default() };
        assert_eq!(provisioned(&server, &layout).unwrap(), Some(made));
        fs::write(&note, "no note").unwrap();
        assert_eq!(provisioned(&server, &layout).unwrap(), None);
    }
}
