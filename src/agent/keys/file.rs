//! A login's authorized_keys. It lies in a directory of the login's, which may be hostile:
//! root never follows a link there, and never writes anything but a new file.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, fsync, mkdirat, open, openat,
        renameat, unlinkat,
    },
    io::Errno,
};

use super::KeyError;
use crate::agent::{
    Account,
    server::{FileError, Server},
};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// How sshd finds it unless it is told otherwise.
const USUAL: &str = ".ssh/authorized_keys";

/// A login's authorized_keys in its directory.
pub(super) struct AuthorizedKeys {
    path: PathBuf,
    directory: OwnedFd,
    name: String,
    owner: Owner,
}

/// Whose file it is, and its mode.
#[derive(Debug, Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl AuthorizedKeys {
    /// Opens the directory that the file is in, or is to be in.
    pub(super) fn open(server: &Server, account: &Account) -> Result<Self, KeyError> {
        let path = place(server, account)?;
        let parent = path.parent().expect("an absolute file has a parent").to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = parent.parent().unwrap_or(Path::new("/"));
        let inside = parent.file_name().map(|name| name.to_string_lossy().into_owned());
        let above_fd = open(server.path(above), flags, Mode::empty())
            .map_err(|errno| failed("open", above, errno))?;
        let inside = inside.unwrap_or_else(|| ".".to_owned());
        let directory = match openat(&above_fd, &inside, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Err(Errno::NOENT) => make(&above_fd, &inside, flags, account),
            opened => opened,
        };
        let directory = directory.map_err(|errno| match errno {
            Errno::LOOP | Errno::NOTDIR => is_odd(&parent, "it is no directory"),
            errno => failed("open", &parent, errno),
        })?;
        let stat = fstat(&directory).map_err(|errno| failed("read", &parent, errno))?;
        if stat.st_uid != 0 && stat.st_uid != account.uid {
            return Err(is_odd(&parent, "it belongs to somebody else than the login"));
        }
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let owner = Owner { uid: account.uid, gid: account.gid, mode: 0o600 };
        Ok(Self { path, directory, name, owner })
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it, and notes whose it is; an empty text where there is none.
    pub(super) fn read(&mut self) -> Result<String, KeyError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.directory, &self.name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(String::new()),
            Err(Errno::LOOP) => return Err(is_odd(&self.path, "it is a link")),
            Err(errno) => return Err(failed("read", &self.path, errno)),
        };
        let stat = fstat(&file).map_err(|errno| failed("read", &self.path, errno))?;
        let is_file = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
        if !is_file || (stat.st_uid != 0 && stat.st_uid != self.owner.uid) {
            return Err(is_odd(&self.path, "it is no file of the login's"));
        }
        self.owner = Owner { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 };
        let mut bytes = Vec::new();
        File::from(file)
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(FileError::at("read", &self.path))?;
        if bytes.len() as u64 > LARGEST {
            return Err(is_odd(&self.path, "it is too large"));
        }
        String::from_utf8(bytes).map_err(|_| is_odd(&self.path, "it is no text"))
    }

    /// Puts a new file in its place, with the same owner and mode: it is there as a whole or
    /// not at all.
    pub(super) fn replace(&self, text: &str) -> Result<(), KeyError> {
        let beside = format!(".{}.odoo-deploy", self.name);
        let written = self.write_beside(&beside, text);
        written.map_err(|error| FileError::at("replace", &self.path)(error).into())
    }

    fn write_beside(&self, beside: &str, text: &str) -> io::Result<()> {
        match unlinkat(&self.directory, beside, AtFlags::empty()) {
            Err(errno) if errno != Errno::NOENT => return Err(errno.into()),
            _ => {}
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.directory, beside, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(text.as_bytes())?;
        let Owner { uid, gid, mode } = self.owner;
        if rustix::process::geteuid().is_root() {
            fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
        file.sync_all()?;
        renameat(&self.directory, beside, &self.directory, &self.name)?;
        Ok(fsync(&self.directory)?)
    }
}

fn make(
    above: &OwnedFd,
    name: &str,
    flags: OFlags,
    account: &Account,
) -> rustix::io::Result<OwnedFd> {
    mkdirat(above, name, Mode::RWXU)?;
    let directory = openat(above, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
        fchown(&directory, Some(uid), Some(gid))?;
    }
    Ok(directory)
}

/// Asks sshd which file of the login it reads.
fn place(server: &Server, account: &Account) -> Result<PathBuf, KeyError> {
    let who = format!("user={},host=localhost,addr=127.0.0.1", account.name);
    let said = server.run(server.command("sshd").args(["-T", "-C"]).arg(who));
    // An sshd that cannot be asked is most likely one with the usual settings.
    let first = said.as_deref().ok().and_then(first_file).unwrap_or(USUAL);
    if first == "none" {
        return Err(KeyError::refused(
            format!("sshd lets `{}` in by no key of a file", account.name),
            "set `AuthorizedKeysFile` in its configuration",
        ));
    }
    Ok(expand(first, account))
}

fn first_file(said: &str) -> Option<&str> {
    let line = said.lines().find_map(|line| line.strip_prefix("authorizedkeysfile "))?;
    line.split_whitespace().next()
}

/// Fills in what sshd does: `%h`, `%u`, `%U`; a relative path is below the home directory.
fn expand(file: &str, account: &Account) -> PathBuf {
    let home = account.home.to_string_lossy();
    let path = file
        .replace("%%", "\0")
        .replace("%h", &home)
        .replace("%u", &account.name)
        .replace("%U", &account.uid.to_string())
        .replace('\0', "%");
    account.home.join(path)
}

fn failed(operation: &'static str, path: &Path, errno: Errno) -> KeyError {
    FileError::at(operation, path)(errno.into()).into()
}

fn is_odd(path: &Path, why: &str) -> KeyError {
    KeyError::refused(
        format!("`{}` is left alone: {why}", path.display()),
        "put it right on the server: a file, or a directory, of the login's own",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_sshd_looks() {
        let account = Account { name: "ci".into(), uid: 7, gid: 7, home: "/home/ci".into() };
        assert_eq!(expand(USUAL, &account), Path::new("/home/ci/.ssh/authorized_keys"));
        assert_eq!(expand("%h/k", &account), Path::new("/home/ci/k"));
        assert_eq!(expand("/etc/keys/%u-100%%", &account), Path::new("/etc/keys/ci-100%"));
        let said = "port 22\nauthorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\n";
        assert_eq!(first_file(said), Some(".ssh/authorized_keys"));
    }
}
