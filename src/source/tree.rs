//! One commit's tree, its submodules in it.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use git2::{DiffOptions, ObjectType, Oid, TreeWalkMode, TreeWalkResult};

use super::{
    BlobId, CommitId, FileChange, Remote, SourceError, TreeId, inspect,
    submodules::Composer,
    text,
    trees::{Kind, Lead, bytes, follow, objects_error, oid},
};

/// The files of one commit, submodules included, checked to be deployable.
pub struct SourceTree {
    pub(super) repository: git2::Repository,
    id: TreeId,
    commit: CommitId,
}

impl SourceTree {
    /// Composes the tree of a commit of the cache at `path`.
    pub(super) fn compose(
        directory: &Path,
        path: &Path,
        remote: &Remote,
        commit: CommitId,
    ) -> Result<Self, SourceError> {
        let composer = Composer::new(directory, path)?;
        let root = composer.compose(remote, commit)?;
        let repository = composer.into_repository();
        inspect::inspect(&repository, root)?;
        Ok(Self { repository, id: TreeId::from_bytes(bytes(root)), commit })
    }

    /// Opens a tree that was composed, and checked, before; none where it is not there any more.
    pub(super) fn open(
        directory: &Path,
        path: &Path,
        commit: CommitId,
        id: TreeId,
    ) -> Option<Self> {
        let repository = Composer::new(directory, path).ok()?.into_repository();
        let is_there = repository.find_tree(oid(id.as_bytes())).is_ok();
        is_there.then_some(Self { repository, id, commit })
    }

    /// Returns the id of the composed tree: equal for equal content.
    #[must_use]
    pub const fn id(&self) -> TreeId {
        self.id
    }

    /// Returns the commit it was composed from.
    #[must_use]
    pub const fn commit(&self) -> CommitId {
        self.commit
    }

    /// Reads a file, links followed; none where there is no such file.
    ///
    /// # Errors
    /// When the objects cannot be read.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, SourceError> {
        match self.lead(path)? {
            Some((id, Kind::File | Kind::Executable)) => self.content(id).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads the content of a file by its id.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn blob(&self, id: BlobId) -> Result<Vec<u8>, SourceError> {
        self.content(oid(id.as_bytes()))
    }

    /// Lists the files directly in a directory, sorted; none where it is missing.
    ///
    /// # Errors
    /// When the objects cannot be read.
    pub fn files(&self, directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
        let is_file = |kind| matches!(kind, Kind::File | Kind::Executable);
        let children = self.children(directory)?.into_iter();
        Ok(children.filter(|(_, _, kind)| is_file(*kind)).map(|(path, _, _)| path).collect())
    }

    /// Tells whether the path is a directory.
    ///
    /// # Errors
    /// When the objects cannot be read.
    pub fn has_directory(&self, path: &Path) -> Result<bool, SourceError> {
        Ok(matches!(self.lead(path)?, Some((_, Kind::Directory))))
    }

    /// Lists the files that differ between two trees known to the cache, sorted by path.
    /// A moved file is one that is gone and one that is new.
    ///
    /// # Errors
    /// When one of the trees is not known.
    pub fn changes(&self, old: TreeId, new: TreeId) -> Result<Vec<FileChange>, SourceError> {
        let failed = || objects_error(|| format!("compare tree {old} with {new}"));
        let tree = |id: TreeId| self.repository.find_tree(oid(id.as_bytes())).map_err(failed());
        let mut options = DiffOptions::new();
        options.include_typechange(true).ignore_submodules(true).context_lines(0);
        let diff = self
            .repository
            .diff_tree_to_tree(Some(&tree(old)?), Some(&tree(new)?), Some(&mut options))
            .map_err(failed())?;
        let id =
            |file: &git2::DiffFile<'_>| file.exists().then(|| BlobId::from_bytes(bytes(file.id())));
        let change = |delta: git2::DiffDelta<'_>| FileChange {
            path: as_path(
                delta.new_file().path_bytes().or(delta.old_file().path_bytes()).unwrap_or_default(),
            ),
            old: id(&delta.old_file()),
            new: id(&delta.new_file()),
        };
        let mut changes: Vec<_> = diff.deltas().map(change).collect();
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }

    /// Lists every file below a tree known to the cache, by its path in it.
    ///
    /// # Errors
    /// When the tree is not known.
    pub fn files_below(&self, tree: TreeId) -> Result<Vec<(PathBuf, BlobId)>, SourceError> {
        let failed = || objects_error(|| format!("read tree {tree}"));
        let tree = self.repository.find_tree(oid(tree.as_bytes())).map_err(failed())?;
        let mut files = Vec::new();
        tree.walk(TreeWalkMode::PreOrder, |directory, entry| {
            if entry.kind() == Some(ObjectType::Blob) {
                let path = Path::new(directory).join(as_path(entry.name_bytes()));
                files.push((path, BlobId::from_bytes(bytes(entry.id()))));
            }
            TreeWalkResult::Ok
        })
        .map_err(failed())?;
        Ok(files)
    }

    /// Lists what is directly in a directory, links followed, sorted by name.
    pub(super) fn children(
        &self,
        directory: &Path,
    ) -> Result<Vec<(PathBuf, Oid, Kind)>, SourceError> {
        let Some((id, Kind::Directory)) = self.lead(directory)? else { return Ok(Vec::new()) };
        let tree = self.repository.find_tree(id).map_err(self.failed(directory))?;
        let mut children = Vec::new();
        for entry in &tree {
            let path = directory.join(as_path(entry.name_bytes()));
            if Kind::of(&entry) != Kind::Link {
                children.push((path, entry.id(), Kind::of(&entry)));
            } else if let Some((id, kind)) = self.lead(&path)? {
                children.push((path, id, kind));
            }
        }
        children.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(children)
    }

    /// Returns what a path leads to, if anything.
    pub(super) fn lead(&self, path: &Path) -> Result<Option<(Oid, Kind)>, SourceError> {
        let root = oid(self.id.as_bytes());
        match follow(&self.repository, root, path).map_err(self.failed(path))? {
            Lead::To(id, kind) => Ok(Some((id, kind))),
            Lead::Nowhere | Lead::Outside => Ok(None),
        }
    }

    pub(super) fn content(&self, id: Oid) -> Result<Vec<u8>, SourceError> {
        let blob = self.repository.find_blob(id);
        let blob = blob.map_err(objects_error(|| {
            format!("read object {id} from `{}`", self.repository.path().display())
        }))?;
        Ok(blob.content().to_vec())
    }

    pub(super) fn failed(&self, path: &Path) -> impl FnOnce(git2::Error) -> SourceError {
        let operation = format!(
            "read `{}` at commit {} from `{}`",
            text::shown(path),
            self.commit.short(),
            self.repository.path().display()
        );
        objects_error(|| operation)
    }
}

pub(super) fn as_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}
