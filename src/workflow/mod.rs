//! The stories of the tool, each told top to bottom. Does I/O.

pub mod announce;
pub mod deploy;
pub mod init;
pub mod render;
pub mod rollback;

mod desire;
mod error;
mod files;
mod modules;
mod outside;
mod project;

pub use error::WorkflowError;
pub use outside::Outside;
pub use project::{Operator, Project, Surroundings};
