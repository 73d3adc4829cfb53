//! What can be typed behind `deploy server`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::host::{HostPattern, KeyName, ServerName, UserName};

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
    /// Lets a key deploy some hosts of a server, and do nothing else there.
    ///
    /// Run it with a login that may do everything. Done again, it changes what is not as it
    /// should be.
    Authorize(AuthorizeArguments),
    /// Lists the keys that can only deploy.
    Keys(KeysArguments),
    /// Takes a key away that could deploy: at once, also from whoever is connected with it.
    Revoke(RevokeArguments),
}

impl ServerArguments {
    /// Tells whether objects are to be printed.
    pub(in crate::cli) const fn json(&self) -> bool {
        match &self.command {
            ServerCommand::Setup(arguments) => arguments.json,
            ServerCommand::Doctor(arguments) => arguments.json,
            ServerCommand::Authorize(arguments) => arguments.json,
            ServerCommand::Keys(arguments) => arguments.json,
            ServerCommand::Revoke(arguments) => arguments.json,
        }
    }
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

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct AuthorizeArguments {
    /// The server, as `config/deploy.toml` names it.
    #[arg(long, value_parser = ServerName::parse, value_name = "SERVER")]
    pub(in crate::cli) server: ServerName,
    /// The public key's file.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) key: PathBuf,
    /// The hosts that it may deploy: hostnames in which `*` stands for any text, joined by
    /// commas.
    #[arg(
        long,
        required = true,
        value_name = "PATTERNS",
        value_delimiter = ',',
        value_parser = HostPattern::parse
    )]
    pub(in crate::cli) hosts: Vec<HostPattern>,
    /// The login that the key opens; the server's `user` where none is named.
    #[arg(long, value_parser = UserName::parse, value_name = "LOGIN")]
    pub(in crate::cli) user: Option<UserName>,
    /// A name for the key on the server; that of its file where none is given.
    #[arg(long, value_parser = KeyName::parse, value_name = "NAME")]
    pub(in crate::cli) name: Option<KeyName>,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct KeysArguments {
    /// The server, as `config/deploy.toml` names it.
    #[arg(long, value_parser = ServerName::parse, value_name = "SERVER")]
    pub(in crate::cli) server: ServerName,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RevokeArguments {
    /// The server, as `config/deploy.toml` names it.
    #[arg(long, value_parser = ServerName::parse, value_name = "SERVER")]
    pub(in crate::cli) server: ServerName,
    /// The public key's file.
    #[arg(long, value_name = "FILE", required_unless_present = "name", conflicts_with = "name")]
    pub(in crate::cli) key: Option<PathBuf>,
    /// The key's name on the server.
    #[arg(long, value_parser = KeyName::parse, value_name = "NAME")]
    pub(in crate::cli) name: Option<KeyName>,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Arguments;

    #[test]
    fn a_key_is_revoked_by_its_file_or_by_its_name() {
        let parse = |more: &str| {
            let line = format!("deploy server revoke --json --server aws-1{more}");
            Arguments::try_parse_from(line.split(' ')).is_ok()
        };
        assert!(parse(" --name ci") && parse(" --key ci.pub"));
        assert!(!parse("") && !parse(" --name ci --key ci.pub") && !parse(" --name ../x"));
    }

    #[test]
    fn hosts_are_patterns_joined_by_commas() {
        let parse = |hosts: &str| {
            let line = ["deploy", "server", "authorize", "--server", "a", "--key", "k", "--hosts"];
            Arguments::try_parse_from(line.into_iter().chain([hosts])).is_ok()
        };
        assert!(parse("a*,b.example.com") && parse("*"));
        assert!(!parse("a*,") && !parse("A") && !parse("a b") && !parse(""));
    }
}
