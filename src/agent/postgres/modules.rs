//! Whether an upgrade did what it was asked to.

use std::collections::BTreeMap;

use crate::host::{DatabaseName, ModuleName};
use crate::odoo::{Series, stored_version};
use crate::plan::DatabaseFacts;

use super::{Postgres, PostgresError};

impl Postgres {
    /// Compares the modules of a database with what an upgrade should have
    /// left: `expected` has the version, as its manifest writes it, of every
    /// module that was upgraded. Returns what is wrong, nothing when all is well.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses, or has no such database.
    pub fn verify_modules(
        &self,
        database: &DatabaseName,
        series: Series,
        expected: &BTreeMap<ModuleName, String>,
    ) -> Result<Vec<String>, PostgresError> {
        let facts =
            self.facts(database)?.ok_or_else(|| PostgresError::Missing(database.to_string()))?;
        Ok(module_problems(&facts, series, expected))
    }
}

fn module_problems(
    facts: &DatabaseFacts,
    series: Series,
    expected: &BTreeMap<ModuleName, String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    if facts.modules.is_empty() {
        problems.push("the database has no modules".to_owned());
    }
    if facts.partially_updated {
        problems.push("Odoo marked the database as partially updated".to_owned());
    }
    for (name, module) in &facts.modules {
        if module.state.starts_with("to ") {
            problems.push(format!("module `{name}` was left `{}`", module.state));
        }
    }
    for (name, manifest_version) in expected {
        let Some(module) = facts.modules.get(name) else {
            problems.push(format!("module `{name}` is unknown to the database"));
            continue;
        };
        let version = stored_version(series, manifest_version);
        let found = module.version.as_deref().unwrap_or("none");
        if module.state == "installed" && found != version {
            problems.push(format!("module `{name}` is at version {found}, not {version}"));
        } else if !module.state.starts_with("to ") && module.state != "installed" {
            problems.push(format!("module `{name}` is `{}`", module.state));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(modules: &[(&str, &str, &str)]) -> DatabaseFacts {
        let modules: BTreeMap<_, _> = modules
            .iter()
            .map(|(name, state, version)| {
                let module = serde_json::json!({"state": state, "version": version, "depends": []});
                (ModuleName::parse(name).unwrap(), serde_json::from_value(module).unwrap())
            })
            .collect();
        DatabaseFacts {
            snapshot_obstacles: Vec::new(),
            copies: Vec::new(),
            oid: 1,
            owner: "odoo".to_owned(),
            size: 1,
            uuid: None,
            deployed_by: None,
            modules,
            languages: std::collections::BTreeSet::new(),
            partially_updated: false,
            signatures: None,
            foreign_sessions: Vec::new(),
            filestore: None,
        }
    }

    fn problems(modules: &[(&str, &str, &str)]) -> Vec<String> {
        let expected = [("sale_extra", "1.2"), ("contacts", "19.0.1.0")]
            .map(|(name, version)| (ModuleName::parse(name).unwrap(), version.to_owned()));
        module_problems(&facts(modules), Series::V19, &expected.into())
    }

    #[test]
    fn a_good_upgrade_has_no_problems() {
        let good = [("sale_extra", "installed", "19.0.1.2"), ("contacts", "installed", "19.0.1.0")];
        assert!(problems(&good).is_empty());
    }

    #[test]
    fn what_was_left_half_way_is_named() {
        let bad = [("sale_extra", "installed", "19.0.1.1"), ("web", "to upgrade", "19.0.1.0")];
        assert_eq!(
            problems(&bad),
            [
                "module `web` was left `to upgrade`",
                "module `contacts` is unknown to the database",
                "module `sale_extra` is at version 19.0.1.1, not 19.0.1.2",
            ]
        );
    }
}
