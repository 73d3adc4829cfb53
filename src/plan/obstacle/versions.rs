//! Modules whose version the series does not take.

use super::Obstacle;
use crate::{
    odoo::takes_version,
    plan::{Desired, InstalledModule, Observed},
};

/// Finds modules that are installed, or about to be, with a version that the series does
/// not take: 17 and 18 would not load the database, 19 would leave them out.
pub(super) fn of_other_series(desired: &Desired, observed: &Observed) -> Vec<Obstacle> {
    let series = desired.service.series;
    let is_run = |name| {
        let mut databases = observed.databases.values();
        desired.install.contains(name)
            || databases
                .any(|facts| facts.modules.get(name).is_some_and(InstalledModule::is_installed))
    };
    let refused = desired.addons.iter().filter(|addon| {
        let manifest = &addon.manifest;
        manifest.installable && !takes_version(series, &manifest.version) && is_run(&addon.name)
    });
    let told = refused.map(|addon| {
        let (name, version) = (&addon.name, &addon.manifest.version);
        Obstacle::new(format!("Odoo {series} does not take version `{version}` of module `{name}`"))
            .hint(format!("write `x.y.z` or `{series}.x.y.z` in its manifest"))
    });
    told.collect()
}
