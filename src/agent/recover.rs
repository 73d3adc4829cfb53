//! Ends what a transaction that died has left: takes it back before the commit
//! point, completes it after. Whatever died, when and how often does not matter:
//! each way back is in the journal and is right in every state.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::{
    entry,
    events::EventLog,
    history,
    journal::{self, Begin, Entry, Journal},
    lock::{HostLock, LockError},
    observe,
    postgres::Postgres,
    recovery_unit,
    server::{FileError, ProgramError, Server},
    service::Systemd,
    step::{StepError, adopted, service},
    transaction::{Run, failure},
    undo::Undo,
};
use crate::{
    host::HostName,
    layout::Layout,
    plan::{ADOPTED, DatabaseAccess, Event, Failure, Outcome, Step, Transaction, TransactionId},
};

/// How long the rest of a dead transaction may take to end, and another process to
/// give the lock up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long PostgreSQL may take to answer: after a power cut it reads its log first.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(180);

/// How long to wait between looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a recovery could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// systemd.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Another process holds the lock and does not end.
    #[error("the lock of {0} stays held")]
    Held(HostName),
}

/// What the journal of a dead transaction says.
struct Remains {
    begin: Begin,
    /// The last step that was begun.
    step: String,
    carried_out: bool,
    committed: bool,
    /// Why it was being taken back when it died, where it was.
    failure: Option<Failure>,
    /// The ways back that were not gone yet, first step first.
    left: Vec<Undo>,
    /// Whether the host was held.
    held: bool,
}

/// Ends the host's transaction that began and did not end, where there is one,
/// and tells how. A transaction that lives is left alone.
///
/// # Errors
/// Fails when the journal cannot be read, or the lock stays held.
pub(super) fn recover(server: &Server, host: &HostName) -> Result<Option<Outcome>, RecoverError> {
    let layout = Layout::new(host.clone());
    let Some(lock) = take_lock(server, &layout)? else { return Ok(None) };
    // Whoever had the lock may have ended it.
    let Some(id) = journal::unfinished(server, &layout.journal())? else { return Ok(None) };
    let directory = layout.journal().join(id.as_str());
    let Some(remains) = Remains::read(&journal::read(server, &directory)?) else { return Ok(None) };
    end_leftovers(server, &id)?;
    let transaction = &remains.begin.transaction;
    let access = access(server, &layout, transaction)?;
    let redactor = entry::redactor(server, &layout, transaction);
    let events = EventLog::open(server, &directory, redactor)?;
    let journal = Journal::resume(server, &directory, host)?;
    let mut run = Run::new(server, transaction, access, events, journal);
    run.recovered = true;
    let outcome = run.end(&remains);
    run.close(&outcome);
    drop(lock);
    Ok(Some(outcome))
}

/// Takes the lock of a host whose transaction is dead; none where nothing is left
/// to end, or the transaction lives.
fn take_lock(server: &Server, layout: &Layout) -> Result<Option<HostLock>, RecoverError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Some(id) = journal::unfinished(server, &layout.journal())? else { return Ok(None) };
        let entries = journal::read(server, &layout.journal().join(id.as_str()))?;
        let Some(remains) = Remains::read(&entries) else { return Ok(None) };
        match HostLock::take(server, layout, &remains.begin.transaction.holder) {
            Ok(lock) => return Ok(Some(lock)),
            Err(LockError::File(error)) => return Err(error.into()),
            Err(LockError::Held(_)) => {}
        }
        let unit = recovery_unit::of_transaction(&id);
        if Systemd::new(server).state(&unit)?.main_pid.is_some() {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Err(RecoverError::Held(remains.begin.transaction.host));
        }
        thread::sleep(PAUSE);
    }
}

