//! Carries the steps of a setup out, one after the other. A step that fails ends it; what was
//! done before stays, for each step leaves something whole.

use std::{fs, path::Path, time::Instant};

use super::{
    ORDER, apt, configure, events::Log, firewall, odoo, postgres, read_order, take_lock, users,
};
use crate::{
    agent::{AgentError, server::Server, service::Systemd, step::StepError, with_causes},
    plan::{Event, Failure},
    setup::{Reader, SetupStep, SetupTold},
};

/// What a step works with.
pub(super) struct Work<'a> {
    pub(super) server: &'a Server,
    pub(super) log: Log,
}

/// Sets the server up as a session ordered.
///
/// # Errors
/// Fails when nothing could be begun; how it ended is in its events.
pub fn run_setup(server: &Server) -> Result<(), AgentError> {
    let Some(_lock) = take_lock(server)? else { return Ok(()) };
    let Some(order) = read_order(server) else { return Ok(()) };
    let mut work = Work { server, log: Log::open(server)? };
    let count = order.steps.len();
    let event = SetupTold::Event;
    work.log.tell(&event(Event::Started { transaction: "setup".to_owned(), steps: count }));
    let mut failure = None;
    for (step, index) in order.steps.iter().zip(1..) {
        let title = step.to_string();
        work.log.tell(&event(Event::StepStarted { index, title: title.clone() }));
        let begun = Instant::now();
        if let Err(error) = work.apply(step) {
            let found = describe(&title, &error);
            work.log.tell(&event(Event::StepFailed { index, failure: found.clone() }));
            failure = Some(found);
            break;
        }
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        work.log.tell(&event(Event::StepDone { index, milliseconds }));
    }
    let _ = fs::remove_file(server.path(Path::new(ORDER)));
    work.log.tell(&SetupTold::Ended(failure));
    Ok(())
}

fn describe(title: &str, error: &StepError) -> Failure {
    Failure {
        step: title.to_owned(),
        message: with_causes(error),
        hint: error.hint().or_else(|| {
            Some("mend what it says and run `deploy server setup` again: it goes on there".into())
        }),
        details: error.details(),
    }
}

impl Work<'_> {
    fn apply(&mut self, step: &SetupStep) -> Result<(), StepError> {
        match step {
            SetupStep::UpdatePackageLists => apt::update(self),
            SetupStep::InstallPackages { names } => apt::install(self, names),
            SetupStep::CreateUser { name, home } => users::create_user(self, name, home),
            SetupStep::MakeDirectory { path, owner, mode } => {
                users::make_directory(self, path, owner, *mode)
            }
            SetupStep::Mask { unit } => self.systemctl(&["mask", "--", unit]),
            SetupStep::AddRepository { source, key, keyring, .. } => {
                apt::add_repository(self, source, key, keyring)
            }
            SetupStep::InstallOdoo { series, package } => {
                odoo::install_package(self, *series, package)
            }
            SetupStep::CheckOutOdoo { series, url } => odoo::check_out(self, *series, url),
            SetupStep::BuildEnvironment { series } => odoo::build_environment(self, *series),
            SetupStep::Configure { reader, files, remove } => {
                configure::apply(self, *reader, files, remove)
            }
            SetupStep::TunePostgres { version, file } => postgres::tune(self, *version, file),
            SetupStep::CreateRole { name } => postgres::create_role(self, name),
            SetupStep::Enable { units } => units.iter().try_for_each(|unit| self.enable(unit)),
            SetupStep::CloseFirewall { open } => firewall::close(self, open),
        }
    }

    /// Has a unit start at boot, unless it does already in some way, and starts it.
    fn enable(&self, unit: &str) -> Result<(), StepError> {
        let mut command = self.server.command("systemctl");
        let asked = self.server.output(command.args(["is-enabled", "--", unit]))?;
        let systemd = Systemd::new(self.server);
        if asked.stdout.trim() == "disabled" {
            systemd.enable(unit)?;
        }
        Ok(systemd.start(unit)?)
    }

    pub(super) fn systemctl(&self, arguments: &[&str]) -> Result<(), StepError> {
        self.server.run(self.server.command("systemctl").args(arguments))?;
        Ok(())
    }

    /// Has a program take its new configuration: one that is down is started by the next step.
    pub(super) fn reload(&self, reader: Reader) -> Result<(), StepError> {
        match reader {
            Reader::Nginx => self.systemctl(&["reload-or-restart", "--", "nginx.service"]),
            Reader::Fail2ban => self.systemctl(&["restart", "--", "fail2ban.service"]),
            Reader::Sudo | Reader::Logrotate | Reader::Apt => Ok(()),
        }
    }
}
