//! The command line: one file for each command, and the terminal. Does I/O.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where environment and clock are read"
)]

mod arguments;
mod exit_code;
mod run;
mod surroundings;

mod adopt;
mod agent;
mod apply;
mod attach;
mod changes;
mod client;
mod completions;
mod deploy;
mod dns;
mod fleet;
mod follow;
mod history;
mod hosts;
mod init;
mod lint;
mod lock;
mod logs;
mod man_pages;
mod render;
mod rollback;
mod server;
mod status;

mod around;
mod interrupts;
mod json;
mod lanes;
mod plan_file;
mod plan_view;
mod terminal;
mod words;

pub use arguments::{Arguments, reference};
pub use exit_code::ExitCode;
pub use run::run;
