//! The releases of a host, as their directories say.

use std::fs;

use crate::{
    agent::{
        adopt,
        server::{FileError, Server},
        step::{release, switch},
    },
    layout::{Layout, ReleaseNumber},
    plan::{ADOPTED, KnownRelease, ReleaseFacts},
    wire::Releases,
};

/// Lists the releases and tells which of them hold what the live one holds.
///
/// # Errors
/// Fails when the host's files cannot be read.
pub(in crate::agent) fn releases_of_host(
    server: &Server,
    layout: &Layout,
) -> Result<Releases, FileError> {
    let releases = releases(server, layout)?;
    let target = switch::target(server, layout)?;
    let number = target.as_deref().and_then(|target| target.file_name()?.to_str());
    let live = number.and_then(ReleaseNumber::from_directory_name);
    let live_tree = releases.iter().find(|one| Some(one.record.number) == live);
    let live_tree = live_tree.map(|one| one.record.tree);
    let live_conf = live.map(|live| odoo_conf(server, layout, live)).transpose()?;
    let known = |facts: ReleaseFacts| {
        let is_like_live = Some(facts.record.tree) == live_tree
            && Some(odoo_conf(server, layout, facts.record.number)?) == live_conf;
        Ok(KnownRelease { facts, is_like_live })
    };
    let adopted = adopt::facts(server, layout)?;
    Ok(Releases {
        live,
        releases: releases.into_iter().map(known).collect::<Result<_, _>>()?,
        since: adopted.as_ref().map_or(ADOPTED, |facts| facts.since),
        adopted: adopted.map(|facts| facts.record.service.unit),
    })
}

/// Reads a release's odoo.conf with the release's own directory left out.
fn odoo_conf(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
) -> Result<Option<String>, FileError> {
    let directory = layout.release(number);
    let text = server.read(&directory.join("odoo.conf"))?;
    Ok(text.map(|text| text.replace(&*directory.to_string_lossy(), "")))
}

/// Lists every complete release, by number.
pub(super) fn releases(server: &Server, layout: &Layout) -> Result<Vec<ReleaseFacts>, FileError> {
    let mut releases: Vec<_> = numbers(server, layout)?
        .into_iter()
        .filter_map(|number| release::read_record(server, layout, number))
        .map(|(record, state)| ReleaseFacts { record, state })
        .collect();
    releases.sort_by_key(|release| release.record.number);
    Ok(releases)
}

/// Returns the highest number of a release's directory, whether it was completed
/// or not; 0 where there is none.
pub(in crate::agent) fn highest_directory(
    server: &Server,
    layout: &Layout,
) -> Result<u32, FileError> {
    Ok(numbers(server, layout)?.into_iter().map(|number| number.0).max().unwrap_or(0))
}

fn numbers(server: &Server, layout: &Layout) -> Result<Vec<ReleaseNumber>, FileError> {
    let directory = layout.releases();
    let Ok(entries) = fs::read_dir(server.path(&directory)) else { return Ok(Vec::new()) };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(FileError::at("list", &directory))?.file_name();
        numbers.extend(name.to_str().and_then(ReleaseNumber::from_directory_name));
    }
    Ok(numbers)
}
