//! What stands in the way of a deploy, found before anything is touched.

mod versions;

use std::collections::BTreeSet;

use super::{
    adopted::adopted_live,
    certificate,
    desired::{Desired, UpdateChoice},
    observed::{DatabaseFacts, Observed},
    release::{ReleaseRecord, RunningFrom},
    rollback::{self, Restoration},
    upgrade::DatabaseUpgrade,
};
use crate::host::{DatabaseName, ModuleName};

/// Bytes that a release may need besides what is linked to the one before.
const ROOM_FOR_CODE: u64 = 256 << 20;
/// Inodes that a release may need: directories and changed files.
const INODES_FOR_CODE: u64 = 20_000;
/// Bytes that an upgrade may add to a database besides its copy.
const ROOM_FOR_DATA: u64 = 256 << 20;

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What is wrong.
    pub message: String,
    /// The next move.
    pub hint: Option<String>,
    /// Lines that say more.
    pub details: Vec<String>,
}

impl Obstacle {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, details: Vec::new() }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Finds everything that stands in the way, in the order an operator would look.
#[must_use]
pub(super) fn obstacles(
    desired: &Desired,
    observed: &Observed,
    upgrades: &[DatabaseUpgrade],
    restorations: &[Restoration],
) -> Vec<Obstacle> {
    let restored: BTreeSet<_> = restorations.iter().map(|one| &one.restore.database).collect();
    let copied: u64 = restorations.iter().map(|one| one.bytes).sum();
    let mut found = Vec::new();
    server(desired, observed, &mut found);
    certificate::obstacles(desired, observed, &mut found);
    identity(desired, observed, &mut found);
    neighbours(desired, observed, &mut found);
    databases(desired, observed, &restored, &mut found);
    modules(desired, observed, &restored, &mut found);
    found.extend(versions::of_other_series(desired, observed));
    space(observed, upgrades, copied, &mut found);
    snapshots(observed, upgrades, &restored, &mut found);
    found.extend(rollback::without_consent(desired, restorations));
    found
}

fn server(desired: &Desired, observed: &Observed, found: &mut Vec<Obstacle>) {
    let server = &observed.server;
    if !server.has_user {
        let user = &desired.service.user;
        found.push(
            Obstacle::new(format!("the system user `{user}` does not exist on the server"))
                .hint("create it, or name another one by `user = …` in `[deploy]`"),
        );
    }
    let series = desired.service.series;
    match &server.odoo_version {
        Err(why) => found.push(
            Obstacle::new(format!("Odoo cannot be asked for its version: {why}"))
                .hint("`odoo_bin` in `[deploy]` names Odoo's program on the server"),
        ),
        Ok(version) if !version.contains(series.as_str()) => found.push(
            Obstacle::new(format!("the server has {version}, the host's file says {series}"))
                .hint("correct `odoo = …` in `[deploy]`, or install that series on the server"),
        ),
        Ok(_) => {}
    }
    if desired.files.vhost.is_some() && !server.has_nginx {
        found.push(
            Obstacle::new("nginx is not installed on the server")
                .hint("install it, or write `enabled = False` in `[deploy.nginx]`"),
        );
    }
    if let Some(transaction) = &observed.host.unfinished {
        found.push(
            Obstacle::new(format!(
                "transaction {transaction} did not end on this host, and could not be taken back"
            ))
            .hint(format!(
                "`deploy attach --host {}` shows what stands in the way; the server tries again \
                 every minute, and before it plans",
                desired.host
            )),
        );
    }
    ports(desired, observed, found);
}

