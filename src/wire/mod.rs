//! The messages between controller and agent, and their framing. Pure but for the framing.

mod access;
mod copy_name;
mod observed;

pub use access::DatabaseAccess;
pub use copy_name::{CopyKind, CopyName};
pub use observed::{DatabaseFacts, InstalledModule, SeenAddon};
