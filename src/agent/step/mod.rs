//! One file for each kind of step: how it is done and how it is taken back.

pub(super) mod adopted;
mod ahead;
pub(super) mod certificate;
mod check;
pub(super) mod database;
pub(super) mod file;
pub(super) mod health;
pub(super) mod origin;
pub(super) mod provision;
mod prune;
pub(super) mod python;
pub(super) mod release;
mod retired;
pub(super) mod service;
pub(super) mod switch;
mod upgrade;

pub(super) use ahead::Ahead;

use super::{
    server::{FileError, ProgramError},
    service::VerifyUnitError,
    transaction::Run,
    undo::Undo,
};
use crate::plan::Step;

/// Why a step, or its way back, failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A program.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] super::postgres::PostgresError),
    /// The object store.
    #[error(transparent)]
    Source(#[from] crate::source::SourceError),
    /// nginx.
    #[error(transparent)]
    Nginx(#[from] super::nginx::NginxError),
    /// A unit file.
    #[error(transparent)]
    Unit(#[from] VerifyUnitError),
    /// Python's look into the code.
    #[error(transparent)]
    Inspect(#[from] super::inspect::InspectError),
    /// A run of Odoo.
    #[error(transparent)]
    OdooRun(#[from] super::odoo_run::OdooRunError),
    /// Odoo's log.
    #[error(transparent)]
    Log(#[from] super::log_source::LogError),
    /// A finding about the release, the server or Odoo, in words.
    #[error("{message}")]
    Found {
        /// What is wrong.
        message: String,
        /// The next move.
        hint: Option<String>,
        /// Lines that say more.
        details: Vec<String>,
    },
}

impl StepError {
    /// Describes a finding in one sentence.
    pub(super) fn found(message: impl Into<String>) -> Self {
        Self::Found { message: message.into(), hint: None, details: Vec::new() }
    }

    /// Adds the next move.
    pub(super) fn with_hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Found { message, details, .. } => {
                Self::Found { message, hint: Some(text.into()), details }
            }
            other => other,
        }
    }

    /// Adds lines that say more.
    pub(super) fn with_details(self, lines: Vec<String>) -> Self {
        match self {
            Self::Found { message, hint, .. } => Self::Found { message, hint, details: lines },
            other => other,
        }
    }

    /// Returns the next move, where there is one to name.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if is_disk_full(self) {
            return Some("free some space on the server, and deploy again".to_owned());
        }
        match self {
            Self::Found { hint, .. } => hint.clone(),
            Self::Source(error) => error.hint(),
            Self::Nginx(error) => error.hint(),
            Self::Unit(VerifyUnitError::Rejected { .. }) => Some(
                "correct `deployment/templates/odoo.service.hbs` or the host's file, and deploy again"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Returns lines that say more.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Found { details, .. } => details.clone(),
            _ => Vec::new(),
        }
    }
}

/// Tells whether a full disk is what an error comes from.
fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
    error.downcast_ref::<std::io::Error>().is_some_and(is_full)
        || error.source().is_some_and(is_disk_full)
}

/// Tells how a step would be taken back, from the state it finds.
///
/// # Errors
/// Fails when that state cannot be read.
pub(super) fn way_back(step: &Step, run: &mut Run<'_>) -> Result<Vec<Undo>, StepError> {
    match step {
        Step::CreateUser(step) => provision::way_back_of_user(run, step),
        Step::MakeDirectories(step) => Ok(provision::way_back_of_directories(run, step)),
        Step::CreateRole(step) => provision::way_back_of_role(run, step),
        Step::BuildEnvironment(step) => Ok(python::way_back(run, step)),
        Step::CheckOut(step) => Ok(release::way_back(run, step)),
        Step::CopyFiles(snapshot) => Ok(vec![Undo::RemoveFiles { copy: snapshot.copy.clone() }]),
        Step::CopySnapshot(restore) => Ok(vec![Undo::DropCopy { copy: restore.copy.clone() }]),
        Step::ShowMaintenance => Ok(vec![Undo::HideMaintenance]),
        Step::Hold => Ok(vec![Undo::LiftHold]),
        Step::StopService => service::way_back_of_stop(run),
        Step::Snapshot(snapshot) => Ok(vec![Undo::DropSnapshot { snapshot: snapshot.clone() }]),
        Step::RestoreDatabase(restore) => {
            Ok(vec![Undo::SwapBack { swap: database::way_back_of_restore(run, restore)? }])
        }
        Step::CreateDatabase { database } => {
            Ok(vec![Undo::DropCreated { database: database.clone(), oid: None }])
        }
        Step::Switch { follow, .. } => switch::way_back(run, *follow),
        Step::CatchUp(step) => switch::way_back_of_catch_up(run, step),
        Step::InstallUnit { .. } => file::way_back_of_unit(run),
        Step::ServeChallenges { aside, .. } => certificate::way_back_of_challenges(run, aside),
        Step::InstallVhost { .. } | Step::RemoveVhost => file::way_back_of_vhost(run),
        Step::ObtainCertificate(step) => certificate::way_back(run, step),
        Step::InstallCertificate(_) => Ok(origin::way_back(run)),
        Step::UpgradeModules(step) => match &step.snapshot {
            Some(snapshot) => Ok(vec![Undo::SwapBack { swap: database::swap(run, snapshot)? }]),
            None => Ok(vec![Undo::DropCreated {
                database: step.database.clone(),
                oid: run.created.get(&step.database).copied(),
            }]),
        },
        Step::StartService { .. } => Ok(vec![Undo::StopService]),
        Step::HoldAdopted(service) => Ok(vec![Undo::ReleaseAdopted { unit: service.unit.clone() }]),
        Step::StopAdopted(service) => adopted::way_back_of_stop(run, service),
        Step::ReplaceVhosts(step) => adopted::way_back_of_vhosts(run, &step.aside),
        Step::RemoveUnit => adopted::way_back_of_unit(run),
        Step::StartAdopted { service, .. } => {
            Ok(vec![Undo::StopAdopted { service: service.clone() }])
        }
        Step::LeaveReleases => adopted::way_back_of_leaving(run),
        Step::CheckCode { .. }
        | Step::CheckUnit { .. }
        | Step::CheckVhost { .. }
        | Step::CheckDependencies(_)
        | Step::ImportModules { .. }
        | Step::LoadRelease { .. }
        | Step::WaitForUpgrades { .. }
        | Step::SetAdminPassword(_)
        | Step::RecordSeen { .. }
        | Step::RecordProvisioned(_)
        | Step::CheckHealth(_)
        | Step::LiftHold
        | Step::HideMaintenance
        | Step::ReturnVhosts { .. }
        | Step::ReleaseAdopted(_)
        | Step::Prune(_) => Ok(Vec::new()),
    }
}

/// Removes what earlier transactions left, once this one is taken back: each
/// that failed keeps a database, and they would fill the disk one by one.
///
/// # Errors
/// Fails when something cannot be removed.
pub(super) fn prune_after_revert(run: &mut Run<'_>) -> Result<(), StepError> {
    let step = run.transaction.finish.iter().find_map(|step| match step {
        Step::Prune(step) => Some(step.clone()),
        _ => None,
    });
    let Some(mut step) = step else { return Ok(()) };
    // What was just kept for a closer look stays.
    step.keep_snapshots = step.keep_snapshots.max(1);
    prune::prune(run, &step)
}

/// Does a step.
///
/// # Errors
/// Fails when it could not be done, or what it checks does not hold.
pub(super) fn apply(step: &Step, run: &mut Run<'_>) -> Result<(), StepError> {
    if let Some(found) = run.ahead.take(step) {
        return found;
    }
    match step {
        Step::CreateUser(step) => provision::create_user(run, step),
        Step::MakeDirectories(step) => provision::make_directories(run, step),
        Step::CreateRole(step) => provision::create_role(run, step),
        Step::BuildEnvironment(step) => python::build(run, step),
        Step::CheckDependencies(step) => python::dependencies(run, step),
        Step::CheckOut(step) => release::check_out(run, step),
        Step::CheckCode { number, files, addons } => {
            check::code(run, *number, files.as_deref(), addons)
        }
        Step::CheckUnit { unit } => check::unit(run.server, &run.layout, unit),
        Step::CheckVhost { vhost, aside } => check::vhost(run.server, &run.layout, vhost, aside),
        Step::ServeChallenges { vhost, names, aside } => {
            certificate::serve_challenges(run, vhost, aside)?;
            certificate::prove_challenges(run, names)
        }
        Step::ObtainCertificate(step) => certificate::obtain(run, step),
        Step::InstallCertificate(step) => origin::install(run, step),
        Step::ImportModules { number, modules } => check::imports(run, *number, modules),
        Step::LoadRelease { number, databases } => check::load(run, *number, databases),
        Step::WaitForUpgrades { at_once } => upgrade::wait_for_others(run, *at_once),
        Step::CopyFiles(snapshot) => database::copy_files(run, snapshot),
        Step::CopySnapshot(restore) => database::copy_snapshot(run, restore),
        Step::ShowMaintenance => service::show_maintenance(run),
        Step::Hold => service::hold(run),
        Step::StopService => service::stop(run),
        Step::Snapshot(snapshot) => database::snapshot(run, snapshot),
        Step::RestoreDatabase(restore) => database::restore(run, restore),
        Step::CreateDatabase { database } => database::create(run, database),
        Step::Switch { number, follow } => switch::to(run, *number, *follow),
        Step::CatchUp(step) => switch::catch_up(run, step),
        Step::InstallUnit { unit, drop_in } => file::install_unit(run, unit, drop_in),
        Step::UpgradeModules(step) => upgrade::modules(run, step),
        Step::SetAdminPassword(step) => provision::set_admin_password(run, step),
        Step::RecordProvisioned(made) => provision::record(run, *made),
        Step::RecordSeen { database, addons } => database::record_seen(run, database, addons),
        Step::StartService { hold_jobs } => service::start(run, hold_jobs),
        Step::InstallVhost { vhost, marker } => file::install_vhost(run, vhost, marker),
        Step::RemoveVhost => file::remove_vhost(run),
        Step::HoldAdopted(service) => adopted::hold(run, service),
        Step::StopAdopted(service) => adopted::stop(run, service),
        Step::ReplaceVhosts(step) => adopted::replace_vhosts(run, step),
        Step::RemoveUnit => adopted::remove_unit(run),
        Step::StartAdopted { service, hold_jobs } => adopted::start(run, service, hold_jobs),
        Step::LeaveReleases => service::remove_links(run),
        Step::ReturnVhosts { vhosts } => adopted::return_vhosts(run, vhosts),
        Step::ReleaseAdopted(service) => adopted::let_go(run, &service.unit),
        Step::CheckHealth(check) => health::check(run, check),
        Step::LiftHold => service::lift_hold(run),
        Step::HideMaintenance => service::hide_maintenance(run),
        Step::Prune(step) => prune::prune(run, step),
    }
}
