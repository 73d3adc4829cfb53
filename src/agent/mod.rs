//! Runs on the server: observes it and carries plans out. Does I/O.
#![expect(
    clippy::disallowed_methods,
    reason = "the agent is the one adapter that runs programs and writes files on a server"
)]

mod account;
mod filestore;
mod postgres;
mod server;

pub use account::Account;
pub use filestore::Filestore;
pub use postgres::{
    CronHold, DatabaseEntry, Postgres, PostgresError, ServerMessage, Snapshot, Swap, Swapped,
};
pub use server::{FileError, Output, ProgramError, Server};
