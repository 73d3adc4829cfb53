//! What can be typed about clients.

use clap::{Args, Subcommand};

use crate::{
    host::{EnvironmentName, HostName, ServerName},
    odoo::Series,
};

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ClientArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: ClientCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli) enum ClientCommand {
    /// Writes the files of a new client: its hosts, its page, its lines in the map of hosts.
    ///
    /// Chooses a server and free ports, and names the secrets that are still to be set. Nothing
    /// is committed and nothing is done to a server: `deploy --host` does that.
    Add(ClientAddArguments),
    /// Archives a client's hosts and removes them from their servers, then their DNS records, then
    /// their files here.
    ///
    /// Shows first what is there and asks for the client's name. A removal that was stopped is
    /// completed by running it again.
    Remove(ClientRemoveArguments),
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ClientAddArguments {
    /// The client: a-z, 0-9 and inner `-`. Hosts, databases and system users are called after it.
    #[arg(value_name = "NAME", allow_hyphen_values = false)]
    pub(in crate::cli) name: String,
    /// The environments that it gets a host in.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = EnvironmentName::parse,
        default_value = "production,test"
    )]
    pub(in crate::cli) environment: Vec<EnvironmentName>,
    /// The client's own domain: the name of its production host.
    #[arg(long, value_name = "DOMAIN", value_parser = HostName::parse)]
    pub(in crate::cli) domain: Option<HostName>,
    /// The server; the one with the fewest hosts of those that take new ones where none is named.
    #[arg(long, value_name = "SERVER", value_parser = ServerName::parse)]
    pub(in crate::cli) server: Option<ServerName>,
    /// Odoo's series; the one that most hosts have where none is named.
    #[arg(long, value_name = "SERIES", value_parser = series)]
    pub(in crate::cli) odoo: Option<Series>,
    /// Commit the files to a new branch `client/NAME` and leave the working tree alone.
    #[arg(long)]
    pub(in crate::cli) branch: bool,
    /// Do not ask the servers what they have already.
    #[arg(long)]
    pub(in crate::cli) offline: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ClientRemoveArguments {
    /// The client.
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: String,
    /// Only its hosts of these environments.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = EnvironmentName::parse)]
    pub(in crate::cli) environment: Vec<EnvironmentName>,
    /// Only this host of it.
    #[arg(long, value_name = "HOSTNAME", value_parser = HostName::parse)]
    pub(in crate::cli) host: Option<HostName>,
    /// Leave the files of the repository as they are.
    #[arg(long, conflicts_with = "branch")]
    pub(in crate::cli) keep_files: bool,
    /// Commit the removal of the files to a new branch `client/remove-NAME` and leave the
    /// working tree alone.
    #[arg(long)]
    pub(in crate::cli) branch: bool,
    /// The client's name once more, instead of typing it when it is asked for.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) confirm: Option<String>,
    /// Do not ask, where no environment of the hosts asks for confirmation.
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
    /// Show what is there and what would be removed, and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

fn series(text: &str) -> Result<Series, String> {
    Series::parse(text).ok_or_else(|| format!("`{text}` is not 17.0, 18.0 or 19.0"))
}