/// A free lock does not mean that nothing runs: children of the dead process, and
/// Odoo in units of its own, may still be at work.
fn end_leftovers(server: &Server, id: &TransactionId) -> Result<(), ProgramError> {
    let systemd = Systemd::new(server);
    systemd.end_all(&[format!("deployup-{id}-*"), format!("deployld-{id}-*")])?;
    let unit = recovery_unit::of_transaction(id);
    let deadline = Instant::now() + PATIENCE;
    while systemd.state(&unit)?.control_group.is_some() && Instant::now() < deadline {
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// The password is not in the journal; it is in the odoo.conf that was about to be
/// live, or in the one that is.
fn access(
    server: &Server,
    layout: &Layout,
    transaction: &Transaction,
) -> Result<DatabaseAccess, FileError> {
    let mut access = transaction.access.clone();
    let new = transaction.number.map(|number| layout.release(number));
    for directory in new.into_iter().chain([layout.current()]) {
        if access.password.is_none() {
            access.password =
                observe::option_of(server, &directory.join("odoo.conf"), "db_password")?;
        }
    }
    Ok(access)
}

impl Remains {
    /// Reads a journal; none where nothing was begun.
    fn read(entries: &[Entry]) -> Option<Self> {
        let Some(Entry::Begin(begin)) = entries.first() else { return None };
        let mut remains = Self {
            begin: (**begin).clone(),
            step: "begin".to_owned(),
            carried_out: false,
            committed: false,
            failure: None,
            left: Vec::new(),
            held: false,
        };
        let mut undone = Vec::new();
        for entry in &entries[1..] {
            match entry {
                Entry::Before { step, undo } => {
                    remains.step.clone_from(step);
                    remains.left.extend(undo.iter().cloned());
                }
                Entry::After { .. } => remains.held = remains.left.contains(&Undo::LiftHold),
                Entry::Undone { undo } => undone.push(undo),
                Entry::CarryOut => remains.carried_out = true,
                Entry::Commit => remains.committed = true,
                // The first reason is the one that counts: a later one is a recovery's own.
                Entry::Revert { failure } => {
                    remains.failure.get_or_insert_with(|| failure.clone());
                }
                Entry::Begin(_) | Entry::End { .. } => {}
            }
        }
        remains.left.retain(|undo| !undone.contains(&undo));
        Some(remains)
    }

    /// Tells whether a person has lifted the hold after the way back had failed: the
    /// host is theirs then, and users may have written since.
    fn is_taken_over(&self, server: &Server) -> Result<bool, FileError> {
        let transaction = &self.begin.transaction;
        let layout = Layout::new(transaction.host.clone());
        let is_held = server.path(&layout.hold()).exists();
        if self.committed || !self.held || is_held || !self.left.contains(&Undo::LiftHold) {
            return Ok(false);
        }
        let lines = history::read(server, &layout)?;
        Ok(lines.iter().any(|line| {
            line.holder.transaction == transaction.id.as_str() && line.outcome == "broken"
        }))
    }

    /// Says why the transaction is ended here.
    fn failure(&self, server: &Server) -> Failure {
        if let Some(failure) = &self.failure {
            return failure.clone();
        }
        let went_down = self.begin.boot.is_some() && self.begin.boot != journal::boot_id(server);
        let what = if went_down {
            "the server went down in the middle of it"
        } else {
            "the transaction was killed in the middle of it"
        };
        let error = StepError::found(what).with_hint("deploy again");
        failure(&self.step, &error)
    }

    fn needs_postgres(&self) -> bool {
        let undos = self.left.iter().any(Undo::needs_postgres);
        let finish = &self.begin.transaction.finish;
        undos
            || (self.committed && finish.iter().any(|step| matches!(step, Step::RecordSeen { .. })))
    }
}

impl Run<'_> {
    fn end(&mut self, remains: &Remains) -> Outcome {
        self.tell(&Event::Recovering { step: remains.step.clone() });
        let failure = remains.failure(self.server);
        if remains.is_taken_over(self.server).unwrap_or(false) {
            self.end_journal("left");
            let found = "the hold was removed by hand: the host is left as it is";
            let hint = "remove the file `maintenance` beside it when users may come back";
            let revert = self::failure("recover", &StepError::found(found).with_hint(hint));
            return self.broken(failure, revert);
        }
        if let Err(error) = service::forbid_start(self).and_then(|()| self.clean_up(remains)) {
            let revert = self.redacted(self::failure("recover", &error));
            return self.broken(failure, revert);
        }
        if remains.committed {
            return self.end_committed(remains, failure);
        }
        // What is gone stays gone: each way back is on disk before it is noted.
        let undos = remains.left.clone();
        let outcome = if remains.carried_out {
            self.revert(failure, undos)
        } else {
            self.refuse(failure, undos)
        };
        match outcome {
            Outcome::Broken { .. } => outcome,
            whole => match self.run_as_before(remains) {
                Ok(()) => whole,
                Err(error) => {
                    let failure = remains.failure(self.server);
                    let revert = self.redacted(self::failure("start Odoo", &error));
                    self.broken(failure, revert)
                }
            },
        }
    }

    /// Ends what the dead process left running in PostgreSQL, and masks what
    /// Odoo was just writing.
    fn clean_up(&mut self, remains: &Remains) -> Result<(), StepError> {
        self.mask_logs()?;
        if remains.needs_postgres() {
            // Another name than the dead transaction's: its sessions are about to be ended.
            let application = format!("odoo-recover-{}", self.transaction.id);
            let postgres = Postgres::new(self.server, &self.access, &application)?;
            postgres.wait_until_there(POSTGRES_PATIENCE)?;
            let sessions = format!("odoo-deploy-{}", self.transaction.id);
            postgres.end_backends(&sessions)?;
        }
        Ok(())
    }

    fn mask_logs(&mut self) -> Result<(), FileError> {
        let directory = self.directory.clone();
        let entries = fs::read_dir(self.server.path(&directory))
            .map_err(FileError::at("list", &directory))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                self.redact_log(&directory.join(name))?;
            }
        }
        Ok(())
    }

    /// Completes a transaction that died behind its commit point. The service may
    /// be down since: the hold was still there when the server came up.
    fn end_committed(&mut self, remains: &Remains, failure: Failure) -> Outcome {
        let started = service::lift_hold(self).and_then(|()| self.start_where_down(remains, true));
        match started {
            Ok(()) => self.complete(),
            Err(error) => {
                let revert = self.redacted(self::failure("start Odoo", &error));
                self.broken(failure, revert)
            }
        }
    }

    /// Starts the service where it ran before and does not now: the server was
    /// down, or the process died between two parts of the way back.
    fn run_as_before(&mut self, remains: &Remains) -> Result<(), StepError> {
        if remains.begin.was_running { self.start_where_down(remains, false) } else { Ok(()) }
    }

    fn start_where_down(&mut self, remains: &Remains, is_new: bool) -> Result<(), StepError> {
        let transaction = &remains.begin.transaction;
        if transaction.number.is_none() {
            return Ok(());
        }
        let wanted = if is_new { transaction.number } else { transaction.previous };
        if let Some(service) = transaction.adopted.as_ref().filter(|_| wanted == Some(ADOPTED)) {
            let runs = Systemd::new(self.server).state(&service.unit)?.is_running();
            return if runs { Ok(()) } else { adopted::start_again(self, service, true) };
        }
        if Systemd::new(self.server).state(&self.layout.unit_name())?.is_running() {
            return Ok(());
        }
        let health = match transaction.number.filter(|_| is_new) {
            Some(number) => super::step::release::read_record(self.server, &self.layout, number)
                .map(|(record, _)| record.health),
            None => transaction.previous_health.clone(),
        };
        service::start_again(self, health.as_ref())
    }
}
