//! What policy no longer keeps.

use std::fs;

use super::{StepError, database, python, release, retired, switch};
use crate::{
    agent::{server::FileError, transaction::Run},
    layout::ReleaseNumber,
    plan::{ADOPTED, CopyKind, Prune, ReleaseState},
    source::{Store, TreeId},
};

/// Journals kept of transactions that ended, besides the running one.
const KEEP_JOURNALS: usize = 20;

/// Removes releases, copies of databases and journals. The live release and
/// the last verified ones always stay.
pub(super) fn prune(run: &mut Run<'_>, step: &Prune) -> Result<(), StepError> {
    let trees = releases(run, step)?;
    python::prune(run)?;
    copies(run, step)?;
    journals(run)?;
    let mut store = Store::open_or_create(&run.server.path(&run.layout.store()))?;
    store.tidy(&trees)?;
    Ok(())
}

/// Removes releases and returns the trees of those that stay.
fn releases(run: &mut Run<'_>, step: &Prune) -> Result<Vec<TreeId>, StepError> {
    let live = switch::target(run.server, &run.layout)?;
    let live = live.as_deref().and_then(|target| target.file_name()?.to_str());
    let live = live.and_then(ReleaseNumber::from_directory_name);
    let mut numbers: Vec<_> = list(run, &run.layout.releases())?
        .iter()
        .filter_map(|name| ReleaseNumber::from_directory_name(name))
        .collect();
    numbers.sort_by_key(|number| std::cmp::Reverse(*number));
    let mut verified = 0;
    let mut failed = 0;
    let mut trees = Vec::new();
    for number in numbers {
        let record = release::read_record(run.server, &run.layout, number);
        let stays = match &record {
            // Release 0 is a few kilobytes, and nothing else knows what was adopted.
            _ if Some(number) == live || number == ADOPTED => true,
            Some((_, ReleaseState::Verified)) => {
                verified += 1;
                verified <= step.keep_releases
            }
            // The last one that failed is kept for a closer look.
            Some((_, ReleaseState::Failed | ReleaseState::Reverted)) => {
                failed += 1;
                failed <= 1
            }
            _ => false,
        };
        match record {
            Some((record, _)) if stays => trees.push(record.tree),
            _ if stays => {}
            Some(_) if retires(run, number) => {}
            _ => release::remove(run, &run.layout.release(number))?,
        }
    }
    trees.extend(retired::tree(run.server, &run.layout));
    Ok(trees)
}

/// Retires a release where none is retired, and tells whether it did.
fn retires(run: &Run<'_>, number: ReleaseNumber) -> bool {
    retired::tree(run.server, &run.layout).is_none()
        && retired::keep(run.server, &run.layout, number).is_ok()
}

/// Drops copies of databases, the oldest first.
fn copies(run: &mut Run<'_>, step: &Prune) -> Result<(), StepError> {
    let postgres = database::postgres(run)?;
    for name in &step.databases {
        let all = postgres.copies(name)?;
        for kind in [CopyKind::Snapshot, CopyKind::Failed] {
            let of_kind = all.iter().map(|(copy, _)| copy).filter(|copy| copy.kind() == kind);
            let mut copies: Vec<_> = of_kind.collect();
            copies.sort_by_key(|copy| std::cmp::Reverse(copy.release()));
            for copy in copies.iter().skip(step.keep_snapshots) {
                database::forget(run, &postgres, copy)?;
            }
        }
    }
    Ok(())
}

fn journals(run: &mut Run<'_>) -> Result<(), StepError> {
    let directory = run.layout.journal();
    let mut names = list(run, &directory)?;
    // Ids begin with the time.
    names.sort();
    let old = names.len().saturating_sub(KEEP_JOURNALS);
    for name in names.iter().take(old).filter(|name| name.as_str() != run.transaction.id.as_str()) {
        let path = directory.join(name);
        fs::remove_dir_all(run.server.path(&path)).map_err(FileError::at("remove", &path))?;
    }
    Ok(())
}

fn list(run: &Run<'_>, directory: &std::path::Path) -> Result<Vec<String>, FileError> {
    let entries =
        fs::read_dir(run.server.path(directory)).map_err(FileError::at("list", directory))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}
