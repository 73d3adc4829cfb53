//! The directory of one connection: ssh's control socket and the pinned host key.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use tempfile::TempDir;

/// How the names of these directories begin. ssh's socket path may have 104 bytes,
/// of which it adds some 46 itself.
const PREFIX: &str = "dpl";
/// The file whose lock is held as long as the directory is used.
const OWNER: &str = "odoo-deploy";

/// A directory that goes away with its process, or with the next one where its
/// process was killed.
#[derive(Debug)]
pub(super) struct ControlDirectory {
    directory: TempDir,
    _owner: File,
}

impl ControlDirectory {
    /// Makes one, and removes those that killed processes left.
    ///
    /// # Errors
    /// Fails when the directory above cannot be written.
    pub(super) fn create_in(above: &Path) -> io::Result<Self> {
        sweep(above);
        loop {
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(above)?;
            let path = directory.path().join(OWNER);
            let owner = match File::create_new(&path) {
                Ok(owner) => owner,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // Before the lock was held, another process may have taken it for a left one.
            if owner.try_lock().is_ok() && path.exists() {
                return Ok(Self { directory, _owner: owner });
            }
        }
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the directories of processes that are gone. A master of theirs ends
/// by itself, and what cannot be removed stays.
fn sweep(above: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|data| data.is_dir() && data.uid() == user);
        if !is_ours {
            continue;
        }
        let Ok(owner) = File::open(entry.path().join(OWNER)) else { continue };
        if owner.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_used_stays() {
        let above = tempfile::tempdir().unwrap();
        let used = ControlDirectory::create_in(above.path()).unwrap();
        let left = above.path().join("dplAAAAAA");
        fs::create_dir(&left).unwrap();
        File::create(left.join(OWNER)).unwrap();
        let other = above.path().join("dplay");
        fs::create_dir(&other).unwrap();
        let new = ControlDirectory::create_in(above.path()).unwrap();
        assert!(used.path().exists() && new.path().exists() && other.exists());
        assert!(!left.exists());
    }
}
