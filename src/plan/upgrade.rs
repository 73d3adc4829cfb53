//! What each database has to be taught.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    desired::{Desired, UpdateChoice},
    modules::{Need, dependents, judge, translates_anew},
    observed::{DatabaseFacts, SeenAddon},
};
use crate::host::{DatabaseName, ModuleName};

/// What one database has to be taught, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUpgrade {
    /// The database.
    pub database: DatabaseName,
    /// Whether it is created first.
    pub create: bool,
    /// Modules for `-i`.
    pub install: Vec<ModuleName>,
    /// Modules for `-u`, each with the reasons.
    pub update: BTreeMap<ModuleName, Vec<String>>,
    /// Whether a translation into an active language changed: its terms then
    /// replace those in the database, which `-u` alone would leave.
    pub translations: bool,
    /// Installed modules that `-u` reaches through their dependencies.
    pub reached: BTreeSet<ModuleName>,
    /// Installed modules that need a new process only.
    pub process: BTreeSet<ModuleName>,
    /// Modules that need `-u` but are left as they are by the operator's choice.
    pub left_out: BTreeSet<ModuleName>,
    /// What the database will have seen afterwards; none where nothing has to be recorded.
    pub seen: Option<BTreeMap<ModuleName, SeenAddon>>,
    /// Whether this is the first contact: a baseline is recorded, nothing is upgraded for it.
    pub first_contact: bool,
}

impl DatabaseUpgrade {
    /// Tells whether Odoo has to be stopped for it.
    #[must_use]
    pub fn stops_odoo(&self) -> bool {
        self.create || !self.install.is_empty() || !self.update.is_empty()
    }

    /// Returns every module that `-i` or `-u` names.
    #[must_use]
    pub fn named(&self) -> Vec<ModuleName> {
        self.install.iter().chain(self.update.keys()).cloned().collect()
    }
}

/// Works out what a database that exists has to be taught.
#[must_use]
pub(super) fn of_existing(
    desired: &Desired,
    database: &DatabaseName,
    facts: &DatabaseFacts,
) -> DatabaseUpgrade {
    let seen = baseline(desired, facts);
    let Needs { upgrade: needed, process, translations } = needs(desired, facts, &seen);
    let update = choose(&desired.update, &needed);
    let left_out = needed.keys().filter(|name| !covers(&update, name)).cloned().collect();
    let install: Vec<_> =
        desired.install.iter().filter(|name| !is_installed(facts, name)).cloned().collect();
    let roots = update.keys().cloned().collect();
    let after = seen_after(desired, facts, &seen, &left_out, &install);
    DatabaseUpgrade {
        database: database.clone(),
        create: false,
        reached: dependents(&roots, &facts.modules),
        install,
        translations: translations && !update.is_empty(),
        update,
        process,
        left_out,
        seen: (facts.signatures.as_ref() != Some(&after)).then_some(after),
        first_contact: facts.signatures.is_none(),
    }
}

/// What the addons ask of a database.
#[derive(Default)]
struct Needs {
    upgrade: BTreeMap<ModuleName, Vec<String>>,
    process: BTreeSet<ModuleName>,
    translations: bool,
}

fn needs(
    desired: &Desired,
    facts: &DatabaseFacts,
    seen: &BTreeMap<ModuleName, SeenAddon>,
) -> Needs {
    let mut needs = Needs::default();
    for addon in &desired.addons {
        let Some(seen) = seen.get(&addon.name) else { continue };
        match judge(seen, addon, &facts.languages, &desired.diffs) {
            Need::Nothing => {}
            Need::Process => {
                needs.process.insert(addon.name.clone());
            }
            Need::Upgrade(reasons) => {
                needs.translations |=
                    translates_anew(&seen.signature, &addon.signature, &facts.languages);
                needs.upgrade.insert(addon.name.clone(), reasons);
            }
        }
    }
    needs
}

/// Names the modules whose change the database would notice, with the reasons.
#[must_use]
pub(super) fn noticed(
    desired: &Desired,
    facts: &DatabaseFacts,
) -> BTreeMap<ModuleName, Vec<String>> {
    needs(desired, facts, &baseline(desired, facts)).upgrade
}

