//! Whether loading a release does no more than load it. Pure.

use super::DatabaseFacts;
use crate::odoo::{Rules, rules::LoadUpgrades};

/// Says why a database is not to be loaded beside the Odoo that serves it: that would
/// upgrade it, or fail for no fault of the release. None where it is only loaded.
#[must_use]
pub fn unfit_for_loading(facts: &DatabaseFacts, rules: &Rules) -> Option<String> {
    let pending = facts.modules.iter().find(|(_, module)| module.state.starts_with("to "));
    if let Some((name, module)) = pending {
        return Some(format!("module `{name}` is `{}`", module.state));
    }
    let marked = rules.load_upgrades == LoadUpgrades::MarkedDatabase && facts.partially_updated;
    marked.then(|| "an upgrade of it did not finish".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{odoo::Series, plan::sample::Sample};

    fn facts(state: &str, partially_updated: bool) -> DatabaseFacts {
        let mut sample = Sample::matching();
        let mut facts = sample.observed.databases.pop_first().expect("a database").1;
        let module = facts.modules.values_mut().next().expect("a module");
        state.clone_into(&mut module.state);
        facts.partially_updated = partially_updated;
        facts
    }

    #[test]
    fn a_pending_module_is_in_the_way_on_every_series() {
        for series in Series::ALL {
            for state in ["to install", "to upgrade", "to remove"] {
                let why = unfit_for_loading(&facts(state, false), series.rules());
                assert!(why.is_some_and(|why| why.contains(state)), "{series} {state}");
            }
            assert_eq!(unfit_for_loading(&facts("installed", false), series.rules()), None);
        }
    }

    #[test]
    fn a_marked_database_is_in_the_way_where_loading_it_upgrades_it() {
        for (series, in_the_way) in
            [(Series::V17, false), (Series::V18, false), (Series::V19, true)]
        {
            let why = unfit_for_loading(&facts("installed", true), series.rules());
            assert_eq!(why.is_some(), in_the_way, "{series}");
        }
    }
}
