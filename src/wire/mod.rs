//! The messages between controller and agent, and their framing. Pure but for the framing.

mod access;
mod observed;

pub use access::DatabaseAccess;
pub use observed::{DatabaseFacts, InstalledModule, SeenAddon};
