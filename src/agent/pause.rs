//! Where a debug build stands still for those who cut its power: the fault tests.

#[cfg(debug_assertions)]
use std::path::PathBuf;

use super::server::Server;
use crate::host::HostName;

/// Counts the entries a process has written to a journal, and stops it behind the
/// one that a file beside the host's releases names by its number, until the file
/// `paused` is removed. A release build has none of it.
#[derive(Debug)]
pub(super) struct PausePoint {
    #[cfg(debug_assertions)]
    asked: PathBuf,
    #[cfg(debug_assertions)]
    paused: PathBuf,
    #[cfg(debug_assertions)]
    entries: u32,
}

#[cfg(debug_assertions)]
impl PausePoint {
    /// Is asked for by `pause-at`.
    pub(super) fn of_transaction(server: &Server, host: &HostName) -> Self {
        Self::at(server, host, "pause-at")
    }

    /// Is asked for by `pause-at-recovery`.
    pub(super) fn of_recovery(server: &Server, host: &HostName) -> Self {
        Self::at(server, host, "pause-at-recovery")
    }

    fn at(server: &Server, host: &HostName, name: &str) -> Self {
        let base = server.path(&crate::layout::Layout::new(host.clone()).base());
        Self { asked: base.join(name), paused: base.join("paused"), entries: 0 }
    }

    /// Notes that an entry is on disk.
    pub(super) fn reached(&mut self) {
        self.entries += 1;
        let asked = std::fs::read_to_string(&self.asked).unwrap_or_default();
        if asked.trim().parse() == Ok(self.entries) {
            let _ = std::fs::write(&self.paused, "");
            while self.paused.exists() {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
}

#[cfg(not(debug_assertions))]
impl PausePoint {
    pub(super) const fn of_transaction(_server: &Server, _host: &HostName) -> Self {
        Self {}
    }

    pub(super) const fn of_recovery(_server: &Server, _host: &HostName) -> Self {
        Self {}
    }

    pub(super) const fn reached(&mut self) {}
}
