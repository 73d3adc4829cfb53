//! The command line: one file for each command, and the terminal. Does I/O.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where environment and clock are read"
)]

mod arguments;
mod exit_code;
mod run;
mod surroundings;

mod agent;
mod completions;
mod deploy;
mod hosts;
mod init;
mod lint;
mod render;
mod rollback;

mod json;
mod plan_view;
mod terminal;

pub use arguments::{Arguments, reference};
pub use exit_code::ExitCode;
pub use run::run;
