//! The process that removes a host.

use std::{fs, path::Path};

use super::{archive, facts, steps, told::ToldLog};
use crate::{
    agent::{
        AgentError,
        lock::{HostLock, LockError},
        server::{FileError, Server},
        service::Systemd,
        step::StepError,
        transaction::failure,
    },
    host::HostName,
    layout::Layout,
    plan::{
        Archived, DatabaseAccess, Event, Failure, RemovalOrder, RemovalOutcome, RemovalStep,
        RemovalTold, make_removal,
    },
};

/// A removal under way.
pub(super) struct Doing<'a> {
    pub(super) server: &'a Server,
    pub(super) layout: Layout,
    pub(super) order: &'a RemovalOrder,
    /// How the databases are reached, as the host's odoo.conf said before it went.
    pub(super) access: DatabaseAccess,
    pub(super) told: ToldLog,
}

/// Removes a host as the order in the file says, which is removed first.
///
/// # Errors
/// Fails when there is no order; how a removal ended is in what it tells.
pub fn run_removal(server: &Server, path: &Path) -> Result<(), AgentError> {
    let bytes = fs::read(server.path(path)).map_err(FileError::at("read", path))?;
    fs::remove_file(server.path(path)).map_err(FileError::at("remove", path))?;
    let order: RemovalOrder = serde_json::from_slice(&bytes)
        .map_err(|source| AgentError::Plan { path: path.to_owned(), source })?;
    let layout = Layout::new(order.question.host.clone());
    let access = facts::access(server, &layout, &order.question)?;
    let told = ToldLog::open(server, &order.id)?;
    let mut doing = Doing { server, layout, order: &order, access, told };
    let outcome = doing.all();
    doing.told.tell(&RemovalTold::Finished(outcome));
    Ok(())
}

/// Starts Odoo where a removal died before it removed anything: the unit is what goes first.
///
/// # Errors
/// Fails when it does not start.
pub fn restart_after_removal(server: &Server, host: &HostName) -> Result<(), AgentError> {
    let layout = Layout::new(host.clone());
    if server.path(&layout.unit()).exists() {
        let started = Systemd::new(server).start(&layout.unit_name());
        started.map_err(crate::agent::RecoverError::from)?;
    }
    Ok(())
}

impl Doing<'_> {
    fn all(&mut self) -> RemovalOutcome {
        // Where there is no directory, nobody deploys: a deploy makes it first.
        let has_directory = self.server.path(&self.layout.base()).exists();
        let _lock = if has_directory {
            match HostLock::take(self.server, &self.layout, &self.order.holder) {
                Ok(lock) => Some(lock),
                Err(LockError::Held(holder)) => return RemovalOutcome::Locked { holder },
                Err(LockError::File(error)) => return refused("take the lock", &error.into()),
            }
        } else {
            None
        };
        if let Err(error) = self.expect_as_shown() {
            return refused("begin", &error);
        }
        let id = self.order.id.to_string();
        let steps = self.order.steps.len();
        self.told.event(Event::Started { transaction: id, steps });
        let begun = facts::begun(self.server, &self.layout).ok().flatten();
        let mut archive = begun.map(|begun| archive::archived(self.server, &begun.archive));
        let mut is_final = false;
        for step in &self.order.steps {
            is_final |= step.is_final();
            let began = self.told.begin(&step.title());
            match self.one(step, &mut archive) {
                Ok(()) => self.told.end(began),
                Err(error) => {
                    let failure = failure(&step.title(), &error);
                    self.told.fail(&failure);
                    return self.stopped(failure, archive, is_final);
                }
            }
        }
        match self.expect_nothing_left() {
            Ok(()) => RemovalOutcome::Removed { archive },
            Err(error) => RemovalOutcome::Stopped { failure: failure("look", &error), archive },
        }
    }

    fn one(&mut self, step: &RemovalStep, archive: &mut Option<Archived>) -> Result<(), StepError> {
        if let RemovalStep::Archive(step) = step {
            *archive = Some(archive::archive(self, step)?);
            return Ok(());
        }
        steps::apply(self, step)
    }

    /// Says how far it came. What was only stopped runs again.
    fn stopped(
        &mut self,
        failure: Failure,
        archive: Option<Archived>,
        is_final: bool,
    ) -> RemovalOutcome {
        if is_final {
            return RemovalOutcome::Stopped { failure, archive };
        }
        if self.order.steps.contains(&RemovalStep::StopService)
            && let Err(error) = Systemd::new(self.server).start(&self.layout.unit_name())
        {
            self.told.warn(format!("Odoo does not start again: {error}"));
        }
        RemovalOutcome::Refused { failure }
    }

    /// Makes the plan once more, now that nobody else changes the host: what is done is what
    /// was shown, and what the rules allow.
    fn expect_as_shown(&self) -> Result<(), StepError> {
        let question = &self.order.question;
        let mut facts = facts::facts(self.server, question)?;
        facts.lock = None;
        let removal = make_removal(question, &facts);
        if let Some(obstacle) = removal.obstacles.into_iter().next() {
            let error = StepError::found(obstacle.message);
            return Err(match obstacle.hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            });
        }
        if removal.steps == self.order.steps {
            return Ok(());
        }
        Err(StepError::found("the host is not any more what was shown")
            .with_hint("run the command again, and look at what it shows"))
    }

    fn expect_nothing_left(&self) -> Result<(), StepError> {
        let question = &self.order.question;
        let removal = make_removal(question, &facts::facts(self.server, question)?);
        let Some(step) = removal.steps.first() else { return Ok(()) };
        Err(StepError::found(format!("something is there again: {}", step.title()))
            .with_hint("run the command again"))
    }
}

fn refused(step: &str, error: &StepError) -> RemovalOutcome {
    RemovalOutcome::Refused { failure: failure(step, error) }
}
