//! Somebody who writes into the database until thrown out.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{lab::Server, world::DATABASE};

/// What the writer's rows are marked with.
pub(super) const MARK: &str = "LOAD/";

/// How long the writer rests between two rows.
const REST: Duration = Duration::from_millis(100);

/// A session of the host's own role that adds repairs, one transaction each. Once
/// it is thrown out it does not come back: what users had written is what counts.
pub(super) struct Writer {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<u32>>>,
    thread: JoinHandle<()>,
    psql: Child,
}

impl Writer {
    /// Writes from now on; rows are numbered from `first`.
    pub(super) fn start(server: &Server, first: u32) -> Self {
        let psql = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", DATABASE];
        let command = [&["runuser", "-u", "odoo", "--"], psql.as_slice()].concat();
        let mut psql = server.start(&command);
        let mut stdin = psql.stdin.take().expect("stdin is piped");
        let mut answers = BufReader::new(psql.stdout.take().expect("stdout is piped")).lines();
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&acknowledged));
        let thread = thread::spawn(move || {
            for number in first.. {
                if stopped.load(Ordering::Relaxed) || insert(&mut stdin, number).is_err() {
                    return;
                }
                match answers.next() {
                    Some(Ok(answer)) if answer == number.to_string() => {
                        noted.lock().unwrap().push(number);
                    }
                    _ => return,
                }
                thread::sleep(REST);
            }
        });
        Self { stop, acknowledged, thread, psql }
    }

    /// Returns the rows that PostgreSQL has acknowledged so far.
    pub(super) fn acknowledged(&self) -> Vec<u32> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Ends the session and returns the rows that PostgreSQL acknowledged.
    pub(super) fn stop(mut self) -> Vec<u32> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        // Its stdin is closed: it ends.
        let _ = self.psql.wait();
        let acknowledged = self.acknowledged.lock().unwrap();
        acknowledged.clone()
    }
}

/// The answer comes only when the row is committed.
fn insert(stdin: &mut ChildStdin, number: u32) -> std::io::Result<()> {
    writeln!(
        stdin,
        "INSERT INTO taller_repair_order
           (name, active, company_id, partner_id, device, problem, received_on, state)
         VALUES ('{MARK}{number}', true, 1, 1, 'Radio', 'It hums', '2026-01-02', 'received');
         \\echo {number}"
    )
}

/// Returns the writer's rows that a database has.
pub(super) fn rows(server: &Server) -> Vec<u32> {
    let sql = format!(
        "SELECT substr(name, {}) FROM taller_repair_order WHERE name LIKE '{MARK}%'",
        MARK.len() + 1
    );
    server.psql(DATABASE, &sql).lines().filter_map(|line| line.parse().ok()).collect()
}
