//! Sessions of others, and how they are ended.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{Call, Postgres, PostgresError, quote_literal};

/// How long a session may take to end after it was told to.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait between looks.
const PAUSE: Duration = Duration::from_millis(200);

/// A session that is still there.
#[derive(Debug, Deserialize)]
struct Remaining {
    /// Role, application and process id.
    description: String,
    /// Whether it was told to end.
    told: bool,
}

impl Postgres {
    /// Ends every session on a database, this process's own left out, and
    /// waits until they are gone. Those of other roles are ended by the
    /// superuser where it can be reached.
    ///
    /// Autovacuum is no session: PostgreSQL sends it away by itself.
    ///
    /// # Errors
    /// Names the sessions that stay.
    pub fn end_sessions(&self, database: &str) -> Result<(), PostgresError> {
        let condition = format!("datname = {}", quote_literal(database));
        self.end_where(database, &condition)
    }

    /// Ends what was left running by a process that died: the sessions whose
    /// application name begins with `prefix` (a `CREATE DATABASE` goes on
    /// after its client is gone).
    ///
    /// # Errors
    /// Names the sessions that stay.
    pub fn end_backends(&self, prefix: &str) -> Result<(), PostgresError> {
        let condition = format!("starts_with(application_name, {})", quote_literal(prefix));
        self.end_where("*", &condition)
    }

    fn end_where(&self, database: &str, condition: &str) -> Result<(), PostgresError> {
        let deadline = Instant::now() + PATIENCE;
        let mut superuser = None;
        loop {
            let actor = superuser.as_ref().unwrap_or(self);
            let remaining = actor.tell(database, condition)?;
            if remaining.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let sessions = remaining.into_iter().map(|session| session.description).collect();
                return Err(PostgresError::Busy { database: database.to_owned(), sessions });
            }
            if remaining.iter().any(|session| !session.told) && superuser.is_none() {
                superuser = self.superuser();
                if superuser.is_some() {
                    continue;
                }
            }
            thread::sleep(PAUSE);
        }
    }

    /// Tells the sessions to end that this role may tell, and lists all.
    fn tell(&self, database: &str, condition: &str) -> Result<Vec<Remaining>, PostgresError> {
        // A role ends the sessions of the roles it belongs to; those of a
        // superuser only another superuser ends.
        let sql = format!(
            "WITH me AS (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user), \
             found AS MATERIALIZED ( \
               SELECT a.pid, a.usename, a.application_name, \
                      me.rolsuper OR (NOT r.rolsuper AND (pg_has_role(me.oid, a.usesysid, 'USAGE') \
                        OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'))) AS may \
               FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid, me \
               WHERE a.pid <> pg_backend_pid() AND {condition}) \
             SELECT coalesce(json_agg(json_build_object( \
               'description', format('%s (%s, process %s)', usename, application_name, pid), \
               'told', CASE WHEN may THEN pg_terminate_backend(pid) ELSE false END)), '[]') \
             FROM found;"
        );
        self.query(&Call::cluster("end the sessions of", database), &sql)
    }
}
