//! A database for a host that has none yet.

use crate::host::DatabaseName;

use super::{Call, Postgres, PostgresError, quote::quote_identifier};

impl Postgres {
    /// Creates an empty database as Odoo does, and returns its object id.
    /// After a failure there is none.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses, as it does where the name is taken.
    pub fn create(&self, database: &DatabaseName) -> Result<u32, PostgresError> {
        let name = database.as_str();
        let sql = format!(
            "CREATE DATABASE {} ENCODING 'unicode' LC_COLLATE 'C' TEMPLATE template0;",
            quote_identifier(name)
        );
        self.execute(&Call::cluster("create database", name).patient(), &sql)?;
        let prepared = self.prepare(database).and_then(|()| Ok(self.existing(name)?.oid));
        if prepared.is_err() {
            // The first error is the one to report.
            self.drop_database(name).ok();
        }
        prepared
    }

    fn prepare(&self, database: &DatabaseName) -> Result<(), PostgresError> {
        let call = Call::inside("prepare database", database.as_str());
        self.execute(&call, "GRANT CREATE ON SCHEMA public TO PUBLIC;")?;
        // The roles of other hosts have no business in it.
        let sql = format!(
            "REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC;",
            quote_identifier(database.as_str())
        );
        self.execute(&call, &sql)?;
        // Without it some indexes are missing, as in Odoo's own databases on such a server.
        let trigrams = "CREATE EXTENSION IF NOT EXISTS pg_trgm;";
        if let Err(error) = self.execute(&call, trigrams) {
            tracing::warn!(%database, %error, "created the database without `pg_trgm`");
        }
        Ok(())
    }

    /// Drops a database that [`Self::create`] made, known by its object id; one
    /// that is gone already is fine.
    ///
    /// # Errors
    /// Refuses where the name leads to another database.
    pub fn drop_created(&self, database: &DatabaseName, oid: u32) -> Result<(), PostgresError> {
        let Some(entry) = self.find(database)? else { return Ok(()) };
        if entry.oid != oid {
            return Err(PostgresError::Exchanged {
                database: entry.name,
                expected: oid,
                found: entry.oid,
            });
        }
        self.close(database)?;
        self.drop_database(database.as_str())
    }

    /// Drops a database that nothing was put in yet; one that is gone already is
    /// fine, and one that holds tables stays.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses.
    pub fn drop_empty(&self, database: &DatabaseName) -> Result<(), PostgresError> {
        if self.find(database)?.is_none() {
            return Ok(());
        }
        let call = Call::inside("look for tables in", database.as_str());
        let sql = "SELECT to_json(count(*)) FROM pg_class c JOIN pg_namespace n \
                   ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') \
                   AND n.nspname NOT IN ('pg_catalog', 'information_schema');";
        let tables: u64 = self.query(&call, sql)?;
        if tables > 0 {
            return Ok(());
        }
        self.close(database)?;
        self.drop_database(database.as_str())
    }
}
