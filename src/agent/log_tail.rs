//! Logs that grow: their last lines, and then what is added.

use std::{
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{
    Account, log_file,
    log_source::{LogError, LogSource},
    server::{FileError, Server},
};

/// How many bytes of a file are read at most at one time, from its end.
const LARGEST: u64 = 4 << 20;
/// How many lines of the journal are read at most at one time, from its end.
const MOST_LINES: usize = 20_000;

/// Follows the log of a service: systemd's journal, and the file that odoo.conf names.
#[derive(Debug)]
pub(super) struct LogTail {
    unit: String,
    cursor: Option<String>,
    file: Option<FileTail>,
    /// How many lines are wanted; all that are new after the first time.
    lines: usize,
}

impl LogTail {
    /// Begins with the last lines.
    ///
    /// # Errors
    /// Fails when it cannot be told who writes it.
    pub(super) fn new(server: &Server, source: LogSource, lines: usize) -> Result<Self, LogError> {
        let writer = log_file::writer(server, &source)?;
        let file = source.file.map(|path| FileTail { writer, ..FileTail::new(path) });
        Ok(Self { unit: source.unit, cursor: None, file, lines: lines.min(MOST_LINES) })
    }

    /// Returns what is new. It starts no program that outlives the call: whoever
    /// asked may be gone at any time.
    ///
    /// # Errors
    /// Fails when the log cannot be read.
    pub(super) fn read(&mut self, server: &Server) -> Result<Vec<String>, LogError> {
        let mut lines = self.read_journal(server)?;
        if let Some(file) = &mut self.file {
            lines.extend(last(file.read(server)?, self.lines));
        }
        self.lines = MOST_LINES;
        Ok(lines)
    }

    fn read_journal(&mut self, server: &Server) -> Result<Vec<String>, LogError> {
        let mut command = server.command("journalctl");
        command.args(["--output=cat", "--quiet", "--no-pager", "--show-cursor", "--unit"]);
        command.arg(&self.unit).arg(format!("--lines={}", self.lines));
        if let Some(cursor) = &self.cursor {
            command.arg("--after-cursor").arg(cursor);
        }
        let (lines, cursor) = split_cursor(&server.run(&mut command)?);
        self.cursor = cursor.or(self.cursor.take());
        Ok(lines)
    }
}

/// Takes the last line apart, `-- cursor: s=…`, where there is one.
fn split_cursor(text: &str) -> (Vec<String>, Option<String>) {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let cursor = lines.last().and_then(|line| line.strip_prefix("-- cursor: ")).map(str::to_owned);
    if cursor.is_some() {
        lines.pop();
    }
    (lines, cursor)
}

/// Follows a file of lines, also when another one takes its place.
#[derive(Debug)]
pub(super) struct FileTail {
    path: PathBuf,
    inode: u64,
    offset: u64,
    /// Who writes it; none for what root itself writes.
    writer: Option<Account>,
}

impl FileTail {
    /// Begins with everything there is.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, inode: 0, offset: 0, writer: None }
    }

    /// Returns the whole lines that are new; none where there is no file.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub(super) fn read(&mut self, server: &Server) -> Result<Vec<String>, FileError> {
        let path = server.path(&self.path);
        let text = self.new_text(&path).map_err(FileError::at("read", &self.path))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn new_text(&mut self, path: &Path) -> io::Result<String> {
        let Some(mut file) = log_file::open(path, self.writer.as_ref())? else {
            return Ok(String::new());
        };
        let metadata = file.metadata()?;
        if metadata.ino() != self.inode || metadata.len() < self.offset {
            (self.inode, self.offset) = (metadata.ino(), 0);
        }
        let start = self.offset.max(metadata.len().saturating_sub(LARGEST));
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.offset = start + whole as u64;
        Ok(String::from_utf8_lossy(&bytes[..whole]).into_owned())
    }
}

/// Keeps the last ones.
pub(super) fn last<T>(mut items: Vec<T>, limit: usize) -> Vec<T> {
    items.drain(..items.len().saturating_sub(limit));
    items
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::Write as _,
    };

    use super::*;

    #[test]
    fn each_line_is_read_once_and_half_of_one_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let path = root.path().join("odoo.log");
        let mut tail = FileTail::new("/odoo.log".into());
        assert!(tail.read(&server).unwrap().is_empty());
        fs::write(&path, "one\ntw").unwrap();
        assert_eq!(tail.read(&server).unwrap(), ["one"]);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"o\nthree\n").unwrap();
        assert_eq!(tail.read(&server).unwrap(), ["two", "three"]);
        fs::rename(&path, root.path().join("odoo.log.1")).unwrap();
        fs::write(&path, "four\n").unwrap();
        assert_eq!(tail.read(&server).unwrap(), ["four"]);
    }

    #[test]
    fn the_cursor_of_the_journal_is_no_line_of_the_log() {
        let (lines, cursor) = split_cursor("one\ntwo\n-- cursor: s=1;i=2\n");
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(cursor.as_deref(), Some("s=1;i=2"));
        assert_eq!(split_cursor("").1, None);
    }
}
