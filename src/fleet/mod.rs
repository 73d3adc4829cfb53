//! Runs over many hosts: which hosts, how they are spread over the runners of a pipeline, in
//! which order they have their turns, and what one's end means for the others. Pure.

mod course;
mod matrix;
mod rules;
mod run;
mod selection;

pub use course::{Course, End, Runner, Stop, Turn};
pub use matrix::{Job, MOST_JOBS, Matrix, MatrixError};
pub use rules::{Amount, AmountError, OnFailure, Rules};
pub use run::{Run, RunError, RunHost};
pub use selection::{FleetHost, Selection, SelectionError};
