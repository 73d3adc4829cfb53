//! Refuses trees that cannot be deployed as they are.

use std::path::{Path, PathBuf};

use git2::{Odb, Oid, Repository};

use super::{
    SourceError, text,
    tree::as_path,
    trees::{Kind, Lead, follow, is_writable, objects_error},
};

/// What every Git LFS pointer begins with, and the sizes they have.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
const POINTER_SIZE: std::ops::Range<usize> = 100..1024;

/// Checks names, links and large files of a composed tree.
pub(super) fn inspect(repository: &Repository, root: Oid) -> Result<(), SourceError> {
    let failed = objects_error(|| "open the object store".to_owned());
    let odb = repository.odb().map_err(failed)?;
    let mut inspector = Inspector { repository, odb, root, pointers: Vec::new() };
    inspector.directory(root, Path::new(""))?;
    if inspector.pointers.is_empty() {
        return Ok(());
    }
    Err(SourceError::LargeFiles { paths: inspector.pointers })
}

struct Inspector<'a> {
    repository: &'a Repository,
    odb: Odb<'a>,
    root: Oid,
    pointers: Vec<String>,
}

impl Inspector<'_> {
    fn directory(&mut self, id: Oid, path: &Path) -> Result<(), SourceError> {
        let failed = |path: &Path| {
            let operation = format!("read `{}`", text::shown(path));
            objects_error(|| operation)
        };
        let tree = self.repository.find_tree(id).map_err(failed(path))?;
        for entry in &tree {
            let path: PathBuf = path.join(as_path(entry.name_bytes()));
            if !is_writable(entry.name_bytes()) {
                return Err(SourceError::HostileName { path: text::shown(&path) });
            }
            match Kind::of(&entry) {
                Kind::Directory => self.directory(entry.id(), &path)?,
                Kind::Link => self.link(entry.id(), &path)?,
                Kind::File | Kind::Executable => {
                    if self.is_pointer(entry.id()).map_err(failed(&path))? {
                        self.pointers.push(text::shown(&path));
                    }
                }
                Kind::Submodule => {}
            }
        }
        Ok(())
    }

    fn link(&self, id: Oid, path: &Path) -> Result<(), SourceError> {
        let failed = || objects_error(|| format!("follow the link `{}`", text::shown(path)));
        match follow(self.repository, self.root, path).map_err(failed())? {
            Lead::To(..) | Lead::Nowhere => Ok(()),
            Lead::Outside => {
                let target = self.repository.find_blob(id).map_err(failed())?;
                Err(SourceError::LinkLeaves {
                    path: text::shown(path),
                    target: text::cleaned(&String::from_utf8_lossy(target.content())),
                })
            }
        }
    }

    fn is_pointer(&self, id: Oid) -> Result<bool, git2::Error> {
        let (size, _) = self.odb.read_header(id)?;
        Ok(POINTER_SIZE.contains(&size) && self.odb.read(id)?.data().starts_with(POINTER))
    }
}
