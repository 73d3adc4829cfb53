//! Adopts an Odoo that the tool did not set up: looks at it, and records it as release 0.
//! What runs is neither moved nor restarted.

mod checkout;
mod instance;
mod nginx_file;
mod process;
mod record;
mod vhosts;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use self::instance::Found;
pub(super) use self::{instance::InstanceError, record::record};
use super::{
    history, observe,
    server::{FileError, Server},
    service::Systemd,
    step::adopted::{KeptFile, Was},
};
use crate::{
    host::DatabaseName,
    layout::{HOSTS, Layout, ReleaseNumber},
    plan::{ADOPTED, Adopted, AdoptedFacts, AdoptedVhost, HistoryLine},
    wire::{Candidate, Survey, SurveyRequest},
};

/// Looks at what runs on the server. Changes nothing.
///
/// # Errors
/// Fails when the unit that is meant cannot be read.
pub(super) fn survey(server: &Server, request: &SurveyRequest) -> Result<Survey, InstanceError> {
    let processes = process::find(server);
    let adopted = adopted_hosts(server)?;
    let mut candidates: Vec<_> = processes
        .iter()
        .filter_map(|process| process.unit.clone())
        .map(|unit| candidate(server, unit, true, &adopted))
        .collect();
    for unit in named_units(server)? {
        if !candidates.iter().any(|known| known.unit == unit) {
            candidates.push(candidate(server, unit, false, &adopted));
        }
    }
    let others = processes.iter().filter(|process| process.unit.is_none());
    let others = others
        .map(|process| format!("process {} runs `{}`", process.pid, process.program.display()));
    let meant = match &request.unit {
        Some(unit) => Some(with_ending(unit)),
        None => the_only(&candidates),
    };
    let is_left = |unit: &String| candidates.iter().any(|one| one.unit == *unit && one.is_left);
    let instance = match meant.filter(|unit| !is_left(unit)) {
        Some(unit) => Some(Box::new(Found::read(server, &unit)?.into_instance())),
        None => None,
    };
    Ok(Survey { others: others.collect(), candidates, instance })
}

fn with_ending(unit: &str) -> String {
    if unit.ends_with(".service") { unit.to_owned() } else { format!("{unit}.service") }
}

fn the_only(candidates: &[Candidate]) -> Option<String> {
    let mut running = candidates.iter().filter(|candidate| candidate.is_running);
    let first = running.next()?;
    running.next().is_none().then(|| first.unit.clone())
}

fn candidate(server: &Server, unit: String, is_running: bool, adopted: &[Adopted]) -> Candidate {
    let record = adopted.iter().find(|record| record.service.unit == unit);
    let host = record.map(|record| record.host.clone());
    let is_left = host.clone().is_some_and(|host| !is_live(server, &Layout::new(host)));
    Candidate { unit, is_running, host, is_left }
}

/// Lists services that are named as Odoo's usually are, but for the tool's own.
fn named_units(server: &Server) -> Result<Vec<String>, InstanceError> {
    let mut command = server.command("systemctl");
    command.args(["list-unit-files", "--type=service", "--plain", "--no-legend", "--no-pager"]);
    let text = server.run(command.args(["--", "odoo*", "openerp*"]))?;
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    let is_template = |name: &&str| name.contains('@');
    let is_own = |name: &&str| process::own_host(server, name).is_some();
    Ok(names.filter(|name| !is_template(name) && !is_own(name)).map(str::to_owned).collect())
}

fn adopted_hosts(server: &Server) -> Result<Vec<Adopted>, FileError> {
    let entries = fs::read_dir(server.path(Path::new(HOSTS))).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_name();
        let host = name.to_str().and_then(|name| crate::host::HostName::parse(name).ok());
        if let Some(host) = host {
            found.extend(read(server, &Layout::new(host))?);
        }
    }
    Ok(found)
}

/// Tells whether release 0 is what a host runs: nothing else is live.
fn is_live(server: &Server, layout: &Layout) -> bool {
    fs::symlink_metadata(server.path(&layout.current())).is_err()
}

