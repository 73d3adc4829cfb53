//! What was read of Git and is the same for all hosts of a run: read for the first of them.

use std::{cell::RefCell, collections::HashMap, hash::Hash, path::PathBuf};

use super::WorkflowError;
use crate::{
    settings::Settings,
    source::{
        Addon, Branch, Cache, CommitId, Remote, Repository, SourceError, SourceTree, TreeId,
        WorkingState,
    },
};

/// What was read so far. A commit and a tree never change; that the remote and the operator's
/// work tree do, concerns the next command.
#[derive(Default)]
pub struct Readings {
    remote: Known<(), Remote>,
    trees: Known<CommitId, TreeId>,
    settings: Known<CommitId, Settings>,
    addons: Known<(TreeId, Vec<PathBuf>), Vec<Addon>>,
    working_states: Known<(Branch, CommitId), WorkingState>,
}

impl Readings {
    /// Returns the remote to deploy from.
    pub(super) fn remote(&self, repository: &Repository) -> Result<Remote, SourceError> {
        self.remote.get((), || repository.remote())
    }

    /// Returns the tree of a commit. It is composed and checked once; a host has its own view
    /// of it, since Git may pack the cache anew while a run goes on.
    pub(super) fn tree(&self, cache: &Cache, commit: CommitId) -> Result<SourceTree, SourceError> {
        let known = self.trees.peek(&commit).and_then(|id| cache.tree_again(commit, id));
        if let Some(tree) = known {
            return Ok(tree);
        }
        let tree = cache.tree(commit)?;
        self.trees.put(commit, tree.id());
        Ok(tree)
    }

    /// Returns the settings at a commit.
    pub(super) fn settings(
        &self,
        cache: &Cache,
        commit: CommitId,
    ) -> Result<Settings, WorkflowError> {
        self.settings.get(commit, || Ok(Settings::load(&self.tree(cache, commit)?)?))
    }

    /// Returns the addons in directories of a tree.
    pub(super) fn addons(
        &self,
        tree: &SourceTree,
        directories: &[PathBuf],
    ) -> Result<Vec<Addon>, SourceError> {
        self.addons.get((tree.id(), directories.to_vec()), || tree.addons(directories))
    }

    /// Compares the operator's work tree with a branch that is at `tip`.
    pub(super) fn working_state(
        &self,
        repository: &Repository,
        (branch, tip): (&Branch, CommitId),
        cache: &Cache,
    ) -> Result<WorkingState, SourceError> {
        let read = || repository.working_state(branch, cache);
        self.working_states.get((branch.clone(), tip), read)
    }
}

/// Values by what they are of.
struct Known<K, V>(RefCell<HashMap<K, V>>);

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    fn peek(&self, key: &K) -> Option<V> {
        self.0.borrow().get(key).cloned()
    }

    fn put(&self, key: K, value: V) {
        self.0.borrow_mut().insert(key, value);
    }

    /// Returns what is known, else what is read now. A failure is not kept.
    fn get<E>(&self, key: K, read: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some(value) = self.peek(&key) {
            return Ok(value);
        }
        let value = read()?;
        self.put(key, value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_read_again_and_a_failure_is() {
        let known = Known::default();
        assert_eq!(known.get("a", || Err::<u32, _>("gone")), Err("gone"));
        assert_eq!(known.get("a", || Ok::<_, &str>(1)), Ok(1));
        assert_eq!(known.get("a", || Err("gone")), Ok(1));
        assert_eq!(known.get("b", || Err::<u32, _>("gone")), Err("gone"));
    }
}