/// Works out what a database has to be taught that goes back to a snapshot:
/// nothing, for it knows the release.
#[must_use]
pub(super) fn of_restored(database: &DatabaseName) -> DatabaseUpgrade {
    DatabaseUpgrade {
        database: database.clone(),
        create: false,
        install: Vec::new(),
        update: BTreeMap::new(),
        translations: false,
        reached: BTreeSet::new(),
        process: BTreeSet::new(),
        left_out: BTreeSet::new(),
        seen: None,
        first_contact: false,
    }
}

/// Works out what a database that is created has to be taught.
#[must_use]
pub(super) fn of_new(desired: &Desired, database: &DatabaseName) -> DatabaseUpgrade {
    let mut install = desired.policy.install.clone();
    install.extend(
        desired.install.iter().filter(|name| !install.contains(name)).cloned().collect::<Vec<_>>(),
    );
    let seen = desired.addons.iter().map(|addon| (addon.name.clone(), seen_now(desired, addon)));
    DatabaseUpgrade {
        database: database.clone(),
        create: true,
        seen: Some(seen.collect()),
        install,
        update: BTreeMap::new(),
        translations: false,
        reached: BTreeSet::new(),
        process: BTreeSet::new(),
        left_out: BTreeSet::new(),
        first_contact: false,
    }
}

/// Returns what the database last saw of each installed addon: what was
/// recorded in it, else what the live release holds, else (nothing is known of
/// the past) what is to be deployed.
fn baseline(desired: &Desired, facts: &DatabaseFacts) -> BTreeMap<ModuleName, SeenAddon> {
    let mut seen = BTreeMap::new();
    for addon in &desired.addons {
        if !is_installed(facts, &addon.name) {
            continue;
        }
        let recorded = facts.signatures.as_ref().and_then(|all| all.get(&addon.name));
        let live = || desired.live_addons.iter().find(|live| live.name == addon.name);
        let last = match (recorded, &desired.live) {
            (Some(recorded), _) => recorded.clone(),
            (None, Some(commit)) => match live() {
                Some(live) => SeenAddon { signature: live.signature.clone(), commit: *commit },
                None => seen_now(desired, addon),
            },
            (None, None) => seen_now(desired, addon),
        };
        seen.insert(addon.name.clone(), last);
    }
    seen
}

/// Returns what the database will have seen. An addon that is left out stays
/// at what it was, so that the next deploy still knows.
fn seen_after(
    desired: &Desired,
    facts: &DatabaseFacts,
    before: &BTreeMap<ModuleName, SeenAddon>,
    left_out: &BTreeSet<ModuleName>,
    install: &[ModuleName],
) -> BTreeMap<ModuleName, SeenAddon> {
    let mut after = BTreeMap::new();
    for addon in &desired.addons {
        if !is_installed(facts, &addon.name) && !install.contains(&addon.name) {
            continue;
        }
        let seen = match before.get(&addon.name) {
            // An equal signature keeps its commit: a deploy that changes nothing
            // for a module writes nothing for it.
            Some(before)
                if left_out.contains(&addon.name) || before.signature == addon.signature =>
            {
                before.clone()
            }
            _ => seen_now(desired, addon),
        };
        after.insert(addon.name.clone(), seen);
    }
    after
}

fn choose(
    choice: &UpdateChoice,
    needed: &BTreeMap<ModuleName, Vec<String>>,
) -> BTreeMap<ModuleName, Vec<String>> {
    let asked = |name: &ModuleName| {
        let reasons = needed.get(name).cloned();
        (name.clone(), reasons.unwrap_or_else(|| vec!["asked for".into()]))
    };
    match choice {
        UpdateChoice::Changed => needed.clone(),
        UpdateChoice::None => BTreeMap::new(),
        UpdateChoice::Only(names) => names.iter().map(asked).collect(),
        UpdateChoice::All => {
            let base = ModuleName::parse("base").expect("`base` is a module name");
            BTreeMap::from([(base, vec!["all modules were asked for".into()])])
        }
    }
}

fn covers(update: &BTreeMap<ModuleName, Vec<String>>, name: &ModuleName) -> bool {
    update.contains_key(name) || update.keys().any(|module| module.as_str() == "base")
}

fn is_installed(facts: &DatabaseFacts, name: &ModuleName) -> bool {
    facts.modules.get(name).is_some_and(super::InstalledModule::is_installed)
}

fn seen_now(desired: &Desired, addon: &crate::source::Addon) -> SeenAddon {
    SeenAddon { signature: addon.signature.clone(), commit: desired.commit.id }
}

#[cfg(test)]
mod tests;
