//! The tool's own bare copy of the remote.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid};

use super::{
    Branch, CommitId, Remote, SourceError, SourceTree, TreeId,
    mirror::{History, Mirror},
    text,
    trees::{objects_error, oid},
};

/// How alike two branch names are that one suggests the other, from 0 to 1.
const ALIKE: f32 = 0.6;

/// Branches of a remote as they were when they were fetched.
pub struct Cache {
    directory: PathBuf,
    path: PathBuf,
    remote: Remote,
    pub(super) repository: git2::Repository,
}

impl Cache {
    /// Fetches branches, with their history, into the cache below `directory`.
    ///
    /// A damaged cache is made anew. Two runs at once wait for each other.
    ///
    /// # Errors
    /// When the remote cannot be reached, or has no such branch.
    pub fn fetch(
        directory: &Path,
        remote: &Remote,
        branches: &[Branch],
    ) -> Result<Self, SourceError> {
        let mirror = Mirror::lock(directory, remote)?;
        if !branches.is_empty() {
            let fetched = fetch_branches(&mirror, remote, branches);
            if is_damaged(&mirror, branches, fetched.as_ref().err()) {
                mirror.rebuild()?;
                fetch_branches(&mirror, remote, branches)?;
            } else {
                fetched?;
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            path: mirror.path().to_owned(),
            remote: remote.clone(),
            repository: mirror.open()?,
        })
    }

    /// Returns the remote it was fetched from.
    #[must_use]
    pub const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Returns the commit a fetched branch is at.
    ///
    /// # Errors
    /// When the branch was not fetched.
    pub fn tip(&self, branch: &Branch) -> Result<CommitId, SourceError> {
        let id = self.repository.refname_to_id(&format!("refs/heads/{branch}"));
        id.map(commit_id).map_err(objects_error(|| format!("read branch `{branch}`")))
    }

    /// Finds a commit by its id or the first digits of it, and fetches it where it is missing.
    ///
    /// # Errors
    /// When the text is no id, fits several commits, or the remote has no such commit.
    pub fn commit(&self, text: &str) -> Result<CommitId, SourceError> {
        let is_id = (4..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            return Err(SourceError::NotACommitId { text: text::cleaned(text) });
        }
        let text = text.to_ascii_lowercase();
        if let Some(found) = self.known_commit(&text)? {
            return Ok(found);
        }
        let mirror = Mirror::lock(&self.directory, &self.remote)?;
        let by_id = format!("+{text}:refs/deploy/{text}");
        let by_id_failed = text.len() < 40 || mirror.fetch(&[by_id], History::Full).is_err();
        if by_id_failed {
            mirror.fetch_all()?;
        }
        drop(mirror);
        self.known_commit(&text)?
            .ok_or_else(|| SourceError::NoCommit { commit: text, remote: self.remote.to_string() })
    }

    /// Tells whether the commit is in the cache.
    #[must_use]
    pub fn contains(&self, commit: CommitId) -> bool {
        self.repository.find_commit(oid(commit.as_bytes())).is_ok()
    }

    /// Tells whether a fetched branch leads to the commit.
    ///
    /// # Errors
    /// When the branch was not fetched, or its history cannot be read.
    pub fn is_on(&self, branch: &Branch, commit: CommitId) -> Result<bool, SourceError> {
        let tip = self.tip(branch)?;
        if tip == commit || !self.contains(commit) {
            return Ok(tip == commit);
        }
        self.repository
            .graph_descendant_of(oid(tip.as_bytes()), oid(commit.as_bytes()))
            .map_err(objects_error(|| format!("read the history of `{branch}`")))
    }

    /// Returns the tree of a commit, its submodules in it.
    ///
    /// # Errors
    /// When a submodule cannot be had, or the tree holds what cannot be deployed.
    pub fn tree(&self, commit: CommitId) -> Result<SourceTree, SourceError> {
        SourceTree::compose(&self.directory, &self.path, &self.remote, commit)
    }

