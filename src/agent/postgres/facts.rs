//! What a database says of itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::host::{DatabaseName, ModuleName};
use crate::plan::{DatabaseFacts, InstalledModule, SeenAddon};

use super::record::{HOST_KEY, SIGNATURES_KEY};
use super::{Call, Postgres, PostgresError, quote_literal};

/// What every database has.
#[derive(Debug, Deserialize)]
struct Common {
    oid: u32,
    owner: String,
    size: u64,
    foreign_sessions: Vec<String>,
}

/// What Odoo's tables hold.
#[derive(Debug, Default, Deserialize)]
struct OdooTables {
    parameters: BTreeMap<String, String>,
    modules: Vec<ModuleRow>,
    languages: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct ModuleRow {
    name: String,
    state: String,
    version: Option<String>,
    depends: Vec<String>,
}

/// Odoo 19's marker of an upgrade that did not come to its end.
pub(super) const PARTIAL_KEY: &str = "base.partially_updated_database";

/// The key of an Odoo database's own id.
pub(super) const UUID_KEY: &str = "database.uuid";

impl Postgres {
    /// Reads all that a plan needs to know of a database; none where it does not exist.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses, as it does for a database that is closed to connections.
    pub fn facts(&self, database: &DatabaseName) -> Result<Option<DatabaseFacts>, PostgresError> {
        if self.find(database)?.is_none() {
            return Ok(None);
        }
        self.facts_of_present(database).map(Some)
    }

    /// The same of a database that is known to be there.
    ///
    /// # Errors
    /// Fails when the database cannot be read, or is not there.
    pub fn facts_of_present(
        &self,
        database: &DatabaseName,
    ) -> Result<DatabaseFacts, PostgresError> {
        let call = Call::inside("read the facts of database", database.as_str());
        facts_from(database, &mut self.values(&call, &facts_sql())?.into_iter())
    }
}

/// Reads what [`facts_sql`] prints.
pub(super) fn facts_from(
    database: &DatabaseName,
    values: &mut impl Iterator<Item = serde_json::Value>,
) -> Result<DatabaseFacts, PostgresError> {
    let unreadable = |source| PostgresError::Answer { database: database.to_string(), source };
    let mut next = || values.next().unwrap_or_default();
    let common = serde_json::from_value::<Common>(next()).map_err(unreadable)?;
    let odoo = serde_json::from_value::<Option<_>>(next()).map_err(unreadable)?;
    Ok(facts_of(database, common, odoo.unwrap_or_default()))
}

/// One run for all: psql itself skips Odoo's tables where they are absent. Odoo gives
/// dependencies no index by module, so that they are read once for all modules.
pub(super) fn facts_sql() -> String {
    let keys = [UUID_KEY, HOST_KEY, SIGNATURES_KEY, PARTIAL_KEY].map(quote_literal).join(", ");
    format!(
        "SELECT json_build_object('oid', oid::bigint, 'owner', pg_get_userbyid(datdba), \
           'size', pg_database_size(oid), 'foreign_sessions', (SELECT coalesce(json_agg( \
             format('%s (%s, process %s)', usename, application_name, pid)), '[]') \
             FROM pg_stat_activity WHERE datname = current_database() AND usesysid <> datdba)) \
           FROM pg_database WHERE datname = current_database();\n\
         SELECT to_regclass('public.ir_module_module') IS NOT NULL \
           AND to_regclass('public.ir_module_module_dependency') IS NOT NULL \
           AND to_regclass('public.ir_config_parameter') IS NOT NULL \
           AND to_regclass('public.res_lang') IS NOT NULL AS is_odoo \\gset\n\
         \\if :is_odoo\n\
         SELECT json_build_object( \
           'parameters', (SELECT coalesce(json_object_agg(key, value), '{{}}') \
             FROM public.ir_config_parameter WHERE key IN ({keys})), \
           'languages', (SELECT coalesce(json_agg(code), '[]') \
             FROM public.res_lang WHERE active), \
           'modules', (SELECT coalesce(json_agg(json_build_object('name', m.name, \
             'state', coalesce(m.state, 'uninstalled'), 'version', m.latest_version, \
             'depends', coalesce(d.names, '[]'))), '[]') \
             FROM public.ir_module_module m LEFT JOIN ( \
               SELECT module_id, json_agg(name) AS names \
               FROM public.ir_module_module_dependency GROUP BY module_id \
             ) d ON d.module_id = m.id));\n\
         \\endif\n"
    )
}

fn facts_of(database: &DatabaseName, common: Common, mut odoo: OdooTables) -> DatabaseFacts {
    let signatures = odoo.parameters.remove(SIGNATURES_KEY);
    DatabaseFacts {
        snapshot_obstacles: Vec::new(),
        copies: Vec::new(),
        oid: common.oid,
        owner: common.owner,
        size: common.size,
        uuid: odoo.parameters.remove(UUID_KEY),
        deployed_by: odoo.parameters.remove(HOST_KEY),
        modules: odoo.modules.into_iter().filter_map(installed_module).collect(),
        languages: odoo.languages,
        partially_updated: odoo.parameters.contains_key(PARTIAL_KEY),
        signatures: signatures.and_then(|text| read_signatures(database, &text)),
        foreign_sessions: common.foreign_sessions,
        filestore: None,
    }
}

/// Leaves out a row whose name no addon can have: Odoo cannot load it either.
fn installed_module(row: ModuleRow) -> Option<(ModuleName, InstalledModule)> {
    let name = ModuleName::parse(&row.name).ok()?;
    let depends = row.depends.iter().filter_map(|name| ModuleName::parse(name).ok()).collect();
    Some((name, InstalledModule { state: row.state, version: row.version, depends }))
}

/// Takes signatures that cannot be read for none: the next deploy then records
/// a baseline, as on first contact.
fn read_signatures(database: &DatabaseName, text: &str) -> Option<BTreeMap<ModuleName, SeenAddon>> {
    serde_json::from_str(text)
        .inspect_err(|error| {
            tracing::warn!(%database, %error, "ignored unreadable `{SIGNATURES_KEY}`");
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common() -> Common {
        Common { oid: 1, owner: "odoo".to_owned(), size: 1, foreign_sessions: Vec::new() }
    }

    #[test]
    fn a_database_without_odoos_tables_has_no_uuid() {
        let database = DatabaseName::parse("acme").unwrap();
        let facts = facts_of(&database, common(), OdooTables::default());
        assert_eq!(facts.uuid, None);
        assert!(facts.modules.is_empty());
    }

    #[test]
    fn unreadable_signatures_and_impossible_names_are_left_out() {
        let database = DatabaseName::parse("acme").unwrap();
        let odoo: OdooTables = serde_json::from_value(serde_json::json!({
            "parameters": {"odoo_deploy.signatures": "{", "base.partially_updated_database": "1"},
            "languages": ["en_US"],
            "modules": [
                {"name": "base", "state": "installed", "version": "19.0.1.3", "depends": []},
                {"name": "../x", "state": "installed", "version": null, "depends": []},
            ],
        }))
        .unwrap();
        let facts = facts_of(&database, common(), odoo);
        assert_eq!(facts.signatures, None);
        assert!(facts.partially_updated);
        assert_eq!(facts.modules.len(), 1);
    }
}
