//! The way back of a step. Written into the journal before the step is done;
//! each is right whether the step was done, half done or not done at all.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::postgres::Swap;
use super::step::adopted::{self, KeptFile};
use super::step::{StepError, certificate, database, file, origin, release, service, switch};
use super::transaction::Run;
use crate::host::{DatabaseName, HostName};
use crate::plan::{AdoptedService, CopyName, HealthCheck, Snapshot};

/// One way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Undo {
    /// Removes a release that never was live.
    RemoveRelease {
        /// Its directory.
        directory: PathBuf,
    },
    /// Removes a directory that did not exist before, if it is empty.
    RemoveDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// Removes the hard-linked copy of a database's files.
    RemoveFiles {
        /// The copy.
        copy: CopyName,
    },
    /// Lets outsiders in again.
    HideMaintenance,
    /// Lets Odoo start by itself again.
    LiftHold,
    /// Starts the service that was running before and waits until it is healthy.
    StartService {
        /// What it must answer; none where no release was live before.
        health: Option<HealthCheck>,
    },
    /// Stops the service.
    StopService,
    /// Gives a snapshot up: opens its source again and removes the copy.
    DropSnapshot {
        /// Which.
        snapshot: Snapshot,
    },
    /// Drops the copy of a kept snapshot, and its files.
    DropCopy {
        /// The copy.
        copy: CopyName,
    },
    /// Puts a snapshot in the place of its database.
    SwapBack {
        /// Which, by name and object id.
        swap: Swap,
    },
    /// Drops a database that the transaction created.
    DropCreated {
        /// The database.
        database: DatabaseName,
        /// Its object id; none before it was known: then it is dropped only if
        /// nothing is in it.
        #[serde(default)]
        oid: Option<u32>,
    },
    /// Moves `current` back.
    MoveBack {
        /// What it named before; none where it did not exist.
        target: Option<PathBuf>,
        /// Whether the service runs and has to follow.
        restart: bool,
        /// What it must answer then.
        health: Option<HealthCheck>,
    },
    /// Takes a certificate back to the version it was.
    CertificateBack {
        /// Its name.
        name: HostName,
        /// The number of the version; none where there was none: then a whole one stays.
        version: Option<u32>,
        /// What it is renewed by, each with the copy of what it held.
        files: Vec<(PathBuf, Option<PathBuf>)>,
    },
    /// Has the certificate of before count again and removes the new one.
    OriginBack {
        /// What the link named before; none where it did not exist.
        target: Option<PathBuf>,
        /// The directory of the new one.
        directory: PathBuf,
    },
    /// Puts files back as they were.
    RestoreFiles {
        /// Each file and the copy of what it held; none where it did not exist.
        files: Vec<(PathBuf, Option<PathBuf>)>,
        /// What has to read them again.
        reader: Reader,
    },
    /// Lets the service of release 0 start by itself again.
    ReleaseAdopted {
        /// Its unit.
        unit: String,
    },
    /// Brings the service of release 0 back, and waits until it is healthy.
    StartAdopted {
        /// The service; `enabled` is what it was.
        service: AdoptedService,
        /// Whether it ran.
        running: bool,
    },
    /// Stops the service of release 0 and has no boot start it.
    StopAdopted {
        /// The service.
        service: AdoptedService,
    },
    /// Puts vhosts back as they were.
    RestoreVhosts {
        /// Each.
        files: Vec<KeptFile>,
    },
    /// Puts the unit and its drop-in back, started at boot.
    RestoreUnit {
        /// Both.
        files: Vec<KeptFile>,
    },
    /// Has `current` and the link to its odoo.conf name a release again.
    ReturnToRelease {
        /// What `current` named.
        target: PathBuf,
    },
}

/// What it means for the rest of the way back that one part of it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Something is left over that harms nobody: it is told.
    Litter,
    /// The host is not as it was, but the rest does not build on it.
    Apart,
    /// What follows would build on sand.
    Stop,
}

