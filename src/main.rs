//! The `deploy` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    odoo_deploy::cli::run()
}
