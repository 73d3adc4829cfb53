//! The attachments of a host's databases, and their copies. Does I/O.
//!
//! Odoo names a file after its content, never changes it, and only adds and
//! removes names: a hard link is a copy. The directory belongs to Odoo's user,
//! so everything below it is reached through open directories, by single names
//! and without following links: what runs as root here must not be led elsewhere.

mod remove;
mod tree;

use std::{
    ffi::CString,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, RenameFlags, fsync, open, renameat_with, syncfs},
    io::Errno,
};

use crate::host::DatabaseName;
use crate::plan::CopyName;

use super::{FileError, Server};

pub(super) use remove::remove_tree;

/// `<data_dir>/filestore`, one directory for each database.
#[derive(Debug)]
pub struct Filestore {
    path: PathBuf,
    directory: OwnedFd,
}

impl Filestore {
    /// Opens the filestore of a data directory; makes it where Odoo has not yet.
    ///
    /// # Errors
    /// Fails when the data directory is absent or cannot be read.
    pub fn open(server: &Server, data_dir: &Path) -> Result<Self, FileError> {
        let path = data_dir.join("filestore");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = open(server.path(data_dir), flags, Mode::empty())
            .map_err(|errno| FileError::at("open", data_dir)(errno.into()))?;
        let directory = match open(server.path(&path), flags, Mode::empty()) {
            Err(Errno::NOENT) => tree::make_directory(&parent, c"filestore", &parent),
            opened => opened.map_err(io::Error::from),
        };
        let directory = directory.map_err(FileError::at("open", &path))?;
        Ok(Self { path, directory })
    }

    /// Counts a database's files and their bytes; none where it has no directory.
    ///
    /// # Errors
    /// Fails when it cannot be read.
    pub fn measure(&self, database: &DatabaseName) -> Result<Option<(u64, u64)>, FileError> {
        let name = database.as_str();
        self.at("measure", name, || {
            let directory = tree::open_directory(&self.directory, &c_name(name))?;
            directory.map(|directory| tree::measure(&directory)).transpose()
        })
    }

    /// Makes the copy equal to the files of a database, or of another copy, by hard links, with
    /// their owners and modes, safe on disk when it returns. The directory's
    /// time says when that was. Done again, it
    /// adds and removes what differs only: begun while Odoo runs, it has
    /// little left to do when Odoo has stopped. A database without files gets
    /// an empty copy.
    ///
    /// # Errors
    /// Fails when a file cannot be linked, as where another disk is mounted inside.
    pub fn link_copy(&self, source: &str, copy: &CopyName) -> Result<(), FileError> {
        self.at("copy", source, || {
            let source = tree::open_directory(&self.directory, &c_name(source))?;
            let name = c_name(copy.as_str());
            let like = source.as_ref().unwrap_or(&self.directory);
            let target = match tree::open_directory(&self.directory, &name)? {
                Some(target) => target,
                None => tree::make_directory(&self.directory, &name, like)?,
            };
            tree::mirror(source.as_ref(), &target)?;
            tree::date(&target)?;
            Ok(fsync(&self.directory)?)
        })
    }

    /// Puts the copy back in the database's place and keeps the present files
    /// aside; their directory's time says since when. Interrupted, it goes on where it was; done again, it does nothing.
    ///
    /// # Errors
    /// Fails when there is no copy, or the name to keep the files under is taken.
    pub fn swap_back(
        &self,
        original: &DatabaseName,
        copy: &CopyName,
        failed: &CopyName,
    ) -> Result<(), FileError> {
        let original = original.as_str();
        let (copy, failed) = (copy.as_str(), failed.as_str());
        let there = (self.has(copy)?, self.has(original)?, self.has(failed)?);
        match there {
            (false, true, true) => return Ok(()),
            (false, ..) => return Err(self.error("find", copy, io::ErrorKind::NotFound)),
            (true, true, true) => {
                return Err(self.error("move files to", failed, io::ErrorKind::AlreadyExists));
            }
            (true, true, false) => {
                self.at("date", original, || {
                    let directory = tree::open_directory(&self.directory, &c_name(original))?;
                    directory.map_or(Ok(()), tree::date)
                })?;
                self.rename(original, failed)?;
            }
            (true, false, true) => {}
            // Nothing to keep; an empty directory tells that this step was taken.
            (true, false, false) => self.at("make", failed, || {
                tree::make_directory(&self.directory, &c_name(failed), &self.directory)?;
                Ok(fsync(&self.directory)?)
            })?,
        }
        self.rename(copy, original)
    }

