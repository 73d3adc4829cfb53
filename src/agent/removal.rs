//! Removes a host: looks what there is, does the steps in a unit of its own, and relays what
//! that tells. Each step does nothing where it was done: a removal that died is completed by
//! asking for it again.

mod archive;
mod execute;
mod facts;
mod follow;
mod steps;
mod told;

pub use execute::{restart_after_removal, run_removal};
pub(super) use facts::facts;
pub(super) use follow::execute;
