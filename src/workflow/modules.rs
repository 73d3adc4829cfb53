//! Finds out what changed in each addon since a database last saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Readings, WorkflowError};
use crate::{
    host::{HostName, ModuleName},
    odoo::functions_called,
    plan::{
        CodeChange, ModuleDiff, ModuleDiffs, Observed, SeenAddon, Service, SourcePair, differs,
    },
    source::{Addon, Cache, CommitId, FileChange, SourceTree},
    transport::Agent,
    wire::{CompareRequest, Reply, Request},
};

/// The addons that are live, at the commit they came from.
pub(super) struct Live {
    pub(super) commit: CommitId,
    pub(super) addons: Vec<Addon>,
}

/// What is compared with what.
pub(super) struct Comparison<'a> {
    pub(super) host: &'a HostName,
    pub(super) tree: &'a SourceTree,
    pub(super) cache: &'a Cache,
    pub(super) readings: &'a Readings,
    pub(super) directories: &'a [PathBuf],
    pub(super) addons: &'a [Addon],
    pub(super) live: Option<&'a Live>,
    pub(super) observed: &'a Observed,
    pub(super) service: &'a Service,
}

/// Compares every addon that a database has not seen as it is now. Git says
/// which files changed; what changed in Python only Python can say, so the
/// server's own is asked, once and only where there is something to ask.
pub(super) async fn diffs(
    comparison: &Comparison<'_>,
    agent: &mut Agent,
) -> Result<ModuleDiffs, WorkflowError> {
    let Comparison { tree, addons, live, observed, .. } = *comparison;
    let mut diffs = ModuleDiffs::new();
    let mut pairs = Vec::new();
    let mut owners = Vec::new();
    let mut seen_addons = SeenAddons { comparison, known: BTreeMap::new() };
    for ((commit, _), addon) in unseen(addons, live, observed) {
        let Some(old) = seen_addons.find(commit, &addon.name) else { continue };
        let files = tree.changes(old.tree, addon.tree)?;
        let python: Vec<_> = files.iter().filter(|change| is_code(change)).collect();
        let hooks = if python.is_empty() { Vec::new() } else { hooks(tree, &old, addon)? };
        for change in python {
            let text = |blob| {
                let bytes = tree.blob(blob)?;
                Ok::<_, WorkflowError>(String::from_utf8_lossy(&bytes).into_owned())
            };
            pairs.push(SourcePair {
                module: addon.name.clone(),
                path: change.path.to_string_lossy().into_owned(),
                old: change.old.map(text).transpose()?,
                new: change.new.map(text).transpose()?,
                hooks: hooks.clone(),
            });
            owners.push((commit, addon.name.clone()));
        }
        let diff =
            ModuleDiff { old_manifest: Some(old.manifest.clone()), files, python: BTreeMap::new() };
        diffs.insert((commit, addon.name.clone()), diff);
    }
    let changes = compare(comparison, &pairs, agent).await?;
    for ((owner, pair), change) in owners.into_iter().zip(&pairs).zip(changes) {
        let diff = diffs.get_mut(&owner).expect("each pair belongs to a diff");
        diff.python.insert(pair.path.clone().into(), change);
    }
    Ok(diffs)
}

/// Lists the addons that some database has not seen as they are, each with the
/// commit at which it last saw them.
fn unseen<'a>(
    addons: &'a [Addon],
    live: Option<&Live>,
    observed: &Observed,
) -> BTreeMap<(CommitId, ModuleName), &'a Addon> {
    let mut unseen = BTreeMap::new();
    for facts in observed.databases.values() {
        for addon in addons {
            let installed = facts.modules.get(&addon.name);
            if !installed.is_some_and(crate::plan::InstalledModule::is_installed) {
                continue;
            }
            let recorded = facts.signatures.as_ref().and_then(|all| all.get(&addon.name));
            let seen = recorded.cloned().or_else(|| {
                let live = live?;
                let old = live.addons.iter().find(|old| old.name == addon.name)?;
                Some(SeenAddon { signature: old.signature.clone(), commit: live.commit })
            });
            if let Some(seen) = seen
                && differs(&seen.signature, &addon.signature, &facts.languages)
            {
                unseen.insert((seen.commit, addon.name.clone()), addon);
            }
        }
    }
    unseen
}

/// Addons as databases last saw them, read from Git once for each commit.
struct SeenAddons<'a> {
    comparison: &'a Comparison<'a>,
    known: BTreeMap<CommitId, Vec<Addon>>,
}

impl SeenAddons<'_> {
    /// Finds an addon at a commit; none where it cannot be had any more: then
    /// the module is upgraded without further questions.
    fn find(&mut self, commit: CommitId, name: &ModuleName) -> Option<Addon> {
        let Comparison { cache, readings, directories, live, .. } = *self.comparison;
        if let Some(live) = live.filter(|live| live.commit == commit) {
            return live.addons.iter().find(|addon| addon.name == *name).cloned();
        }
        let addons = self.known.entry(commit).or_insert_with(|| {
            let commit = cache.commit(&commit.to_string());
            let tree = commit.and_then(|commit| readings.tree(cache, commit));
            tree.and_then(|tree| readings.addons(&tree, directories)).unwrap_or_default()
        });
        addons.iter().find(|addon| addon.name == *name).cloned()
    }
}

fn is_code(change: &FileChange) -> bool {
    let is_python = change.path.extension().is_some_and(|extension| extension == "py");
    is_python && change.path != Path::new("__manifest__.py")
}

/// Names the functions that an upgrade calls: what they do can be in the
/// database, so a change of their bodies counts.
fn hooks(tree: &SourceTree, old: &Addon, new: &Addon) -> Result<Vec<String>, WorkflowError> {
    let mut names = BTreeSet::new();
    for addon in [old, new] {
        names.extend(addon.manifest.hooks.iter().cloned());
        for (path, blob) in tree.files_below(addon.tree)? {
            let is_data = path.extension().is_some_and(|extension| extension == "xml");
            if is_data && !path.starts_with("static") {
                let text = tree.blob(blob)?;
                names.extend(functions_called(&String::from_utf8_lossy(&text)));
            }
        }
    }
    Ok(names.into_iter().collect())
}

async fn compare(
    comparison: &Comparison<'_>,
    pairs: &[SourcePair],
    agent: &mut Agent,
) -> Result<Vec<CodeChange>, WorkflowError> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let request = CompareRequest {
        host: comparison.host.clone(),
        service: comparison.service.clone(),
        pairs: pairs.to_vec(),
    };
    agent.send(&Request::Compare(Box::new(request))).await?;
    match agent.receive().await? {
        Reply::Compared(changes) if changes.len() == pairs.len() => Ok(changes),
        Reply::Fault(fault) => Err(fault.into()),
        _ => Err(WorkflowError::OutOfTurn),
    }
}
