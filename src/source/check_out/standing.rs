//! What stands in a directory already, of a tree that was written there before.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, DirEntry, FileType, Metadata},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use git2::Tree;

use super::bytecode::BYTECODE;
use crate::source::{SourceError, trees::Kind};

/// Tells whether an entry of a directory is what is to be there: a directory, a file that was
/// written with the same content, or bytecode that may be of such files. A directory must be
/// the agent's own: what others may change is not walked.
pub(super) fn stays(
    entry: &DirEntry,
    found: FileType,
    before: &Tree<'_>,
    after: &Tree<'_>,
) -> bool {
    let name = entry.file_name();
    let name = name.as_bytes();
    let kind = |tree: &Tree<'_>| tree.get_name_bytes(name).map(|entry| Kind::of(&entry));
    match (kind(before), kind(after)) {
        (Some(Kind::Directory), Some(Kind::Directory)) => found.is_dir() && is_own_entry(entry),
        (None, None) => name == BYTECODE.as_bytes() && found.is_dir() && is_own_entry(entry),
        // Its owner is looked at with its size and time.
        _ => found.is_file() && same_file(name, before, after),
    }
}

/// Tells whether nobody but the agent's user may change an entry.
pub(super) fn is_own_entry(entry: &DirEntry) -> bool {
    entry.metadata().is_ok_and(|found| is_own(&found) && found.mode() & 0o022 == 0)
}

/// Tells whether something belongs to the agent's user, who alone writes releases.
pub(super) fn is_own(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

/// Tells whether both trees have a file of this name, with the same content and mode.
pub(super) fn same_file(name: &[u8], before: &Tree<'_>, after: &Tree<'_>) -> bool {
    let of = |tree: &Tree<'_>| {
        let entry = tree.get_name_bytes(name)?;
        let kind = Kind::of(&entry);
        matches!(kind, Kind::File | Kind::Executable).then(|| (kind, entry.id()))
    };
    of(before).is_some_and(|before| of(after) == Some(before))
}

/// Empties a directory of all that does not stay, and returns the names of what does.
pub(super) fn remove_all_but(
    directory: &Path,
    stays: impl Fn(&DirEntry, FileType) -> bool,
) -> Result<HashSet<OsString>, SourceError> {
    let failed = |source| SourceError::file("list", directory, source);
    let mut left = HashSet::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let found = entry.file_type().map_err(failed)?;
        if stays(&entry, found) {
            left.insert(entry.file_name());
            continue;
        }
        let path = entry.path();
        if found.is_dir() { remove_directory(&path)? } else { remove_file(&path)? }
    }
    Ok(left)
}

pub(super) fn remove_directory(path: &Path) -> Result<(), SourceError> {
    fs::remove_dir_all(path).map_err(|source| SourceError::file("remove", path, source))
}

pub(super) fn remove_file(path: &Path) -> Result<(), SourceError> {
    fs::remove_file(path).map_err(|source| SourceError::file("remove", path, source))
}
