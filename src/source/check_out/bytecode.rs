//! Bytecode of Python files that are unchanged since it was compiled.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, DirEntry, FileType},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use git2::Tree;

use super::{
    Shared, create_directory, set_mode,
    standing::{is_own_entry, remove_all_but, same_file},
};
use crate::source::SourceError;

/// Where Python looks for the bytecode of a directory's files.
pub(super) const BYTECODE: &str = "__pycache__";

/// Keeps what stands in a directory, and returns the hard links that bring what the earlier
/// release has besides.
pub(super) fn keep(
    tree: &Tree<'_>,
    directory: &Path,
    previous: Option<&Shared<'_>>,
    standing: Option<&Tree<'_>>,
) -> Result<Vec<(PathBuf, PathBuf)>, SourceError> {
    let directory = directory.join(BYTECODE);
    let holds = |before: &Tree<'_>, entry: &DirEntry, found: FileType| {
        let is_same = |source: Vec<u8>| same_file(&source, before, tree);
        found.is_file() && source_of(&entry.file_name()).is_some_and(is_same) && is_own_entry(entry)
    };
    let stays = match standing {
        Some(standing) => {
            set_mode(&directory)?;
            remove_all_but(&directory, |entry, found| holds(standing, entry, found))?
        }
        None => HashSet::new(),
    };
    let is_compiled = |previous: &&Shared<'_>| previous.tree.get_name(BYTECODE).is_none();
    let Some(previous) = previous.filter(is_compiled) else { return Ok(Vec::new()) };
    // A release without any has none to share.
    let entries = fs::read_dir(previous.directory.join(BYTECODE)).into_iter().flatten().flatten();
    let links: Vec<_> = entries
        .filter(|entry| !stays.contains(&entry.file_name()))
        .filter(|entry| entry.file_type().is_ok_and(|found| holds(&previous.tree, entry, found)))
        .map(|entry| (entry.path(), directory.join(entry.file_name())))
        .collect();
    if standing.is_none() && !links.is_empty() {
        create_directory(&directory)?;
    }
    Ok(links)
}

/// Returns the name of the file that bytecode is of: `order.cpython-313.pyc` is of `order.py`.
fn source_of(bytecode: &OsStr) -> Option<Vec<u8>> {
    let name = bytecode.as_bytes().strip_suffix(b".pyc")?;
    let tag = name.iter().rposition(|byte| *byte == b'.')?;
    Some([&name[..tag], b".py"].concat())
}
