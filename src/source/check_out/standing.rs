//! What stands in a directory already, of a tree that was written there before.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs::{self, FileType},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use git2::Tree;

use super::bytecode::BYTECODE;
use crate::source::{SourceError, trees::Kind};

/// Tells whether an entry of a directory is what is to be there: a directory, a file that was
/// written with the same content, or bytecode that may be of such files.
pub(super) fn stays(name: &OsStr, found: FileType, before: &Tree<'_>, after: &Tree<'_>) -> bool {
    let kind = |tree: &Tree<'_>| tree.get_name_bytes(name.as_bytes()).map(|entry| Kind::of(&entry));
    match (kind(before), kind(after)) {
        (Some(Kind::Directory), Some(Kind::Directory)) => found.is_dir(),
        (None, None) => name == BYTECODE && found.is_dir(),
        _ => found.is_file() && same_file(name.as_bytes(), before, after),
    }
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
    stays: impl Fn(&OsStr, FileType) -> bool,
) -> Result<HashSet<OsString>, SourceError> {
    let failed = |source| SourceError::file("list", directory, source);
    let mut left = HashSet::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (name, found) = (entry.file_name(), entry.file_type().map_err(failed)?);
        if stays(&name, found) {
            left.insert(name);
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
