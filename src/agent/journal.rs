//! The journal of a transaction: what is about to happen, how to take it back,
//! and what has happened.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    ballast,
    server::{FileError, Server},
    undo::Undo,
};

/// The version of the format; newer agents read older ones.
pub const JOURNAL_VERSION: u32 = 1;

/// Bytes set aside before anything is touched, so that a full disk cannot keep
/// a step from being written down. An entry takes about 300.
const PREALLOCATED: u64 = 64 * 1024;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// The transaction begins.
    Begin {
        /// The format.
        version: u32,
        /// The transaction's id.
        transaction: String,
        /// The host.
        host: String,
    },
    /// A step is about to be done; this is how it is taken back, whether it was
    /// done or not.
    Before {
        /// The step's title.
        step: String,
        /// The way back.
        undo: Vec<Undo>,
    },
    /// The step is done.
    After {
        /// The step's title.
        step: String,
    },
    /// From here on nothing reverts.
    Commit,
    /// Everything before the commit point is being taken back.
    Revert,
    /// Nothing is left to do.
    End {
        /// How it ended.
        outcome: String,
    },
}

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Begins a journal; `directory` is the transaction's own and is created.
    ///
    /// # Errors
    /// Fails when it cannot be written, or space cannot be set aside for it.
    pub(super) fn begin(
        server: &Server,
        directory: &Path,
        transaction: &str,
        host: &str,
    ) -> Result<Self, FileError> {
        fs::create_dir_all(server.path(directory)).map_err(FileError::at("create", directory))?;
        let path = directory.join("journal");
        let file = File::create_new(server.path(&path)).map_err(FileError::at("create", &path))?;
        ballast::set_aside(&file, PREALLOCATED)
            .map_err(FileError::at("set space aside for", &path))?;
        let mut journal = Self { file, path };
        journal.write(&Entry::Begin {
            version: JOURNAL_VERSION,
            transaction: transaction.to_owned(),
            host: host.to_owned(),
        })?;
        sync_directory(server, directory)?;
        Ok(journal)
    }

    /// Writes an entry and waits until it is on disk.
    ///
    /// # Errors
    /// Fails when it could not be written.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<(), FileError> {
        let mut line = serde_json::to_string(entry).expect("an entry is JSON");
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(FileError::at("write", &self.path))
    }
}

/// Reads a journal back; a torn last line is what a power cut leaves and does
/// not count.
///
/// # Errors
/// Fails when the file cannot be read.
pub(super) fn read(server: &Server, directory: &Path) -> Result<Vec<Entry>, FileError> {
    let text = server.read(&directory.join("journal"))?.unwrap_or_default();
    Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect())
}

/// Tells which transaction of the host, if any, began and did not end.
///
/// # Errors
/// Fails when the journals cannot be read.
pub(super) fn unfinished(server: &Server, journals: &Path) -> Result<Option<String>, FileError> {
    let directory = match fs::read_dir(server.path(journals)) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::at("list", journals)(error)),
    };
    for entry in directory {
        let entry = entry.map_err(FileError::at("list", journals))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let entries = read(server, &journals.join(&name))?;
        if !entries.is_empty() && !matches!(entries.last(), Some(Entry::End { .. })) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Waits until the names in a directory are on disk.
///
/// # Errors
/// Fails when the directory cannot be opened or synced.
pub(super) fn sync_directory(server: &Server, directory: &Path) -> Result<(), FileError> {
    File::open(server.path(directory))
        .and_then(|directory| directory.sync_all())
        .map_err(FileError::at("sync", directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_without_an_end_is_unfinished() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let journals = Path::new("/opt/odoo/a.example/journal");
        assert_eq!(unfinished(&server, journals).unwrap(), None);
        let mut journal = Journal::begin(&server, &journals.join("t1"), "t1", "a.example").unwrap();
        journal.write(&Entry::Before { step: "hold".into(), undo: vec![Undo::LiftHold] }).unwrap();
        assert_eq!(unfinished(&server, journals).unwrap().as_deref(), Some("t1"));
        journal.write(&Entry::End { outcome: "deployed".into() }).unwrap();
        assert_eq!(unfinished(&server, journals).unwrap(), None);
    }

    #[test]
    fn a_torn_last_line_does_not_count() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let directory = Path::new("/j/t1");
        let mut journal = Journal::begin(&server, directory, "t1", "a.example").unwrap();
        journal.write(&Entry::Commit).unwrap();
        journal.file.write_all(b"{\"entry\":\"en").unwrap();
        assert_eq!(read(&server, directory).unwrap().last(), Some(&Entry::Commit));
    }
}
