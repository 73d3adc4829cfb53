//! Where a service writes its log, and what it wrote since a moment.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{FileError, ProgramError, Server};

/// Where a service's log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSource {
    /// systemd's journal, by the unit's name.
    Journal(String),
    /// The file that odoo.conf names (`logfile`), absolute.
    File(PathBuf),
}

/// A moment in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    source: LogSource,
    mark: Mark,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    /// The journal's cursor; none where the journal is empty.
    Cursor(Option<String>),
    /// The file's inode and size; zeros where there is none yet.
    Offset { inode: u64, size: u64 },
}

/// A log that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The journal did not answer.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// How much of a log is read at most, from its end: a service in a loop of
/// restarts writes faster than anybody reads.
const LARGEST: u64 = 16 << 20;

impl LogSource {
    /// Marks the present end of the log.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub fn now(&self, server: &Server) -> Result<LogPosition, LogError> {
        let mark = match self {
            Self::Journal(_) => {
                let mut command = server.command("journalctl");
                command.args(["--lines=0", "--show-cursor", "--quiet", "--no-pager"]);
                let text = server.run(&mut command)?;
                Mark::Cursor(text.trim().strip_prefix("-- cursor: ").map(str::to_owned))
            }
            Self::File(path) => match server.path(path).metadata() {
                Ok(metadata) => Mark::Offset { inode: metadata.ino(), size: metadata.len() },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Mark::Offset { inode: 0, size: 0 }
                }
                Err(error) => return Err(FileError::at("read", path)(error).into()),
            },
        };
        Ok(LogPosition { source: self.clone(), mark })
    }
}

impl LogPosition {
    /// Returns what was written since, without systemd's own additions.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub fn since(&self, server: &Server) -> Result<String, LogError> {
        match (&self.source, &self.mark) {
            (LogSource::Journal(unit), Mark::Cursor(cursor)) => {
                let mut command = server.command("journalctl");
                command.args(["--output=cat", "--quiet", "--no-pager", "--unit", unit]);
                if let Some(cursor) = cursor {
                    command.arg("--after-cursor").arg(cursor);
                }
                Ok(server.run(&mut command)?)
            }
            (LogSource::File(path), Mark::Offset { inode, size }) => {
                Ok(read_after(&server.path(path), *inode, *size)
                    .map_err(FileError::at("read", path))?)
            }
            _ => unreachable!("a source makes marks of its own kind"),
        }
    }
}

/// Reads a file from an offset on, or all of it where it is another file by now.
fn read_after(path: &Path, inode: u64, size: u64) -> io::Result<String> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file?,
    };
    let metadata = file.metadata()?;
    let same = metadata.ino() == inode && metadata.len() >= size;
    let start = if same { size } else { 0 }.max(metadata.len().saturating_sub(LARGEST));
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn a_rotated_file_is_read_from_its_start() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        let source = LogSource::File("/odoo.log".into());
        let path = root.path().join("odoo.log");
        let nothing = source.now(&server).unwrap();
        assert_eq!(nothing.since(&server).unwrap(), "");
        fs::write(&path, "one\n").unwrap();
        assert_eq!(nothing.since(&server).unwrap(), "one\n");
        let position = source.now(&server).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(position.since(&server).unwrap(), "two\n");
        fs::rename(&path, root.path().join("odoo.log.1")).unwrap();
        fs::write(&path, "three\n").unwrap();
        assert_eq!(position.since(&server).unwrap(), "three\n");
    }
}
