//! Carries a transaction out: all of its steps, or none.

mod begin;
mod log;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use self::begin::{BeginError, Begun, begin};
use super::{
    ballast,
    events::EventLog,
    history,
    journal::{Entry, Journal},
    log_source::LogPosition,
    postgres::CronHold,
    server::Server,
    step::{self, Ahead, StepError},
    undo::{Consequence, Undo},
};
use crate::{
    causes::with_causes,
    host::DatabaseName,
    layout::Layout,
    plan::{
        ADOPTED, CopyName, DatabaseAccess, Event, Failure, Outcome, ReleaseState, Step, Transaction,
    },
};

/// How long a way back waits for PostgreSQL.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(60);

/// A transaction under way: what the steps work with.
pub struct Run<'a> {
    /// The server.
    pub server: &'a Server,
    /// The host's paths.
    pub layout: Layout,
    /// What is asked for.
    pub transaction: &'a Transaction,
    /// The transaction's own directory: journal, events, logs, replaced files.
    pub directory: PathBuf,
    /// How its databases are reached, kept passwords included.
    pub access: DatabaseAccess,
    /// Object ids of snapshots taken, by name.
    pub copies: BTreeMap<CopyName, u32>,
    /// Object ids of databases created, by name.
    pub created: BTreeMap<DatabaseName, u32>,
    /// Scheduled jobs that are held back until the commit point.
    pub held_jobs: Vec<CronHold>,
    /// The place among the server's upgrades, as long as it is held.
    pub upgrade_place: Option<File>,
    /// What was kept for a closer look after a failure.
    pub kept: Vec<String>,
    /// When users were first kept waiting.
    pub interrupted: Option<Instant>,
    /// How long they were, in milliseconds, once they are let in again.
    pub interruption: Option<u64>,
    /// Whether the host's own unit is known to have run when the transaction began.
    pub ran: bool,
    /// Whether the process that began it died, and this one ends it.
    pub recovered: bool,
    /// Checks that were begun before their turn.
    pub(super) ahead: Ahead,
    log: Option<LogPosition>,
    events: EventLog,
    journal: Journal,
    index: usize,
}

/// Carries the transaction out and tells its events. The last event says how
/// it ended.
pub(super) fn execute(server: &Server, transaction: &Transaction, mut events: EventLog) -> Outcome {
    let layout = Layout::new(transaction.host.clone());
    let directory = layout.journal().join(transaction.id.as_str());
    let Begun { lock, access, journal, ran } = match begin(server, &layout, transaction, &directory)
    {
        Ok(begun) => begun,
        Err(error) => {
            let outcome = match error {
                BeginError::Held(holder) => Outcome::Locked { holder },
                BeginError::Step(error) => {
                    ballast::give_up(server, &layout);
                    Outcome::Refused { failure: failure("begin", &error) }
                }
            };
            events.tell(&Event::Finished { outcome: outcome.clone(), interruption: None });
            return outcome;
        }
    };
    let mut run = Run::new(server, transaction, access, events, journal);
    run.ran = ran;
    let outcome = match run.stale() {
        Ok(None) => run.all_or_nothing(),
        Ok(Some(failure)) => Outcome::Refused { failure },
        Err(error) => Outcome::Refused { failure: failure("begin", &error.into()) },
    };
    run.close(&outcome);
    drop(lock);
    outcome
}

impl<'a> Run<'a> {
    /// Prepares to carry a transaction out, or to end it.
    pub(super) fn new(
        server: &'a Server,
        transaction: &'a Transaction,
        access: DatabaseAccess,
        events: EventLog,
        journal: Journal,
    ) -> Self {
        let layout = Layout::new(transaction.host.clone());
        Self {
            server,
            directory: layout.journal().join(transaction.id.as_str()),
            layout,
            transaction,
            access,
            copies: BTreeMap::new(),
            created: BTreeMap::new(),
            held_jobs: Vec::new(),
            upgrade_place: None,
            kept: Vec::new(),
            interrupted: None,
            interruption: None,
            ran: false,
            recovered: false,
            ahead: Ahead::default(),
            log: None,
            events,
            journal,
            index: 0,
        }
    }
}

