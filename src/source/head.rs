//! The last commit of the operator's repository: read as files, and built upon by a branch
//! of its own. Neither the work tree nor the index is touched.

use std::{
    io,
    path::{Path, PathBuf},
};

use git2::{ErrorCode, ObjectType, Repository, build::TreeUpdateBuilder};

use super::{Branch, CommitId};
use crate::host::FileSource;

/// Git's mode of a regular file, executable or not, without the bits that differ.
const REGULAR: i32 = 0o100_000;

/// What the operator's HEAD names.
pub struct Head {
    repository: Repository,
    commit: git2::Oid,
}

/// A commit on a branch of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The branch, which must not be there yet.
    pub branch: Branch,
    /// The message.
    pub message: String,
    /// When.
    pub at: jiff::Timestamp,
    /// The files that it adds or replaces, and those that it removes.
    pub files: Vec<(PathBuf, Option<Vec<u8>>)>,
}

/// Why there is no last commit, or none can be made on top of it.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The directory is not the root of a Git work tree.
    #[error("`{0}` is not the root of a Git repository")]
    NotTheRoot(PathBuf),
    /// There is no commit.
    #[error("the repository has no commit yet")]
    NoCommit,
    /// The branch is there.
    #[error("there is a branch `{0}` already")]
    BranchExists(Branch),
    /// Git does not know who works.
    #[error("Git does not know who you are")]
    Nobody,
    /// Git could not do something.
    #[error("failed to {operation}")]
    Git {
        /// What was tried.
        operation: &'static str,
        /// What Git says.
        #[source]
        source: git2::Error,
    },
}

impl HeadError {
    /// Returns the next move, where there is one to name.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotTheRoot(_) => Some("leave `--branch` out, or run `git init` there".into()),
            Self::NoCommit => Some("leave `--branch` out, or commit something first".into()),
            Self::BranchExists(branch) => {
                Some(format!("bring it in, or remove it: `git branch -D {branch}`"))
            }
            Self::Nobody => {
                Some("`git config --global user.name NAME`, and `user.email ADDRESS`".into())
            }
            Self::Git { .. } => None,
        }
    }

    fn at(operation: &'static str) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Git { operation, source }
    }
}

impl Head {
    /// Opens the last commit of the repository whose root is given.
    ///
    /// # Errors
    /// Fails where it is no such root, or there is no commit.
    pub fn open(root: &Path) -> Result<Self, HeadError> {
        let not_the_root = || HeadError::NotTheRoot(root.to_owned());
        let repository = match Repository::open(root) {
            Err(error) if error.code() == ErrorCode::NotFound => return Err(not_the_root()),
            opened => opened.map_err(HeadError::at("open the Git repository"))?,
        };
        if repository.workdir().is_none() {
            return Err(not_the_root());
        }
        let commit = match repository.head().and_then(|head| head.peel_to_commit()) {
            Ok(commit) => commit.id(),
            Err(error) if error.code() == ErrorCode::UnbornBranch => {
                return Err(HeadError::NoCommit);
            }
            Err(source) => return Err(HeadError::at("read the last commit")(source)),
        };
        Ok(Self { repository, commit })
    }

    /// Checks that a branch could be made.
    ///
    /// # Errors
    /// Fails where it is there, or Git does not know who works.
    pub fn expect_room_for(&self, branch: &Branch) -> Result<(), HeadError> {
        self.author()?;
        match self.repository.find_reference(&format!("refs/heads/{branch}")) {
            Ok(_) => Err(HeadError::BranchExists(branch.clone())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            Err(source) => Err(HeadError::at("look for the branch")(source)),
        }
    }

    /// Makes a branch with one commit on top of this one.
    ///
    /// # Errors
    /// Fails where the branch is there, Git does not know who works, or it cannot write.
    pub fn commit(&self, draft: &Draft) -> Result<CommitId, HeadError> {
        self.expect_room_for(&draft.branch)?;
        let author = self.author()?;
        let at = git2::Time::new(draft.at.as_second(), 0);
        let written = || {
            let parent = self.repository.find_commit(self.commit)?;
            let mut update = TreeUpdateBuilder::new();
            for (path, content) in &draft.files {
                match content {
                    Some(content) => {
                        let blob = self.repository.blob(content)?;
                        update.upsert(path, blob, git2::FileMode::Blob);
                    }
                    None => {
                        update.remove(path);
                    }
                }
            }
            let tree = update.create_updated(&self.repository, &parent.tree()?)?;
            let tree = self.repository.find_tree(tree)?;
            let author = git2::Signature::new(&author.0, &author.1, &at)?;
            let id = self.repository.commit(
                None,
                &author,
                &author,
                &draft.message,
                &tree,
                &[&parent],
            )?;
            let commit = self.repository.find_commit(id)?;
            self.repository.branch(draft.branch.as_str(), &commit, false)?;
            Ok(id)
        };
        let id: git2::Oid = written().map_err(HeadError::at("make the branch"))?;
        let bytes = id.as_bytes().try_into().expect("an object id has 20 bytes");
        Ok(CommitId::from_bytes(bytes))
    }

    /// Returns who works, by name and address, as this repository's configuration has it.
    fn author(&self) -> Result<(String, String), HeadError> {
        let config = self.repository.config().map_err(HeadError::at("read Git's settings"))?;
        let value = |key| config.get_string(key).ok().filter(|value| !value.trim().is_empty());
        value("user.name").zip(value("user.email")).ok_or(HeadError::Nobody)
    }

    fn tree(&self) -> Result<git2::Tree<'_>, git2::Error> {
        self.repository.find_commit(self.commit)?.tree()
    }
}

