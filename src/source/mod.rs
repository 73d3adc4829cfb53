//! Reads the platform repository: branches, trees, addons, packs. Does I/O.

mod create;
mod pattern;
mod types;

pub use create::{
    Author, CreateError, NewCommit, configured_author, create_repository, work_tree_around,
};
pub use pattern::BranchPattern;
pub use types::{Addon, BlobId, Branch, CommitId, CommitSummary, FileChange, Signature, TreeId};
