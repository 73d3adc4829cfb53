//! What the tool remembers in the database itself.

use std::collections::BTreeMap;

use crate::host::{DatabaseName, HostName, ModuleName};
use crate::plan::SeenAddon;

use super::{Call, Postgres, PostgresError, quote_literal};

/// The key of `ir_config_parameter` that names the host a database belongs to.
pub(super) const HOST_KEY: &str = "odoo_deploy.host";

/// The key of `ir_config_parameter` that holds what the database saw of each addon.
pub(super) const SIGNATURES_KEY: &str = "odoo_deploy.signatures";

impl Postgres {
    /// Records which host deploys to this database, and what it now has of each addon.
    ///
    /// Odoo's workers are not told to drop their caches: they cache parameters by key, and
    /// no code of Odoo asks for these two.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses.
    pub fn record(
        &self,
        database: &DatabaseName,
        host: &HostName,
        signatures: &BTreeMap<ModuleName, SeenAddon>,
    ) -> Result<(), PostgresError> {
        let signatures = serde_json::to_string(signatures).expect("names and ids are valid JSON");
        let call = Call::inside("record the state of database", database.as_str());
        let sql = set_parameter_sql(HOST_KEY, host.as_str())
            + &set_parameter_sql(SIGNATURES_KEY, &signatures);
        self.execute(&call, &sql).map(drop)
    }
}

/// Writes one system parameter as Odoo's own superuser does.
fn set_parameter_sql(key: &str, value: &str) -> String {
    let (key, value) = (quote_literal(key), quote_literal(value));
    let now = "now() AT TIME ZONE 'UTC'";
    format!(
        "INSERT INTO public.ir_config_parameter AS p \
           (key, value, create_uid, write_uid, create_date, write_date) \
         VALUES ({key}, {value}, 1, 1, {now}, {now}) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, \
           write_uid = excluded.write_uid, write_date = excluded.write_date \
         WHERE p.value IS DISTINCT FROM excluded.value;\n"
    )
}