/// A port whose owner is not known is the host's own where its live release
/// runs on it: Odoo's processes come and go while they are looked at.
fn ports(desired: &Desired, observed: &Observed, found: &mut Vec<Obstacle>) {
    let unit = format!("odoo-{}.service", desired.host);
    let is_active = observed.host.service.active == "active";
    let adopted = adopted_live(observed).map(|facts| &facts.record.service);
    let runs_on = |port: u16| match adopted {
        Some(service) => {
            service.health.http_port == port || service.health.gevent_port == Some(port)
        }
        None => is_active && live_record(observed).is_some_and(|live| live.ports.contains(&port)),
    };
    let wanted = [Some(desired.network.http_port), desired.network.gevent_port];
    for port in wanted.into_iter().flatten() {
        let is_foreign = |owner: &Option<String>| match owner {
            Some(owner) => *owner != unit && adopted.is_none_or(|service| *owner != service.unit),
            None => !runs_on(port),
        };
        let listeners = observed.server.listeners.iter();
        let mut foreign =
            listeners.filter(|listener| listener.port == port && is_foreign(&listener.unit));
        if let Some(listener) = foreign.next() {
            let by = listener.unit.as_deref().unwrap_or("another program");
            found.push(Obstacle::new(format!("port {port} is taken by {by}")).hint(other_port(by)));
        }
    }
}

fn other_port(owner: &str) -> String {
    let choose = "choose another `http_port` or `gevent_port`";
    if !owner.starts_with("odoo") && !owner.starts_with("openerp") {
        return choose.to_owned();
    }
    format!("{choose}; if that Odoo is this host, take it over: `deploy adopt --unit {owner}`")
}

/// What a host is may not change by a deploy: it would be another host.
fn identity(desired: &Desired, observed: &Observed, found: &mut Vec<Obstacle>) {
    let Some(live) = live_record(observed) else {
        if let Some(RunningFrom::Elsewhere(path)) = &observed.host.current {
            found.push(Obstacle::new(format!(
                "`current` of this host names {}, which is no release",
                path.display()
            )));
        }
        return;
    };
    let moves =
        "a host that moves is not a deploy: change it on the server first, or undo the change";
    if live.databases != desired.databases {
        let list = |names: &[DatabaseName]| {
            names.iter().map(DatabaseName::as_str).collect::<Vec<_>>().join(", ")
        };
        found.push(
            Obstacle::new(format!(
                "the host serves database {}, its file says {}",
                list(&live.databases),
                list(&desired.databases)
            ))
            .hint(moves),
        );
    }
    if live.data_dir != desired.service.data_dir {
        found.push(
            Obstacle::new(format!(
                "the host's data directory is {}, its file says {}",
                live.data_dir.display(),
                desired.service.data_dir.display()
            ))
            .hint(moves),
        );
    }
    if live.environment != desired.environment {
        found.push(
            Obstacle::new(format!(
                "the host is {}, its file says {}",
                live.environment, desired.environment
            ))
            .hint(moves),
        );
    }
}

fn neighbours(desired: &Desired, observed: &Observed, found: &mut Vec<Obstacle>) {
    for other in &observed.neighbours {
        let mut shared = Vec::new();
        for database in desired.databases.iter().filter(|name| other.databases.contains(name)) {
            shared.push(format!("database {database}"));
        }
        if other.data_dir == desired.service.data_dir {
            // Filestores are by database; sessions are by directory.
            shared.push(format!("data directory {}", other.data_dir.display()));
        }
        let ports = [Some(desired.network.http_port), desired.network.gevent_port];
        for port in ports.into_iter().flatten().filter(|port| other.ports.contains(port)) {
            shared.push(format!("port {port}"));
        }
        let names = desired.network.aliases.iter().chain([&desired.host]);
        for name in names.filter(|name| other.host == **name || other.aliases.contains(name)) {
            shared.push(format!("hostname {name}"));
        }
        for thing in shared {
            found.push(
                Obstacle::new(format!("{} on the same server already has {thing}", other.host))
                    .hint("two hosts of a server must not share a database, data directory, port or name"),
            );
        }
    }
}

fn databases(
    desired: &Desired,
    observed: &Observed,
    restored: &BTreeSet<&DatabaseName>,
    found: &mut Vec<Obstacle>,
) {
    if let Err(why) = &observed.cluster.version {
        found.push(
            Obstacle::new(format!("PostgreSQL cannot be reached: {why}"))
                .hint("check `db_host`, `db_port`, `db_user` and `db_password`"),
        );
        return;
    }
    for name in &desired.databases {
        match observed.databases.get(name) {
            Some(facts) => {
                existing_database(desired, name, facts, found);
                // A snapshot is the way out of an upgrade that was left half way.
                if !restored.contains(name) {
                    half_done_modules(name, facts, found);
                }
            }
            None => missing_database(desired, observed, name, found),
        }
    }
}

