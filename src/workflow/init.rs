//! Starts a platform repository, or adds to one what it lacks.

mod files;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use self::files::{File, demo_commits, demo_files, owned, platform_files};
use crate::source::{
    Author, Branch, CommitId, CreateError, NewCommit, configured_author, create_repository,
    work_tree_around,
};

/// The branches that stand for an environment, besides `main`.
const BRANCHES: [&str; 3] = ["test", "blink", "demo"];

/// What is wanted of a new platform repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitOptions {
    /// Whether two small modules with some history come with it.
    pub demo: bool,
    /// The time of the first commit.
    pub at: jiff::Timestamp,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitReport {
    /// The files that were written, relative to the directory.
    pub added: Vec<PathBuf>,
    /// The files that were there already and stay as they are.
    pub left: Vec<PathBuf>,
    /// What became of the Git repository.
    pub repository: InitRepository,
}

/// What became of the Git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitRepository {
    /// It was there: what was added waits for the user's own commit.
    Existing,
    /// It was created; every branch is at the same commit.
    Created {
        /// That commit.
        commit: CommitId,
        /// The branches, `main` first.
        branches: Vec<Branch>,
    },
}

/// Why a platform repository cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The directory is a part of another repository.
    #[error("`{directory}` is inside the git repository `{root}`")]
    InsideRepository {
        /// The directory that was named.
        directory: PathBuf,
        /// The repository around it.
        root: PathBuf,
    },
    /// A file could not be written.
    #[error("failed to write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The repository could not be read or created.
    #[error(transparent)]
    Git(#[from] CreateError),
}

impl InitError {
    /// Returns the next move of whoever sees the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InsideRepository { root, .. } => Some(format!(
                "`deploy init {}` adds what that repository lacks and overwrites nothing",
                root.display()
            )),
            Self::Write { .. } | Self::Git(_) => None,
        }
    }
}

/// Writes a platform repository into the directory.
///
/// A file that is there is never overwritten. Where the directory is not a Git repository it
/// becomes one, with a first commit of these files; in an existing one nothing is committed.
///
/// # Errors
/// Refuses a directory inside another repository; fails where a file cannot be written. What was
/// written until then stays, and the next call goes on from there.
pub fn init(directory: &Path, options: &InitOptions) -> Result<InitReport, InitError> {
    let around = work_tree_around(nearest_directory(directory))?;
    if let Some(root) = &around
        && !is_same_directory(root, directory)
    {
        return Err(InitError::InsideRepository {
            directory: directory.to_owned(),
            root: root.clone(),
        });
    }
    create_directory(directory)?;
    let mut files = platform_files(options.demo);
    if options.demo {
        files.extend(demo_files());
    }
    let mut report =
        InitReport { added: Vec::new(), left: Vec::new(), repository: InitRepository::Existing };
    for (path, content) in &files {
        let list = match write_new(&directory.join(path), content)? {
            Written::Yes => &mut report.added,
            Written::AlreadyThere => &mut report.left,
        };
        list.push(path.into());
    }
    if around.is_none() {
        report.repository = start_history(directory, &files, options)?;
    }
    Ok(report)
}

/// Returns the directory itself or, before it is there, the first one above that is.
fn nearest_directory(directory: &Path) -> &Path {
    directory.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("."))
}

fn create_directory(directory: &Path) -> Result<(), InitError> {
    fs::create_dir_all(directory)
        .map_err(|source| InitError::Write { path: directory.to_owned(), source })
}

fn is_same_directory(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

enum Written {
    Yes,
    AlreadyThere,
}

fn write_new(path: &Path, content: &[u8]) -> Result<Written, InitError> {
    if let Some(parent) = path.parent() {
        create_directory(parent)?;
    }
    let failed = |source| InitError::Write { path: path.to_owned(), source };
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(content).map_err(failed)?;
            Ok(Written::Yes)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Written::AlreadyThere),
        Err(error) => Err(failed(error)),
    }
}

