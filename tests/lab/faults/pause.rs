//! Where a deploy stands still, so that a fault hits it at a known entry of its journal.

#![expect(clippy::disallowed_methods, reason = "asks for the pause, on the server's disk")]

use std::{
    fs,
    path::PathBuf,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{lab::Server, world::HOST};

/// How long the next entry may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Which process is to stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    /// The one that carries the transaction out.
    Transaction,
    /// The one that ends what a dead one left.
    Recovery,
}

/// Has the process stand still behind its `entry`th entry; one that stands still
/// goes on.
pub(crate) fn ask(server: &Server, process: Process, entry: usize) {
    ask_also(server, process, entry);
    let _ = fs::remove_file(paused(server));
}

/// Has the process stand still behind its `entry`th entry, too, while another one does.
pub(crate) fn ask_also(server: &Server, process: Process, entry: usize) {
    fs::write(asked(server, process), entry.to_string()).unwrap();
}

/// Lets every process go on to its end.
pub(crate) fn forget(server: &Server) {
    for process in [Process::Transaction, Process::Recovery] {
        let _ = fs::remove_file(asked(server, process));
    }
    let _ = fs::remove_file(paused(server));
}

/// Tells whether a process stands still.
pub(crate) fn is_reached(server: &Server) -> bool {
    paused(server).exists()
}

/// Waits until the transaction stands still; false where the deploy ended before.
pub(crate) fn wait(server: &Server, deploy: &mut Child) -> bool {
    let begun = Instant::now();
    loop {
        let ended = deploy.try_wait().unwrap().is_some();
        if is_reached(server) {
            return true;
        }
        if ended {
            return false;
        }
        assert!(begun.elapsed() < PATIENCE, "{}: the next entry: never", server.name());
        thread::sleep(Duration::from_millis(30));
    }
}

/// Has the transaction go on, from an entry that was asked for, to the first one that is
/// wanted, and returns which that is; none where the deploy ends before.
pub(crate) fn advance(
    server: &Server,
    deploy: &mut Child,
    from: usize,
    wanted: impl Fn(&[Value]) -> bool,
) -> Option<usize> {
    for entry in from.. {
        ask(server, Process::Transaction, entry);
        if !wait(server, deploy) {
            return None;
        }
        let entries = journal(server);
        assert_eq!(entries.len(), entry, "an entry for each pause: {entries:?}");
        if wanted(&entries) {
            return Some(entry);
        }
    }
    None
}

/// Returns the id of the host's newest transaction.
pub(crate) fn newest_journal(server: &Server) -> Option<String> {
    let journals = fs::read_dir(base(server).join("journal")).into_iter().flatten().flatten();
    let begun = journals.filter(|entry| entry.path().join("journal").exists());
    begun.filter_map(|entry| entry.file_name().into_string().ok()).max()
}

/// Reads the entries of the host's newest journal, in the order they were written.
pub(crate) fn journal(server: &Server) -> Vec<Value> {
    let Some(newest) = newest_journal(server) else { return Vec::new() };
    let journal = base(server).join("journal").join(newest).join("journal");
    let text = fs::read_to_string(journal).unwrap_or_default();
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

/// Describes an entry in a few words.
pub(crate) fn describe(entry: &Value) -> String {
    let kind = entry["entry"].as_str().unwrap_or("?");
    let step = entry["step"].as_str().or_else(|| entry["undo"]["undo"].as_str());
    match step {
        Some(step) => format!("{kind} “{step}”"),
        None => kind.to_owned(),
    }
}

fn base(server: &Server) -> PathBuf {
    server.path(format!("/opt/odoo/{HOST}"))
}

fn asked(server: &Server, process: Process) -> PathBuf {
    base(server).join(match process {
        Process::Transaction => "pause-at",
        Process::Recovery => "pause-at-recovery",
    })
}

fn paused(server: &Server) -> PathBuf {
    base(server).join("paused")
}
