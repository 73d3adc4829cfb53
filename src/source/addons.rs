//! The addons in a tree.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Addon, SourceError, SourceTree, TreeId, text,
    trees::{Kind, bytes},
};
use crate::{
    host::ModuleName,
    odoo::{Manifest, ManifestError},
};

/// The file that makes a directory an addon.
const MANIFEST: &str = "__manifest__.py";

impl SourceTree {
    /// Lists the addons in directories of the tree, sorted by name.
    ///
    /// Of two with the same name the first counts, as in Odoo's `addons_path`.
    /// A directory that is missing has none.
    ///
    /// # Errors
    /// When a manifest cannot be read, with its path and line.
    pub fn addons(&self, directories: &[PathBuf]) -> Result<Vec<Addon>, SourceError> {
        let mut addons = BTreeMap::new();
        for directory in directories {
            for (path, id, kind) in self.children(directory)? {
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.and_then(|name| ModuleName::parse(name).ok());
                let (Kind::Directory, Some(name)) = (kind, name) else { continue };
                if addons.contains_key(&name) {
                    continue;
                }
                let Some(manifest) = self.manifest(&path)? else { continue };
                let addon = Addon {
                    name: name.clone(),
                    signature: self.signature(&path, id)?,
                    path,
                    tree: TreeId::from_bytes(bytes(id)),
                    manifest,
                };
                addons.insert(name, addon);
            }
        }
        Ok(addons.into_values().collect())
    }

    fn manifest(&self, addon: &Path) -> Result<Option<Manifest>, SourceError> {
        let path = addon.join(MANIFEST);
        let Some(content) = self.read(&path)? else { return Ok(None) };
        let parsed = match String::from_utf8(content) {
            Ok(text) => Manifest::parse(&text),
            Err(_) => Err(ManifestError { line: 1, message: "is not UTF-8".to_owned() }),
        };
        parsed
            .map(Some)
            .map_err(|source| SourceError::Manifest { path: text::shown(&path), source })
    }
}
