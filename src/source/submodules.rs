//! Puts submodules into the tree of the commit that names them.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use git2::{Oid, Repository};

use super::{
    CommitId, Remote, SourceError,
    mirror::{self, History, Mirror},
    text,
    tree::as_path,
    trees::{Kind, bytes, is_complete, objects_error, oid},
};

/// The file in a cache that names the submodules' caches whose objects it needs.
const LINKED: &str = "linked-caches";

/// Submodules are fetched without history and so need copies of their own.
const DIRECTORY: &str = "submodules";

/// A tree that holds itself by way of submodules has no end.
const DEEPEST: usize = 10;

/// Builds composed trees inside one cache.
pub(super) struct Composer {
    directory: PathBuf,
    cache: PathBuf,
    repository: Repository,
    linked: RefCell<Vec<String>>,
}

/// A repository whose tree is being composed: the platform's, or a submodule.
struct Level<'a> {
    remote: &'a Remote,
    /// The bare copy that has its `.gitmodules`.
    copy: &'a Path,
    /// Its own tree, as committed.
    root: Oid,
    /// Where it stands in the composed tree.
    prefix: &'a Path,
    depth: usize,
}

impl Composer {
    /// Opens the cache together with the caches of all submodules it was ever composed with.
    pub(super) fn new(directory: &Path, cache: &Path) -> Result<Self, SourceError> {
        let composer = Self {
            directory: directory.join(DIRECTORY),
            cache: cache.to_owned(),
            repository: mirror::open(cache)?,
            linked: RefCell::default(),
        };
        let names = fs::read_to_string(cache.join(LINKED)).unwrap_or_default();
        for name in names.lines().filter(|name| composer.directory.join(name).is_dir()) {
            composer.link(name)?;
        }
        Ok(composer)
    }

    pub(super) fn into_repository(self) -> Repository {
        self.repository
    }

    /// Returns the tree of a commit with the trees of its submodules in place of their ids.
    pub(super) fn compose(&self, remote: &Remote, commit: CommitId) -> Result<Oid, SourceError> {
        let failed = objects_error(|| format!("read commit {}", commit.short()));
        let found = self.repository.find_commit(oid(commit.as_bytes())).map_err(failed)?;
        let root = found.tree_id();
        let level = Level { remote, copy: &self.cache, root, prefix: Path::new(""), depth: 0 };
        self.directory(root, level.prefix, &level, &mut None)
    }

    fn directory(
        &self,
        id: Oid,
        path: &Path,
        level: &Level<'_>,
        addresses: &mut Option<HashMap<PathBuf, String>>,
    ) -> Result<Oid, SourceError> {
        let failed = || objects_error(|| format!("compose `{}`", text::shown(path)));
        let tree = self.repository.find_tree(id).map_err(failed())?;
        let mut changed = Vec::new();
        for entry in &tree {
            let path = path.join(as_path(entry.name_bytes()));
            let composed = match Kind::of(&entry) {
                Kind::Directory => self.directory(entry.id(), &path, level, addresses)?,
                Kind::Submodule => {
                    let addresses = match addresses {
                        Some(addresses) => addresses,
                        None => addresses.insert(self.addresses(level)?),
                    };
                    self.submodule(entry.id(), &path, level, addresses)?
                }
                _ => continue,
            };
            if composed != entry.id() {
                changed.push((entry.name_bytes().to_vec(), composed));
            }
        }
        if changed.is_empty() {
            return Ok(id);
        }
        let mut builder = self.repository.treebuilder(Some(&tree)).map_err(failed())?;
        for (name, composed) in changed {
            builder.insert(name, composed, 0o040_000).map_err(failed())?;
        }
        builder.write().map_err(failed())
    }