/// Commits the files that are there as they were meant; what else is there stays uncommitted.
fn start_history(
    directory: &Path,
    files: &[File],
    options: &InitOptions,
) -> Result<InitRepository, InitError> {
    let is_ours = |path: &str| {
        files.iter().any(|(ours, content)| {
            *ours == path && fs::read(directory.join(path)).is_ok_and(|present| present == *content)
        })
    };
    let mut commits = if options.demo { demo_commits(&is_ours) } else { Vec::new() };
    commits.push(NewCommit {
        message: "Add the hosts and how they are deployed\n".into(),
        author: configured_author().unwrap_or_else(|| Author {
            name: "odoo-deploy".into(),
            email: "odoo-deploy@localhost".into(),
        }),
        at: options.at,
        files: owned(&platform_files(options.demo), &is_ours),
    });
    let others = BRANCHES.map(|name| Branch::parse(name).expect("a good branch name"));
    let commit = create_repository(directory, &commits, &others)?
        .expect("there is at least the platform's commit");
    let main = Branch::parse("main").expect("a good branch name");
    let branches = std::iter::once(main).chain(others).collect();
    Ok(InitRepository::Created { commit, branches })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(demo: bool) -> InitOptions {
        InitOptions { demo, at: "2026-01-02T03:04:05Z".parse().expect("a date") }
    }

    fn messages(directory: &Path) -> Vec<String> {
        let repository = git2::Repository::open(directory).unwrap();
        let mut walk = repository.revwalk().unwrap();
        walk.push_head().unwrap();
        walk.map(|id| {
            repository.find_commit(id.unwrap()).unwrap().summary().unwrap().unwrap().to_owned()
        })
        .collect()
    }

    fn is_clean(directory: &Path) -> bool {
        let repository = git2::Repository::open(directory).unwrap();
        let mut options = git2::StatusOptions::new();
        options.include_untracked(true);
        repository.statuses(Some(&mut options)).unwrap().is_empty()
    }

    #[test]
    fn an_empty_directory_becomes_a_repository_with_four_branches() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("new/platform");
        let report = init(&directory, &options(false)).unwrap();
        assert_eq!(report.added.len(), platform_files(false).len());
        assert!(report.left.is_empty());
        let InitRepository::Created { commit, branches } = report.repository else {
            panic!("it was not a repository")
        };
        let names: Vec<_> = branches.iter().map(Branch::as_str).collect();
        assert_eq!(names, ["main", "test", "blink", "demo"]);
        let repository = git2::Repository::open(&directory).unwrap();
        for name in names {
            let branch = repository.find_branch(name, git2::BranchType::Local).unwrap();
            assert_eq!(branch.get().target().unwrap().to_string(), commit.to_string());
        }
        assert!(is_clean(&directory));
    }

    #[test]
    fn the_demonstration_has_a_history() {
        let place = tempfile::tempdir().unwrap();
        init(place.path(), &options(true)).unwrap();
        assert!(is_clean(place.path()));
        let messages = messages(place.path());
        assert_eq!(messages.len(), 6);
        assert_eq!(messages[0], "Add the hosts and how they are deployed");
        assert!(messages[5].starts_with("[ADD] taller_reparaciones"));
        let host = place.path().join("config/hosts/demo.somosblink.com.conf");
        assert!(fs::read_to_string(host).unwrap().contains("install = base, taller_reparaciones"));
    }

    #[test]
    fn a_repository_gets_what_it_lacks_and_nothing_is_overwritten_or_committed() {
        let place = tempfile::tempdir().unwrap();
        git2::Repository::init(place.path()).unwrap();
        let mut readme = OpenOptions::new();
        let path = place.path().join("README.md");
        readme.write(true).create_new(true).open(&path).unwrap().write_all(b"mine").unwrap();
        let report = init(place.path(), &options(true)).unwrap();
        assert_eq!(report.left, [PathBuf::from("README.md")]);
        assert_eq!(report.repository, InitRepository::Existing);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert!(git2::Repository::open(place.path()).unwrap().is_empty().unwrap());
        let again = init(place.path(), &options(true)).unwrap();
        assert!(again.added.is_empty());
    }

    #[test]
    fn somebody_elses_file_is_not_committed() {
        let place = tempfile::tempdir().unwrap();
        let mut readme = OpenOptions::new();
        let path = place.path().join("README.md");
        readme.write(true).create_new(true).open(&path).unwrap().write_all(b"mine").unwrap();
        init(place.path(), &options(false)).unwrap();
        let repository = git2::Repository::open(place.path()).unwrap();
        let status = repository.status_file(Path::new("README.md")).unwrap();
        assert_eq!(status, git2::Status::WT_NEW);
    }

    #[test]
    fn no_repository_is_nested_in_another() {
        let place = tempfile::tempdir().unwrap();
        git2::Repository::init(place.path()).unwrap();
        let error = init(&place.path().join("odoo"), &options(false)).unwrap_err();
        assert!(error.to_string().contains("is inside the git repository"), "{error}");
        assert!(error.hint().expect("it has a hint").contains("deploy init"));
        assert!(!place.path().join("odoo").exists());
    }
}
