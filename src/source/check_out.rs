//! Writes a tree into a release's directory.

mod bytecode;
mod standing;

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write as _},
    iter::Sum,
    num::NonZero,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{
            DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink,
        },
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use git2::{Odb, Oid, Repository, Tree};
use serde::{Deserialize, Serialize};

use self::{
    bytecode::BYTECODE,
    standing::{is_own, remove_all_but, remove_directory, remove_file, stays},
};
use super::{
    SourceError, Store, TreeId, text,
    tree::as_path,
    trees::{Kind, Lead, follow, is_writable, objects_error, oid},
};

/// 2001-01-01T00:00:00Z, in seconds since the epoch: where the mtimes of released files begin.
const FIRST_MTIME: u64 = 978_307_200;

/// How many seconds later they end (2018-01-05): never in the future.
const MTIMES: u32 = 1 << 29;

/// How many threads write files at most: with more the disk decides.
const MOST_THREADS: usize = 8;

/// How many files are worth a thread.
const SMALLEST_SHARE: usize = 256;

/// An earlier release whose unchanged files can be shared.
#[derive(Debug, Clone, Copy)]
pub struct Previous<'a> {
    /// The directory its tree was written into.
    pub directory: &'a Path,
    /// The tree.
    pub tree: TreeId,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedOut {
    /// Files and symbolic links, unchanged ones included.
    pub files: usize,
    /// Files that an earlier release had: hard links to its own, or those that stood there.
    pub unchanged: usize,
    /// Bytes written into new files.
    pub bytes: u64,
}

impl Store {
    /// Writes a tree into a directory, which is made or must be empty.
    ///
    /// A file's mtime depends on its content only. Files that the earlier release has
    /// unchanged, also on its disk, become hard links, and so does the bytecode of such
    /// files. Nothing is synced.
    ///
    /// # Errors
    /// When an object is missing, a name or link would leave the directory, or writing fails.
    pub fn check_out(
        &self,
        tree: TreeId,
        directory: &Path,
        previous: Option<Previous<'_>>,
    ) -> Result<CheckedOut, SourceError> {
        make_empty(directory)?;
        self.fill(tree, directory, previous, None)
    }

    /// Writes a tree over another one that was checked out into a directory: little is to be
    /// done where they differ little.
    ///
    /// The directory holds the tree afterwards and nothing else than bytecode of its files,
    /// whatever was done to it since, and also where the earlier tree is not known any more.
    /// Files are never written into, but replaced: other releases may share them. Nothing is
    /// synced.
    ///
    /// # Errors
    /// As [`Store::check_out`].
    pub fn check_out_over(
        &self,
        tree: TreeId,
        directory: &Path,
        standing: TreeId,
        previous: Option<Previous<'_>>,
    ) -> Result<CheckedOut, SourceError> {
        set_mode(directory)?;
        let standing = self.repository.find_tree(oid(standing.as_bytes())).ok();
        if standing.is_none() {
            remove_all_but(directory, |_, _| false)?;
        }
        self.fill(tree, directory, previous, standing.as_ref())
    }

    fn fill(
        &self,
        tree: TreeId,
        directory: &Path,
        previous: Option<Previous<'_>>,
        standing: Option<&Tree<'_>>,
    ) -> Result<CheckedOut, SourceError> {
        let root = oid(tree.as_bytes());
        let mut writer = Writer { repository: &self.repository, root, links: 0, tasks: Vec::new() };
        let place = Place { inner: PathBuf::new(), directory: directory.to_owned() };
        let previous = previous.and_then(|previous| {
            let tree = self.repository.find_tree(oid(previous.tree.as_bytes())).ok()?;
            Some(Shared { tree, directory: previous.directory.to_owned() })
        });
        writer.directory(root, &place, previous.as_ref(), standing)?;
        let Writer { links, tasks, .. } = writer;
        let mut done = self.write_files(&tasks)?;
        done.files += links;
        Ok(done)
    }

    /// Writes files by several threads: most of the work is the kernel's, which makes links in
    /// several directories at once.
    fn write_files(&self, tasks: &[Task]) -> Result<CheckedOut, SourceError> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        let share = tasks.len().div_ceil(threads).max(SMALLEST_SHARE);
        let path = &self.path;
        thread::scope(|scope| {
            let shares: Vec<_> = tasks
                .chunks(share)
                // A repository is one thread's.
                .map(|share| scope.spawn(|| Self::open_or_create(path)?.write_share(share)))
                .collect();
            let written = shares
                .into_iter()
                .map(|share| share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            written.sum()
        })
    }

