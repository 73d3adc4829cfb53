//! Starts a repository with a given history.

use std::path::{Path, PathBuf};

use super::{Branch, CommitId};

/// Who wrote a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The mail address.
    pub email: String,
}

/// A commit to be made: it adds or replaces files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommit {
    /// The message.
    pub message: String,
    /// Who wrote it.
    pub author: Author,
    /// When, as authors and committers have it.
    pub at: jiff::Timestamp,
    /// Paths, relative to the root, and what they hold.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

/// Why a repository cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Git could not be asked where a repository is.
    #[error("failed to look for a git repository at `{directory}`")]
    Discover {
        /// The directory.
        directory: PathBuf,
        /// What git says.
        #[source]
        source: git2::Error,
    },
    /// The repository or one of its commits could not be made.
    #[error("failed to create the git repository `{directory}`")]
    Create {
        /// The directory.
        directory: PathBuf,
        /// What git says.
        #[source]
        source: git2::Error,
    },
}

/// Returns the root of the work tree that the directory belongs to; none where there is none.
///
/// # Errors
/// Fails where something like a repository is there but cannot be read.
pub fn work_tree_around(directory: &Path) -> Result<Option<PathBuf>, CreateError> {
    match git2::Repository::discover(directory) {
        Ok(repository) => Ok(Some(repository.workdir().unwrap_or(repository.path()).to_owned())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(source) => Err(CreateError::Discover { directory: directory.to_owned(), source }),
    }
}

/// Returns who the user says they are in Git's own configuration; none where they did not say.
#[must_use]
pub fn configured_author() -> Option<Author> {
    let config = git2::Config::open_default().ok()?;
    let value = |key| config.get_string(key).ok().filter(|value| !value.trim().is_empty());
    Some(Author { name: value("user.name")?, email: value("user.email")? })
}

/// Makes a repository whose branch `main`, and every other one named, holds the given commits.
///
/// The work tree is not written: its files are expected to be there as the last commit has them.
///
/// # Errors
/// Fails where Git cannot write, or where there is a repository already.
pub fn create_repository(
    directory: &Path,
    commits: &[NewCommit],
    branches: &[Branch],
) -> Result<Option<CommitId>, CreateError> {
    create(directory, commits, branches)
        .map_err(|source| CreateError::Create { directory: directory.to_owned(), source })
}

fn create(
    directory: &Path,
    commits: &[NewCommit],
    branches: &[Branch],
) -> Result<Option<CommitId>, git2::Error> {
    let mut options = git2::RepositoryInitOptions::new();
    options.initial_head("main").no_reinit(true);
    let repository = git2::Repository::init_opts(directory, &options)?;
    let mut index = repository.index()?;
    let mut tip: Option<git2::Commit<'_>> = None;
    for commit in commits {
        for (path, content) in &commit.files {
            index.add_frombuffer(&entry(path), content)?;
        }
        let tree = repository.find_tree(index.write_tree()?)?;
        let at = git2::Time::new(commit.at.as_second(), 0);
        let author = git2::Signature::new(&commit.author.name, &commit.author.email, &at)?;
        let parents: Vec<_> = tip.iter().collect();
        let id =
            repository.commit(Some("HEAD"), &author, &author, &commit.message, &tree, &parents)?;
        tip = Some(repository.find_commit(id)?);
    }
    index.write()?;
    let Some(tip) = tip else { return Ok(None) };
    for branch in branches {
        repository.branch(branch.as_str(), &tip, false)?;
    }
    let bytes = tip.id().as_bytes().try_into().expect("an object id has 20 bytes");
    Ok(Some(CommitId::from_bytes(bytes)))
}

/// An index entry of a regular file; Git fills in the object.
fn entry(path: &Path) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: git2::Oid::ZERO_SHA1,
        flags: 0,
        flags_extended: 0,
        path: path.to_string_lossy().into_owned().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_commits_have_the_same_id_everywhere() {
        let commit = |message: &str, content: &str| NewCommit {
            message: message.into(),
            author: Author { name: "Ana".into(), email: "ana@taller.example".into() },
            at: jiff::Timestamp::from_second(1_762_160_400).unwrap(),
            files: vec![("a/b.txt".into(), content.into())],
        };
        let commits = [commit("one\n", "1"), commit("two\n", "2")];
        let branches = [Branch::parse("test").unwrap()];
        let ids = [(), ()].map(|()| {
            let directory = tempfile::tempdir().unwrap();
            let id = create_repository(directory.path(), &commits, &branches).unwrap();
            let repository = git2::Repository::open(directory.path()).unwrap();
            let test = repository.find_branch("test", git2::BranchType::Local).unwrap();
            let tip = test.get().peel_to_commit().unwrap();
            assert_eq!(repository.head().unwrap().shorthand().unwrap(), "main");
            assert_eq!(tip.parent(0).unwrap().message().unwrap(), "one\n");
            assert_eq!(id.unwrap().to_string(), tip.id().to_string());
            assert!(create_repository(directory.path(), &commits, &branches).is_err());
            id
        });
        assert_eq!(ids[0], ids[1]);
    }

    #[test]
    fn a_directory_below_a_work_tree_belongs_to_it() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(work_tree_around(directory.path()).unwrap(), None);
        create_repository(directory.path(), &[], &[]).unwrap();
        let below = directory.path().join("a");
        std::fs::create_dir(&below).unwrap();
        let root = work_tree_around(&below).unwrap().expect("there is a repository");
        assert_eq!(root.canonicalize().unwrap(), directory.path().canonicalize().unwrap());
    }
}
