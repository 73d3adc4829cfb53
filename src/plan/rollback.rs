//! What it takes to go back to an earlier release: which one, and which
//! databases go back with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    CopyName,
    adopted::ADOPTED,
    desired::Desired,
    observed::{CopyFacts, DatabaseFacts, Observed},
    obstacle::{Obstacle, live_record},
    release::{ReleaseFacts, ReleaseRecord, ReleaseState},
    step::Restore,
    upgrade::noticed,
};
use crate::{
    host::{DatabaseName, HostName, ModuleName},
    layout::ReleaseNumber,
};

/// The most rows that are counted of one model; more are said as so many.
pub const COUNTED_ROWS: u64 = 1_000;

/// How many models are named whose rows would be missing.
const NAMED_MODELS: usize = 6;

/// How many reasons are named for a database that has to go back.
const NAMED_REASONS: usize = 3;

/// What the operator wants to go back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// The release.
    pub to: ReleaseNumber,
    /// Whether databases may go back, too.
    pub with_database: bool,
    /// What was created in each database since its snapshot; none of a database
    /// whose rows could not be counted.
    pub lost: BTreeMap<DatabaseName, Vec<RowCount>>,
}

/// A rollback, planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// The release.
    pub to: ReleaseNumber,
    /// The databases that go back with it; empty where only code does.
    pub databases: Vec<Restoration>,
}

/// A database that goes back, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoration {
    /// What is done.
    pub restore: Restore,
    /// The release whose deploy changed the database first: the snapshot was taken before it.
    pub before: ReleaseNumber,
    /// When the snapshot was taken, in seconds since the epoch.
    pub taken: i64,
    /// How long ago that was, in seconds.
    pub age: i64,
    /// The snapshot's bytes on disk.
    pub bytes: u64,
    /// The modules that the release has otherwise than the database knows them.
    pub reasons: BTreeMap<ModuleName, Vec<String>>,
    /// What was created since; none where it could not be counted.
    pub lost: Option<Vec<RowCount>>,
}

/// So many new rows of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCount {
    /// The model, or the table where no model is known for it.
    pub model: String,
    /// How many, at most [`COUNTED_ROWS`].
    pub rows: u64,
}

/// A release as its server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRelease {
    /// What it is made of and what became of it.
    pub facts: ReleaseFacts,
    /// Whether its code and odoo.conf are those of the live one.
    pub is_like_live: bool,
}

impl RollbackPlan {
    /// Returns the word for what goes back.
    #[must_use]
    pub fn class(&self) -> &'static str {
        if self.databases.is_empty() { "code-only" } else { "with-database" }
    }
}

impl Restoration {
    /// Says which state the database goes back to: before which release, and since when.
    #[must_use]
    pub fn state(&self) -> String {
        format!("before release {} ({}, {} ago)", self.before, time(self.taken), span(self.age))
    }

    /// Says why, as far as it fits.
    #[must_use]
    pub fn why(&self) -> String {
        said(&self.reasons)
    }

    /// Says what was created since and will be missing.
    #[must_use]
    pub fn missing(&self) -> String {
        let Some(lost) = &self.lost else { return "what could not be counted".into() };
        if lost.is_empty() {
            return "nothing".into();
        }
        let named: Vec<_> = lost.iter().take(NAMED_MODELS).map(RowCount::said).collect();
        with_rest(&named, lost.len().saturating_sub(NAMED_MODELS), "models")
    }
}

impl RowCount {
    fn said(&self) -> String {
        let more = if self.rows >= COUNTED_ROWS { " or more" } else { "" };
        format!("{}{more} {}", self.rows, self.model)
    }
}