fn existing_database(
    desired: &Desired,
    name: &DatabaseName,
    facts: &DatabaseFacts,
    found: &mut Vec<Obstacle>,
) {
    if facts.modules.is_empty() {
        found.push(
            Obstacle::new(format!("database {name} exists and is not an Odoo database"))
                .hint("drop it, or name another one by `db_name`"),
        );
        return;
    }
    if let Some(other) = facts.deployed_by.as_ref().filter(|other| **other != desired.host.as_str())
    {
        found.push(
            Obstacle::new(format!("database {name} belongs to host {other}"))
                .hint("two hosts must not share a database"),
        );
    }
}

fn half_done_modules(name: &DatabaseName, facts: &DatabaseFacts, found: &mut Vec<Obstacle>) {
    let pending: Vec<_> = facts
        .modules
        .iter()
        .filter(|(_, module)| module.state.starts_with("to "))
        .map(|(name, module)| format!("{name} ({})", module.state))
        .collect();
    if !pending.is_empty() {
        found.push(
            Obstacle::new(format!("database {name} has half-done modules: {}", pending.join(", ")))
                .hint("finish or cancel them in Odoo (Apps) before a deploy"),
        );
    }
    if facts.partially_updated {
        found.push(
            Obstacle::new(format!("an earlier upgrade of database {name} did not finish"))
                .hint("`base.partially_updated_database` is set: run `odoo -u base` on it by hand"),
        );
    }
}

fn missing_database(
    desired: &Desired,
    observed: &Observed,
    name: &DatabaseName,
    found: &mut Vec<Obstacle>,
) {
    let missing = Obstacle::new(format!("database {name} does not exist"));
    if live_record(observed).is_some() || observed.host.adopted.is_some() {
        found.push(missing.hint(
            "this host has been deployed before, so the database is not created: it was renamed, dropped, or `db_name` is mistyped",
        ));
        return;
    }
    if desired.policy.install.is_empty() {
        let others = observed.cluster.names.join(", ");
        let there =
            if others.is_empty() { String::new() } else { format!(" (there is: {others})") };
        found.push(missing.hint(format!(
            "correct `db_name`{there}, or list the modules of a new database by `install = base, …` in `[deploy]`"
        )));
    } else if !observed.cluster.may_create {
        found.push(missing.hint("the role may not create databases: ALTER ROLE … CREATEDB"));
    }
}

fn modules(
    desired: &Desired,
    observed: &Observed,
    restored: &BTreeSet<&DatabaseName>,
    found: &mut Vec<Obstacle>,
) {
    let mut asked: Vec<&ModuleName> = desired.install.iter().collect();
    if let UpdateChoice::Only(names) = &desired.update {
        asked.extend(names);
    }
    for (database, facts) in observed.databases.iter().filter(|(name, _)| !restored.contains(name))
    {
        for (name, _) in facts.modules.iter().filter(|(_, module)| module.is_installed()) {
            removed_module(desired, database, name, found);
        }
        for name in &asked {
            if !facts.modules.contains_key(*name) && desired.addon(name).is_none() {
                found.push(Obstacle::new(format!(
                    "module `{name}` is neither in the release nor known to database {database}"
                )));
            }
        }
        if let UpdateChoice::Only(names) = &desired.update {
            for name in names {
                let installed =
                    facts.modules.get(name).is_some_and(super::InstalledModule::is_installed);
                if !installed && (facts.modules.contains_key(name) || desired.addon(name).is_some())
                {
                    found.push(
                        Obstacle::new(format!("module `{name}` is not installed in {database}"))
                            .hint(format!("use `--install {name}` to install it")),
                    );
                }
            }
        }
        missing_dependencies(desired, facts, found);
    }
    for addon in desired.addons.iter().filter(|addon| !addon.manifest.installable) {
        if asked.contains(&&addon.name) {
            found.push(Obstacle::new(format!("module `{}` is not installable", addon.name)));
        }
    }
}

