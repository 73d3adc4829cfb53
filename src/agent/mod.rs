//! Runs on the server: observes it and carries plans out. Does I/O.
#![expect(
    clippy::disallowed_methods,
    reason = "the agent is the one adapter that runs programs and writes files on a server"
)]

mod entry;
mod follow;
mod session;

mod adopt;
mod keys;
mod restricted;

mod observe;
mod own_unit;
mod recover;
mod recovery_unit;
mod removal;
mod transaction;

mod certificate;
mod logs;
mod occupancy;
mod status;

mod ballast;
mod history;
mod journal;
mod lock;
mod pause;
mod setup;
mod step;
mod undo;

mod events;

mod account;
mod as_deployed;
mod both;
mod certbot;
mod deployed_with;
mod filestore;
mod health;
mod http;
mod inspect;
mod live_secrets;
mod log_file;
mod log_source;
mod log_tail;
mod nginx;
mod odoo_run;
mod postgres;
mod server;
mod service;
mod stop;
mod told;

use crate::causes::with_causes;

pub use account::Account;
pub use entry::{
    AgentError, open_server, run_recovery, run_session, run_transaction, start_recovery,
};
pub use filestore::Filestore;
pub use health::{
    Audience, HealthFailure, HealthProblem, HealthReport, HealthRequest, ReloadReport, ReloadWatch,
    check_health, wait_for_reload,
};
pub use http::{Answer, HttpClient, HttpError};
pub use inspect::{
    Bytecode, CheckRequest, CodeChange, InspectError, Inspector, Problem, SourcePair,
};
pub use journal::{Begin, Entry, JOURNAL_VERSION};
pub use keys::KeyError;
pub use log_source::{LogError, LogPosition, LogSource};
pub use nginx::{Marker, Nginx, NginxError};
pub use odoo_run::{
    CHECK_SESSION, ImportCheck, ImportFailure, OdooJob, OdooProgram, OdooRun, OdooRunError,
    OdooRunReport, RunEnd, Translations, UPGRADE_SESSION,
};
pub use postgres::{
    CronHold, DatabaseEntry, Postgres, PostgresError, ServerMessage, Snapshot, Swap, Swapped,
};
pub use recover::RecoverError;
pub use removal::{restart_after_removal, run_removal};
pub use server::{FileError, Output, ProgramError, Server};
pub use service::{ProcessSet, Systemd, UnitState, VerifyUnitError};
pub use setup::run_setup;
pub use undo::{Reader, Undo};
