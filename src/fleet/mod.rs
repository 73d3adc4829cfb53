//! Runs over many hosts: which hosts, in which order, and what one's end means for the
//! others. Pure.

mod course;
mod rules;
mod run;
mod selection;

pub use course::{Course, End, Runner, Stop, Turn};
pub use rules::{Amount, AmountError, OnFailure, Rules};
pub use run::{Run, RunError, RunHost};
pub use selection::{FleetHost, Selection, SelectionError};
