//! Writes several files of the working tree: all of them, or none.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::FileChange;
use crate::{causes::with_causes, workflow::WorkflowError};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("failed to write `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{0}` was changed meanwhile")]
    Changed(PathBuf),
    #[error("`{0}` is not inside the repository")]
    Outside(PathBuf),
}

/// Writes, replaces and removes the files: each is written beside its place before the first
/// is moved there, and what was moved is put back where a later one fails.
pub(super) fn write_all(root: &Path, changes: &[FileChange]) -> Result<(), WorkflowError> {
    let mut writing = Writing { root, made: Vec::new(), staged: Vec::new(), done: Vec::new() };
    let Err(error) = writing.all(changes) else { return Ok(()) };
    let left = writing.take_back();
    let hint = if left.is_empty() {
        "nothing was changed: mend that and run the command again".to_owned()
    } else {
        let left: Vec<_> = left.iter().map(|path| path.display().to_string()).collect();
        format!("these could not be put back: {}; `git status` shows them", left.join(", "))
    };
    Err(WorkflowError::Usage { message: with_causes(&error), hint: Some(hint) })
}

struct Writing<'a> {
    root: &'a Path,
    /// Directories that were made, outermost first.
    made: Vec<PathBuf>,
    /// Files that are not in their place yet.
    staged: Vec<PathBuf>,
    /// What is in its place.
    done: Vec<&'a FileChange>,
}

impl<'a> Writing<'a> {
    fn all(&mut self, changes: &'a [FileChange]) -> Result<(), WriteError> {
        for change in changes {
            let failed = |source| WriteError::Io { path: change.path.clone(), source };
            self.expect_unchanged(change)?;
            if let Some(content) = &change.after {
                self.make_directory(change)?;
                let beside = self.beside(change);
                self.staged.push(beside.clone());
                stage(&beside, content).map_err(failed)?;
            }
        }
        for change in changes {
            let failed = |source| WriteError::Io { path: change.path.clone(), source };
            self.expect_unchanged(change)?;
            let place = self.root.join(&change.path);
            match (&change.after, &change.before) {
                (Some(_), Some(_)) => fs::rename(self.beside(change), &place).map_err(failed)?,
                // A link fails where something came into the place meanwhile.
                (Some(_), None) => {
                    let beside = self.beside(change);
                    fs::hard_link(&beside, &place).map_err(failed)?;
                    let _ = fs::remove_file(beside);
                }
                (None, _) => fs::remove_file(&place).map_err(failed)?,
            }
            self.done.push(change);
        }
        Ok(())
    }

    /// Puts everything back and returns what could not be.
    fn take_back(&mut self) -> Vec<PathBuf> {
        let mut left = Vec::new();
        for change in self.done.iter().rev() {
            let place = self.root.join(&change.path);
            let put_back = match &change.before {
                None => fs::remove_file(&place),
                Some(content) => {
                    let beside = self.beside(change);
                    let _ = fs::remove_file(&beside);
                    stage(&beside, content).and_then(|()| fs::rename(&beside, &place))
                }
            };
            if put_back.is_err() {
                left.push(change.path.clone());
            }
        }
        for staged in &self.staged {
            let _ = fs::remove_file(staged);
        }
        for directory in self.made.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
        left
    }

    fn expect_unchanged(&self, change: &FileChange) -> Result<(), WriteError> {
        let present = match fs::read(self.root.join(&change.path)) {
            Ok(content) => Some(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(WriteError::Io { path: change.path.clone(), source }),
        };
        if present == change.before {
            return Ok(());
        }
        Err(WriteError::Changed(change.path.clone()))
    }

    /// Makes the directory of a file, which a link may not lead out of the repository.
    fn make_directory(&mut self, change: &FileChange) -> Result<(), WriteError> {
        let failed = |source| WriteError::Io { path: change.path.clone(), source };
        let directory = change.path.parent().unwrap_or(Path::new(""));
        let mut place = self.root.to_owned();
        for part in directory.components() {
            place.push(part);
            match fs::create_dir(&place) {
                Ok(()) => self.made.push(place.clone()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(failed(source)),
            }
            let real = fs::canonicalize(&place).map_err(failed)?;
            let root = fs::canonicalize(self.root).map_err(failed)?;
            if !real.starts_with(root) {
                return Err(WriteError::Outside(change.path.clone()));
            }
        }
        Ok(())
    }

    fn beside(&self, change: &FileChange) -> PathBuf {
        let name = change.path.file_name().expect("a file has a name").to_string_lossy();
        self.root.join(&change.path).with_file_name(format!(".{name}.odoo-deploy"))
    }
}

fn stage(path: &Path, content: &[u8]) -> io::Result<()> {
    // Left by a process that was killed.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    File::sync_all(&file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> FileChange {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        FileChange { path: path.into(), before: bytes(before), after: bytes(after) }
    }

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        stage(&path, text.as_bytes()).unwrap();
    }

    fn names(root: &Path) -> Vec<String> {
        let mut names = Vec::new();
        let mut left = vec![root.to_owned()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                names.push(path.strip_prefix(root).unwrap().display().to_string());
                if path.is_dir() {
                    left.push(path);
                }
            }
        }
        names.sort();
        names
    }

    #[test]
    fn files_are_added_replaced_and_removed() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "docs/map.md", "old");
        put(root.path(), "docs/gone.md", "gone");
        let changes = [
            change("docs/clients/acme.md", None, Some("new")),
            change("docs/map.md", Some("old"), Some("map")),
            change("docs/gone.md", Some("gone"), None),
        ];
        write_all(root.path(), &changes).unwrap();
        let all = ["docs", "docs/clients", "docs/clients/acme.md", "docs/map.md"];
        assert_eq!(names(root.path()), all);
        assert_eq!(fs::read(root.path().join("docs/map.md")).unwrap(), b"map");
    }

    #[test]
    fn where_one_fails_all_are_as_they_were() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "docs/map.md", "old");
        put(root.path(), "docs/gone.md", "gone");
        put(root.path(), "file", "");
        let before = names(root.path());
        let first = [
            change("docs/clients/acme.md", None, Some("new")),
            change("docs/map.md", Some("old"), Some("map")),
            change("docs/gone.md", Some("gone"), None),
        ];
        for last in [
            // Its directory is a file.
            change("file/x", None, Some("x")),
            // Somebody edited it.
            change("docs/gone.md", Some("other"), Some("x")),
        ] {
            let changes = [&first[..2], &[last]].concat();
            assert!(write_all(root.path(), &changes).is_err());
            assert_eq!(names(root.path()), before);
        }
        // The last one fails when the others are in their places already.
        let twice = [&first[..], &[change("docs/gone.md", Some("gone"), Some("x"))]].concat();
        assert!(write_all(root.path(), &twice).is_err());
        assert_eq!(names(root.path()), before);
        assert_eq!(fs::read(root.path().join("docs/map.md")).unwrap(), b"old");
        assert_eq!(fs::read(root.path().join("docs/gone.md")).unwrap(), b"gone");
    }

    #[test]
    fn a_link_leads_nothing_out_of_the_repository() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), root.path().join("docs")).unwrap();
        let error = write_all(root.path(), &[change("docs/a/b.md", None, Some("x"))]).unwrap_err();
        assert!(error.to_string().contains("not inside the repository"), "{error}");
        assert!(names(outside.path()).is_empty());
    }
}