    /// Returns a tree that was composed of a commit before; none where the cache has lost it.
    #[must_use]
    pub fn tree_again(&self, commit: CommitId, id: TreeId) -> Option<SourceTree> {
        SourceTree::open(&self.directory, &self.path, commit, id)
    }

    pub(super) fn objects_directory(&self) -> PathBuf {
        self.path.join("objects")
    }

    fn known_commit(&self, digits: &str) -> Result<Option<CommitId>, SourceError> {
        match self.repository.find_object_by_prefix(digits, Some(ObjectType::Commit)) {
            Ok(object) => Ok(Some(commit_id(object.id()))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) if error.code() == ErrorCode::Ambiguous => {
                Err(SourceError::Ambiguous { text: digits.to_owned() })
            }
            Err(source) => {
                Err(SourceError::Objects { operation: format!("read commit `{digits}`"), source })
            }
        }
    }
}

fn commit_id(id: Oid) -> CommitId {
    CommitId::from_bytes(super::trees::bytes(id))
}

fn fetch_branches(
    mirror: &Mirror,
    remote: &Remote,
    branches: &[Branch],
) -> Result<(), SourceError> {
    make_way(mirror, branches)?;
    let refspecs: Vec<_> =
        branches.iter().map(|branch| format!("+refs/heads/{branch}:refs/heads/{branch}")).collect();
    let Err(failed) = mirror.fetch(&refspecs, History::Full) else { return Ok(()) };
    let SourceError::Git { complaint, .. } = &failed else { return Err(failed) };
    if !complaint.contains("couldn't find remote ref") {
        return Err(failed);
    }
    let known = mirror.branches_of_remote()?;
    let missing = branches.iter().find(|branch| !known.iter().any(|name| name == branch.as_str()));
    let Some(branch) = missing else { return Err(failed) };
    let candidates: Vec<&str> = known.iter().map(String::as_str).collect();
    let near = similar::get_close_matches(branch.as_str(), &candidates, 3, ALIKE);
    Err(SourceError::NoBranch {
        branch: branch.clone(),
        remote: remote.to_string(),
        near: near.into_iter().map(text::cleaned).collect(),
    })
}

/// Removes cached branches whose names are now directories of wanted ones, or the other way round.
fn make_way(mirror: &Mirror, branches: &[Branch]) -> Result<(), SourceError> {
    let repository = mirror.open()?;
    let failed = || objects_error(|| "read the cached branches".to_owned());
    let references = repository.references_glob("refs/heads/*").map_err(failed())?;
    for reference in references {
        let Ok(mut reference) = reference else { continue };
        let Ok(name) =
            reference.name().map(|name| name.trim_start_matches("refs/heads/").to_owned())
        else {
            continue;
        };
        let below = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
        };
        if branches.iter().any(|b| below(&name, b.as_str()) || below(b.as_str(), &name)) {
            reference.delete().map_err(failed())?;
        }
    }
    Ok(())
}

/// Tells whether the copy itself is at fault: Git says so, or a fetched tree is not whole.
fn is_damaged(mirror: &Mirror, branches: &[Branch], failure: Option<&SourceError>) -> bool {
    const SIGNS: [&str; 9] = [
        "corrupt",
        "bad object",
        "unable to read",
        "did not send all necessary objects",
        "inflate",
        "packfile",
        "index file",
        "loose object",
        "invalid sha1 pointer",
    ];
    match failure {
        Some(SourceError::Git { complaint, .. }) => {
            SIGNS.iter().any(|sign| complaint.contains(sign)) && !complaint.contains("remote: ")
        }
        Some(SourceError::Objects { .. }) => true,
        Some(_) => false,
        None => !branches.iter().all(|branch| is_whole(mirror, branch)),
    }
}

fn is_whole(mirror: &Mirror, branch: &Branch) -> bool {
    let Ok(repository) = mirror.open() else { return false };
    let tip = repository.find_reference(&format!("refs/heads/{branch}"));
    let tree = tip.and_then(|tip| tip.peel_to_tree());
    tree.is_ok_and(|tree| super::trees::is_complete(&repository, tree.id()))
}
