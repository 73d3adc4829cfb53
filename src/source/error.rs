//! What can go wrong with Git, said to an operator.

use std::{io, path::PathBuf};

use super::{Branch, CommitId, TreeId};
use crate::odoo::ManifestError;

/// A failure while the source is read, fetched, packed or written.
///
/// Texts from elsewhere (names, Git's own words) are cleaned of control
/// characters and credentials before they get in here.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No directory above the start is a platform repository.
    #[error("no `config/deploy.toml` in `{start}` or above it")]
    NoPlatformRepository {
        /// Where the search began.
        start: String,
    },
    /// The platform repository is not the root of a Git work tree.
    #[error("`{root}` is not the root of a Git repository")]
    NotTheRoot {
        /// The directory with `config/deploy.toml`.
        root: String,
        /// The root that Git knows, if any.
        git_root: Option<String>,
    },
    /// Several remotes, and none of them stands out.
    #[error("none of the remotes {} is the one to deploy from", .names.join(", "))]
    NoRemoteChosen {
        /// The remotes of the repository.
        names: Vec<String>,
    },
    /// `git` cannot be started.
    #[error("failed to run `git`")]
    StartGit {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `git` ended with an error.
    #[error("failed to {operation}: {complaint}")]
    Git {
        /// What was tried, with its object.
        operation: String,
        /// What Git wrote, cleaned.
        complaint: String,
    },
    /// The remote has no such branch.
    #[error("there is no branch `{branch}` on {remote}")]
    NoBranch {
        /// The branch.
        branch: Branch,
        /// The remote's address, masked.
        remote: String,
        /// Branches with similar names.
        near: Vec<String>,
    },
    /// The remote has no such commit.
    #[error("there is no commit `{commit}` on {remote}")]
    NoCommit {
        /// The commit as it was asked for.
        commit: String,
        /// The remote's address, masked.
        remote: String,
    },
    /// The text cannot name a commit.
    #[error("`{text}` is not a commit id")]
    NotACommitId {
        /// The text, cleaned.
        text: String,
    },
    /// The abbreviation fits several objects.
    #[error("`{text}` fits more than one commit")]
    Ambiguous {
        /// The abbreviation.
        text: String,
    },
    /// A file could not be read or written.
    #[error("failed to {operation} `{path}`")]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A path that is not below the root it is meant to be below.
    #[error("`{path}` leaves `{root}`")]
    LeavesRoot {
        /// The path, as it was asked for.
        path: String,
        /// The root.
        root: String,
    },
    /// Git's objects could not be read or written.
    #[error("failed to {operation}")]
    Objects {
        /// What was tried, with its object.
        operation: String,
        /// Why.
        #[source]
        source: git2::Error,
    },
    /// A submodule that cannot be had.
    #[error("failed to get submodule `{path}` at {commit}: {reason}")]
    Submodule {
        /// Where it is in the tree.
        path: String,
        /// The commit that the tree wants.
        commit: CommitId,
        /// What is wrong with it.
        reason: String,
        /// Git's failure, if it came to that.
        #[source]
        source: Option<Box<Self>>,
    },
    /// Files whose content is in Git LFS.
    #[error("{} stored in Git LFS, which is not deployed", stored(.paths))]
    LargeFiles {
        /// The files.
        paths: Vec<String>,
    },
    /// A symbolic link that leads out of the tree.
    #[error("the link `{path}` leads out of the repository, to `{target}`")]
    LinkLeaves {
        /// The link.
        path: String,
        /// Its target, as written.
        target: String,
    },
    /// A file name that must not be written.
    #[error("`{path}` is not a name that can be written")]
    HostileName {
        /// The path.
        path: String,
    },
    /// A manifest that Odoo could not read.
    #[error("failed to read the manifest `{path}`")]
    Manifest {
        /// The file.
        path: String,
        /// Where and why.
        #[source]
        source: ManifestError,
    },
    /// A tree of which objects are missing.
    #[error("tree {tree} is not complete in `{store}`")]
    Incomplete {
        /// The tree.
        tree: TreeId,
        /// The object store.
        store: PathBuf,
    },
    /// A directory that had to be empty.
    #[error("`{directory}` is not empty")]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
}

impl SourceError {
    /// Returns the operator's next move, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPlatformRepository { .. } => {
                "go into the platform repository, or make one with `deploy init`".into()
            }
            Self::NotTheRoot { git_root: Some(root), .. } => {
                format!("`config/` belongs in the root of the Git repository, `{root}`")
            }
            Self::NotTheRoot { .. } => "only what is committed to Git can be deployed".into(),
            Self::NoRemoteChosen { .. } => {
                "name it `origin`, or set it as the upstream of the current branch".into()
            }
            Self::StartGit { .. } => "install Git, version 2.31 or newer".into(),
            Self::Git { complaint, .. } => return hint_for_git(complaint),
            Self::NoBranch { near, .. } if !near.is_empty() => {
                format!("did you mean {}?", near.join(", "))
            }
            Self::NoBranch { .. } | Self::NoCommit { .. } => {
                "check that it is pushed to this remote".into()
            }
            Self::NotACommitId { .. } => {
                "a commit is named by its 40 hexadecimal digits, or by the first ones".into()
            }
            Self::Ambiguous { .. } => "give more digits of it".into(),
            Self::Submodule { source: Some(source), .. } => {
                return Some(source.hint().unwrap_or_else(|| {
                    "check that the commit is pushed to the submodule's remote".into()
                }));
            }
            Self::Submodule { .. } => "correct `.gitmodules` and commit it".into(),
            Self::LargeFiles { .. } => {
                "take them out of LFS: `git lfs migrate export --include=<file>`".into()
            }
            Self::LinkLeaves { .. } => "copy what it leads to into the repository".into(),
            Self::Objects { source, .. } if source.code() != git2::ErrorCode::NotFound => {
                "if the object store is damaged, remove it: the next run fills it anew".into()
            }
            Self::Manifest { .. } => {
                "a manifest is one dictionary of literals: no calls, no names".into()
            }
            Self::LeavesRoot { .. } => "a link must stay inside the repository".into(),
            _ => return None,
        })
    }

    pub(super) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
        source: io::Error,
    ) -> Self {
        Self::File { operation, path: path.into(), source }
    }
}

fn stored(paths: &[String]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<_> = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    let more = paths.len().saturating_sub(SHOWN);
    match (names.len(), more) {
        (1, 0) => format!("{} is", names[0]),
        (_, 0) => format!("{} are", names.join(", ")),
        _ => format!("{} and {more} more are", names.join(", ")),
    }
}

fn hint_for_git(complaint: &str) -> Option<String> {
    let says = |parts: &[&str]| parts.iter().any(|part| complaint.contains(part));
    if says(&[
        "could not read Username",
        "could not read Password",
        "Authentication failed",
        "error: 403",
    ]) {
        return Some(
            "Git has no valid credentials for it: try `git fetch` by hand, or give CI a token"
                .into(),
        );
    }
    if says(&["Permission denied (publickey", "Could not read from remote repository"]) {
        return Some("check that your ssh key has access: try `git fetch` by hand".into());
    }
    if says(&["Could not resolve host", "Connection refused", "timed out"]) {
        return Some("check the network, then run the same command again".into());
    }
    if says(&["unknown option"]) {
        return Some("Git 2.31 or newer is needed".into());
    }
    if says(&["dubious ownership"]) {
        return Some(
            "the repository belongs to another user: see `safe.directory` in `git help config`"
                .into(),
        );
    }
    None
}
