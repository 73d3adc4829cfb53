//! Space that a transaction sets aside, so that its way back is open on a full disk.

use std::{fs, fs::File, io};

use super::server::{FileError, Server};
use crate::layout::Layout;

/// Bytes that the way back frees for itself: links, the hold, states, the
/// history. On a disk that is full, each may need a block.
const SIZE: u64 = 1024 * 1024;

/// Takes ballast on, before anything is touched.
///
/// # Errors
/// Fails where the disk is full already.
pub(super) fn take_on(server: &Server, layout: &Layout) -> Result<(), FileError> {
    let path = layout.ballast();
    File::create(server.path(&path))
        .and_then(|file| set_aside(&file, SIZE))
        .map_err(FileError::at("set space aside for", &path))
}

/// Gives the ballast up. A way back does so first; done again, it does nothing.
pub(super) fn give_up(server: &Server, layout: &Layout) {
    let _ = fs::remove_file(server.path(&layout.ballast()));
}

/// Has a file hold blocks on disk without growing.
///
/// # Errors
/// Fails where the disk is full. A filesystem that cannot set blocks aside is no error.
pub(super) fn set_aside(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        result => Ok(result?),
    }
}
