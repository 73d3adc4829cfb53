//! A log file that Odoo writes. It lies where Odoo's user may put a link, or another file, in
//! its place: root reads it for others only where that user could read it, too.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

use super::{
    Account,
    log_source::{LogError, LogSource},
    server::Server,
};

/// Finds the account that a service runs as; none where systemd names no user for it.
///
/// # Errors
/// Fails when systemd cannot be asked.
pub(super) fn writer(server: &Server, source: &LogSource) -> Result<Option<Account>, LogError> {
    if source.file.is_none() {
        return Ok(None);
    }
    let mut command = server.command("systemctl");
    command.args(["show", "--property", "User", "--", &source.unit]);
    let said = server.run(&mut command)?;
    let user = said.lines().find_map(|line| line.trim().strip_prefix("User="));
    let user = user.filter(|user| !user.is_empty());
    Ok(user.map_or(Ok(None), |user| Account::find(server, user))?)
}

/// Opens a log; none where there is none yet.
///
/// # Errors
/// Fails where it is no file, or none that its writer could read.
pub(super) fn open(path: &Path, writer: Option<&Account>) -> io::Result<Option<File>> {
    // A pipe in its place must not keep root waiting for its other end.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let data = file.metadata()?;
    let is_readable = writer.is_none_or(|account| {
        data.uid() == account.uid || (data.gid() == account.gid && data.mode() & 0o040 != 0)
    });
    if data.is_file() && is_readable {
        return Ok(Some(file));
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "it is no file that the service's user may read",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(uid: u32, gid: u32) -> Account {
        Account { name: "odoo".into(), uid, gid, home: "/".into() }
    }

    #[test]
    fn what_the_services_user_may_not_read_root_does_not_read_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("shadow");
        std::fs::write(&secret, "geheim").unwrap();
        let mode = |mode| {
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&secret, permissions).unwrap();
        };
        mode(0o640);
        let log = directory.path().join("odoo.log");
        std::os::unix::fs::symlink(&secret, &log).unwrap();
        let data = std::fs::metadata(&secret).unwrap();
        let own = account(data.uid(), data.gid() + 1);
        let of_group = account(data.uid() + 1, data.gid());
        let other = account(data.uid() + 1, data.gid() + 1);
        assert!(open(&log, Some(&own)).unwrap().is_some());
        assert!(open(&log, Some(&of_group)).unwrap().is_some());
        assert!(open(&log, Some(&other)).is_err());
        mode(0o600);
        assert!(open(&log, Some(&of_group)).is_err());
        assert!(open(&log, None).unwrap().is_some());
        assert!(open(&directory.path().join("none"), Some(&own)).unwrap().is_none());
        assert!(open(directory.path(), Some(&own)).is_err());
    }
}
