//! What a removal tells: a file in memory that whoever is connected follows. It is not with
//! the host's own files, which go.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    agent::{
        own_unit,
        server::{FileError, Server},
    },
    layout,
    plan::{Event, RemovalTold, TransactionId},
};

/// Returns where it is.
pub(super) fn path(id: &TransactionId) -> PathBuf {
    Path::new(layout::RUNTIME).join(format!("removal-{id}.jsonl"))
}

/// A log that is being written.
pub(super) struct ToldLog {
    file: File,
    index: usize,
}

impl ToldLog {
    /// Opens it.
    ///
    /// # Errors
    /// Fails when the file cannot be made.
    pub(super) fn open(server: &Server, id: &TransactionId) -> Result<Self, FileError> {
        own_unit::make_runtime_directory(server)?;
        let path = path(id);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(server.path(&path))
            .map_err(FileError::at("create", &path))?;
        Ok(Self { file, index: 0 })
    }

    /// Tells one thing. A log that cannot be written never stops a removal.
    pub(super) fn tell(&mut self, told: &RemovalTold) {
        let text = serde_json::to_string(told).expect("what is told is JSON");
        let _ = self.file.write_all(format!("{text}\n").as_bytes());
    }

    /// Tells an event.
    pub(super) fn event(&mut self, event: Event) {
        self.tell(&RemovalTold::Event(event));
    }

    /// Tells how far a long step is.
    pub(super) fn progress(&mut self, text: impl Into<String>) {
        self.event(Event::Progress { text: text.into() });
    }

    /// Tells something that the operator should know.
    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.event(Event::Warning { text: text.into() });
    }

    /// Tells that a step begins, and returns since when.
    pub(super) fn begin(&mut self, title: &str) -> Instant {
        self.index += 1;
        self.event(Event::StepStarted { index: self.index, title: title.to_owned() });
        Instant::now()
    }

    /// Tells that it is done.
    pub(super) fn end(&mut self, began: Instant) {
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.event(Event::StepDone { index: self.index, milliseconds });
    }

    /// Tells that it failed.
    pub(super) fn fail(&mut self, failure: &crate::plan::Failure) {
        self.event(Event::StepFailed { index: self.index, failure: failure.clone() });
    }
}
