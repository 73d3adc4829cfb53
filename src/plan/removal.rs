//! Turns what a server has of a host into the steps that leave nothing of it. Both sides
//! make this plan: the agent does what was shown only where it comes to the same steps.

mod facts;
mod make;
mod step;
#[cfg(test)]
mod tests;

pub use facts::{
    HostDatabase, MeasuredFiles, ObtainedBy, RemovalFacts, RemovalNeighbour, RemovalQuestion,
    RoleBelongings,
};
pub use make::{Removal, make_removal};
pub use step::{ArchiveStep, Archived, RemovalOrder, RemovalOutcome, RemovalStep, RemovalTold};
