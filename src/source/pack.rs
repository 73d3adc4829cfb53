//! The objects a server lacks, as one pack.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufWriter, Read, Seek as _, Write as _},
    path::Path,
};

use git2::Repository;

use super::{
    SourceError, SourceTree, TreeId,
    trees::{Reached, objects_error, oid, reach},
};

/// A pack in a temporary file, without history. It is read from its beginning.
#[derive(Debug)]
pub struct Pack {
    file: File,
    size: u64,
    objects: usize,
}

impl Pack {
    /// Returns how many objects it has; none means that nothing has to be sent.
    #[must_use]
    pub const fn objects(&self) -> usize {
        self.objects
    }

    /// Returns its size in bytes, 0 where it has no objects.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Pack {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl SourceTree {
    /// Packs the objects of a tree that no tree of `have` leads to.
    ///
    /// Trees of `have` that the cache does not know are ignored: the pack is then
    /// larger than it had to be.
    ///
    /// # Errors
    /// When the target is not known, or the temporary file cannot be written.
    pub fn pack_missing(&self, target: TreeId, have: &[TreeId]) -> Result<Pack, SourceError> {
        let failed = || objects_error(|| format!("pack tree {target}"));
        let mut known = HashSet::new();
        for tree in have {
            reach(&self.repository, oid(tree.as_bytes()), &mut known, true).map_err(failed())?;
        }
        let missing =
            reach(&self.repository, oid(target.as_bytes()), &mut known, false).map_err(failed())?;
        let write = |source| SourceError::file("write", std::env::temp_dir(), source);
        let mut file = tempfile::tempfile().map_err(write)?;
        if !missing.is_empty() {
            write_pack(&self.repository, &missing, &mut file).map_err(failed())?.map_err(write)?;
        }
        let size = file.stream_position().map_err(write)?;
        file.rewind().map_err(write)?;
        Ok(Pack { file, size, objects: missing.len() })
    }
}

/// Writes objects as a pack; the inner result is about the file.
pub(super) fn write_pack(
    repository: &Repository,
    objects: &[Reached],
    file: &mut File,
) -> Result<io::Result<()>, git2::Error> {
    let mut builder = repository.packbuilder()?;
    builder.set_threads(0);
    for object in objects {
        // The name is a hint: objects of one name are likely to be alike.
        let name = std::str::from_utf8(&object.name).ok().filter(|name| !name.contains('\0'));
        builder.insert_object(object.id, name)?;
    }
    let mut writer = BufWriter::new(file);
    let mut written = Ok(());
    let packed = builder.foreach(|bytes| {
        written = writer.write_all(bytes);
        written.is_ok()
    });
    if written.is_ok() {
        packed?;
        written = writer.flush();
    }
    Ok(written)
}

/// Tells whether a file of the object store is a pack's.
pub(super) fn is_pack_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("pack-")
}
