//! What a setup tells: a file that whoever is connected follows.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use super::create_directory;
use crate::{
    agent::{
        server::{FileError, Server},
        told::ToldTail,
    },
    plan::Event,
    setup::SetupTold,
};

/// The events of the last setup. They stay, for whoever looks later.
pub(super) const EVENTS: &str = "/var/lib/odoo-deploy/setup.jsonl";

/// How often progress is told at most.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// Where events are written.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    last_progress: Option<Instant>,
}

impl Log {
    pub(super) fn open(server: &Server) -> Result<Self, FileError> {
        let path = Path::new(EVENTS);
        create_directory(server, path.parent().expect("it is in a directory"), 0o755)?;
        let file = OpenOptions::new().create(true).append(true).open(server.path(path));
        Ok(Self { file: file.map_err(FileError::at("open", path))?, last_progress: None })
    }

    /// Tells something. A log that cannot be written stops nothing.
    pub(super) fn tell(&mut self, told: &SetupTold) {
        let line = serde_json::to_string(told).expect("what is told is JSON") + "\n";
        let _ = self.file.write_all(line.as_bytes());
    }

    /// Tells how far a long step is, though not every time.
    pub(super) fn progress(&mut self, text: &str) {
        let is_due = self.last_progress.is_none_or(|last| last.elapsed() >= PROGRESS_INTERVAL);
        if is_due {
            self.last_progress = Some(Instant::now());
            self.tell(&SetupTold::Event(Event::Progress { text: text.to_owned() }));
        }
    }
}

/// Follows what is told.
pub(super) fn tail(server: &Server) -> ToldTail<SetupTold> {
    ToldTail::of(server.path(Path::new(EVENTS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_tells_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::below(directory.path().into(), "".into());
        let mut log = Log::open(&server).unwrap();
        let mut reader = tail(&server);
        log.tell(&SetupTold::Ended(None));
        assert_eq!(reader.read(), [SetupTold::Ended(None)]);
        assert_eq!(reader.read(), []);
        log.file.write_all(b"{\"half").unwrap();
        assert_eq!(reader.read(), []);
    }
}
