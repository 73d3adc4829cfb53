//! A commit's files, for readers of configuration.

use std::{io, path::Path};

use super::{SourceError, SourceTree};
use crate::host::FileSource;

impl FileSource for SourceTree {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Self::read(self, path).map_err(other)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let files = self.files(directory).map_err(other)?;
        Ok(files.iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }
}

fn other(error: SourceError) -> io::Error {
    io::Error::other(error)
}
