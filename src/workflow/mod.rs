//! The stories of the tool, each told top to bottom. Does I/O.

pub mod adopt;
pub mod announce;
pub mod attach;
mod certificate;
pub mod changes;
pub mod client;
pub mod deploy;
pub mod dns;
pub mod fleet;
pub mod follow;
pub mod history;
pub mod hooks;
pub mod init;
pub mod key;
pub mod lock;
pub mod logs;
pub mod render;
pub mod rollback;
pub mod saved;
pub mod setup;
pub mod status;

mod contact;
mod desire;
mod error;
mod files;
mod modules;
mod origin;
mod outside;
mod project;
mod readings;

pub use error::WorkflowError;
pub use outside::Outside;
pub use project::{Operator, Project, Surroundings};
pub use readings::Readings;