/// Chooses the release to go back to: the one that is named, else the newest
/// verified one before the live one that holds something else.
///
/// # Errors
/// Returns why there is none, and which are offered.
pub fn choose_release(
    releases: &[KnownRelease],
    live: Option<ReleaseNumber>,
    wanted: Option<ReleaseNumber>,
) -> Result<&ReleaseRecord, Obstacle> {
    let Some(live) = live else {
        return Err(Obstacle::new(
            "the host has no live release, so there is none to go back from",
        )
        .hint("deploy it first"));
    };
    let is_offered = |known: &&KnownRelease| {
        known.facts.state == ReleaseState::Verified && known.facts.record.number != live
    };
    let offered = || releases.iter().filter(is_offered).map(|known| &known.facts.record);
    let Some(wanted) = wanted else {
        let is_other = |known: &&KnownRelease| {
            is_offered(known) && known.facts.record.number < live && !known.is_like_live
        };
        let newest = releases.iter().filter(is_other).max_by_key(|one| one.facts.record.number);
        return newest.map(|known| &known.facts.record).ok_or_else(|| {
            Obstacle::new("there is no earlier verified release with other content on the server")
                .hint(list(offered()))
        });
    };
    if let Some(record) = offered().find(|record| record.number == wanted) {
        return Ok(record);
    }
    let present = releases.iter().find(|known| known.facts.record.number == wanted);
    let why = match present {
        _ if wanted == live => format!("release {wanted} is the live one"),
        Some(known) => format!("release {wanted} is {}, not verified", known.facts.state),
        None => format!("release {wanted} is not on the server"),
    };
    Err(Obstacle::new(why).hint(list(offered())))
}

fn list<'a>(offered: impl Iterator<Item = &'a ReleaseRecord>) -> String {
    let names: Vec<_> = offered
        .map(|record| {
            let branch = record.branch.as_ref().map(|branch| format!("{branch} @ "));
            format!("{} ({}{})", record.number, branch.unwrap_or_default(), record.commit.short())
        })
        .collect();
    if names.is_empty() {
        return "none is offered: to take a change back, revert its commit and deploy".into();
    }
    format!("offered with `--to`: {}", names.join(", "))
}

/// Finds out which databases have to go back with a rollback, and to what;
/// none for a deploy.
///
/// # Errors
/// Returns why a database cannot go back.
pub fn restorations(
    desired: &Desired,
    observed: &Observed,
) -> Result<Vec<Restoration>, Vec<Obstacle>> {
    let Some(wish) = &desired.rollback else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut impossible = Vec::new();
    for name in &desired.databases {
        let Some(facts) = observed.databases.get(name) else { continue };
        let reasons = if wish.to == ADOPTED {
            since_adopted(observed, name, facts)
        } else {
            reasons(desired, wish, facts)
        };
        if reasons.is_empty() {
            continue;
        }
        match restoration(wish, name, observed, reasons) {
            Ok(restoration) => found.push(restoration),
            Err(obstacle) => impossible.push(obstacle),
        }
    }
    if impossible.is_empty() { Ok(found) } else { Err(impossible) }
}

/// Names the modules that the release has otherwise than the database knows them.
fn reasons(
    desired: &Desired,
    wish: &Rollback,
    facts: &DatabaseFacts,
) -> BTreeMap<ModuleName, Vec<String>> {
    let mut reasons = noticed(desired, facts);
    for (name, _) in facts.modules.iter().filter(|(_, module)| module.is_installed()) {
        let missing = match desired.addon(name) {
            Some(addon) => !addon.manifest.installable,
            None => desired.live_addons.iter().any(|addon| addon.name == *name),
        };
        if missing {
            reasons.insert(name.clone(), vec![format!("release {} does not have it", wish.to)]);
        }
    }
    reasons
}

/// Names the modules that deploys brought to another state than release 0 had. That of
/// its own addons nobody knows, so every deploy that changed the database counts.
fn since_adopted(
    observed: &Observed,
    database: &DatabaseName,
    facts: &DatabaseFacts,
) -> BTreeMap<ModuleName, Vec<String>> {
    let Some(first) = first_change(observed, ADOPTED, database) else { return BTreeMap::new() };
    let adopted = observed.host.adopted.as_ref().and_then(|facts| facts.record.commit);
    let why = vec![format!("release {first} or a later one upgraded it")];
    let seen = facts.signatures.iter().flatten();
    let changed = seen.filter(|(_, seen)| Some(seen.commit) != adopted);
    let mut reasons: BTreeMap<_, _> =
        changed.map(|(name, _)| (name.clone(), why.clone())).collect();
    if reasons.is_empty() {
        let base = ModuleName::parse("base").expect("`base` is a module name");
        reasons.insert(base, why);
    }
    reasons
}

