//! Where configuration files are read from: the working tree, a Git tree or a test. Does I/O.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{ConfigError, HostName, SourceError};

/// The directory of the hosts' files.
pub const HOSTS_DIRECTORY: &str = "config/hosts";

/// The files of a platform repository, at a commit or as they lie on disk.
///
/// Paths are relative to the root of the repository and normalized: no `.`, no `..`.
pub trait FileSource {
    /// Returns the content of a file, or none where there is no such file.
    ///
    /// # Errors
    /// Returns an error when the file is there and cannot be read.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// Returns the names of the files right below a directory, sorted; none where it does not exist.
    ///
    /// # Errors
    /// Returns an error when the directory is there and cannot be read.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
}

/// The repository as it lies on disk.
#[derive(Debug, Clone)]
pub struct WorkingTree {
    root: PathBuf,
}

impl WorkingTree {
    /// Opens the tree below a directory.
    ///
    /// # Errors
    /// Returns an error when the directory does not exist.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { root: fs::canonicalize(root)? })
    }
}

impl FileSource for WorkingTree {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = absent_as_none(fs::canonicalize(self.root.join(path)))? else {
            return Ok(None);
        };
        if !file.starts_with(&self.root) {
            return Err(io::Error::other("the link leaves the repository"));
        }
        absent_as_none(fs::read(file))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let Some(entries) = absent_as_none(fs::read_dir(self.root.join(directory)))? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is not UTF-8 is no file of the tool's.
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }
}

fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl FileSource for BTreeMap<PathBuf, Vec<u8>> {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.get(path).cloned())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let below = self.keys().filter(|path| path.parent() == Some(directory));
        Ok(below.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }
}

/// Returns the path of a host's file, relative to the root of the repository.
#[must_use]
pub fn host_file_path(name: &HostName) -> PathBuf {
    Path::new(HOSTS_DIRECTORY).join(format!("{name}.conf"))
}

/// Returns the names of all hosts, sorted.
///
/// # Errors
/// Returns every `.conf` whose name is no hostname, or the directory when it cannot be read.
pub fn host_names(files: &impl FileSource) -> Result<Vec<HostName>, ConfigError> {
    let directory = Path::new(HOSTS_DIRECTORY);
    let listed = files.list(directory).map_err(|error| {
        SourceError::of_file(directory, format!("failed to list the directory: {error}"))
    })?;
    let (mut names, mut faults) = (Vec::new(), Vec::new());
    for file in listed.iter().filter(|file| !file.starts_with('.')) {
        let Some(stem) = file.strip_suffix(".conf") else { continue };
        match HostName::parse(stem) {
            Ok(name) => names.push(name),
            Err(error) => faults.push(
                SourceError::of_file(&directory.join(file), error.to_string())
                    .with_hint("name the file exactly as the host, `<hostname>.conf`"),
            ),
        }
    }
    ConfigError::unless_empty(faults, names)
}

/// Joins a written path to the directory of the file that names it; none where it leaves the repository.
#[must_use]
pub(super) fn relative_path(from: &Path, written: &str) -> Option<PathBuf> {
    let mut path = from.parent().map(Path::to_owned).unwrap_or_default();
    for component in Path::new(written).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_repository() {
        let from = Path::new("config/hosts/a.conf");
        let join = |written| relative_path(from, written).map(|path| path.display().to_string());
        assert_eq!(join("../base.conf").as_deref(), Some("config/base.conf"));
        assert_eq!(join("./x/../b.conf").as_deref(), Some("config/hosts/b.conf"));
        assert_eq!(join("../../b.conf").as_deref(), Some("b.conf"));
        assert_eq!(join("../../../b.conf"), None);
        assert_eq!(join("/etc/odoo/odoo.conf"), None);
    }

    #[test]
    fn a_working_tree_ends_at_its_links() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        let tree = WorkingTree::open(inside.path()).unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("out")).unwrap();
        assert!(tree.read(Path::new("absent")).unwrap().is_none());
        assert!(tree.read(Path::new("out")).is_err());
        assert!(tree.list(Path::new("absent")).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_is_named_after_no_host_is_refused() {
        let files = |names: &[&str]| {
            names
                .iter()
                .map(|name| (Path::new(HOSTS_DIRECTORY).join(name), Vec::new()))
                .collect::<BTreeMap<_, _>>()
        };
        let names = host_names(&files(&["b.example.conf", "a.conf", "README.md"])).unwrap();
        assert_eq!(names.iter().map(HostName::as_str).collect::<Vec<_>>(), ["a", "b.example"]);
        assert!(host_names(&files(&["A.conf"])).is_err());
    }
}
