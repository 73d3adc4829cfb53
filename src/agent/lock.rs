//! The lock of a host: one transaction at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
};

use super::server::{FileError, Server};
use crate::{layout::Layout, plan::Holder};

/// The held lock. It is free again when this value, or the process, is gone:
/// the descriptor is not passed on to children.
#[derive(Debug)]
pub(super) struct HostLock {
    _file: File,
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    /// Another transaction holds it.
    #[error("another deploy holds the lock")]
    Held(Option<Holder>),
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl HostLock {
    /// Takes the lock and writes down who holds it.
    ///
    /// # Errors
    /// Returns the holder when there is one already.
    pub(super) fn take(
        server: &Server,
        layout: &Layout,
        holder: &Holder,
    ) -> Result<Self, LockError> {
        let path = layout.lock();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(server.path(&path))
            .map_err(FileError::at("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(read(&mut file))),
            Err(TryLockError::Error(error)) => {
                return Err(FileError::at("lock", &path)(error).into());
            }
        }
        write(&mut file, holder).map_err(FileError::at("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Tells who holds the lock, without taking it for a moment: a free lock that
/// is only looked at must not make another deploy fail.
///
/// # Errors
/// Fails when the lock file cannot be read.
pub(super) fn holder(server: &Server, layout: &Layout) -> Result<Option<Holder>, FileError> {
    let Some((mut file, process)) = open(server, layout)? else { return Ok(None) };
    Ok(if process.is_some() { read(&mut file) } else { None })
}

/// Returns the process that holds the lock.
///
/// # Errors
/// Fails when the lock file cannot be read.
pub(super) fn process(server: &Server, layout: &Layout) -> Result<Option<u32>, FileError> {
    Ok(open(server, layout)?.and_then(|(_, process)| process))
}

fn open(server: &Server, layout: &Layout) -> Result<Option<(File, Option<u32>)>, FileError> {
    let path = layout.lock();
    let file = match File::open(server.path(&path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::at("open", &path)(error)),
    };
    let inode = file.metadata().map_err(FileError::at("read", &path))?.ino();
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    Ok(Some((file, process_in(&locks, inode))))
}

/// Looks for a held flock on the inode in the text of `/proc/locks`
/// (`1: FLOCK  ADVISORY  WRITE 812 fe:00:131 0 EOF`; waiting ones have `->`).
fn process_in(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_flock = words.next() == Some("FLOCK");
        let process = words.nth(2)?.parse().ok()?;
        let number = words.next()?.rsplit(':').next()?;
        (is_flock && number == inode.to_string()).then_some(process)
    })
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, holder: &Holder) -> io::Result<()> {
    let text = serde_json::to_string(holder).expect("a holder is JSON");
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;

    fn someone(who: &str) -> Holder {
        Holder {
            who: who.into(),
            from: "laptop".into(),
            url: None,
            message: None,
            transaction: "1".into(),
            since: 0,
        }
    }

    #[test]
    fn a_second_taker_is_told_who_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::below(directory.path().into(), "".into());
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        std::fs::create_dir_all(server.path(&layout.base())).unwrap();
        assert_eq!(holder(&server, &layout).unwrap(), None);
        let lock = HostLock::take(&server, &layout, &someone("ana")).unwrap();
        assert_eq!(holder(&server, &layout).unwrap(), Some(someone("ana")));
        let second = HostLock::take(&server, &layout, &someone("bea"));
        assert!(matches!(second, Err(LockError::Held(Some(held))) if held == someone("ana")));
        drop(lock);
        assert_eq!(holder(&server, &layout).unwrap(), None);
        HostLock::take(&server, &layout, &someone("bea")).unwrap();
    }

    #[test]
    fn a_waiting_lock_does_not_count() {
        let locks = "1: FLOCK  ADVISORY  WRITE 812 fe:00:131 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 9 fe:00:132 0 EOF\n";
        assert_eq!(process_in(locks, 131), Some(812));
        assert_eq!(process_in(locks, 132), None);
        assert_eq!(process_in(locks, 31), None);
    }
}
