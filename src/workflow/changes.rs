//! What a change of the repository means for its hosts, told from two check-outs: without a
//! server and without a secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use super::{Project, WorkflowError, render::render};
use crate::{
    causes::with_causes,
    host::{AddonsDirectory, Host, HostName, host_names},
    plan::{FileDiff, unified},
};

/// What becomes of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostChanges {
    /// The host.
    pub host: HostName,
    /// Its environment and server, such as `production, on aws-1`; as it was where it goes.
    pub place: String,
    /// Whether it comes, goes or stays.
    pub fate: Fate,
    /// How its rendered files change, secrets masked.
    pub files: Vec<FileDiff>,
    /// Its modules whose files differ, by directory name.
    pub modules: BTreeSet<String>,
}

/// Whether a host comes, goes or stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is new.
    Comes,
    /// Its file is gone.
    Goes,
    /// It is there before and after.
    Stays,
    /// What it would be cannot be told.
    Unreadable {
        /// Why.
        why: String,
    },
}

impl HostChanges {
    /// Tells whether the host stays as it is.
    fn is_empty(&self) -> bool {
        self.fate == Fate::Stays && self.files.is_empty() && self.modules.is_empty()
    }
}

/// A host as one of the check-outs has it.
struct Side {
    host: Host,
    files: Vec<(&'static str, String)>,
}

/// Compares the hosts of two check-outs, in the order of their names. Hosts that stay as they
/// are are left out.
///
/// # Errors
/// Fails where the hosts of one cannot be listed, or a module cannot be read. A host that cannot
/// be read is one of the results.
pub fn changes(base: &Project, head: &Project) -> Result<Vec<HostChanges>, WorkflowError> {
    let before = host_names(&base.files)?;
    let after = host_names(&head.files)?;
    let names: BTreeSet<_> = before.iter().chain(&after).collect();
    let mut modules = Modules::between(base.repository.root(), head.repository.root());
    let mut all = Vec::new();
    for name in names {
        // What was broken before is no news.
        let old = before.contains(name).then(|| side(base, name).ok()).flatten();
        let new = after.contains(name).then(|| side(head, name)).transpose();
        let changes = match new {
            Ok(new) => compare(name, old.as_ref(), new.as_ref(), &mut modules)?,
            Err(error) => unreadable(name, old.as_ref(), &error),
        };
        all.push(changes);
    }
    all.retain(|changes| !changes.is_empty());
    Ok(all)
}

fn side(project: &Project, name: &HostName) -> Result<Side, WorkflowError> {
    let host = Host::load(&project.files, name)?;
    let files = render(project, name, false)?;
    Ok(Side { host, files: files.into_iter().map(|file| (file.name, file.text)).collect() })
}

fn unreadable(name: &HostName, old: Option<&Side>, error: &WorkflowError) -> HostChanges {
    HostChanges {
        host: name.clone(),
        place: old.map(place).unwrap_or_default(),
        fate: Fate::Unreadable { why: with_causes(error) },
        files: Vec::new(),
        modules: BTreeSet::new(),
    }
}

fn place(side: &Side) -> String {
    format!("{}, on {}", side.host.environment, side.host.server)
}

fn compare(
    name: &HostName,
    old: Option<&Side>,
    new: Option<&Side>,
    modules: &mut Modules<'_>,
) -> Result<HostChanges, WorkflowError> {
    let fate = match (old, new) {
        (None, _) => Fate::Comes,
        (Some(_), None) => Fate::Goes,
        (Some(_), Some(_)) => Fate::Stays,
    };
    let mut files = Vec::new();
    let mut changed = BTreeSet::new();
    if let Some(new) = new {
        for (file, text) in &new.files {
            let before = old.and_then(|old| old.files.iter().find(|(name, _)| name == file));
            files.push(unified(before.map(|(_, text)| text.as_str()), Some(text), file));
        }
        for directory in &new.host.addons_path {
            if let AddonsDirectory::InRelease(directory) = directory {
                changed.extend(modules.changed(directory)?.iter().cloned());
            }
        }
    }
    files.retain(|file| !file.is_empty());
    let place = new.or(old).map(place).unwrap_or_default();
    Ok(HostChanges { host: name.clone(), place, fate, files, modules: changed })
}

/// The modules of two check-outs, each directory compared once.
struct Modules<'a> {
    base: &'a Path,
    head: &'a Path,
    known: BTreeMap<PathBuf, BTreeSet<String>>,
}

impl<'a> Modules<'a> {
    fn between(base: &'a Path, head: &'a Path) -> Self {
        Self { base, head, known: BTreeMap::new() }
    }

    /// Names the modules below a directory that differ.
    fn changed(&mut self, directory: &Path) -> Result<&BTreeSet<String>, WorkflowError> {
        if !self.known.contains_key(directory) {
            let found = self.compare(directory).map_err(|error| {
                WorkflowError::usage(
                    format!("failed to read the modules in `{}`: {error}", directory.display()),
                    "both check-outs have to be whole",
                )
            })?;
            self.known.insert(directory.to_owned(), found);
        }
        Ok(&self.known[directory])
    }

    fn compare(&self, directory: &Path) -> io::Result<BTreeSet<String>> {
        let (old, new) = (self.base.join(directory), self.head.join(directory));
        let names = names(&old)?.into_iter().chain(names(&new)?);
        let mut changed = BTreeSet::new();
        for name in names.collect::<BTreeSet<_>>() {
            let (old, new) = (old.join(&name), new.join(&name));
            let is_module = |path: &Path| path.join("__manifest__.py").is_file();
            if (is_module(&old) || is_module(&new)) && content(&old)? != content(&new)? {
                changed.insert(name);
            }
        }
        Ok(changed)
    }
}

/// Names what is in a directory; nothing where there is none.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Returns what each file below a directory holds. Links are not followed: what they lead to
/// is not of the module.
fn content(module: &Path) -> io::Result<BTreeMap<PathBuf, blake3::Hash>> {
    let mut found = BTreeMap::new();
    let mut left = if module.is_dir() { vec![module.to_owned()] } else { Vec::new() };
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let hash = if kind.is_dir() {
                left.push(path);
                continue;
            } else if kind.is_symlink() {
                blake3::hash(fs::read_link(&path)?.as_os_str().as_encoded_bytes())
            } else if kind.is_file() {
                blake3::hash(&fs::read(&path)?)
            } else {
                continue;
            };
            let below = path.strip_prefix(module).expect("it was found below it").to_owned();
            found.insert(below, hash);
        }
    }
    Ok(found)
}
