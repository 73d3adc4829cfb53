//! Reads the platform repository: branches, trees, addons, packs. Does I/O.

mod pattern;
mod types;

pub use pattern::BranchPattern;
pub use types::{Addon, BlobId, Branch, CommitId, CommitSummary, FileChange, Signature, TreeId};
