//! Walks over trees: what is in them, what is missing, where links lead.

use std::{
    collections::{HashSet, VecDeque},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use git2::{ObjectType, Odb, Oid, Repository, TreeEntry};

use super::SourceError;

/// Linux follows as many links before it gives up.
const MOST_LINKS: usize = 40;

/// What a tree's entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    Executable,
    Link,
    Submodule,
}

impl Kind {
    pub(super) fn of(entry: &TreeEntry<'_>) -> Self {
        let mode = entry.filemode_raw();
        match mode & 0o170_000 {
            0o040_000 => Self::Directory,
            0o120_000 => Self::Link,
            0o160_000 => Self::Submodule,
            _ if mode & 0o100 != 0 => Self::Executable,
            _ => Self::File,
        }
    }
}

/// Where a path leads after its links are followed.
pub(super) enum Lead {
    /// To a directory or a file.
    To(Oid, Kind),
    /// To nothing, but inside the tree.
    Nowhere,
    /// Out of the tree.
    Outside,
}

pub(super) fn oid(bytes: &[u8; 20]) -> Oid {
    Oid::from_bytes(bytes).expect("twenty bytes are an id")
}

pub(super) fn bytes(id: Oid) -> [u8; 20] {
    id.as_bytes().try_into().expect("an id has twenty bytes")
}

/// Names what was tried when Git's objects fail.
pub(super) fn objects_error(
    operation: impl FnOnce() -> String,
) -> impl FnOnce(git2::Error) -> SourceError {
    move |source| SourceError::Objects { operation: operation(), source }
}

/// Refuses names that mean something else once they are in a path.
pub(super) fn is_writable(name: &[u8]) -> bool {
    !name.is_empty()
        && name != b"."
        && name != b".."
        && !name.contains(&b'/')
        && !name.eq_ignore_ascii_case(b".git")
}

/// Tells whether a tree and all it leads to are there.
pub(super) fn is_complete(repository: &Repository, root: Oid) -> bool {
    let Ok(odb) = repository.odb() else { return false };
    let mut seen = HashSet::new();
    let is_tree = odb.read_header(root).is_ok_and(|(_, kind)| kind == ObjectType::Tree);
    is_tree && all_there(repository, &odb, root, &mut seen)
}

fn all_there(repository: &Repository, odb: &Odb<'_>, tree: Oid, seen: &mut HashSet<Oid>) -> bool {
    if !seen.insert(tree) {
        return true;
    }
    let Ok(tree) = repository.find_tree(tree) else { return false };
    tree.iter().all(|entry| match Kind::of(&entry) {
        Kind::Directory => all_there(repository, odb, entry.id(), seen),
        Kind::Submodule => true,
        _ => !seen.insert(entry.id()) || odb.exists(entry.id()),
    })
}

/// One object below a tree, with the name it has there.
pub(super) struct Reached {
    pub(super) id: Oid,
    pub(super) name: Vec<u8>,
}

/// Lists the trees and blobs that a tree leads to and that are not in `seen`, and adds them to it.
///
/// # Errors
/// When a tree is missing; where `skip_missing`, it is left out with all below it.
pub(super) fn reach(
    repository: &Repository,
    root: Oid,
    seen: &mut HashSet<Oid>,
    skip_missing: bool,
) -> Result<Vec<Reached>, git2::Error> {
    let mut reached = Vec::new();
    let mut open = vec![Reached { id: root, name: Vec::new() }];
    while let Some(next) = open.pop() {
        if seen.contains(&next.id) {
            continue;
        }
        let tree = match repository.find_tree(next.id) {
            Ok(tree) => tree,
            Err(_) if skip_missing => continue,
            Err(error) => return Err(error),
        };
        seen.insert(next.id);
        reached.push(next);
        for entry in &tree {
            let found = Reached { id: entry.id(), name: entry.name_bytes().to_vec() };
            match Kind::of(&entry) {
                Kind::Directory => open.push(found),
                Kind::Submodule => {}
                _ => {
                    if seen.insert(found.id) {
                        reached.push(found);
                    }
                }
            }
        }
    }
    Ok(reached)
}

/// Follows a path from the root of a tree, links included, as the kernel would in a checkout.
pub(super) fn follow(repository: &Repository, root: Oid, path: &Path) -> Result<Lead, git2::Error> {
    let mut open: VecDeque<Vec<u8>> = parts(path.as_os_str().as_bytes()).collect();
    // The directories from the root to where we stand; none is one that does not exist.
    let mut stack = vec![Some((root, Kind::Directory))];
    let mut links = 0;
    while let Some(part) = open.pop_front() {
        if part == b".." {
            stack.pop();
            if stack.is_empty() {
                return Ok(Lead::Outside);
            }
            continue;
        }
        let entry = match stack.last() {
            Some(Some((id, Kind::Directory))) => {
                let tree = repository.find_tree(*id)?;
                tree.get_name_bytes(&part).map(|entry| (entry.id(), Kind::of(&entry)))
            }
            _ => None,
        };
        let Some((id, Kind::Link)) = entry else {
            stack.push(entry);
            continue;
        };
        links += 1;
        let target = repository.find_blob(id)?;
        if target.content().starts_with(b"/") {
            return Ok(Lead::Outside);
        }
        if links > MOST_LINKS {
            return Ok(Lead::Nowhere);
        }
        for part in parts(target.content()).collect::<Vec<_>>().into_iter().rev() {
            open.push_front(part);
        }
    }
    Ok(match stack.pop().flatten() {
        Some((id, kind)) => Lead::To(id, kind),
        None => Lead::Nowhere,
    })
}

fn parts(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let parts = path.split(|byte| *byte == b'/');
    parts.filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec)
}
