//! A bare copy of one remote in the cache directory, filled by `git fetch`.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{SourceError, git::Git, remote, remote::Remote};

/// How much of the history is fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    /// All of it, also of a copy that had only some.
    Full,
    /// The named commits alone.
    None,
}

/// A bare repository, locked against a second run for as long as this value lives.
pub(super) struct Mirror {
    path: PathBuf,
    remote: Remote,
    _lock: File,
}

impl Mirror {
    /// Waits until no other run changes this copy, and opens or creates it.
    pub(super) fn lock(directory: &Path, remote: &Remote) -> Result<Self, SourceError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| SourceError::file("create", directory, source))?;
        let path = directory.join(remote.directory_name());
        let lock_path = path.with_extension("lock");
        let failed = |source| SourceError::file("lock", &lock_path, source);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&lock_path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mirror = Self { path, remote: remote.clone(), _lock: lock };
        if git2::Repository::open_bare(&mirror.path).is_err() {
            mirror.rebuild()?;
        }
        Ok(mirror)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn open(&self) -> Result<git2::Repository, SourceError> {
        open(&self.path)
    }

    /// Starts over with an empty repository. A run that still reads the old one keeps its open files.
    pub(super) fn rebuild(&self) -> Result<(), SourceError> {
        if self.path.exists() {
            tracing::warn!(cache = %self.path.display(), "the cache is damaged and is fetched anew");
            fs::remove_dir_all(&self.path)
                .map_err(|source| SourceError::file("remove", &self.path, source))?;
        }
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        git2::Repository::init_opts(&self.path, &options).map(drop).map_err(|source| {
            SourceError::Objects { operation: format!("create `{}`", self.path.display()), source }
        })
    }

    /// Fetches references; what they lead to is there before they are.
    pub(super) fn fetch(&self, refspecs: &[String], history: History) -> Result<(), SourceError> {
        let mut arguments = vec![
            // A pack appears at once and whole; loose objects do not.
            "-c",
            "fetch.unpackLimit=1",
            "-c",
            "gc.autoDetach=false",
            "-c",
            "maintenance.autoDetach=false",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-prune",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--update-shallow",
        ];
        match history {
            History::None => arguments.push("--depth=1"),
            History::Full if self.path.join("shallow").exists() => arguments.push("--unshallow"),
            History::Full => {}
        }
        arguments.extend(["--end-of-options", remote::NAME]);
        arguments.extend(refspecs.iter().map(String::as_str));
        self.git()?.run(&format!("fetch from {}", self.remote), &arguments).map(drop)
    }

    /// Fetches every branch and tag, for a commit that the remote does not give by its id.
    pub(super) fn fetch_all(&self) -> Result<(), SourceError> {
        let repository = self.open()?;
        let failed = |source| SourceError::Objects {
            operation: format!("forget old references of `{}`", self.path.display()),
            source,
        };
        // A branch of then may stand where a directory of branches stands now.
        for reference in repository.references_glob("refs/deploy/all/*").map_err(failed)? {
            reference.and_then(|mut reference| reference.delete()).map_err(failed)?;
        }
        let all = ["+refs/heads/*:refs/deploy/all/heads/*", "+refs/tags/*:refs/deploy/all/tags/*"];
        self.fetch(&all.map(str::to_owned), History::Full)
    }

    /// Asks the remote for the names of its branches.
    pub(super) fn branches_of_remote(&self) -> Result<Vec<String>, SourceError> {
        let arguments = ["ls-remote", "--quiet", "--heads", "--end-of-options", remote::NAME];
        let listed =
            self.git()?.run(&format!("list the branches of {}", self.remote), &arguments)?;
        let text = String::from_utf8_lossy(&listed);
        let name = |line: &str| Some(line.split_once("\trefs/heads/")?.1.to_owned());
        Ok(text.lines().filter_map(name).collect())
    }

    /// Runs `git config` on a `.gitmodules` file that is a blob; includes are not followed.
    pub(super) fn settings_in_blob(
        directory: &Path,
        blob: git2::Oid,
    ) -> Result<Vec<(String, String)>, SourceError> {
        let blob = blob.to_string();
        let arguments = ["config", "--no-includes", "-z", "--list", "--blob", &blob];
        let listed = Git::bare(directory).run("read `.gitmodules`", &arguments)?;
        let text = String::from_utf8_lossy(&listed);
        let pair = |entry: &str| entry.split_once('\n').map(|(k, v)| (k.to_owned(), v.to_owned()));
        Ok(text.split('\0').filter_map(pair).collect())
    }

    fn git(&self) -> Result<Git, SourceError> {
        let seen = Git::bare(&self.path).all_settings()?;
        let git = Git::bare(&self.path).settings(self.remote.settings(&seen));
        // With 0, Git refuses paths of this machine unless the user's settings allow them.
        let from_user = if self.remote.is_trusted() { "1" } else { "0" };
        Ok(git.environment("GIT_PROTOCOL_FROM_USER", from_user))
    }
}

pub(super) fn open(path: &Path) -> Result<git2::Repository, SourceError> {
    git2::Repository::open_bare(path).map_err(|source| SourceError::Objects {
        operation: format!("open `{}`", path.display()),
        source,
    })
}
