//! A client's hosts come into the repository, and go from it and from their servers.

mod add;
mod base;
mod pages;
mod remove;
mod write;

pub use add::{AddRequest, Added, AddedHost, add};
pub use pages::FileChange;
pub use remove::{Forgotten, HostEnd, HostRemoval, RemoveRequest, Targets, forget, look, remove};
