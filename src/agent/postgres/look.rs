//! One look at a cluster and at a host's databases in it, in one run of psql: each
//! connection costs more than all that is asked through it.

use std::collections::BTreeMap;

use crate::host::DatabaseName;
use crate::plan::DatabaseFacts;

use super::{
    Call, OVERVIEW_SQL, Overview, Postgres, PostgresError,
    facts::{facts_from, facts_sql},
    obstacles::question_sql,
};

/// What was seen.
#[derive(Debug)]
pub struct Look {
    /// The cluster.
    pub overview: Overview,
    /// Of each database that is there, what stands in the way of copying it and of renaming
    /// it later; nothing, where the way is free.
    pub obstacles: BTreeMap<DatabaseName, Vec<String>>,
    /// What the database says of itself that was looked through.
    pub facts: Option<DatabaseFacts>,
}

impl Postgres {
    /// Looks at the cluster and at what stands in the way of copying these databases.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn look(&self, databases: &[DatabaseName]) -> Result<Look, PostgresError> {
        self.look_by(&Call::cluster("look at", "PostgreSQL"), databases, None)
    }

    /// Looks through a database, and at that one, too.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached, and when the database is not there or lets
    /// nobody in.
    pub fn look_through(
        &self,
        database: &DatabaseName,
        databases: &[DatabaseName],
    ) -> Result<Look, PostgresError> {
        let call = Call::inside("look at database", database.as_str()).own_words_only();
        self.look_by(&call, databases, Some(database))
    }

    fn look_by(
        &self,
        call: &Call<'_>,
        databases: &[DatabaseName],
        through: Option<&DatabaseName>,
    ) -> Result<Look, PostgresError> {
        let mut sql = OVERVIEW_SQL.to_owned();
        sql.extend(databases.iter().map(question_sql));
        sql.extend(through.map(|_| facts_sql()));
        let mut values = self.values(call, &sql)?.into_iter();
        let unreadable =
            |source| PostgresError::Answer { database: call.object.to_owned(), source };
        let overview =
            serde_json::from_value(values.next().unwrap_or_default()).map_err(unreadable)?;
        let mut obstacles = BTreeMap::new();
        for name in databases {
            let answer = serde_json::from_value(values.next().unwrap_or_default());
            let found = self.obstacles(name, answer.map_err(unreadable)?);
            obstacles.extend(found.map(|found| (name.clone(), found)));
        }
        let facts = through.map(|name| facts_from(name, &mut values)).transpose()?;
        Ok(Look { overview, obstacles, facts })
    }
}
