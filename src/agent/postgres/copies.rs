//! The copies that are kept of a database.

use crate::host::DatabaseName;
use crate::plan::CopyName;

use super::{Call, Postgres, PostgresError, quote::quote_identifier};

impl Postgres {
    /// Lists the snapshots and failed databases of one database, oldest
    /// release first, with their object ids.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn copies(&self, database: &DatabaseName) -> Result<Vec<(CopyName, u32)>, PostgresError> {
        let mut copies: Vec<_> = self
            .databases()?
            .into_iter()
            .filter_map(|entry| Some((CopyName::parse(&entry.name).ok()?, entry.oid)))
            .filter(|(name, _)| name.is_of(database))
            .collect();
        copies.sort_by_key(|(name, _)| (name.release(), name.kind()));
        Ok(copies)
    }

    /// Drops a database that the tool made; one that is gone already is fine.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses.
    pub fn drop_copy(&self, name: &CopyName) -> Result<(), PostgresError> {
        self.drop_database(name.as_str())
    }

    pub(super) fn drop_database(&self, name: &str) -> Result<(), PostgresError> {
        let call = Call::cluster("drop database", name).patient();
        self.execute(&call, &format!("DROP DATABASE IF EXISTS {};", quote_identifier(name)))
            .map(drop)
    }
}
