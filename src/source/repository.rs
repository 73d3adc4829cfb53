//! The operator's own platform repository: read, never touched.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::{self, ErrorKind},
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
};

use super::{Branch, Cache, CommitId, CommitSummary, Remote, SourceError, git::Git, text};

/// The file that makes a directory a platform repository.
const SETTINGS: &str = "config/deploy.toml";

/// The operator's work tree of a platform repository.
pub struct Repository {
    root: PathBuf,
    git: Git,
}

/// What the work tree has that the remote does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingState {
    /// Files that differ from the last commit, new ones and submodules included.
    pub dirty: Vec<PathBuf>,
    /// Commits of the local branch that are not on the remote's, newest first.
    pub unpushed: Vec<CommitSummary>,
}

impl Repository {
    /// Finds the platform repository that a directory is in.
    ///
    /// # Errors
    /// When neither the directory nor one above it has `config/deploy.toml`.
    pub fn discover(start: &Path) -> Result<Self, SourceError> {
        let canonical = fs::canonicalize(start)
            .map_err(|source| SourceError::file("open the directory", start, source))?;
        let root = canonical.ancestors().find(|directory| directory.join(SETTINGS).is_file());
        let root = root
            .ok_or_else(|| SourceError::NoPlatformRepository { start: text::shown(&canonical) })?;
        Ok(Self { root: root.to_owned(), git: Git::reading(root) })
    }