fn restoration(
    wish: &Rollback,
    name: &DatabaseName,
    observed: &Observed,
    reasons: BTreeMap<ModuleName, Vec<String>>,
) -> Result<Restoration, Obstacle> {
    let facts = &observed.databases[name];
    let (before, copy, taken) = snapshot(observed, wish.to, name, facts).map_err(|cause| {
        Obstacle::new(format!(
            "release {} needs database {name} as it was then ({}), which is impossible: {cause}",
            wish.to,
            said(&reasons)
        ))
        .hint("revert the commits and deploy: that keeps what users entered")
    })?;
    let number = ReleaseNumber(observed.host.last_number).next();
    Ok(Restoration {
        restore: Restore {
            database: name.clone(),
            oid: facts.oid,
            snapshot: copy.name.clone(),
            snapshot_oid: copy.oid,
            copy: CopyName::failed(name, number),
            kept: CopyName::snapshot(name, number),
        },
        before,
        taken,
        age: observed.server.time.saturating_sub(taken),
        bytes: copy.bytes,
        reasons,
        lost: wish.lost.get(name).cloned(),
    })
}

/// Finds the snapshot that holds a database as a release had it, the release
/// before which it was taken, and when that was.
fn snapshot<'a>(
    observed: &Observed,
    release: ReleaseNumber,
    database: &DatabaseName,
    facts: &'a DatabaseFacts,
) -> Result<(ReleaseNumber, &'a CopyFacts, i64), String> {
    let before = first_change(observed, release, database)
        .ok_or("it was changed by hand, not by a deploy, so there is no snapshot")?;
    let name = CopyName::snapshot(database, before);
    let copy = facts.copies.iter().find(|copy| copy.name == name);
    let copy = copy.ok_or_else(|| format!("its snapshot {name} was pruned or dropped"))?;
    let taken = copy.created.ok_or_else(|| format!("the files of its snapshot {name} are gone"))?;
    Ok((before, copy, taken))
}

/// Returns the first release after the given one whose deploy changed the
/// database. One of which that is not known counts: then its snapshot must be there.
fn first_change(
    observed: &Observed,
    after: ReleaseNumber,
    database: &DatabaseName,
) -> Option<ReleaseNumber> {
    if after == ADOPTED {
        // Releases are pruned and release 0 is not: the history knows what each changed.
        return observed.host.adopted.as_ref()?.first_changes.get(database).copied();
    }
    let live = live_record(observed).map(|live| live.number);
    let took_effect = |release: &&ReleaseFacts| {
        let number = release.record.number;
        number > after && (release.state == ReleaseState::Verified || Some(number) == live)
    };
    let changed = |release: &&ReleaseFacts| {
        release.record.changed.as_ref().is_none_or(|changed| changed.contains(database))
    };
    let releases = observed.host.releases.iter().filter(took_effect).filter(changed);
    releases.map(|release| release.record.number).min()
}

/// Says what would be missing where databases have to go back and the operator
/// did not ask for that.
pub(super) fn without_consent(desired: &Desired, restorations: &[Restoration]) -> Vec<Obstacle> {
    let Some(wish) = desired.rollback.as_ref().filter(|wish| !wish.with_database) else {
        return Vec::new();
    };
    let refusal = |one: &Restoration| {
        let Restore { database, kept, .. } = &one.restore;
        Obstacle::new(format!(
            "release {} needs database {database} as it was {}: {}; created since then, and \
             missing afterwards: {}",
            wish.to,
            one.state(),
            one.why(),
            one.missing()
        ))
        .hint(format!(
            "`{}` puts it back and keeps the present one as {kept}; to go on with what users \
             entered, revert the commits and deploy instead",
            command(&desired.host, wish.to)
        ))
    };
    restorations.iter().map(refusal).collect()
}

fn said(reasons: &BTreeMap<ModuleName, Vec<String>>) -> String {
    let mut reasons = reasons.iter().map(|(module, why)| {
        why.first().map_or_else(|| module.to_string(), |why| format!("{module}: {why}"))
    });
    let named: Vec<_> = reasons.by_ref().take(NAMED_REASONS).collect();
    with_rest(&named, reasons.count(), "modules")
}

fn command(host: &HostName, to: ReleaseNumber) -> String {
    format!("deploy rollback --host {host} --to {to} --with-database")
}

fn with_rest(named: &[String], rest: usize, what: &str) -> String {
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more {what}") };
    format!("{}{more}", named.join(", "))
}

/// Writes a point in time.
fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| format!("second {seconds}"),
        |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// Writes a length of time by its two greatest units.
fn span(seconds: i64) -> String {
    let minutes = seconds.max(0) / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "less than a minute".into(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests;