/// A program that reads files the tool has put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// systemd.
    Systemd,
    /// nginx.
    Nginx,
}

impl Undo {
    /// Tells what a failure means for the rest.
    pub(super) const fn consequence(&self) -> Consequence {
        match self {
            Self::RemoveRelease { .. }
            | Self::RemoveDirectory { .. }
            | Self::RemoveFiles { .. }
            | Self::DropCopy { .. } => Consequence::Litter,
            // A database must not stay upgraded because nginx does not reload.
            Self::CertificateBack { .. }
            | Self::OriginBack { .. }
            | Self::RestoreFiles { reader: Reader::Nginx, .. }
            | Self::RestoreVhosts { .. } => Consequence::Apart,
            Self::HideMaintenance
            | Self::LiftHold
            | Self::StartService { .. }
            | Self::StopService
            | Self::DropSnapshot { .. }
            | Self::SwapBack { .. }
            | Self::DropCreated { .. }
            | Self::MoveBack { .. }
            | Self::ReleaseAdopted { .. }
            | Self::StartAdopted { .. }
            | Self::StopAdopted { .. }
            | Self::RestoreUnit { .. }
            | Self::ReturnToRelease { .. }
            | Self::RestoreFiles { reader: Reader::Systemd, .. } => Consequence::Stop,
        }
    }

    /// Tells whether PostgreSQL has to be there for it.
    pub(super) const fn needs_postgres(&self) -> bool {
        matches!(
            self,
            Self::DropSnapshot { .. }
                | Self::DropCopy { .. }
                | Self::SwapBack { .. }
                | Self::DropCreated { .. }
                | Self::StartService { health: Some(_) }
                | Self::StartAdopted { running: true, .. }
                | Self::MoveBack { restart: true, health: Some(_), .. }
        )
    }

    /// Takes the step back.
    ///
    /// # Errors
    /// Fails when the state before could not be reached.
    pub fn carry_out(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        match self {
            Self::RemoveRelease { directory } => release::remove(run, directory),
            Self::RemoveDirectory { directory } => release::remove_empty(run, directory),
            Self::RemoveFiles { copy } => database::remove_files(run, copy),
            Self::HideMaintenance => service::hide_maintenance(run),
            Self::LiftHold => service::lift_hold(run),
            Self::StartService { health } => service::start_again(run, health.as_ref()),
            Self::StopService => {
                service::stop(run)?;
                // Not before: jobs would run in a database that is about to be taken back.
                run.held_jobs.clear();
                Ok(())
            }
            Self::DropSnapshot { snapshot } => database::drop_snapshot(run, snapshot),
            Self::DropCopy { copy } => database::drop_copy(run, copy),
            Self::SwapBack { swap } => database::swap_back(run, swap),
            Self::DropCreated { database, oid } => database::drop_created(run, database, *oid),
            Self::MoveBack { target, restart, health } => {
                switch::move_back(run, target.as_deref(), *restart, health.as_ref())
            }
            Self::CertificateBack { name, version, files } => {
                certificate::take_back(run, name, *version, files)
            }
            Self::OriginBack { target, directory } => {
                origin::take_back(run, target.as_deref(), directory)
            }
            Self::RestoreFiles { files, reader } => file::restore(run, files, *reader),
            Self::ReleaseAdopted { unit } => adopted::let_go(run, unit),
            Self::StartAdopted { service, running } => adopted::start_again(run, service, *running),
            Self::StopAdopted { service } => {
                adopted::stop(run, service)?;
                // Not before: jobs would run in a database that is about to be taken back.
                run.held_jobs.clear();
                Ok(())
            }
            Self::RestoreVhosts { files } => adopted::restore_vhosts(run, files),
            Self::RestoreUnit { files } => adopted::restore_unit(run, files),
            Self::ReturnToRelease { target } => adopted::return_to(run, target),
        }
    }
}
