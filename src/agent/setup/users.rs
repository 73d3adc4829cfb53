//! The system user and the directories.

use std::{fs, os::unix::fs as unix, path::Path};

use super::work::Work;
use crate::{
    agent::{account::Account, server::FileError, step::StepError},
    setup::Owner,
};

/// Creates a system user with a group of its name, unless it exists.
pub(super) fn create_user(work: &Work<'_>, name: &str, home: &Path) -> Result<(), StepError> {
    if Account::find(work.server, name)?.is_some() {
        return Ok(());
    }
    let groups = work.server.read(Path::new("/etc/group"))?.unwrap_or_default();
    let has_group = groups.lines().any(|line| line.split(':').next() == Some(name));
    let mut command = work.server.command("useradd");
    command.args(["--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]);
    if has_group {
        command.args(["--gid", name]);
    } else {
        command.arg("--user-group");
    }
    work.server.run(command.arg("--home-dir").arg(home).args(["--", name]))?;
    Ok(())
}

/// Creates a directory; one that is there only gets its owner.
pub(super) fn make_directory(
    work: &Work<'_>,
    path: &Path,
    owner: &Owner,
    mode: u32,
) -> Result<(), StepError> {
    let (uid, gid) = if owner.user == "root" {
        (0, 0)
    } else {
        let account = Account::find(work.server, &owner.user)?.ok_or_else(|| {
            StepError::found(format!("the system user `{}` does not exist", owner.user))
        })?;
        (account.uid, account.gid)
    };
    let real = work.server.path(path);
    let is_new = !real.exists();
    super::create_directory(work.server, path, mode)?;
    unix::chown(&real, Some(uid), Some(gid)).map_err(FileError::at("set the owner of", path))?;
    if is_new {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&real, mode).map_err(FileError::at("set the mode of", path))?;
    }
    Ok(())
}
