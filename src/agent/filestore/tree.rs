//! Trees of directories, walked by open directories and single names.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, Uid, fchmod,
        fchown, fstat, fsync, futimens, linkat, mkdirat, openat, statat, unlinkat,
    },
    io::Errno,
};

/// What lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    /// A file, a link, or anything else that one hard link copies, by its inode.
    Other(u64),
}

/// Opens a directory that is no link; none where nothing has that name.
pub(super) fn open_directory(parent: impl AsFd, name: &CStr) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(parent, name, flags, Mode::empty()) {
        Ok(directory) => Ok(Some(directory)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes a directory with the owner and mode of another one.
pub(super) fn make_directory(
    parent: impl AsFd,
    name: &CStr,
    like: impl AsFd,
) -> io::Result<OwnedFd> {
    mkdirat(&parent, name, Mode::RWXU)?;
    let made = open_directory(&parent, name)?.ok_or(io::ErrorKind::NotFound)?;
    copy_owner(like, &made)?;
    Ok(made)
}

/// Sets a directory's time to now.
pub(super) fn date(directory: impl AsFd) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    futimens(&directory, &times)?;
    Ok(fsync(directory)?)
}

/// Lists a directory.
pub(super) fn entries(directory: impl AsFd) -> io::Result<BTreeMap<CString, Kind>> {
    let mut entries = BTreeMap::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Directory => Kind::Directory,
            FileType::Unknown => match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => Kind::Directory,
                Ok(_) => Kind::Other(entry.ino()),
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno.into()),
            },
            _ => Kind::Other(entry.ino()),
        };
        entries.insert(name.to_owned(), kind);
    }
    Ok(entries)
}

/// Makes the target equal to the source, and safe on disk. What vanishes from
/// the source meanwhile is left out.
pub(super) fn mirror(source: Option<&OwnedFd>, target: &OwnedFd) -> io::Result<()> {
    let wanted = source.map(entries).transpose()?.unwrap_or_default();
    let (present, surplus): (BTreeMap<_, _>, BTreeMap<_, _>) =
        entries(target)?.into_iter().partition(|(name, kind)| wanted.get(name) == Some(kind));
    for name in surplus.keys() {
        remove(target, name)?;
    }
    if let Some(source) = source {
        for (name, kind) in &wanted {
            match kind {
                Kind::Directory => mirror_directory(source, target, name)?,
                Kind::Other(_) if present.contains_key(name) => {}
                Kind::Other(_) => match linkat(source, name, target, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno.into()),
                },
            }
        }
        copy_owner(source, target)?;
    }
    // Always: a first pass that was killed may have left links that are on no disk yet.
    Ok(fsync(target)?)
}

fn mirror_directory(source: &OwnedFd, target: &OwnedFd, name: &CStr) -> io::Result<()> {
    let Some(source) = open_directory(source, name)? else { return remove(target, name) };
    let target = match open_directory(target, name)? {
        Some(target) => target,
        None => make_directory(target, name, &source)?,
    };
    mirror(Some(&source), &target)
}

/// Removes whatever has the name, with all that is in it.
pub(super) fn remove(parent: impl AsFd, name: &CStr) -> io::Result<()> {
    match unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno.into()),
    }
    if let Some(directory) = open_directory(&parent, name)? {
        for name in entries(&directory)?.keys() {
            remove(&directory, name)?;
        }
    }
    match unlinkat(&parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Counts files and their bytes.
pub(super) fn measure(directory: &OwnedFd) -> io::Result<(u64, u64)> {
    let mut total = (0, 0);
    for (name, kind) in entries(directory)? {
        let (files, bytes) = match kind {
            Kind::Directory => match open_directory(directory, &name)? {
                Some(directory) => measure(&directory)?,
                None => continue,
            },
            Kind::Other(_) => match statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => (1, u64::try_from(stat.st_size).unwrap_or(0)),
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno.into()),
            },
        };
        total = (total.0 + files, total.1 + bytes);
    }
    Ok(total)
}

fn copy_owner(from: impl AsFd, to: impl AsFd) -> io::Result<()> {
    let (from, present) = (fstat(from)?, fstat(&to)?);
    if (from.st_uid, from.st_gid) != (present.st_uid, present.st_gid) {
        fchown(&to, Some(Uid::from_raw(from.st_uid)), Some(Gid::from_raw(from.st_gid)))?;
    }
    if from.st_mode != present.st_mode {
        fchmod(&to, Mode::from_raw_mode(from.st_mode))?;
    }
    Ok(())
}
