//! Follows a log while it is written.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// Reads what is appended to a file, in whole lines.
pub(super) struct Follower {
    file: File,
    partial: Vec<u8>,
}

impl Follower {
    pub(super) fn at_end(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, partial: Vec::new() })
    }

    pub(super) fn read(&mut self, on_line: &mut dyn FnMut(&str)) -> io::Result<()> {
        self.file.read_to_end(&mut self.partial)?;
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<_> = self.partial.drain(..=end).collect();
            on_line(String::from_utf8_lossy(&line).trim_end());
        }
        Ok(())
    }
}
