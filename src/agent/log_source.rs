//! Where a service writes its log, and what it wrote since a moment.

use std::{
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{Account, FileError, ProgramError, Server, log_file};

/// Where a service's log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// The unit. systemd's journal has all that Odoo says where it has no file,
    /// and what Python says before Odoo has read its configuration.
    pub unit: String,
    /// The file that odoo.conf names (`logfile`), absolute.
    pub file: Option<PathBuf>,
}

/// A moment in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    source: LogSource,
    /// The journal's cursor; none where the journal is empty.
    cursor: Option<String>,
    /// The file's inode and size; zeros where there is none yet.
    offset: (u64, u64),
    /// Who writes the file; none where that is not known.
    writer: Option<Account>,
    /// When it was marked.
    taken: Instant,
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

impl LogSource {
    /// Marks the present end of the log.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub fn now(&self, server: &Server) -> Result<LogPosition, LogError> {
        let mut command = server.command("journalctl");
        command.args(["--lines=0", "--show-cursor", "--quiet", "--no-pager"]);
        let text = server.run(&mut command)?;
        let cursor = text.trim().strip_prefix("-- cursor: ").map(str::to_owned);
        let writer = log_file::writer(server, self)?;
        let offset = match &self.file {
            Some(path) => size_of(&server.path(path)).map_err(FileError::at("read", path))?,
            None => (0, 0),
        };
        Ok(LogPosition { source: self.clone(), cursor, offset, writer, taken: Instant::now() })
    }
}

impl LogPosition {
    /// Returns how long ago it was marked.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.taken.elapsed()
    }

    /// Returns what was written since: the journal, with systemd's own lines about
    /// the unit, then the file.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub fn since(&self, server: &Server) -> Result<String, LogError> {
        let mut command = server.command("journalctl");
        command.args(["--output=cat", "--quiet", "--no-pager", "--unit", &self.source.unit]);
        // A service in a loop of restarts writes faster than anybody reads.
        command.arg(format!("--lines={MOST_LINES}"));
        if let Some(cursor) = &self.cursor {
            command.arg("--after-cursor").arg(cursor);
        }
        let mut text = server.run(&mut command)?;
        if let Some(path) = &self.source.file {
            let file = read_after(&server.path(path), self.offset, self.writer.as_ref());
            text.push_str(&file.map_err(FileError::at("read", path))?);
        }
        Ok(text)
    }
}

/// How many lines of the journal, and bytes of a file, are read at most, from their end.
const MOST_LINES: u32 = 20_000;
const LARGEST: u64 = 4 << 20;

fn size_of(path: &Path) -> io::Result<(u64, u64)> {
    match path.metadata() {
        Ok(metadata) => Ok((metadata.ino(), metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((0, 0)),
        Err(error) => Err(error),
    }
}

/// Reads a file from an offset on, or all of it where it is another file by now.
fn read_after(
    path: &Path,
    (inode, size): (u64, u64),
    writer: Option<&Account>,
) -> io::Result<String> {
    let Some(mut file) = log_file::open(path, writer)? else { return Ok(String::new()) };
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
    use std::{
        fs::{self, File},
        io::Write,
    };

    use super::*;

    #[test]
    fn a_rotated_file_is_read_from_its_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("odoo.log");
        let nothing = size_of(&path).unwrap();
        assert_eq!(read_after(&path, nothing, None).unwrap(), "");
        fs::write(&path, "one\n").unwrap();
        assert_eq!(read_after(&path, nothing, None).unwrap(), "one\n");
        let position = size_of(&path).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(read_after(&path, position, None).unwrap(), "two\n");
        fs::rename(&path, directory.path().join("odoo.log.1")).unwrap();
        fs::write(&path, "three\n").unwrap();
        assert_eq!(read_after(&path, position, None).unwrap(), "three\n");
    }
}