    fn write_share(&self, tasks: &[Task]) -> Result<CheckedOut, SourceError> {
        let odb = self.repository.odb();
        let odb = odb.map_err(objects_error(|| "read the object store".to_owned()))?;
        let done = |task: &Task| match task {
            Task::File(file) => file.write(&odb),
            Task::Bytecode { from, to } => {
                // Without it, Python compiles the file at every start.
                let _ = fs::hard_link(from, to);
                Ok(CheckedOut::default())
            }
        };
        tasks.iter().map(done).sum()
    }
}

/// Returns the mtime of a released file, from its content's id.
fn mtime(id: Oid) -> SystemTime {
    // The last 29 bits of a big-endian number are its value modulo 2^29.
    let last: [u8; 4] = id.as_bytes()[16..20].try_into().expect("an id has twenty bytes");
    let offset = u32::from_be_bytes(last) % MTIMES;
    UNIX_EPOCH + Duration::from_secs(FIRST_MTIME + u64::from(offset))
}

/// Where something is written: below the root of the tree, and on disk.
struct Place {
    inner: PathBuf,
    directory: PathBuf,
}

impl Place {
    fn join(&self, name: &[u8]) -> Self {
        let name = as_path(name);
        Self { inner: self.inner.join(&name), directory: self.directory.join(&name) }
    }
}

/// A directory of the earlier release.
struct Shared<'a> {
    tree: Tree<'a>,
    directory: PathBuf,
}

/// Makes directories and links, and lists the files.
struct Writer<'a> {
    repository: &'a Repository,
    root: Oid,
    links: usize,
    tasks: Vec<Task>,
}

/// Something to be put into a directory that is there.
enum Task {
    File(FileToWrite),
    /// Bytecode of an unchanged file, by a hard link.
    Bytecode {
        from: PathBuf,
        to: PathBuf,
    },
}

/// A file that is to be written into a directory that is there.
struct FileToWrite {
    id: Oid,
    kind: Kind,
    place: Place,
    /// The file of the earlier release that has the same content, as it was written.
    same: Option<PathBuf>,
    /// A file with this content was written there before.
    stands: bool,
}

impl Writer<'_> {
    fn directory(
        &mut self,
        id: Oid,
        place: &Place,
        previous: Option<&Shared<'_>>,
        standing: Option<&Tree<'_>>,
    ) -> Result<(), SourceError> {
        let repository = self.repository;
        let tree = repository.find_tree(id).map_err(unreadable(place))?;
        let stays = match standing {
            Some(standing) => remove_all_but(&place.directory, |entry, found| {
                stays(entry, found, standing, &tree)
            })?,
            None => HashSet::new(),
        };
        if tree.get_name(BYTECODE).is_none() {
            let standing = standing.filter(|_| stays.contains(OsStr::new(BYTECODE)));
            let tasks = bytecode::keep(&tree, &place.directory, previous, standing)?;
            self.tasks.extend(tasks.into_iter().map(|(from, to)| Task::Bytecode { from, to }));
        }
        for entry in &tree {
            let name = entry.name_bytes();
            let place = place.join(name);
            if !is_writable(name) {
                return Err(SourceError::HostileName { path: text::shown(&place.inner) });
            }
            let before = previous.and_then(|previous| {
                previous.tree.get_name_bytes(name).map(|entry| (entry, previous))
            });
            let kind = Kind::of(&entry);
            let stands = stays.contains(OsStr::from_bytes(name));
            match kind {
                Kind::Directory => {
                    let standing = standing
                        .filter(|_| stands)
                        .and_then(|standing| standing.get_name_bytes(name))
                        .and_then(|entry| repository.find_tree(entry.id()).ok());
                    if standing.is_some() {
                        set_mode(&place.directory)?;
                    } else {
                        if stands {
                            remove_directory(&place.directory)?;
                        }
                        create_directory(&place.directory)?;
                    }
                    let below = before
                        .filter(|(entry, _)| Kind::of(entry) == Kind::Directory)
                        .and_then(|(entry, previous)| {
                            let tree = repository.find_tree(entry.id()).ok()?;
                            Some(Shared { tree, directory: previous.directory.join(as_path(name)) })
                        });
                    self.directory(entry.id(), &place, below.as_ref(), standing.as_ref())?;
                }
                Kind::Link => self.link(entry.id(), &place)?,
                Kind::Submodule => {
                    return Err(SourceError::HostileName { path: text::shown(&place.inner) });
                }
                Kind::File | Kind::Executable => {
                    let same = before
                        .filter(|(old, _)| old.id() == entry.id() && Kind::of(old) == kind)
                        .map(|(_, previous)| previous.directory.join(as_path(name)));
                    let id = entry.id();
                    self.tasks.push(Task::File(FileToWrite { id, kind, place, same, stands }));
                }
            }
        }
        Ok(())
    }

    fn link(&mut self, id: Oid, place: &Place) -> Result<(), SourceError> {
        let target = self.repository.find_blob(id).map_err(unreadable(place))?;
        let lead = follow(self.repository, self.root, &place.inner).map_err(unreadable(place))?;
        if matches!(lead, Lead::Outside) {
            return Err(SourceError::LinkLeaves {
                path: text::shown(&place.inner),
                target: text::cleaned(&String::from_utf8_lossy(target.content())),
            });
        }
        self.links += 1;
        symlink(as_path(target.content()), &place.directory)
            .map_err(|source| SourceError::file("write the link", &place.directory, source))
    }
}