    /// Waits until everything of the filestore's filesystem is on disk: Odoo does not
    /// wait for its files.
    ///
    /// # Errors
    /// Fails when it cannot be synced.
    pub fn sync(&self) -> Result<(), FileError> {
        syncfs(&self.directory).map_err(|errno| FileError::at("sync", &self.path)(errno.into()))
    }

    /// Lists the copies of a database's files, oldest release first.
    ///
    /// # Errors
    /// Fails when the directory cannot be read.
    pub fn copies(&self, database: &DatabaseName) -> Result<Vec<CopyName>, FileError> {
        let entries = tree::entries(&self.directory).map_err(FileError::at("list", &self.path))?;
        let mut copies: Vec<_> = entries
            .into_keys()
            .filter_map(|name| CopyName::parse(name.to_str().ok()?).ok())
            .filter(|name| name.is_of(database))
            .collect();
        copies.sort_by_key(|name| (name.release(), name.kind()));
        Ok(copies)
    }

    /// Removes the files of a database that the tool created itself and dropped again.
    ///
    /// # Errors
    /// Fails when a file cannot be removed.
    pub fn remove_created(&self, database: &DatabaseName) -> Result<(), FileError> {
        self.at("remove", database.as_str(), || {
            tree::remove(&self.directory, &c_name(database.as_str()))
        })
    }

    /// Removes a copy; one that is gone already is fine.
    ///
    /// # Errors
    /// Fails when a file cannot be removed.
    pub fn remove(&self, copy: &CopyName) -> Result<(), FileError> {
        self.at("remove", copy.as_str(), || tree::remove(&self.directory, &c_name(copy.as_str())))
    }

    /// Tells whether a database, or a copy, has a directory.
    ///
    /// # Errors
    /// Fails when it cannot be opened.
    pub fn has(&self, name: &str) -> Result<bool, FileError> {
        self.at(
            "open",
            name,
            || Ok(tree::open_directory(&self.directory, &c_name(name))?.is_some()),
        )
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        self.at("rename", from, || {
            let (from, to) = (c_name(from), c_name(to));
            renameat_with(&self.directory, from, &self.directory, to, RenameFlags::NOREPLACE)?;
            Ok(fsync(&self.directory)?)
        })
    }

    fn at<T>(
        &self,
        operation: &'static str,
        name: &str,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, FileError> {
        work().map_err(FileError::at(operation, &self.path.join(name)))
    }

    fn error(&self, operation: &'static str, name: &str, kind: io::ErrorKind) -> FileError {
        FileError::at(operation, &self.path.join(name))(kind.into())
    }
}

fn c_name(name: &str) -> CString {
    CString::new(name).expect("the names of databases and copies have no NUL")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt};

    use super::*;
    use crate::layout::ReleaseNumber;

    struct Case {
        root: tempfile::TempDir,
        filestore: Filestore,
        database: DatabaseName,
        copy: CopyName,
        failed: CopyName,
    }

    impl Case {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let server = Server::below(root.path().to_owned(), "".into());
            let database = DatabaseName::parse("acme").unwrap();
            let filestore = Filestore::open(&server, Path::new("/")).unwrap();
            let copy = CopyName::snapshot(&database, ReleaseNumber(2));
            let failed = CopyName::failed(&database, ReleaseNumber(2));
            Self { root, filestore, database, copy, failed }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.root.path().join("filestore").join(name)
        }

