//! The copy of a database before an upgrade.

use serde::{Deserialize, Serialize};

use crate::host::DatabaseName;
use crate::plan::CopyName;

use super::{
    Call, Postgres, PostgresError,
    facts::UUID_KEY,
    quote::{quote_identifier, quote_literal},
    replay::Properties,
    swap::expect_oid,
};

/// A copy that was taken, with the ids by which both sides are known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The copy's name.
    pub name: CopyName,
    /// The copy's object id.
    pub oid: u32,
    /// The source's object id.
    pub source_oid: u32,
    /// `database.uuid`, in both; none where Odoo's tables are absent.
    pub uuid: Option<String>,
}

/// From this size on the files are copied, not their pages logged one by one:
/// otherwise all of the database also goes through the write-ahead log.
const COPY_FILES_FROM: u64 = 256 << 20;

/// The first version with `STRATEGY` and `COLLATION_VERSION`.
const VERSION_15: u32 = 150_000;

/// How often a copy is tried while somebody gets in between.
const ATTEMPTS: usize = 3;

/// `object_in_use`
pub(super) const IN_USE: &str = "55006";

impl Postgres {
    /// Copies a database that Odoo no longer uses: closes it, ends its
    /// sessions, copies, and opens it again. After a failure the source is
    /// open and there is no copy. A process that dies in between leaves the
    /// source closed, and perhaps a copy: [`Self::end_backends`],
    /// [`Self::drop_copy`] and [`Self::open`] undo it.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses any of it, or sessions cannot be ended.
    pub fn take_snapshot(
        &self,
        database: &DatabaseName,
        name: &CopyName,
    ) -> Result<Snapshot, PostgresError> {
        if self.find_named(name.as_str())?.is_some() {
            return Err(PostgresError::Occupied(name.to_string()));
        }
        let source_oid = self.existing(database.as_str())?.oid;
        let uuid = self.uuid(database)?;
        let copied = self.close(database).and_then(|()| self.copy(database.as_str(), name));
        let opened = self.open(database);
        let oid = copied?;
        opened?;
        Ok(Snapshot { name: name.clone(), oid, source_oid, uuid })
    }

    /// Copies a snapshot that is kept into a new database that lets nobody in,
    /// and returns its object id. After a failure there is no copy.
    ///
    /// # Errors
    /// Fails when the snapshot is gone or another one, or PostgreSQL refuses.
    pub fn copy_snapshot(
        &self,
        snapshot: &CopyName,
        oid: u32,
        name: &CopyName,
    ) -> Result<u32, PostgresError> {
        if self.find_named(name.as_str())?.is_some() {
            return Err(PostgresError::Occupied(name.to_string()));
        }
        expect_oid(snapshot.as_str(), oid, self.existing(snapshot.as_str())?.oid)?;
        self.copy(snapshot.as_str(), name)
    }

    /// Lets nobody in any more, and ends the sessions that are there.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses, or names the sessions that stay.
    pub fn close(&self, database: &DatabaseName) -> Result<(), PostgresError> {
        self.allow_connections(database.as_str(), false)?;
        self.end_sessions(database.as_str())
    }

    /// Lets sessions in again.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses.
    pub fn open(&self, database: &DatabaseName) -> Result<(), PostgresError> {
        self.allow_connections(database.as_str(), true)
    }

    /// Copies a closed database into a new one that lets nobody in, with the
    /// privileges, settings, limit and comment of the source, and returns the
    /// new object id. After a failure there is no copy.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses.
    pub(super) fn copy(&self, database: &str, name: &CopyName) -> Result<u32, PostgresError> {
        let properties = self.properties(database)?;
        let call = Call::cluster("copy database", database).patient();
        let sql = copy_sql(database, name, &properties);
        for attempt in 1.. {
            match self.execute(&call, &sql) {
                Ok(_) => break,
                Err(error) if attempt < ATTEMPTS && error.state() == Some(IN_USE) => {
                    self.end_sessions(database)?;
                }
                Err(error) => return Err(error),
            }
        }
        let finished =
            self.replay(name, &properties).and_then(|()| Ok(self.existing(name.as_str())?.oid));
        if finished.is_err() {
            // The first error is the one to report; a copy that stays is found by its name.
            self.drop_copy(name).ok();
        }
        finished
    }

