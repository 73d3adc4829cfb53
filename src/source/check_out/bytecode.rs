//! Bytecode of Python files that are unchanged since it was compiled.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, FileType},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use git2::Tree;

use super::{
    Shared, create_directory, set_mode,
    standing::{remove_all_but, same_file},
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
    let is_of = |before: &Tree<'_>, name: &OsStr, found: FileType| {
        let is_same = |source: Vec<u8>| same_file(&source, before, tree);
        found.is_file() && source_of(name).is_some_and(is_same)
    };
    let stays = match standing {
        Some(standing) => {
            set_mode(&directory)?;
            remove_all_but(&directory, |name, found| is_of(standing, name, found))?
        }
        None => HashSet::new(),
    };
    let sources = tree.iter().filter(|entry| entry.name_bytes().ends_with(b".py")).count();
    let Some(previous) = previous.filter(|_| stays.len() < sources) else { return Ok(Vec::new()) };
    // A release without any has none to share.
    let entries = fs::read_dir(previous.directory.join(BYTECODE)).into_iter().flatten().flatten();
    let links: Vec<_> = entries
        .filter(|entry| !stays.contains(&entry.file_name()))
        .filter(|entry| {
            let found = entry.file_type();
            found.is_ok_and(|found| is_of(&previous.tree, &entry.file_name(), found))
        })
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
