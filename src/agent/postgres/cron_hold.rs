//! A session that keeps Odoo from starting scheduled jobs.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use crate::host::DatabaseName;

use super::{Call, Postgres, PostgresError, ServerMessage};

/// The rows of `ir_cron` of one database, locked for as long as this value lives.
///
/// Odoo takes a job by locking its row `FOR NO KEY UPDATE SKIP LOCKED`, so it
/// passes over all of them. The lock is of that strength and no stronger:
/// requests that merely refer to a job (`ir_cron_trigger`) go on.
#[derive(Debug)]
pub struct CronHold {
    database: DatabaseName,
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
}

/// How long psql may take to answer beyond what it waits for a lock.
const PATIENCE: Duration = Duration::from_secs(30);

const HELD: &str = "held";

impl Postgres {
    /// Locks the scheduled jobs of a database. A job that runs now is waited
    /// for, at most as long as `wait`.
    ///
    /// # Errors
    /// Fails when the wait was in vain, or PostgreSQL refuses.
    pub fn hold_crons(
        &self,
        database: &DatabaseName,
        wait: Duration,
    ) -> Result<CronHold, PostgresError> {
        let call = Call::inside("hold back the scheduled jobs of", database.as_str()).patient();
        let mut child = self
            .psql(&call)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(PostgresError::Program)?;
        let stdin = child.stdin.take().expect("stdin was piped");
        let stdout = child.stdout.take().expect("stdout was piped");
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        let mut hold = CronHold { database: database.clone(), child, stdin, answers };
        if hold.ask(&lock_sql(wait), wait + PATIENCE) {
            return Ok(hold);
        }
        Err(call.refused(ServerMessage::parse(&hold.last_words())))
    }
}

impl CronHold {
    /// Makes sure that the lock is still held.
    ///
    /// # Errors
    /// Fails when the session ended: then jobs may have run since.
    pub fn check(&mut self) -> Result<(), PostgresError> {
        if self.ask("SELECT 1 \\g /dev/null\n", PATIENCE) {
            return Ok(());
        }
        let message = ServerMessage::parse(&self.last_words()).to_string();
        Err(PostgresError::HoldLost { database: self.database.to_string(), message })
    }

    /// Lets the jobs run: returns when the lock is gone.
    pub fn release(mut self) {
        // Where the session is gone, so is the lock.
        self.ask("ROLLBACK;\n", PATIENCE);
    }

    /// Sends statements and waits until they are done; false when the session ended.
    fn ask(&mut self, sql: &str, patience: Duration) -> bool {
        let sent = writeln!(self.stdin, "{sql}\\echo {HELD}").and_then(|()| self.stdin.flush());
        sent.is_ok() && self.answers.recv_timeout(patience).is_ok_and(|line| line == HELD)
    }

    fn last_words(&mut self) -> String {
        self.child.kill().ok();
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut text).ok();
        }
        if text.trim().is_empty() { "psql did not answer".to_owned() } else { text }
    }
}

impl Drop for CronHold {
    /// Ends psql; PostgreSQL notices and gives the lock up.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn lock_sql(wait: Duration) -> String {
    // The timeout of PostgreSQL 17 is set only where it exists: as an option
    // of the connection, older servers would refuse it.
    format!(
        "SELECT set_config(name, '0', false) FROM pg_settings \
           WHERE name = 'transaction_timeout' \\g /dev/null\n\
         BEGIN;\n\
         SET LOCAL lock_timeout = {};\n\
         SELECT id FROM public.ir_cron FOR NO KEY UPDATE \\g /dev/null\n",
        wait.as_millis().max(1)
    )
}
