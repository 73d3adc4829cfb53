//! Stops an Odoo service, its deaf workers too. Does I/O.
//!
//! Odoo asks each worker once to go, with SIGINT. One that was forked a moment before
//! still has the main process's handler for it, so that the request is lost: the worker
//! serves on, the main process waits for it, and systemd ends both when
//! `TimeoutStopSec=` is over, which is longer than `limit_time_real`: 20 minutes
//! without Odoo. Seen on a busy server, with 19.0 (`odoo/service/server.py`,
//! `Worker.start` and `PreforkServer.stop_workers_gracefully`). Asked again, it goes; one
//! that was asked before is not hurried.

use std::{
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{FileError, ProgramError, Server, Systemd};

/// How long workers may take to go before they are asked again.
const AGAIN: Duration = Duration::from_secs(1);

impl Systemd<'_> {
    /// Stops an Odoo service and waits until its processes are gone: those that serve a
    /// request may end it.
    ///
    /// # Errors
    /// Fails when it cannot be stopped.
    pub fn stop_odoo(&self, unit: &str) -> Result<(), ProgramError> {
        self.asking_workers_again(unit, || self.stop(unit))
    }

    /// Stops an Odoo service, as [`Self::stop_odoo`] does, and starts it.
    ///
    /// # Errors
    /// Fails when it does not start.
    pub fn restart_odoo(&self, unit: &str) -> Result<(), ProgramError> {
        self.asking_workers_again(unit, || self.restart(unit))
    }

    fn asking_workers_again(
        &self,
        unit: &str,
        stop: impl FnOnce() -> Result<(), ProgramError>,
    ) -> Result<(), ProgramError> {
        thread::scope(|scope| {
            let (stopping, stopped) = mpsc::channel::<()>();
            scope.spawn(move || {
                while stopped.recv_timeout(AGAIN) == Err(RecvTimeoutError::Timeout) {
                    self.ask_workers_again(unit);
                }
            });
            let outcome = stop();
            drop(stopping);
            outcome
        })
    }

    /// Asks the workers of a service that stops to go. Those of one that a restart has
    /// started again are not meant.
    fn ask_workers_again(&self, unit: &str) {
        // What cannot be read now is asked a second later.
        let Ok(state) = self.state(unit) else { return };
        let Some(main) = state.main_pid.filter(|_| state.active == "deactivating") else { return };
        let Ok(processes) = self.processes(&state) else { return };
        for pid in processes.pids() {
            if is_worker(self.server(), pid, main).unwrap_or(false)
                && let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
            {
                tracing::debug!(unit, ?pid, "asking a worker again to go");
                let _ = kill_process(pid, Signal::INT);
            }
        }
    }
}

fn is_worker(server: &Server, pid: u32, main: u32) -> Result<bool, FileError> {
    let status = server.read(Path::new(&format!("/proc/{pid}/status")))?;
    Ok(status.is_some_and(|status| reads_as_worker(&status, main)))
}

/// Tells whether the text of `/proc/PID/status` is that of a worker that is ready to be
/// asked: a child of the main process that handles SIGINT and leaves SIGTERM to the kernel.
/// The old main process of a reload is a child, too, and handles both: asked a second time
/// it would break off its workers' requests. The evented process reads as a worker, but was
/// killed before the workers were first asked.
fn reads_as_worker(status: &str, main: u32) -> bool {
    let value = |name: &str| {
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim())
    };
    let parent = value("PPid").and_then(|pid| pid.parse().ok());
    let caught = value("SigCgt").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    let catches =
        |signal: Signal| caught.is_some_and(|mask| mask & (1 << (signal.as_raw() - 1)) != 0);
    parent == Some(main) && catches(Signal::INT) && !catches(Signal::TERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Masks as processes of Odoo 19.0 have them.
    const OF_A_WORKER: &str = "0000000100800a06";
    const OF_THE_MAIN_PROCESS: &str = "0000000000314a07";

    fn child_of_100(mask: &str) -> String {
        format!("Name:\tpython3\nPid:\t112\nPPid:\t100\nSigCgt:\t{mask}\n")
    }

    #[test]
    fn a_worker_is_asked_again() {
        assert!(reads_as_worker(&child_of_100(OF_A_WORKER), 100));
    }

    #[test]
    fn a_child_of_a_worker_or_of_another_main_process_is_not() {
        assert!(!reads_as_worker(&child_of_100(OF_A_WORKER), 101));
    }

    #[test]
    fn one_that_is_not_ready_and_the_old_main_process_of_a_reload_are_not() {
        assert!(!reads_as_worker(&child_of_100(OF_THE_MAIN_PROCESS), 100));
    }

    #[test]
    fn a_process_that_does_not_handle_the_signal_is_not() {
        assert!(!reads_as_worker(&child_of_100("0000000000000000"), 100));
        assert!(!reads_as_worker("", 100));
    }
}