/// Reads what was adopted; none where nothing was.
///
/// # Errors
/// Fails when the record is there and cannot be read.
pub(super) fn read(server: &Server, layout: &Layout) -> Result<Option<Adopted>, FileError> {
    let text = server.read(&layout.release(ADOPTED).join("release.json"))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Reads one option of what was adopted, as it was when it was recorded.
///
/// # Errors
/// Fails when its odoo.conf is there and cannot be read.
pub(super) fn option(
    server: &Server,
    layout: &Layout,
    key: &str,
) -> Result<Option<String>, FileError> {
    observe::option_of(server, &layout.release(ADOPTED).join("odoo.conf"), key)
}

/// Tells how release 0 is now; none where nothing was adopted.
///
/// # Errors
/// Fails when its files cannot be read.
pub(super) fn facts(
    server: &Server,
    layout: &Layout,
) -> Result<Option<Box<AdoptedFacts>>, FileError> {
    let Some(record) = read(server, layout)? else { return Ok(None) };
    let unit = Systemd::new(server).state(&record.service.unit);
    let is_live = is_live(server, layout);
    let (changed, dirty) =
        if is_live { changes(server, layout, &record)? } else { (Vec::new(), Vec::new()) };
    let lines = history::read(server, layout)?;
    let (before, after) = lines.split_at(last_live(&lines));
    let needed = record.conf.iter().chain(&record.unit_file).chain([&record.data_dir]);
    let needed = needed.chain(record.code.iter().map(|place| &place.path));
    let missing = needed.filter(|path| !server.path(path).exists()).cloned().collect();
    Ok(Some(Box::new(AdoptedFacts {
        is_live,
        is_running: unit.is_ok_and(|state| state.active == "active"),
        since: ReleaseNumber(highest(before)),
        first_changes: first_changes(after),
        odoo_conf: None,
        changed,
        dirty,
        missing,
        vhost: if is_live { vhost(server, &record)? } else { None },
        record,
    })))
}

/// Returns the text of all vhosts; none where one of them is gone.
fn vhost(server: &Server, record: &Adopted) -> Result<Option<String>, FileError> {
    let texts = record.vhosts.iter().map(|vhost| server.read(&vhost.path));
    let texts: Option<Vec<_>> = texts.collect::<Result<_, _>>()?;
    Ok(texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join("\n")))
}

/// Finds what is not as it was recorded, and what is not in Git.
fn changes(
    server: &Server,
    layout: &Layout,
    record: &Adopted,
) -> Result<(Vec<PathBuf>, Vec<PathBuf>), FileError> {
    let mut changed = Vec::new();
    for path in recorded_files(record) {
        let copy = as_found(layout).join(copy_name(path));
        if server.read(path)? != server.read(&copy)? {
            changed.push(path.clone());
        }
    }
    let mut dirty = Vec::new();
    for place in record.code.iter().filter(|place| place.in_repository.is_some()) {
        let now = checkout::look(server, &place.path);
        let head = |checkout: &Option<_>| {
            checkout.as_ref().map(|checkout: &crate::plan::Checkout| checkout.head)
        };
        if head(&now) != head(&place.checkout) {
            changed.push(place.path.clone());
        }
        let files = now.into_iter().flat_map(|checkout| {
            let root = checkout.root.clone();
            checkout.dirty.into_iter().map(move |path| root.join(path))
        });
        dirty.extend(files.filter(|path| !dirty.contains(path)).collect::<Vec<_>>());
    }
    Ok((changed, dirty))
}

/// Lists the files that are copied with the record.
fn recorded_files(record: &Adopted) -> impl Iterator<Item = &PathBuf> {
    let vhosts = record.vhosts.iter().map(|vhost| &vhost.path);
    record.conf.iter().chain(&record.unit_file).chain(vhosts)
}

/// Returns the directory of the files as they were found; only root reads it.
fn as_found(layout: &Layout) -> PathBuf {
    layout.release(ADOPTED).join("as-found")
}

/// Returns a file name that stands for a path.
pub(super) fn copy_name(path: &Path) -> String {
    path.to_string_lossy().replace('/', "%")
}

/// Tells how the vhosts of release 0 were.
pub(super) fn vhosts_of_release_zero(layout: &Layout, vhosts: &[AdoptedVhost]) -> Vec<KeptFile> {
    let was = |vhost: &AdoptedVhost| match &vhost.link {
        Some(target) => Was::Link(target.clone()),
        None => Was::File(as_found(layout).join(copy_name(&vhost.path))),
    };
    vhosts.iter().map(|vhost| KeptFile { path: vhost.path.clone(), was: was(vhost) }).collect()
}

/// Returns how many lines of the history there were when release 0 last went live.
fn last_live(lines: &[HistoryLine]) -> usize {
    let went_live = |line: &HistoryLine| {
        line.release == Some(ADOPTED.0) && matches!(line.outcome.as_str(), "adopted" | "deployed")
    };
    lines.iter().rposition(went_live).unwrap_or(0)
}

fn highest(lines: &[HistoryLine]) -> u32 {
    lines.iter().filter_map(|line| line.release).max().unwrap_or(0)
}

/// Names the first release that changed each database.
fn first_changes(lines: &[HistoryLine]) -> BTreeMap<DatabaseName, ReleaseNumber> {
    let mut first = BTreeMap::new();
    for line in lines.iter().filter(|line| line.outcome == "deployed") {
        let Some(number) = line.release.filter(|number| *number != ADOPTED.0) else { continue };
        let back = line.summary.rollback.iter().flat_map(|back| &back.databases);
        for database in line.summary.modules.keys().chain(back) {
            first.entry(database.clone()).or_insert(ReleaseNumber(number));
        }
    }
    first
}

#[cfg(test)]
mod tests;
