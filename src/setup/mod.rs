//! Turns what hosts need of a server and what a machine has into steps, and into what is wrong
//! with it. Pure.

mod diagnose;
mod distribution;
mod facts;
mod nginx;
mod plan;
mod postgres;
#[cfg(test)]
mod sample;
mod step;
mod texts;
mod wish;

pub use diagnose::{Diagnosis, Severity, diagnose};
pub use distribution::{Distribution, OsRelease};
pub use facts::{
    Disk, Examination, Firewall, HostService, MachineFacts, Pending, SourceFacts, UnitFacts,
};
pub use plan::{SetupPlan, plan_setup};
pub use step::{
    ConfigFile, OdooPackage, Owner, Reader, SetupOrder, SetupStep, SetupTold, checkout_of,
    environment_of,
};
pub use wish::{MachineRequest, Wish};
