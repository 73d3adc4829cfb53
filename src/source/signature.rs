//! What of an addon a database can notice.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use git2::Oid;

use super::{
    BlobId, Signature, SourceError, SourceTree, TreeId,
    tree::as_path,
    trees::{Kind, bytes},
};

/// Directories of an addon that Odoo does not read at an upgrade.
const LEFT_OUT: [&[u8]; 5] = [b"static", b"tests", b"doc", b"docs", b"readme"];

/// Directories of an addon whose `*.po` files are translations.
const TRANSLATIONS: [&str; 2] = ["i18n", "i18n_extra"];

/// An entry's name, and what it becomes (an object and its mode) unless it is taken out.
type Edit = (Vec<u8>, Option<(Oid, i32)>);

impl SourceTree {
    /// Computes the signature of the addon at a path. The reduced tree is written into the cache,
    /// so that it can be compared file by file later.
    pub(super) fn signature(&self, addon: &Path, tree: Oid) -> Result<Signature, SourceError> {
        let mut reduction = Reduction { source: self, addon, translations: BTreeMap::new() };
        let reduced = match reduction.reduce(tree, Path::new(""))? {
            Some(reduced) => reduced,
            None => self.write_tree(None, addon, &[])?,
        };
        Ok(Signature {
            tree: TreeId::from_bytes(bytes(reduced)),
            translations: reduction.translations,
        })
    }

    /// Writes a tree like `base`, edited.
    fn write_tree(
        &self,
        base: Option<Oid>,
        path: &Path,
        edits: &[Edit],
    ) -> Result<Oid, SourceError> {
        let write = || {
            let base = base.map(|base| self.repository.find_tree(base)).transpose()?;
            let mut builder = self.repository.treebuilder(base.as_ref())?;
            for (name, edit) in edits {
                match edit {
                    Some((id, mode)) => drop(builder.insert(name.as_slice(), *id, *mode)?),
                    None => builder.remove(name.as_slice())?,
                }
            }
            builder.write()
        };
        write().map_err(self.failed(path))
    }
}

struct Reduction<'a> {
    source: &'a SourceTree,
    addon: &'a Path,
    translations: BTreeMap<String, BlobId>,
}

impl Reduction<'_> {
    /// Returns the reduced tree of a directory; none where nothing is left of it.
    fn reduce(&mut self, id: Oid, inner: &Path) -> Result<Option<Oid>, SourceError> {
        let full = self.addon.join(inner);
        let tree = self.source.repository.find_tree(id).map_err(self.source.failed(&full))?;
        let mut edits = Vec::new();
        for entry in &tree {
            let name = entry.name_bytes();
            let path = inner.join(as_path(name));
            let kept = match Kind::of(&entry) {
                Kind::Directory if is_left_out(&path, name) => None,
                Kind::Directory => {
                    self.reduce(entry.id(), &path)?.map(|reduced| (reduced, 0o040_000))
                }
                Kind::Link => Some(self.what_is_linked(&path, entry.id())?),
                _ if is_document(inner, name) => None,
                _ if is_translation(inner, name) => {
                    let blob = BlobId::from_bytes(bytes(entry.id()));
                    self.translations.insert(path.to_string_lossy().into_owned(), blob);
                    None
                }
                _ => Some((entry.id(), entry.filemode())),
            };
            if kept.map(|(id, _)| id) != Some(entry.id()) {
                edits.push((name.to_vec(), kept));
            }
        }
        if edits.is_empty() {
            return Ok((!tree.is_empty()).then_some(id));
        }
        let reduced = self.source.write_tree(Some(id), &full, &edits)?;
        let is_empty = self.source.repository.find_tree(reduced).is_ok_and(|tree| tree.is_empty());
        Ok((!is_empty).then_some(reduced))
    }

    /// Takes what a link leads to in place of the link where that lies outside the addon:
    /// the addon changes with it.
    fn what_is_linked(&self, inner: &Path, link: Oid) -> Result<(Oid, i32), SourceError> {
        let target = as_path(&self.source.content(link)?);
        let directory: PathBuf = inner.parent().map(Path::to_owned).unwrap_or_default();
        if !leaves(&directory, &target) {
            return Ok((link, 0o120_000));
        }
        Ok(match self.source.lead(&self.addon.join(inner))? {
            Some((id, Kind::Directory)) => (id, 0o040_000),
            Some((id, Kind::Executable)) => (id, 0o100_755),
            Some((id, Kind::File)) => (id, 0o100_644),
            _ => (link, 0o120_000),
        })
    }
}

/// Tells whether a relative target, taken from a directory, climbs above the root.
fn leaves(directory: &Path, target: &Path) -> bool {
    let mut depth = directory.components().count();
    target.components().any(|part| match part {
        std::path::Component::ParentDir => {
            let above = depth == 0;
            depth = depth.saturating_sub(1);
            above
        }
        std::path::Component::Normal(_) => {
            depth += 1;
            false
        }
        _ => false,
    })
}

fn is_left_out(path: &Path, name: &[u8]) -> bool {
    path.components().count() == 1 && LEFT_OUT.contains(&name)
}

fn is_document(directory: &Path, name: &[u8]) -> bool {
    let top = directory.as_os_str().is_empty();
    (top && name.starts_with(b"README"))
        || [&b".md"[..], b".rst", b".pot"].iter().any(|ending| name.ends_with(ending))
}

fn is_translation(directory: &Path, name: &[u8]) -> bool {
    name.ends_with(b".po") && TRANSLATIONS.iter().any(|known| directory == Path::new(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leaves_the_addon_only_by_climbing() {
        let leaves =
            |directory: &str, target: &str| leaves(Path::new(directory), Path::new(target));
        assert!(leaves("", "../other/models"));
        assert!(leaves("models", "../../other/x.py"));
        assert!(!leaves("models", "../views/x.xml"));
        assert!(!leaves("", "models/./x.py"));
    }
}
