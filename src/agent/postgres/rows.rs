//! What was created in a database since a point in time.

use crate::host::DatabaseName;
use crate::plan::{COUNTED_ROWS, RowCount};

use super::{Call, Postgres, PostgresError, psql::Patience, quote_literal};

/// What belongs to Odoo itself, by the beginnings of tables' names.
const TECHNICAL: [&str; 6] =
    ["ir_", "bus_", "base_", "res_users_log", "res_device_log", "mail_presence"];

impl Postgres {
    /// Counts the rows of each model that were created since, the most first.
    ///
    /// Of each table only its newest rows are looked at, by its primary key: the
    /// cost does not grow with the table.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses, or takes too long.
    pub fn new_rows(
        &self,
        database: &DatabaseName,
        since: i64,
    ) -> Result<Vec<RowCount>, PostgresError> {
        let name = database.as_str();
        let call = Call {
            patience: Patience::Moment,
            ..Call::inside("count the new rows of database", name)
        };
        let answer = self.execute(&call, &new_rows_sql(since))?;
        let counts = serde_json::Deserializer::from_str(&answer).into_iter::<RowCount>();
        let counts: Result<Vec<_>, _> = counts.collect();
        let mut counts =
            counts.map_err(|source| PostgresError::Answer { database: name.into(), source })?;
        counts.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.model.cmp(&b.model)));
        Ok(counts)
    }
}

/// One statement for each table with `create_date`, written by PostgreSQL
/// itself; psql runs them. Wizards are no data.
fn new_rows_sql(since: i64) -> String {
    let technical: Vec<_> = TECHNICAL
        .iter()
        .map(|start| format!("starts_with(c.relname, {})", quote_literal(start)))
        .collect();
    format!(
        "SELECT format( \
           'SELECT json_build_object(''model'', %L, ''rows'', n) FROM (SELECT count(*) AS n \
              FROM (SELECT create_date FROM %I.%I ORDER BY id DESC LIMIT {COUNTED_ROWS}) newest \
              WHERE create_date > to_timestamp({since}) AT TIME ZONE ''UTC'') x WHERE n > 0', \
           coalesce(m.model, c.relname), n.nspname, c.relname) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN public.ir_model m ON replace(m.model, '.', '_') = c.relname \
         WHERE c.relkind = 'r' AND n.nspname = 'public' \
           AND NOT ({}) \
           AND coalesce((to_jsonb(m)->>'transient')::boolean, false) = false \
           AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid \
             AND a.attname = 'create_date' AND a.atttypid = 'timestamp'::regtype) \
           AND EXISTS (SELECT FROM pg_index i JOIN pg_attribute a \
             ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
             WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname = 'id') \
         ORDER BY c.relname \\gexec\n",
        technical.join(" OR ")
    )
}
