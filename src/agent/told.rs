//! Lines of JSON in a file that grows: what a process of its own tells to whoever follows.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    marker::PhantomData,
    path::PathBuf,
};

use serde::de::DeserializeOwned;

/// Reads such a file from where it stopped.
pub(super) struct ToldTail<T> {
    path: PathBuf,
    offset: u64,
    told: PhantomData<T>,
}

impl<T: DeserializeOwned> ToldTail<T> {
    /// Begins at the first line of a file, as this process finds it; it may come later.
    pub(super) const fn of(path: PathBuf) -> Self {
        Self { path, offset: 0, told: PhantomData }
    }

    /// Returns what is new, in whole lines. One that is not understood is left out: a newer
    /// agent may have written it.
    pub(super) fn read(&mut self) -> Vec<T> {
        let new = self.unread().unwrap_or_default();
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.offset += whole as u64;
        let lines = new[..whole].split(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    fn unread(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.offset))?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_told_is_read_once_and_in_whole_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("told.jsonl");
        let mut tail = ToldTail::<u32>::of(path.clone());
        assert!(tail.read().is_empty());
        fs::write(&path, "1\nnot JSON\n2\n3").unwrap();
        assert_eq!(tail.read(), [1, 2]);
        assert!(tail.read().is_empty());
        fs::write(&path, "1\nnot JSON\n2\n34\n").unwrap();
        assert_eq!(tail.read(), [34]);
    }
}