fn removed_module(
    desired: &Desired,
    database: &DatabaseName,
    name: &ModuleName,
    found: &mut Vec<Obstacle>,
) {
    let hint = "uninstall it in Odoo first, or bring it back in the branch";
    match desired.addon(name) {
        Some(addon) if !addon.manifest.installable => found.push(
            Obstacle::new(format!(
                "module `{name}` is installed in {database}, but the release says `installable: False`"
            ))
            .hint(hint),
        ),
        None if desired.live_addons.iter().any(|addon| addon.name == *name) => found.push(
            Obstacle::new(format!(
                "module `{name}` is installed in {database}, but the release no longer has it"
            ))
            .hint(hint),
        ),
        _ => {}
    }
}

fn missing_dependencies(desired: &Desired, facts: &DatabaseFacts, found: &mut Vec<Obstacle>) {
    let here: BTreeSet<_> = desired.addons.iter().map(|addon| &addon.name).collect();
    for addon in &desired.addons {
        let installed =
            facts.modules.get(&addon.name).is_some_and(super::InstalledModule::is_installed);
        if !installed && !desired.install.contains(&addon.name) {
            continue;
        }
        for needed in &addon.manifest.depends {
            if !here.contains(needed) && !facts.modules.contains_key(needed) {
                found.push(Obstacle::new(format!(
                    "module `{}` depends on `{needed}`, which is neither in the release nor on the server",
                    addon.name
                )));
            }
        }
    }
}

fn space(
    observed: &Observed,
    upgrades: &[DatabaseUpgrade],
    copied: u64,
    found: &mut Vec<Obstacle>,
) {
    let server = &observed.server;
    if server.code_space.bytes < ROOM_FOR_CODE || server.code_space.inodes < INODES_FOR_CODE {
        found.push(Obstacle::new(format!(
            "the disk of /opt/odoo is full: {} and {} inodes are free, {} and {INODES_FOR_CODE} are needed",
            megabytes(server.code_space.bytes),
            server.code_space.inodes,
            megabytes(ROOM_FOR_CODE)
        )).hint("free some space on the server"));
    }
    let snapshots: u64 = upgrades
        .iter()
        .filter(|upgrade| upgrade.stops_odoo())
        .filter_map(|upgrade| observed.databases.get(&upgrade.database))
        .map(|facts| facts.size)
        .sum();
    let grows = copied > 0 || upgrades.iter().any(DatabaseUpgrade::stops_odoo);
    let needed = if grows { snapshots + copied + ROOM_FOR_DATA } else { 0 };
    if server.database_space.bytes < needed {
        found.push(
            Obstacle::new(format!(
                "the disk of PostgreSQL is too full for a snapshot: {} is free, {} is needed",
                megabytes(server.database_space.bytes),
                megabytes(needed)
            ))
            .hint("free some space, or drop old snapshots"),
        );
    }
}

fn snapshots(
    observed: &Observed,
    upgrades: &[DatabaseUpgrade],
    restored: &BTreeSet<&DatabaseName>,
    found: &mut Vec<Obstacle>,
) {
    let copied = upgrades.iter().filter(|upgrade| upgrade.stops_odoo() && !upgrade.create);
    let copied = copied.map(|upgrade| {
        let name = &upgrade.database;
        (name, format!("no snapshot of database {name} can be taken"))
    });
    let restored = restored.iter().map(|name| (*name, format!("database {name} cannot go back")));
    for (name, consequence) in copied.chain(restored) {
        let Some(facts) = observed.databases.get(name) else { continue };
        let why = facts.snapshot_obstacles.iter();
        found.extend(why.map(|why| Obstacle::new(format!("{consequence}: {why}"))));
    }
}

/// Returns the record of the live release.
#[must_use]
pub fn live_record(observed: &Observed) -> Option<&ReleaseRecord> {
    let Some(RunningFrom::Release(number)) = &observed.host.current else { return None };
    let release = observed.host.releases.iter().find(|release| release.record.number == *number)?;
    Some(&release.record)
}

/// Writes a size for people.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    const MEGABYTE: u64 = 1 << 20;
    format!("{} MB", bytes.div_ceil(MEGABYTE))
}

#[cfg(test)]
mod tests;
