//! Removes what lies below a directory that Odoo may write to.

use std::{
    ffi::CString,
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    process::geteuid,
};

use super::{FileError, Server, tree};

/// Removes a file or a directory with all that is in it; one that is gone is fine. On the
/// way there only links are followed that root made: what runs as root here must not be led
/// elsewhere, and nothing below is followed at all.
///
/// # Errors
/// Fails when a link on the way is somebody else's, or something cannot be removed.
pub(in crate::agent) fn remove_tree(server: &Server, path: &Path) -> Result<(), FileError> {
    remove(server, path).map_err(FileError::at("remove", path))
}

fn remove(server: &Server, path: &Path) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let (parent, name) = path.parent().zip(path.file_name()).ok_or_else(invalid)?;
    let parent = server.path(parent);
    for place in parent.ancestors() {
        let Ok(metadata) = fs::symlink_metadata(place) else { continue };
        let trusted = [0, geteuid().as_raw()];
        if metadata.is_symlink() && !trusted.contains(&metadata.uid()) {
            let text = format!("`{}` is a link that is not root's", place.display());
            return Err(io::Error::other(text));
        }
    }
    let real = match fs::canonicalize(&parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        real => real?,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat2(CWD, &real, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let name = CString::new(name.as_bytes()).map_err(|_| invalid())?;
    tree::remove(&directory, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_is_removed_as_a_whole_and_links_in_it_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        fs::create_dir_all(root.path().join("var/acme/filestore/a")).unwrap();
        fs::create_dir_all(root.path().join("precious/x")).unwrap();
        let link = root.path().join("var/acme/link");
        std::os::unix::fs::symlink(root.path().join("precious"), link).unwrap();
        for _ in 0..2 {
            remove_tree(&server, Path::new("/var/acme")).unwrap();
        }
        assert!(!root.path().join("var/acme").exists());
        assert!(root.path().join("precious/x").exists());
        remove_tree(&server, Path::new("/absent/acme")).unwrap();
    }
}
