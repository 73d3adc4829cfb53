//! `deploy completions`.

use clap::CommandFactory as _;

use super::{Arguments, ExitCode};

pub(super) fn run(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Arguments::command(), "deploy", &mut std::io::stdout());
    ExitCode::Success
}
