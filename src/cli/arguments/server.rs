//! What can be typed after `deploy server`.

use clap::{Args, Subcommand};

use crate::host::ServerName;

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ServerArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: ServerCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli) enum ServerCommand {
    /// Makes a server ready for hosts: packages, Odoo, PostgreSQL, nginx, firewall, updates.
    ///
    /// Run again, it mends what differs and touches nothing else. The work belongs to the
    /// server: a lost link does not stop it, and running this again shows it.
    Setup(SetupArguments),
    /// Says what is wrong with a server, and how to mend each of it.
    ///
    /// Ends with 3 where it found something.
    Doctor(DoctorArguments),
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SetupArguments {
    /// The server: a section `[servers.NAME]` of `config/deploy.toml`.
    #[arg(long, value_parser = ServerName::parse, value_name = "NAME")]
    pub(in crate::cli) server: ServerName,
    /// Do not ask; needed where nobody can be asked.
    #[arg(long, short, conflicts_with = "check")]
    pub(in crate::cli) yes: bool,
    /// Show what would be done and do nothing; end with status 3 where there is something.
    #[arg(long)]
    pub(in crate::cli) check: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct DoctorArguments {
    /// The server: a section `[servers.NAME]` of `config/deploy.toml`.
    #[arg(long, value_parser = ServerName::parse, value_name = "NAME")]
    pub(in crate::cli) server: ServerName,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

impl ServerArguments {
    /// Tells whether objects are wished.
    pub(in crate::cli) const fn json(&self) -> bool {
        match &self.command {
            ServerCommand::Setup(setup) => setup.json,
            ServerCommand::Doctor(doctor) => doctor.json,
        }
    }
}
