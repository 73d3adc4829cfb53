//! Which hosts a command is about, where it is about several. Pure.

mod selection;

pub use selection::{FleetHost, Selection, SelectionError};