    fn submodule(
        &self,
        id: Oid,
        path: &Path,
        level: &Level<'_>,
        addresses: &HashMap<PathBuf, String>,
    ) -> Result<Oid, SourceError> {
        let commit = CommitId::from_bytes(bytes(id));
        let refused = |reason: String, source| SourceError::Submodule {
            path: text::shown(path),
            commit,
            reason,
            source,
        };
        let inner = path.strip_prefix(level.prefix).unwrap_or(path);
        let address = addresses
            .get(inner)
            .ok_or_else(|| refused("`.gitmodules` has no address for it".into(), None))?;
        let remote = level.remote.of_submodule(address).map_err(|reason| {
            let shown = text::cleaned(&super::url::masked(address));
            refused(format!("its address `{shown}` is refused: {reason}"), None)
        })?;
        if level.depth == DEEPEST {
            return Err(refused("submodules are nested too deeply".into(), None));
        }
        let (copy, root) = fetch_commit(&self.directory, &remote, id).map_err(|error| {
            refused(format!("{remote} does not give it"), Some(Box::new(error)))
        })?;
        self.link(&remote.directory_name())?;
        let depth = level.depth + 1;
        let level = Level { remote: &remote, copy: &copy, root, prefix: path, depth };
        self.directory(root, path, &level, &mut None)
    }

    /// Reads the addresses in the `.gitmodules` of a level, by path.
    fn addresses(&self, level: &Level<'_>) -> Result<HashMap<PathBuf, String>, SourceError> {
        let failed = objects_error(|| "read `.gitmodules`".to_owned());
        let tree = self.repository.find_tree(level.root).map_err(failed)?;
        let Some(file) = tree.get_name(".gitmodules").filter(|e| Kind::of(e) == Kind::File) else {
            return Ok(HashMap::new());
        };
        let (mut paths, mut addresses) = (Vec::new(), HashMap::new());
        for (key, value) in Mirror::settings_in_blob(level.copy, file.id())? {
            let Some((name, variable)) =
                key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.'))
            else {
                continue;
            };
            match variable {
                "path" => paths.push((name.to_owned(), value)),
                "url" => drop(addresses.insert(name.to_owned(), value)),
                _ => {}
            }
        }
        let address = |(name, path): (String, String)| {
            Some((PathBuf::from(path.trim_end_matches('/')), addresses.get(&name)?.clone()))
        };
        Ok(paths.into_iter().filter_map(address).collect())
    }

    /// Makes the objects of a submodule's cache visible, now and whenever this cache is opened.
    fn link(&self, name: &str) -> Result<(), SourceError> {
        if self.linked.borrow().iter().any(|linked| linked == name) {
            return Ok(());
        }
        let objects = self.directory.join(name).join("objects");
        let failed = || objects_error(|| format!("open `{}`", objects.display()));
        let path = objects.to_str().ok_or_else(|| {
            SourceError::file("open", &objects, io::Error::other("the path is not UTF-8"))
        })?;
        self.repository.odb().and_then(|odb| odb.add_disk_alternate(path)).map_err(failed())?;
        self.linked.borrow_mut().push(name.to_owned());
        self.remember(name)
    }

    fn remember(&self, name: &str) -> Result<(), SourceError> {
        let list = self.cache.join(LINKED);
        let failed = |source| SourceError::file("write", &list, source);
        if fs::read_to_string(&list).is_ok_and(|names| names.lines().any(|known| known == name)) {
            return Ok(());
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(&list).map_err(failed)?;
        file.write_all(format!("{name}\n").as_bytes()).map_err(failed)
    }
}

/// Fetches one commit without its history; returns the copy it is in and its tree.
fn fetch_commit(
    directory: &Path,
    remote: &Remote,
    commit: Oid,
) -> Result<(PathBuf, Oid), SourceError> {
    let mirror = Mirror::lock(directory, remote)?;
    if let Some(root) = whole_commit(&mirror, commit)? {
        return Ok((mirror.path().to_owned(), root));
    }
    let by_id = format!("+{commit}:refs/deploy/{commit}");
    if let Err(by_id_failed) = mirror.fetch(&[by_id], History::None) {
        // Some servers give only what a reference points to.
        if mirror.fetch_all().is_err() {
            return Err(by_id_failed);
        }
    }
    match whole_commit(&mirror, commit)? {
        Some(root) => Ok((mirror.path().to_owned(), root)),
        None => {
            Err(SourceError::NoCommit { commit: commit.to_string(), remote: remote.to_string() })
        }
    }
}

/// Returns the tree of a commit when all of it is there; starts over where a part is lost.
fn whole_commit(mirror: &Mirror, commit: Oid) -> Result<Option<Oid>, SourceError> {
    let repository = mirror.open()?;
    let Ok(found) = repository.find_commit(commit) else { return Ok(None) };
    if is_complete(&repository, found.tree_id()) {
        return Ok(Some(found.tree_id()));
    }
    mirror.rebuild()?;
    Ok(None)
}