    /// Returns the directory that has `config/deploy.toml`, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads a file of the work tree; none where there is no such file.
    ///
    /// # Errors
    /// When the path, or a link on it, leaves the repository, or reading fails.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, SourceError> {
        let Some(file) = self.inside(path)? else { return Ok(None) };
        match fs::read(&file) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::IsADirectory => Ok(None),
            Err(error) => Err(SourceError::file("read", file, error)),
        }
    }

    /// Lists the files directly in a directory of the work tree, sorted; none where it is missing.
    ///
    /// # Errors
    /// When the path, or a link on it, leaves the repository, or reading fails.
    pub fn files(&self, directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
        let Some(full) = self.inside(directory)? else { return Ok(Vec::new()) };
        let failed = |source| SourceError::file("list", &full, source);
        let mut files = Vec::new();
        for entry in fs::read_dir(&full).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
                files.push(directory.join(entry.file_name()));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Chooses the remote to deploy from: `origin`, else the only one, else the upstream of the
    /// current branch; a repository without remotes is its own source.
    ///
    /// # Errors
    /// When this is not the root of a Git repository, or no remote stands out.
    pub fn remote(&self) -> Result<Remote, SourceError> {
        self.expect_git_root()?;
        let settings = self.git.all_settings()?;
        let mut addresses = BTreeMap::new();
        for (key, value) in &settings {
            let name = key.strip_prefix("remote.").and_then(|rest| rest.strip_suffix(".url"));
            if let Some(name) = name {
                addresses.entry(name).or_insert(value.as_str());
            }
        }
        let upstream = || {
            let key = format!("branch.{}.remote", self.current_branch()?);
            let (_, name) = settings.iter().rev().find(|(found, _)| *found == key)?;
            addresses.get_key_value(name.as_str())
        };
        let only = || (addresses.len() == 1).then(|| addresses.first_key_value()).flatten();
        if let Some((name, address)) =
            addresses.get_key_value("origin").or_else(only).or_else(upstream)
        {
            return Ok(Remote::named(name, address, &self.root, &settings));
        }
        if addresses.is_empty() {
            return Ok(Remote::itself(&self.root));
        }
        let names = addresses.keys().map(|name| text::cleaned(name)).collect();
        Err(SourceError::NoRemoteChosen { names })
    }

    /// Returns the branch that is checked out; none where HEAD is detached.
    #[must_use]
    pub fn current_branch(&self) -> Option<Branch> {
        let name = self.git.run("read HEAD", &["symbolic-ref", "--quiet", "HEAD"]).ok()?;
        Branch::parse(std::str::from_utf8(&name).ok()?.trim_end().strip_prefix("refs/heads/")?).ok()
    }

    /// Lists the branches of the repository and of its remotes as they were fetched last.
    ///
    /// # Errors
    /// When Git cannot read the repository.
    pub fn branches(&self) -> Result<Vec<Branch>, SourceError> {
        let arguments = ["for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes"];
        let refs = self.git.run("list the branches", &arguments)?;
        let mut branches = Vec::new();
        for name in String::from_utf8_lossy(&refs).lines() {
            let remote = |name: &str| {
                Some(name.strip_prefix("refs/remotes/")?.split_once('/')?.1.to_owned())
            };
            let name = name.strip_prefix("refs/heads/").map(str::to_owned).or_else(|| remote(name));
            let branch = name.and_then(|name| Branch::parse(&name).ok());
            branches.extend(branch.filter(|branch| !branches.contains(branch)));
        }
        Ok(branches)
    }

    /// Tells whether the repository has a commit, pushed or not.
    #[must_use]
    pub fn knows(&self, commit: CommitId) -> bool {
        let name = format!("{commit}^{{commit}}");
        self.git.run("look for a commit", &["cat-file", "-e", &name]).is_ok()
    }

    /// Compares the work tree with the last commit, and the local branch with the fetched one.
    ///
    /// # Errors
    /// When Git cannot read the repository.
    pub fn working_state(
        &self,
        branch: &Branch,
        cache: &Cache,
    ) -> Result<WorkingState, SourceError> {
        let status = ["status", "--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=none"];
        let status = self.git.run("read the state of the work tree", &status)?;
        let entries = status.split(|byte| *byte == 0).filter_map(|entry| entry.get(3..));
        let dirty = entries.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect();
        Ok(WorkingState { dirty, unpushed: self.unpushed(branch, cache)? })
    }

    fn unpushed(&self, branch: &Branch, cache: &Cache) -> Result<Vec<CommitSummary>, SourceError> {
        let local = format!("refs/heads/{branch}");
        let exists = ["rev-parse", "--verify", "--quiet", "--end-of-options", &local];
        if self.git.run("read the local branch", &exists).is_err() {
            return Ok(Vec::new());
        }
        // The remote's tip may be unknown here: it is seen through the cache's objects.
        let objects = cache.objects_directory();
        let git = Git::reading(&self.root)
            .environment("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted_alternate(&objects));
        let not_tip = format!("^{}", cache.tip(branch)?);
        let arguments = [
            "-c",
            "i18n.logOutputEncoding=UTF-8",
            "log",
            "-z",
            "--no-show-signature",
            "--no-color",
            "--format=tformat:%H%x00%ct%x00%an%x00%s",
            "--end-of-options",
            &local,
            &not_tip,
            "--",
        ];
        let log = git.run("compare the local branch with the remote's", &arguments)?;
        let text = String::from_utf8_lossy(&log);
        let fields: Vec<&str> = text.split('\0').collect();
        Ok(fields.chunks_exact(4).filter_map(summary).collect())
    }

    fn expect_git_root(&self) -> Result<(), SourceError> {
        let not_the_root =
            |git_root| SourceError::NotTheRoot { root: text::shown(&self.root), git_root };
        let top = match self.git.run("find the root", &["rev-parse", "--show-toplevel"]) {
            Ok(top) => top,
            Err(SourceError::Git { complaint, .. })
                if complaint.contains("not a git repository") =>
            {
                return Err(not_the_root(None));
            }
            Err(error) => return Err(error),
        };
        let top = Path::new(OsStr::from_bytes(top.strip_suffix(b"\n").unwrap_or(&top)));
        match fs::canonicalize(top) {
            Ok(found) if found == self.root => Ok(()),
            _ => Err(not_the_root(Some(text::shown(top)))),
        }
    }

    /// Returns where a path of the repository leads; none where nothing is there.
    fn inside(&self, path: &Path) -> Result<Option<PathBuf>, SourceError> {
        let leaves =
            || SourceError::LeavesRoot { path: text::shown(path), root: text::shown(&self.root) };
        if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(leaves());
        }
        let full = self.root.join(path);
        let missing = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
        match fs::canonicalize(&full) {
            Ok(real) if real.starts_with(&self.root) => Ok(Some(real)),
            Ok(_) => Err(leaves()),
            Err(error) if missing(error.kind()) => Ok(None),
            Err(error) => Err(SourceError::file("read", full, io::Error::from(error.kind()))),
        }
    }
}

fn summary(fields: &[&str]) -> Option<CommitSummary> {
    let &[id, time, author, subject] = fields else { return None };
    Some(CommitSummary {
        id: CommitId::parse(id).ok()?,
        author: text::cleaned(author),
        subject: text::cleaned(subject),
        time: time.parse().ok()?,
    })
}

/// Writes a path so that Git does not split it at a colon.
fn quoted_alternate(path: &Path) -> std::ffi::OsString {
    let mut quoted = b"\"".to_vec();
    for byte in path.as_os_str().as_bytes() {
        if b"\"\\".contains(byte) {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    OsStr::from_bytes(&quoted).to_owned()
}