        fn put(&self, name: &str, content: &str) {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), content).unwrap();
        }

        fn copy(&self) {
            self.filestore.link_copy(self.database.as_str(), &self.copy).unwrap();
        }

        fn swap_back(&self) -> Result<(), FileError> {
            self.filestore.swap_back(&self.database, &self.copy, &self.failed)
        }

        fn names(&self, name: &str) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(self.path(name))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_copy_has_the_same_files_not_their_content_twice() {
        let case = Case::new();
        case.put("acme/aa/aa11", "one");
        case.put("acme/checklist/aa/aa11", "");
        case.copy();
        let inode = |name: &str| fs::metadata(case.path(name)).unwrap().ino();
        assert_eq!(inode("acme/aa/aa11"), inode("acme~snap-2/aa/aa11"));
        assert_eq!(case.filestore.measure(&case.database).unwrap(), Some((2, 3)));
        assert_eq!(
            case.filestore.copies(&case.database).unwrap(),
            std::slice::from_ref(&case.copy)
        );
    }

    #[test]
    fn a_second_pass_brings_the_copy_to_the_time_of_the_stop() {
        let case = Case::new();
        case.put("acme/aa/stays", "1");
        case.put("acme/aa/goes", "2");
        case.put("acme/bb/goes", "3");
        case.put("acme/cc", "a file");
        case.copy();
        fs::remove_file(case.path("acme/aa/goes")).unwrap();
        fs::remove_dir_all(case.path("acme/bb")).unwrap();
        fs::remove_file(case.path("acme/cc")).unwrap();
        case.put("acme/cc/new", "4");
        case.put("acme/aa/a name\n'\"", "5");
        case.copy();
        assert_eq!(case.names("acme~snap-2"), ["aa", "cc"]);
        assert_eq!(case.names("acme~snap-2/aa"), ["a name\n'\"", "stays"]);
        assert_eq!(case.names("acme~snap-2/cc"), ["new"]);
    }

    #[test]
    fn links_are_copied_and_never_followed() {
        let case = Case::new();
        let outside = case.root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "").unwrap();
        case.put("acme/aa/file", "1");
        std::os::unix::fs::symlink(&outside, case.path("acme/link")).unwrap();
        case.copy();
        assert_eq!(fs::read_link(case.path("acme~snap-2/link")).unwrap(), outside);
        fs::remove_dir_all(case.path("acme~snap-2/aa")).unwrap();
        std::os::unix::fs::symlink(&outside, case.path("acme~snap-2/aa")).unwrap();
        case.copy();
        assert_eq!(case.names("acme~snap-2/aa"), ["file"]);
        case.filestore.remove(&case.copy).unwrap();
        case.filestore.remove(&case.copy).unwrap();
        assert!(outside.join("precious").exists());
    }

    #[test]
    fn files_go_back_whole_and_once() {
        let case = Case::new();
        case.put("acme/aa/before", "1");
        case.copy();
        case.put("acme/aa/after", "2");
        case.swap_back().unwrap();
        case.swap_back().unwrap();
        assert_eq!(case.names("acme/aa"), ["before"]);
        assert_eq!(case.names("acme~failed-2/aa"), ["after", "before"]);
    }

    #[test]
    fn a_directory_says_since_when_it_is_kept() {
        let case = Case::new();
        case.put("acme/aa/before", "1");
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        let files = fs::File::open(case.path("acme")).unwrap();
        files.set_modified(old).unwrap();
        let time = |name: &str| fs::metadata(case.path(name)).unwrap().mtime();
        case.copy();
        assert!(time("acme~snap-2") > 1_000);
        assert_eq!(time("acme"), 1_000);
        case.swap_back().unwrap();
        assert!(time("acme~failed-2") > 1_000);
    }

    #[test]
    fn an_interrupted_swap_goes_on() {
        let case = Case::new();
        case.put("acme/aa/before", "1");
        case.copy();
        case.filestore.rename("acme", "acme~failed-2").unwrap();
        case.swap_back().unwrap();
        assert_eq!(case.names(""), ["acme", "acme~failed-2"]);
    }

    #[test]
    fn the_way_back_of_a_restored_filestore_is_right_wherever_it_stopped() {
        // What stands under each name: `present` are the users' files, `old` the snapshot's.
        let before = [("acme", Some("present")), ("acme~failed-3", Some("old"))];
        let half = [("acme~snap-3", Some("present")), ("acme~failed-3", Some("old"))];
        let after = [("acme~snap-3", Some("present")), ("acme", Some("old"))];
        let without_files = [("acme~snap-3", None), ("acme~failed-3", Some("old"))];
        for (state, there) in
            [(before, "present"), (half, "present"), (after, "present"), (without_files, "")]
        {
            let case = Case::new();
            for (directory, file) in state {
                fs::create_dir_all(case.path(directory)).unwrap();
                if let Some(file) = file {
                    case.put(&format!("{directory}/{file}"), "");
                }
            }
            let kept = CopyName::snapshot(&case.database, ReleaseNumber(3));
            let copy = CopyName::failed(&case.database, ReleaseNumber(3));
            // Back, and back once more.
            for _ in 0..2 {
                case.filestore.swap_back(&case.database, &kept, &copy).unwrap();
                assert_eq!(case.names("acme").concat(), there, "{state:?}");
                assert_eq!(case.names("acme~failed-3"), ["old"], "{state:?}");
                assert!(!case.path("acme~snap-3").exists(), "{state:?}");
            }
        }
    }

    #[test]
    fn a_database_without_files_goes_back_to_none() {
        let case = Case::new();
        case.copy();
        case.put("acme/aa/after", "1");
        case.swap_back().unwrap();
        case.swap_back().unwrap();
        assert!(case.names("acme").is_empty());
        let missing = case.filestore.swap_back(
            &case.database,
            &case.copy,
            &CopyName::failed(&case.database, ReleaseNumber(3)),
        );
        assert_eq!(missing.unwrap_err().source.kind(), io::ErrorKind::NotFound);
    }
}
