//! The databases of a host, through `psql`. Does I/O.
//!
//! Every statement travels on psql's stdin; a password only in the environment
//! of that one process. psql runs as the host's system user, so that local
//! sockets know it as they know Odoo, and so that its `~/.pgpass` and
//! certificates are the ones Odoo uses.

mod copies;
mod create;
mod cron_hold;
mod error;
mod facts;
mod look;
mod modules;
mod obstacles;
mod psql;
mod quote;
mod record;
mod removal;
mod replay;
mod role;
mod rows;
mod sessions;
mod snapshot;
mod swap;

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::host::DatabaseName;
use crate::plan::DatabaseAccess;

use super::{Server, account::Account};

pub use cron_hold::CronHold;
pub use error::{PostgresError, ServerMessage};
pub(super) use look::Look;
pub(super) use removal::RoleGone;
pub(super) use role::is_on_this_server;
pub use snapshot::Snapshot;
pub use swap::{Swap, Swapped};

use psql::Call;
use quote::quote_literal;

/// How long to wait between two looks whether PostgreSQL is there.
const PAUSE: Duration = Duration::from_millis(250);

/// A PostgreSQL cluster as one host's system user reaches it.
#[derive(Debug, Clone)]
pub struct Postgres {
    server: Server,
    access: DatabaseAccess,
    account: Account,
    application: String,
}

/// A cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Overview {
    /// The server's version as a number: 170005 for 17.5.
    pub version: u32,
    /// Whether the connecting role may create and rename databases.
    pub may_create: bool,
    /// Every database, templates left out.
    pub databases: Vec<OverviewEntry>,
}

/// A database of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OverviewEntry {
    /// Its name.
    pub name: String,
    /// Its object id.
    pub oid: u32,
    /// Bytes on disk, of copies that the tool made only; none where the role may not ask.
    pub bytes: Option<u64>,
}

/// A row of `pg_database`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DatabaseEntry {
    /// The object id, which a rename does not change.
    pub oid: u32,
    /// The name.
    pub name: String,
    /// The owner's role.
    pub owner: String,
    /// Whether it lets anyone in (`ALLOW_CONNECTIONS`).
    pub open: bool,
}

/// Asks for an [`Overview`].
const OVERVIEW_SQL: &str = "SELECT json_build_object( \
       'version', current_setting('server_version_num')::int, \
       'may_create', (SELECT rolcreatedb OR rolsuper FROM pg_roles \
         WHERE rolname = current_user), \
       'databases', (SELECT coalesce(json_agg(json_build_object('name', datname, \
           'oid', oid::bigint, 'bytes', CASE WHEN strpos(datname, '~') > 0 \
             AND (has_database_privilege(oid, 'CONNECT') \
               OR pg_has_role('pg_read_all_stats', 'USAGE')) \
             THEN pg_database_size(oid) END) ORDER BY datname), '[]') \
         FROM pg_database WHERE NOT datistemplate));\n";

impl Postgres {
    /// Prepares access. `application` is what sessions are found by when their
    /// client is gone: `odoo-deploy-` and the transaction's id (the first 63
    /// bytes count).
    ///
    /// # Errors
    /// Fails when the system user does not exist.
    pub fn new(
        server: &Server,
        access: &DatabaseAccess,
        application: &str,
    ) -> Result<Self, PostgresError> {
        let user = &access.system_user;
        let account = Account::find(server, user)
            .map_err(|source| PostgresError::Accounts { user: user.clone(), source })?
            .ok_or_else(|| PostgresError::NoAccount(user.clone()))?;
        Ok(Self {
            server: server.clone(),
            access: access.clone(),
            account,
            application: application.to_owned(),
        })
    }

    /// Returns the server's version as a number: 170005 for 17.5.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn version(&self) -> Result<u32, PostgresError> {
        let call = Call::cluster("ask the version of", "PostgreSQL");
        self.query(&call, "SELECT current_setting('server_version_num')::int;")
    }

    /// Waits until PostgreSQL answers: it may be starting, or have no connection to spare.
    ///
    /// # Errors
    /// Fails with its last answer when the time is over.
    pub fn wait_until_there(&self, patience: Duration) -> Result<(), PostgresError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.version() {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Looks at the cluster as a whole.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn overview(&self) -> Result<Overview, PostgresError> {
        self.query(&Call::cluster("look at", "PostgreSQL"), OVERVIEW_SQL)
    }

    /// Lists every database of the cluster, templates left out.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn databases(&self) -> Result<Vec<DatabaseEntry>, PostgresError> {
        self.entries("NOT datistemplate")
    }

    /// Finds one database by its name.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn find(&self, database: &DatabaseName) -> Result<Option<DatabaseEntry>, PostgresError> {
        self.find_named(database.as_str())
    }

    fn find_named(&self, name: &str) -> Result<Option<DatabaseEntry>, PostgresError> {
        Ok(self.entries(&format!("datname = {}", quote_literal(name)))?.pop())
    }

    fn existing(&self, name: &str) -> Result<DatabaseEntry, PostgresError> {
        self.find_named(name)?.ok_or_else(|| PostgresError::Missing(name.to_owned()))
    }

    fn entries(&self, condition: &str) -> Result<Vec<DatabaseEntry>, PostgresError> {
        let call = Call::cluster("list the databases of", "PostgreSQL");
        self.query(
            &call,
            &format!(
                "SELECT coalesce(json_agg(json_build_object('oid', oid::bigint, 'name', datname, \
                 'owner', pg_get_userbyid(datdba), 'open', datallowconn) ORDER BY datname), '[]') \
                 FROM pg_database WHERE {condition};"
            ),
        )
    }

    /// Opens the same cluster as its superuser, by the system user `postgres`
    /// and peer authentication; none where PostgreSQL is not on this server,
    /// or does not know that user as a superuser.
    fn superuser(&self) -> Option<Self> {
        let has_socket = self.access.host.is_empty() || self.access.host.starts_with('/');
        has_socket.then(|| Self::superuser_of(&self.server, &self.access, &self.application))?
    }
}
