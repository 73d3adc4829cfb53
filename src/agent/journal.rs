//! The journal of a transaction: what is about to happen, how to take it back,
//! and what has happened.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    ballast,
    pause::PausePoint,
    server::{FileError, Server},
    undo::Undo,
};
use crate::{
    host::HostName,
    plan::{Failure, Transaction, TransactionId},
};

/// The version of the format; newer agents read older ones.
pub const JOURNAL_VERSION: u32 = 1;

/// Bytes set aside after the first entry, before anything is touched, so that a
/// full disk cannot keep a step from being written down. An entry takes about 300.
const PREALLOCATED: u64 = 64 * 1024;

/// Where the kernel says which boot this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// The transaction begins.
    Begin(Box<Begin>),
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
    /// From here on steps change what is live.
    CarryOut,
    /// From here on nothing reverts.
    Commit,
    /// Everything before the commit point is being taken back.
    Revert {
        /// Why.
        failure: Failure,
    },
    /// One way back was gone, the last one first.
    Undone {
        /// Which.
        undo: Undo,
    },
    /// Nothing is left to do.
    End {
        /// How it ended.
        outcome: String,
    },
}

/// What a transaction is, as far as whoever ends it in its place has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The format.
    pub version: u32,
    /// Which boot of the server it began in; none where that is not known.
    pub boot: Option<String>,
    /// Whether the service ran.
    pub was_running: bool,
    /// The transaction, without its secrets and without the steps before the commit
    /// point: those are in the entries, as ways back.
    pub transaction: Transaction,
}

impl Begin {
    /// Describes a transaction that is about to begin.
    pub(super) fn of(server: &Server, transaction: &Transaction, was_running: bool) -> Self {
        Self {
            version: JOURNAL_VERSION,
            boot: boot_id(server),
            was_running,
            transaction: transaction.without_secrets(),
        }
    }
}

/// Tells which boot of the server this is; none where the kernel does not say.
pub(super) fn boot_id(server: &Server) -> Option<String> {
    let text = server.read(Path::new(BOOT_ID)).ok()??;
    Some(text.trim().to_owned())
}

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    pause: PausePoint,
}

impl Journal {
    /// Begins a journal; `directory` is the transaction's own and is created.
    ///
    /// # Errors
    /// Fails when it cannot be written, or space cannot be set aside for it.
    pub(super) fn begin(
        server: &Server,
        directory: &Path,
        begin: Begin,
    ) -> Result<Self, FileError> {
        fs::create_dir_all(server.path(directory)).map_err(FileError::at("create", directory))?;
        let path = directory.join("journal");
        let file = File::create_new(server.path(&path)).map_err(FileError::at("create", &path))?;
        let pause = PausePoint::of_transaction(server, &begin.transaction.host);
        let mut journal = Self { file, path, pause };
        journal.write(&Entry::Begin(Box::new(begin)))?;
        let written = journal.file.metadata().map_or(0, |metadata| metadata.len());
        ballast::set_aside(&journal.file, written + PREALLOCATED)
            .map_err(FileError::at("set space aside for", &journal.path))?;
        // The names on the way to it have to be on disk, too.
        for directory in directory.ancestors().take(3) {
            sync_directory(server, directory)?;
        }
        Ok(journal)
    }

    /// Goes on with the journal of a transaction that died. What a torn last
    /// line holds is cut off.
    ///
    /// # Errors
    /// Fails when it cannot be opened.
    pub(super) fn resume(
        server: &Server,
        directory: &Path,
        host: &HostName,
    ) -> Result<Self, FileError> {
        let path = directory.join("journal");
        let text = fs::read(server.path(&path)).map_err(FileError::at("read", &path))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let file = OpenOptions::new()
            .append(true)
            .open(server.path(&path))
            .and_then(|file| file.set_len(whole as u64).map(|()| file))
            .map_err(FileError::at("open", &path))?;
        Ok(Self { file, path, pause: PausePoint::of_recovery(server, host) })
    }

    /// Writes an entry and waits until it is on disk.
    ///
    /// # Errors
    /// Fails when it could not be written.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<(), FileError> {
        let mut line = serde_json::to_string(entry).expect("an entry is JSON");
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        self.pause.reached();
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
pub(super) fn unfinished(
    server: &Server,
    journals: &Path,
) -> Result<Option<TransactionId>, FileError> {
    let directory = match fs::read_dir(server.path(journals)) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::at("list", journals)(error)),
    };
    for entry in directory {
        let entry = entry.map_err(FileError::at("list", journals))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(id) = TransactionId::parse(&name) else { continue };
        let entries = read(server, &journals.join(&name))?;
        if !entries.is_empty() && !matches!(entries.last(), Some(Entry::End { .. })) {
            return Ok(Some(id));
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
    use crate::agent::transaction;

    fn begun(server: &Server, directory: &Path) -> Journal {
        let transaction = transaction::sample(Vec::new(), Vec::new(), Vec::new());
        Journal::begin(server, directory, Begin::of(server, &transaction, true)).unwrap()
    }

    #[test]
    fn a_journal_without_an_end_is_unfinished() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let journals = Path::new("/opt/odoo/a.example/journal");
        assert_eq!(unfinished(&server, journals).unwrap(), None);
        let mut journal = begun(&server, &journals.join("t1"));
        journal.write(&Entry::Before { step: "hold".into(), undo: vec![Undo::LiftHold] }).unwrap();
        assert_eq!(
            unfinished(&server, journals).unwrap().as_ref().map(TransactionId::as_str),
            Some("t1")
        );
        journal.write(&Entry::End { outcome: "deployed".into() }).unwrap();
        assert_eq!(unfinished(&server, journals).unwrap(), None);
    }

    #[test]
    fn a_torn_last_line_does_not_count() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let directory = Path::new("/j/t1");
        let mut journal = begun(&server, directory);
        journal.write(&Entry::Commit).unwrap();
        journal.file.write_all(b"{\"entry\":\"en").unwrap();
        assert_eq!(read(&server, directory).unwrap().last(), Some(&Entry::Commit));
        let host = HostName::parse("a.example").unwrap();
        let mut resumed = Journal::resume(&server, directory, &host).unwrap();
        let next = Entry::Undone { undo: Undo::LiftHold };
        resumed.write(&next).unwrap();
        assert_eq!(read(&server, directory).unwrap()[1..], [Entry::Commit, next]);
    }
}
