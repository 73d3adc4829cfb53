//! Real repositories in a temporary directory.

#![expect(clippy::disallowed_methods, reason = "runs git and writes the files it commits")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use odoo_deploy::source::{Branch, Cache, CommitId, Remote, SourceError, SourceTree};

/// A directory for one test's repositories and caches.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    /// Makes a repository on branch `main`.
    pub(crate) fn repository(&self, name: &str) -> Repo {
        let root = self.path(name);
        fs::create_dir_all(&root).unwrap();
        let repo = Repo { root };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    /// Clones a repository with Git, as a user does.
    pub(crate) fn clone(&self, of: &Repo, name: &str, options: &[&str]) -> Repo {
        let root = self.path(name);
        let url = format!("file://{}", of.root.display());
        let arguments = [&["clone", "--quiet"], options, &[&url, root.to_str().unwrap()]].concat();
        of.git(&arguments);
        Repo { root }
    }

    pub(crate) fn fetch(&self, of: &Repo, branches: &[&str]) -> Result<Cache, SourceError> {
        let branches: Vec<_> = branches.iter().map(|name| branch(name)).collect();
        Cache::fetch(&self.path("cache"), &of.remote(), &branches)
    }

    /// Fetches `main` and composes its tip.
    pub(crate) fn tree(&self, of: &Repo) -> Result<SourceTree, SourceError> {
        let cache = self.fetch(of, &["main"])?;
        cache.tree(cache.tip(&branch("main"))?)
    }

    pub(crate) fn tree_error(&self, of: &Repo) -> SourceError {
        self.tree(of).err().expect("the tree is refused")
    }
}

/// A repository with a work tree.
pub(crate) struct Repo {
    pub(crate) root: PathBuf,
}

impl Repo {
    pub(crate) fn remote(&self) -> Remote {
        Remote::at(self.root.to_str().unwrap()).unwrap()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ana")
            .env("GIT_AUTHOR_EMAIL", "ana@example.net")
            .env("GIT_AUTHOR_DATE", "2025-01-01T00:00:00Z")
            .env("GIT_COMMITTER_NAME", "Ana")
            .env("GIT_COMMITTER_EMAIL", "ana@example.net")
            .env("GIT_COMMITTER_DATE", "2025-01-01T00:00:00Z")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let file = self.root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    pub(crate) fn link(&self, path: &str, target: &str) -> &Self {
        let file = self.root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        symlink(target, file).unwrap();
        self
    }

    pub(crate) fn commit(&self, message: &str) -> CommitId {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        CommitId::parse(&self.git(&["rev-parse", "HEAD"])).unwrap()
    }

    /// Puts a submodule into the index, with its entry in `.gitmodules`.
    pub(crate) fn submodule(&self, path: &str, url: &str, commit: CommitId) -> &Self {
        let section = format!("submodule.{path}");
        self.git(&["config", "--file", ".gitmodules", &format!("{section}.path"), path]);
        self.git(&["config", "--file", ".gitmodules", &format!("{section}.url"), url]);
        self.gitlink(path, commit)
    }

    pub(crate) fn gitlink(&self, path: &str, commit: CommitId) -> &Self {
        self.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
        self
    }

    /// Commits what is in the index and `.gitmodules`, without looking at the rest of the work tree.
    pub(crate) fn commit_index(&self, message: &str) -> CommitId {
        if self.root.join(".gitmodules").exists() {
            self.git(&["add", ".gitmodules"]);
        }
        self.git(&["commit", "--quiet", "-m", message]);
        CommitId::parse(&self.git(&["rev-parse", "HEAD"])).unwrap()
    }

    /// An addon with a few files of every kind.
    pub(crate) fn addon(&self, path: &str) -> &Self {
        self.write(&format!("{path}/__manifest__.py"), "{'name': 'x', 'version': '1.1'}\n")
            .write(&format!("{path}/__init__.py"), "from . import models\n")
            .write(&format!("{path}/models/__init__.py"), "")
            .write(&format!("{path}/models/x.py"), format!("# {path}\n"))
            .write(&format!("{path}/i18n/es.po"), format!("# {path}\n"))
            .write(&format!("{path}/i18n/x.pot"), "")
            .write(&format!("{path}/static/x.js"), "")
            .write(&format!("{path}/tests/test_x.py"), "")
            .write(&format!("{path}/README.rst"), "")
    }
}

pub(crate) fn branch(name: &str) -> Branch {
    Branch::parse(name).unwrap()
}

/// A fingerprint of every file, name and mtime below a directory.
pub(crate) fn fingerprint(directory: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        hasher.update(path.to_string_lossy().as_bytes());
        hasher.update(format!("{:?}", metadata.modified().unwrap()).as_bytes());
        if metadata.is_dir() {
            let mut below: Vec<_> =
                fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()).collect();
            below.sort();
            open.extend(below);
        } else if metadata.is_file() {
            hasher.update(&fs::read(&path).unwrap());
        }
    }
    hasher.finalize().to_hex().to_string()
}
