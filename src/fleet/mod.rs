//! Which hosts a command is about, where it is about several, and how they are spread over
//! the runners of a pipeline. Pure.

mod matrix;
mod selection;

pub use matrix::{Job, MOST_JOBS, Matrix, MatrixError};
pub use selection::{FleetHost, Selection, SelectionError};