impl Run<'_> {
    /// Tells an event.
    pub(super) fn tell(&mut self, event: &Event) {
        self.events.tell(event);
    }

    /// Tells how far a long step is.
    pub fn progress(&mut self, text: impl Into<String>) {
        self.events.tell(&Event::Progress { text: text.into() });
    }

    /// Tells something that the operator should know.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.events.tell(&Event::Warning { text: text.into() });
    }

    /// Notes that users are kept waiting from now on.
    pub fn interruption_begins(&mut self) {
        // Nobody waits for a host that was not live.
        if self.transaction.previous.is_none() {
            return;
        }
        self.interrupted.get_or_insert_with(Instant::now);
    }

    /// Notes that users are served again.
    pub fn interruption_ends(&mut self) {
        if let Some(begin) = self.interrupted.take() {
            let milliseconds = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.interruption = Some(self.interruption.unwrap_or(0) + milliseconds);
        }
    }

    fn all_or_nothing(&mut self) -> Outcome {
        let steps = &self.transaction;
        let total = steps.prepare.len() + steps.carry_out.len() + steps.finish.len();
        let started = Event::Started { transaction: self.transaction.id.to_string(), steps: total };
        self.events.tell(&started);
        let mut done = Vec::new();
        self.ahead = Ahead::begin(self.server, &self.layout, self.transaction);
        let prepared = self.walk(&self.transaction.prepare, &mut done).and_then(|()| {
            step::release::sync(self).map_err(|error| failure("begin the switch", &error))?;
            self.note(&Entry::CarryOut, "begin the switch")
        });
        if let Err(failure) = prepared {
            return self.refuse(failure, done);
        }
        let verified = self.walk(&self.transaction.carry_out, &mut done).and_then(|()| {
            self.go_on()?;
            self.note(&Entry::Commit, "reach the commit point")
        });
        match verified {
            Ok(()) => self.complete(),
            Err(failure) => self.revert(failure, done),
        }
    }

    /// Does what follows the commit point.
    pub(super) fn complete(&mut self) -> Outcome {
        self.events.tell(&Event::Committed);
        // On a full disk, what became of the release is still to be noted.
        ballast::give_up(self.server, &self.layout);
        self.held_jobs.clear();
        self.mark(ReleaseState::Verified);
        self.finish();
        self.interruption_ends();
        Outcome::Deployed
    }

    /// Takes back what touched nothing live.
    pub(super) fn refuse(&mut self, failure: Failure, done: Vec<Undo>) -> Outcome {
        match self.take_back(&failure, done) {
            Ok(()) => Outcome::Refused { failure },
            Err(revert) => self.broken(failure, revert),
        }
    }

    /// Takes everything back.
    pub(super) fn revert(&mut self, failure: Failure, mut done: Vec<Undo>) -> Outcome {
        // What was live, or may have been, is kept for a closer look.
        done.retain(|undo| !matches!(undo, Undo::RemoveRelease { .. }));
        self.events.tell(&Event::Reverting);
        if let Err(revert) = self.take_back(&failure, done) {
            return self.broken(failure, revert);
        }
        self.mark(ReleaseState::Failed);
        if let Err(error) = step::prune_after_revert(self) {
            let failure = self.redacted(self::failure("prune", &error));
            self.warn(format!("failed to remove what earlier failures left: {}", failure.message));
        }
        Outcome::Reverted { failure, kept: std::mem::take(&mut self.kept) }
    }

    fn note(&mut self, entry: &Entry, what: &str) -> Result<(), Failure> {
        self.journal.write(entry).map_err(|error| failure(what, &error.into()))
    }

    /// Fails where the operator wants everything taken back.
    fn go_on(&self) -> Result<(), Failure> {
        if self.is_cancelled() {
            return Err(failure("go on", &StepError::found("the operator stopped it")));
        }
        Ok(())
    }

    /// Tells whether the operator wants everything taken back.
    pub fn is_cancelled(&self) -> bool {
        self.server.path(&cancel_file(&self.directory)).exists()
    }

    /// Does the steps in order, each journaled before and after.
    fn walk(&mut self, steps: &[Step], done: &mut Vec<Undo>) -> Result<(), Failure> {
        for step in steps {
            self.go_on()?;
            let title = step.title();
            self.begin_step(&title);
            let began = Instant::now();
            let result = self.one(step, &title, done);
            if let Err(error) = result {
                let failure = self.redacted(failure(&title, &error));
                let event = Event::StepFailed { index: self.index, failure: failure.clone() };
                self.events.tell(&event);
                return Err(failure);
            }
            self.end_step(began);
        }
        Ok(())
    }

    fn one(&mut self, step: &Step, title: &str, done: &mut Vec<Undo>) -> Result<(), StepError> {
        let undo = step::way_back(step, self)?;
        self.journal.write(&Entry::Before { step: title.to_owned(), undo: undo.clone() })?;
        done.extend(undo);
        step::apply(step, self)?;
        self.journal.write(&Entry::After { step: title.to_owned() })?;
        Ok(())
    }

    /// Takes steps back, last first, as far as what is left does not build on
    /// one that could not be taken back.
    fn take_back(&mut self, why: &Failure, done: Vec<Undo>) -> Result<(), Failure> {
        ballast::give_up(self.server, &self.layout);
        // A journal that cannot be written (a full disk) must not keep the host down.
        let _ = self.journal.write(&Entry::Revert { failure: why.clone() });
        let mut apart = None;
        for undo in done.iter().rev() {
            let undone = self.wait_for_postgres(undo).and_then(|()| undo.carry_out(self));
            let Err(error) = undone else {
                let _ = self.journal.write(&Entry::Undone { undo: undo.clone() });
                continue;
            };
            let failure = self.redacted(failure("revert", &error));
            match undo.consequence() {
                Consequence::Litter => self.warn(format!("something stays: {}", failure.message)),
                Consequence::Apart => apart = Some(failure),
                Consequence::Stop => return Err(failure),
            }
        }
        self.held_jobs.clear();
        self.interruption_ends();
        apart.map_or(Ok(()), Err)
    }

    /// Gives a PostgreSQL that is away time to come back: a restart of it may be why
    /// everything is taken back.
    fn wait_for_postgres(&self, undo: &Undo) -> Result<(), StepError> {
        if !undo.needs_postgres() {
            return Ok(());
        }
        let postgres = step::database::postgres_on_the_way_back(self)?;
        Ok(postgres.wait_until_there(POSTGRES_PATIENCE)?)
    }

    /// Does what is left after the commit point; a failure is told and the rest goes on.
    fn finish(&mut self) {
        for step in &self.transaction.finish {
            let title = step.title();
            self.begin_step(&title);
            let began = Instant::now();
            // These entries only tell where it was: done again, such a step does no harm.
            let _ = self.journal.write(&Entry::Before { step: title.clone(), undo: Vec::new() });
            let applied = step::apply(step, self);
            let _ = self.journal.write(&Entry::After { step: title.clone() });
            match applied {
                Ok(()) => self.end_step(began),
                Err(error) => {
                    let failure = self.redacted(failure(&title, &error));
                    self.warn(format!("failed to {title}: {}", failure.message));
                }
            }
        }
    }

    pub(super) fn broken(&mut self, failure: Failure, mut revert: Failure) -> Outcome {
        revert.hint.get_or_insert_with(|| {
            "mend what stands in the way: the server tries again every minute".to_owned()
        });
        let mut kept = std::mem::take(&mut self.kept);
        kept.push(self.directory.display().to_string());
        Outcome::Broken { failure, revert, kept }
    }

    /// Notes what became of the release; it is told where that fails.
    fn mark(&mut self, state: ReleaseState) {
        // What was adopted stays what it is.
        let number = self.transaction.number.filter(|number| *number != ADOPTED);
        let Some(number) = number else { return };
        if let Err(error) = step::release::write_state(self.server, &self.layout, number, state) {
            self.warn(format!("failed to note that release {number} is {state}: {error}"));
        }
    }

    fn begin_step(&mut self, title: &str) {
        self.index += 1;
        self.events.tell(&Event::StepStarted { index: self.index, title: title.to_owned() });
    }

    fn end_step(&mut self, began: Instant) {
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.events.tell(&Event::StepDone { index: self.index, milliseconds });
    }

    /// Writes the line in the history, the last event and the last entry: whoever
    /// dies in between has it done again.
    pub(super) fn close(&mut self, outcome: &Outcome) {
        ballast::give_up(self.server, &self.layout);
        let line = history::line(self.transaction, outcome, self.interruption, self.recovered);
        if let Err(error) = history::append(self.server, &self.layout, &line) {
            self.warn(format!("failed to record the deploy: {error}"));
        }
        let finished =
            Event::Finished { outcome: outcome.clone(), interruption: self.interruption };
        self.events.tell(&finished);
        // A broken host stays unfinished: the next agent that starts tries again.
        if !matches!(outcome, Outcome::Broken { .. }) {
            self.end_journal(history::word(outcome));
        }
    }

    /// Writes the last entry: nobody has to end the transaction any more.
    pub(super) fn end_journal(&mut self, word: &str) {
        let _ = self.journal.write(&Entry::End { outcome: word.to_owned() });
    }

    pub(super) fn redacted(&self, failure: Failure) -> Failure {
        Failure {
            step: failure.step,
            message: self.events.redact(&failure.message),
            hint: failure.hint.map(|hint| self.events.redact(&hint)),
            details: failure.details.iter().map(|line| self.events.redact(line)).collect(),
        }
    }
}

/// Returns the file that tells a transaction to take everything back.
pub(super) fn cancel_file(directory: &Path) -> PathBuf {
    directory.join("cancel")
}

/// Describes an error with its causes.
pub(super) fn failure(step: &str, error: &StepError) -> Failure {
    let message = with_causes(error);
    Failure { step: step.to_owned(), message, hint: error.hint(), details: error.details() }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::{program, transaction as sample};