    pub(super) fn allow_connections(&self, name: &str, allow: bool) -> Result<(), PostgresError> {
        let operation = if allow { "open database" } else { "close database" };
        let sql = allow_connections_sql(name, allow);
        self.execute(&Call::cluster(operation, name), &sql).map(drop)
    }

    /// Reads `database.uuid`; none where Odoo's tables are absent.
    fn uuid(&self, database: &DatabaseName) -> Result<Option<String>, PostgresError> {
        let call = Call::inside("read the uuid of database", database.as_str());
        let key = quote_literal(UUID_KEY);
        let sql = format!(
            "SELECT to_regclass('public.ir_config_parameter') IS NOT NULL AS is_odoo \\gset\n\
             \\if :is_odoo\n\
             SELECT value FROM public.ir_config_parameter WHERE key = {key};\n\
             \\endif\n"
        );
        let text = self.execute(&call, &sql)?;
        Ok(Some(text.trim().to_owned()).filter(|uuid| !uuid.is_empty()))
    }

    fn replay(&self, name: &CopyName, properties: &Properties) -> Result<(), PostgresError> {
        let call = Call::cluster("restore the privileges and settings of database", name.as_str());
        let replay = properties.replay(name.as_str());
        if !replay.superuser.is_empty() {
            let superuser = self.superuser();
            let actor = superuser.as_ref().unwrap_or(self);
            actor.execute(&call, &transaction(&replay.superuser))?;
        }
        if !replay.owner.is_empty() {
            self.execute(&call, &transaction(&replay.owner))?;
        }
        Ok(())
    }
}

pub(super) fn allow_connections_sql(name: &str, allow: bool) -> String {
    format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {allow};", quote_identifier(name))
}

pub(super) fn transaction(statements: &[String]) -> String {
    format!("BEGIN;\n{}\nCOMMIT;\n", statements.join("\n"))
}

fn copy_sql(database: &str, name: &CopyName, properties: &Properties) -> String {
    let mut sql = format!(
        "CREATE DATABASE {} WITH TEMPLATE {} OWNER {} ALLOW_CONNECTIONS false CONNECTION LIMIT {}",
        quote_identifier(name.as_str()),
        quote_identifier(database),
        quote_identifier(&properties.owner),
        properties.connection_limit,
    );
    if properties.server_version >= VERSION_15 {
        // Said outright, a version that no longer matches the system's is
        // copied as it is; unsaid, PostgreSQL refuses the copy.
        if let Some(version) = &properties.collation_version {
            sql.push_str(&format!(" COLLATION_VERSION {}", quote_literal(version)));
        }
        if properties.size >= COPY_FILES_FROM {
            sql.push_str(" STRATEGY file_copy");
        }
    }
    sql.push_str(";\n");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::ReleaseNumber;

    fn sql(server_version: u32, size: u64) -> String {
        let properties: Properties = serde_json::from_value(serde_json::json!({
            "owner": "odoo", "size": size, "server_version": server_version,
            "connection_limit": 50, "collation_version": "2.36", "comment": null,
            "grants": null, "settings": [],
        }))
        .unwrap();
        let database = DatabaseName::parse("acme").unwrap();
        let name = CopyName::snapshot(&database, ReleaseNumber(2));
        copy_sql(database.as_str(), &name, &properties)
    }

    #[test]
    fn a_large_copy_stays_out_of_the_write_ahead_log() {
        let common = "CREATE DATABASE \"acme~snap-2\" WITH TEMPLATE \"acme\" OWNER \"odoo\" \
                      ALLOW_CONNECTIONS false CONNECTION LIMIT 50";
        assert_eq!(sql(140_000, u64::MAX), format!("{common};\n"));
        assert_eq!(sql(170_000, 1), format!("{common} COLLATION_VERSION '2.36';\n"));
        assert!(sql(170_000, COPY_FILES_FROM).ends_with(" STRATEGY file_copy;\n"));
    }
}