impl Sum for CheckedOut {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |all, part| Self {
            files: all.files + part.files,
            unchanged: all.unchanged + part.unchanged,
            bytes: all.bytes + part.bytes,
        })
    }
}

impl FileToWrite {
    fn write(&self, odb: &Odb<'_>) -> Result<CheckedOut, SourceError> {
        let Self { id, kind, place, same, stands } = self;
        let mode = if *kind == Kind::Executable { 0o755 } else { 0o644 };
        let unchanged = CheckedOut { files: 1, unchanged: 1, bytes: 0 };
        if *stands || same.is_some() {
            let (size, _) = odb.read_header(*id).map_err(unreadable(place))?;
            let is_untouched = |path: &Path| is_untouched(path, size, mtime(*id), mode);
            if *stands {
                if is_untouched(&place.directory) {
                    return Ok(unchanged);
                }
                remove_file(&place.directory)?;
            }
            let linked = |same: &PathBuf| {
                is_untouched(same) && fs::hard_link(same, &place.directory).is_ok()
            };
            if same.as_ref().is_some_and(linked) {
                return Ok(unchanged);
            }
        }
        let object = odb.read(*id).map_err(unreadable(place))?;
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create_new(true).mode(mode).open(&place.directory)?;
            file.write_all(object.data())?;
            file.set_permissions(Permissions::from_mode(mode))?;
            file.set_modified(mtime(*id))
        };
        write().map_err(|source| SourceError::file("write", &place.directory, source))?;
        Ok(CheckedOut { files: 1, unchanged: 0, bytes: object.len() as u64 })
    }
}

fn unreadable(place: &Place) -> impl FnOnce(git2::Error) -> SourceError {
    let operation = format!("read `{}` from the object store", text::shown(&place.inner));
    objects_error(|| operation)
}

/// Tells whether a file is still as it was written.
fn is_untouched(path: &Path, size: usize, mtime: SystemTime, mode: u32) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| {
        found.is_file()
            && is_own(&found)
            && found.len() == size as u64
            && found.modified().is_ok_and(|modified| modified == mtime)
            && found.mode() & 0o7777 == mode
    })
}

fn make_empty(directory: &Path) -> Result<(), SourceError> {
    let failed = |source| SourceError::file("list", directory, source);
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => set_mode(directory),
            Some(Ok(_)) => Err(SourceError::NotEmpty { directory: directory.to_owned() }),
            Some(Err(error)) => Err(failed(error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => create_directory(directory),
        Err(error) => Err(failed(error)),
    }
}

fn create_directory(path: &Path) -> Result<(), SourceError> {
    let created = DirBuilder::new().mode(0o755).create(path);
    created.map_err(|source| SourceError::file("make the directory", path, source))?;
    set_mode(path)
}

/// Opens a directory up to Odoo, whatever a strict umask, or somebody, took away.
fn set_mode(directory: &Path) -> Result<(), SourceError> {
    const MODE: u32 = 0o755;
    let set = || -> io::Result<()> {
        let opened = File::open(directory)?;
        if opened.metadata()?.mode() & 0o7777 == MODE {
            return Ok(());
        }
        opened.set_permissions(Permissions::from_mode(MODE))
    };
    set().map_err(|source| SourceError::file("open up the directory", directory, source))
}
