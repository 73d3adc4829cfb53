//! The objects a server has: receives packs, and forgets what no release needs.

use std::{
    cell::Cell,
    collections::HashSet,
    fs::{self, File},
    io::{Read, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use git2::{Indexer, Repository};

use super::{
    SourceError, TreeId,
    pack::{is_pack_file, write_pack},
    trees::{is_complete, objects_error, oid, reach},
};

/// How many packs a store may have before they are made one: as many as Git's own
/// `gc.autoPackLimit`.
const MOST_PACKS: usize = 50;
/// How much of a pack is read at once, in bytes.
const CHUNK: usize = 128 * 1024;

/// How directories begin that hold a pack which is not finished.
const INCOMING: &str = "incoming-";

/// A bare repository that holds trees and files, and no history.
pub struct Store {
    pub(super) path: PathBuf,
    pub(super) repository: Repository,
}

impl Store {
    /// Opens the store at a path, or makes an empty one.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open_or_create(path: &Path) -> Result<Self, SourceError> {
        let repository = Repository::open_bare(path).or_else(|_| {
            // What a crash left half made is completed.
            let mut options = git2::RepositoryInitOptions::new();
            options.bare(true).external_template(false).initial_head("main");
            Repository::init_opts(path, &options)
        });
        let failed = objects_error(|| format!("open `{}`", path.display()));
        Ok(Self { path: path.to_owned(), repository: repository.map_err(failed)? })
    }

    /// Takes a pack in: checked whole, then visible, and on disk when this returns.
    ///
    /// An empty stream is a pack without objects. Returns the number of objects.
    ///
    /// # Errors
    /// When the pack is damaged, or names objects that are neither in it nor here.
    pub fn receive(&self, mut reader: impl Read) -> Result<usize, SourceError> {
        let failed = || objects_error(|| "read the pack".to_owned());
        let objects = Cell::new(0);
        let directory = self.temporary_directory()?;
        let odb = self.repository.odb().map_err(failed())?;
        let mut indexer =
            Indexer::new(Some(&odb), directory.path(), 0o444, true).map_err(failed())?;
        indexer.progress(|progress| {
            objects.set(progress.total_objects());
            true
        });
        let mut chunk = vec![0; CHUNK];
        let mut size = 0;
        loop {
            let read = reader
                .read(&mut chunk)
                .map_err(|source| SourceError::file("receive a pack into", &self.path, source))?;
            if read == 0 {
                break;
            }
            size += read;
            indexer.write_all(&chunk[..read]).map_err(|source| {
                SourceError::file("write a pack into", directory.path(), source)
            })?;
        }
        if size == 0 {
            return Ok(0);
        }
        indexer.commit().map_err(failed())?;
        self.publish(directory.path())?;
        Ok(objects.get())
    }

    /// Tells whether a tree is here with all it leads to.
    #[must_use]
    pub fn has_tree(&self, tree: TreeId) -> bool {
        is_complete(&self.repository, oid(tree.as_bytes()))
    }

    /// Drops what broken-off transfers left and, once that is worth writing all anew, what
    /// none of the trees leads to ([`Store::keep_only`]).
    ///
    /// # Errors
    /// As [`Store::keep_only`].
    pub fn tidy(&mut self, trees: &[TreeId]) -> Result<(), SourceError> {
        if self.is_worth_repacking()? { self.keep_only(trees) } else { self.remove_leftovers() }
    }

    /// A deploy brings a small pack: many of them are slow to look through, and large ones
    /// may be of releases that are gone.
    fn is_worth_repacking(&self) -> Result<bool, SourceError> {
        let mut packs = self.pack_files()?;
        packs.retain(|path| path.extension().is_some_and(|extension| extension == "pack"));
        let size = |path: &PathBuf| {
            fs::metadata(path)
                .map(|data| data.len())
                .map_err(|source| SourceError::file("look at", path, source))
        };
        let sizes = packs.iter().map(size).collect::<Result<Vec<_>, _>>()?;
        let largest = sizes.iter().max().copied().unwrap_or_default();
        let others = sizes.iter().sum::<u64>() - largest;
        Ok(sizes.len() > MOST_PACKS || others >= largest)
    }

    /// Drops everything that none of the trees leads to, and what broken-off transfers left.
    ///
    /// What is kept is written anew, and on disk, before the old packs go. Trees
    /// that are not here are ignored. Nothing may be received meanwhile.
    ///
    /// # Errors
    /// When a tree that is here lacks objects, or the disk is full: nothing is lost then.
    pub fn keep_only(&mut self, trees: &[TreeId]) -> Result<(), SourceError> {
        let failed = || objects_error(|| "repack the object store".to_owned());
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for tree in trees {
            let id = oid(tree.as_bytes());
            if self.repository.find_tree(id).is_err() {
                continue;
            }
            if !self.has_tree(*tree) {
                return Err(SourceError::Incomplete { tree: *tree, store: self.path.clone() });
            }
            kept.extend(reach(&self.repository, id, &mut seen, false).map_err(failed())?);
        }
        self.remove_leftovers()?;
        let old = self.pack_files()?;
        let mut new = None;
        if !kept.is_empty() {
            let directory = self.temporary_directory()?;
            let failed_file = |source| SourceError::file("write", directory.path(), source);
            let mut file = tempfile::tempfile_in(directory.path()).map_err(failed_file)?;
            write_pack(&self.repository, &kept, &mut file)
                .map_err(failed())?
                .map_err(failed_file)?;
            file.rewind().map_err(failed_file)?;
            let mut indexer =
                Indexer::new(None, directory.path(), 0o444, false).map_err(failed())?;
            std::io::copy(&mut file, &mut indexer).map_err(failed_file)?;
            new = Some(format!("pack-{}", indexer.commit().map_err(failed())?));
            self.publish(directory.path())?;
        }
        self.remove(
            old.into_iter().filter(|path| path.file_stem() != new.as_deref().map(AsRef::as_ref)),
        )?;
        // The open handle would go on reading the packs that are gone.
        self.repository = Repository::open_bare(&self.path).map_err(failed())?;
        Ok(())
    }

    /// Moves a finished pack among the others: the index, which makes it visible, last.
    fn publish(&self, from: &Path) -> Result<(), SourceError> {
        let packs = self.packs();
        let failed = |source| SourceError::file("write a pack into", &packs, source);
        fs::create_dir_all(&packs).map_err(failed)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(from).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if is_pack_file(&path) {
                File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
                files.push(path);
            }
        }
        files.sort_by_key(|path| path.extension() == Some("idx".as_ref()));
        for path in files {
            let name = path.file_name().expect("a listed file has a name");
            fs::rename(&path, packs.join(name)).map_err(failed)?;
        }
        File::open(&packs).and_then(|directory| directory.sync_all()).map_err(failed)?;
        let refreshed = self.repository.odb().and_then(|odb| odb.refresh());
        refreshed.map_err(objects_error(|| "read the new pack".to_owned()))
    }

    /// Removes packs, each index first: an index without its pack would be an error.
    fn remove(&self, files: impl Iterator<Item = PathBuf>) -> Result<(), SourceError> {
        let mut files: Vec<_> = files.collect();
        files.sort_by_key(|path| path.extension() != Some("idx".as_ref()));
        for path in files {
            fs::remove_file(&path).map_err(|source| SourceError::file("remove", &path, source))?;
        }
        Ok(())
    }

    fn pack_files(&self) -> Result<Vec<PathBuf>, SourceError> {
        let packs = self.packs();
        let failed = |source| SourceError::file("list", &packs, source);
        let mut files = Vec::new();
        for entry in fs::read_dir(&packs).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if is_pack_file(&path) {
                files.push(path);
            }
        }
        Ok(files)
    }

    fn remove_leftovers(&self) -> Result<(), SourceError> {
        let failed = |source| SourceError::file("tidy", &self.path, source);
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(INCOMING) {
                fs::remove_dir_all(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn packs(&self) -> PathBuf {
        self.path.join("objects/pack")
    }

    fn temporary_directory(&self) -> Result<tempfile::TempDir, SourceError> {
        tempfile::Builder::new()
            .prefix(INCOMING)
            .tempdir_in(&self.path)
            .map_err(|source| SourceError::file("make a directory in", &self.path, source))
    }
}
