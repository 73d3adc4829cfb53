//! Reads the platform repository: branches, trees, addons, packs. Does I/O.

mod addons;
mod cache;
mod check_out;
mod create;
mod error;
mod files;
mod git;
mod head;
mod inspect;
mod log;
mod mirror;
mod pack;
mod pattern;
mod remote;
mod repository;
mod signature;
mod store;
mod submodules;
mod text;
mod tree;
mod trees;
mod types;
mod url;

pub use cache::Cache;
pub use check_out::{CheckedOut, Previous};
pub use create::{
    Author, CreateError, NewCommit, configured_author, create_repository, work_tree_around,
};
pub use error::SourceError;
pub use head::{Draft, Head, HeadError};
pub use log::{CommitLog, Relation};
pub use pack::Pack;
pub use pattern::BranchPattern;
pub use remote::{Remote, RemoteKind};
pub use repository::{Repository, WorkingState};
pub use store::Store;
pub use tree::SourceTree;
pub use types::{Addon, BlobId, Branch, CommitId, CommitSummary, FileChange, Signature, TreeId};
pub use url::plain_address;
