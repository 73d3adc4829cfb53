//! What can be typed behind `deploy hosts`.

use clap::Args;

use crate::{
    fleet::{MOST_JOBS, Selection},
    host::{EnvironmentName, HostPattern, ServerName},
    source::Branch,
};

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct HostsArguments {
    /// Only hosts whose name this is; `*` stands for any text. Several with commas, or given
    /// several times.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', value_parser = HostPattern::parse)]
    hosts: Vec<HostPattern>,
    /// Only hosts of this environment; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = EnvironmentName::parse)]
    environment: Vec<EnvironmentName>,
    /// Only hosts of this server; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = ServerName::parse)]
    server: Vec<ServerName>,
    /// Only hosts whose environment has this branch for its own.
    #[arg(long, value_name = "BRANCH", value_parser = Branch::parse)]
    branch: Option<Branch>,
    /// How they are listed.
    #[arg(long, value_enum, default_value_t = HostsFormat::Table, value_name = "FORMAT")]
    format: HostsFormat,
    /// Spread the hosts over at most so many jobs of the matrix; those of a server stay
    /// together.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(in crate::cli) groups: Option<u16>,
    /// Print one JSON object per line.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// How hosts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum HostsFormat {
    /// Columns.
    Table,
    /// One JSON object per line.
    Json,
    /// The job matrix of a GitHub workflow, on one line, without hosts of a server with
    /// `local = true` unless `--server` names it.
    Matrix,
}

// `--groups` spells the number out: an attribute takes no constant.
const _: () = assert!(MOST_JOBS == 256);

impl HostsArguments {
    /// Returns the format; `--json` is `--format json`.
    pub(in crate::cli) fn format(&self) -> HostsFormat {
        if self.json { HostsFormat::Json } else { self.format }
    }

    /// Returns what is selected.
    pub(in crate::cli) fn selection(&self) -> Selection {
        Selection {
            hosts: self.hosts.clone(),
            environments: self.environment.clone(),
            servers: self.server.clone(),
            branch: self.branch.clone(),
        }
    }
}