impl FileSource for Head {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let tree = self.tree().map_err(io::Error::other)?;
        let entry = match tree.get_path(path) {
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            entry => entry.map_err(io::Error::other)?,
        };
        if entry.kind() == Some(ObjectType::Tree) {
            return Ok(None);
        }
        if entry.filemode() & 0o170_000 != REGULAR {
            return Err(io::Error::other("it is a link or a submodule in the last commit"));
        }
        let blob = self.repository.find_blob(entry.id()).map_err(io::Error::other)?;
        Ok(Some(blob.content().to_owned()))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let tree = self.tree().map_err(io::Error::other)?;
        let entry = match tree.get_path(directory) {
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(Vec::new()),
            entry => entry.map_err(io::Error::other)?,
        };
        let Ok(below) = self.repository.find_tree(entry.id()) else { return Ok(Vec::new()) };
        let files = below.iter().filter(|entry| entry.kind() == Some(ObjectType::Blob));
        let mut names: Vec<_> =
            files.filter_map(|entry| entry.name().ok().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::{Author, NewCommit, create_repository};

    fn repository() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let commit = NewCommit {
            message: "one\n".into(),
            author: Author { name: "Ana".into(), email: "ana@taller.example".into() },
            at: jiff::Timestamp::UNIX_EPOCH,
            files: vec![
                ("config/hosts/a.conf".into(), b"a".to_vec()),
                ("docs/gone.md".into(), b"g".to_vec()),
            ],
        };
        create_repository(directory.path(), &[commit], &[]).unwrap();
        let repository = Repository::open(directory.path()).unwrap();
        let mut config = repository.config().unwrap();
        config.set_str("user.name", "Bea").unwrap();
        config.set_str("user.email", "bea@taller.example").unwrap();
        fs::create_dir_all(directory.path().join("config/hosts")).unwrap();
        directory
    }

    fn draft(branch: &str) -> Draft {
        Draft {
            branch: Branch::parse(branch).unwrap(),
            message: "two\n".into(),
            at: jiff::Timestamp::from_second(1_762_160_400).unwrap(),
            files: vec![
                ("config/hosts/b.conf".into(), Some(b"b".to_vec())),
                ("docs/gone.md".into(), None),
            ],
        }
    }

    #[test]
    fn a_branch_is_made_and_nothing_else_is_touched() {
        let directory = repository();
        let index = fs::read(directory.path().join(".git/index")).unwrap();
        let head = Head::open(directory.path()).unwrap();
        let id = head.commit(&draft("client/acme")).unwrap();
        let repository = Repository::open(directory.path()).unwrap();
        let branch = repository.find_branch("client/acme", git2::BranchType::Local).unwrap();
        let commit = branch.get().peel_to_commit().unwrap();
        assert_eq!(commit.id().to_string(), id.to_string());
        assert_eq!(commit.author().name().unwrap(), "Bea");
        assert_eq!(commit.parent(0).unwrap().id(), head.commit);
        let tree = commit.tree().unwrap();
        assert!(tree.get_path(Path::new("config/hosts/b.conf")).is_ok());
        assert!(tree.get_path(Path::new("config/hosts/a.conf")).is_ok());
        assert!(tree.get_path(Path::new("docs/gone.md")).is_err());
        assert_eq!(repository.head().unwrap().shorthand().unwrap(), "main");
        assert_eq!(fs::read(directory.path().join(".git/index")).unwrap(), index);
        assert!(!directory.path().join("config/hosts/b.conf").exists());
        assert!(matches!(
            head.commit(&draft("client/acme")),
            Err(HeadError::BranchExists(branch)) if branch.as_str() == "client/acme"
        ));
    }

    #[test]
    fn the_commit_is_read_and_not_the_work_tree() {
        let directory = repository();
        fs::File::create(directory.path().join("config/hosts/new.conf")).unwrap();
        let head = Head::open(directory.path()).unwrap();
        assert_eq!(head.list(Path::new("config/hosts")).unwrap(), ["a.conf"]);
        assert_eq!(head.read(Path::new("config/hosts/a.conf")).unwrap().unwrap(), b"a");
        assert_eq!(head.read(Path::new("config/hosts/new.conf")).unwrap(), None);
        assert_eq!(head.read(Path::new("config")).unwrap(), None);
        assert!(head.list(Path::new("absent")).unwrap().is_empty());
    }

    #[test]
    fn a_directory_below_a_repository_is_not_its_root() {
        let directory = repository();
        let below = directory.path().join("config");
        assert!(matches!(Head::open(&below), Err(HeadError::NotTheRoot(_))));
        let empty = tempfile::tempdir().unwrap();
        Repository::init(empty.path()).unwrap();
        assert!(matches!(Head::open(empty.path()), Err(HeadError::NoCommit)));
    }
}
