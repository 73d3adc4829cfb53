//! The event log of a transaction: a file that whoever is connected follows.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
};

use super::{
    ballast,
    server::{FileError, Server},
};
use crate::{plan::Event, secret::Redactor};

/// Bytes set aside at the beginning. An event takes about 100, a failure some thousands.
const PREALLOCATED: u64 = 256 * 1024;

/// An event log that is being written.
#[derive(Debug)]
pub(super) struct EventLog {
    file: File,
    redactor: Redactor,
}

impl EventLog {
    /// Opens the log in the transaction's directory. Registered secrets are
    /// masked in everything that is told.
    ///
    /// # Errors
    /// Fails when the file cannot be created.
    pub(super) fn open(
        server: &Server,
        directory: &Path,
        redactor: Redactor,
    ) -> Result<Self, FileError> {
        let path = directory.join("events.jsonl");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(server.path(&path))
            .map_err(FileError::at("create", &path))?;
        // On a disk that is full, the operator still hears how it ended.
        let _ = ballast::set_aside(&file, PREALLOCATED);
        let mut log = Self { file, redactor };
        let present = server.read(&path)?.unwrap_or_default();
        if !(present.is_empty() || present.ends_with('\n')) {
            // What a power cut tore must not swallow the next event.
            let _ = log.file.write_all(b"\n");
        }
        Ok(log)
    }

    /// Tells one event. A log that cannot be written never stops a transaction:
    /// the journal decides, the log informs.
    pub(super) fn tell(&mut self, event: &Event) {
        let mut value = serde_json::to_value(event).expect("an event is JSON");
        self.redactor.redact_json(&mut value);
        let line = format!("{value}\n");
        let _ = self.file.write_all(line.as_bytes());
    }

    /// Masks registered secrets in a text.
    #[must_use]
    pub(super) fn redact(&self, text: &str) -> String {
        self.redactor.redact(text)
    }
}
