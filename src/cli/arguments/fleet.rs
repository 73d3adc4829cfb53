//! Which hosts a run is over, and how it goes.

use std::num::NonZeroUsize;

use clap::Args;

use crate::{
    fleet::{Amount, OnFailure, Rules, Selection},
    host::{EnvironmentName, HostPattern, ServerName},
};

/// Many hosts at once, instead of one `--host`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SelectionArguments {
    /// Every host that fits: hostnames, with `*` for any characters; may be given several times.
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',', value_parser = HostPattern::parse)]
    pub(in crate::cli) hosts: Vec<HostPattern>,
    /// Every host of this environment; may be given several times.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = EnvironmentName::parse)]
    pub(in crate::cli) environment: Vec<EnvironmentName>,
    /// Every host of this server; may be given several times.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = ServerName::parse)]
    pub(in crate::cli) server: Vec<ServerName>,
    /// Every host of the repository, but for those of this machine (`local = true`).
    #[arg(long, conflicts_with_all = ["hosts", "environment", "server"])]
    pub(in crate::cli) all: bool,
}

impl SelectionArguments {
    /// Tells whether hosts are chosen here.
    pub(in crate::cli) const fn is_given(&self) -> bool {
        self.all
            || !self.hosts.is_empty()
            || !self.environment.is_empty()
            || !self.server.is_empty()
    }

    /// Returns what is meant.
    pub(in crate::cli) fn selection(&self) -> Selection {
        Selection {
            hosts: self.hosts.clone(),
            environments: self.environment.clone(),
            servers: self.server.clone(),
            branch: None,
        }
    }
}

/// How a run over many hosts goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Many hosts")]
pub(in crate::cli) struct FleetArguments {
    /// Sizes of the parts that follow each other, such as `1,25%,100%`: each begins when the
    /// one before it has ended well. All hosts at once where none are given.
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    pub(in crate::cli) batches: Vec<Amount>,
    /// How many hosts are deployed to at once.
    #[arg(long, value_name = "N", default_value = "10")]
    pub(in crate::cli) max_parallel: NonZeroUsize,
    /// How many of them on one server.
    #[arg(long, value_name = "N", default_value = "2")]
    pub(in crate::cli) per_server: NonZeroUsize,
    /// How many hosts, or which part of them, may fail before `--on-failure` counts.
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    pub(in crate::cli) max_failed: Amount,
    /// How many may be on servers that cannot be reached.
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    pub(in crate::cli) max_unreachable: Amount,
    /// What happens when more do: begin no further host, go on with all, or take back those
    /// that this run deployed.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Choice::Stop)]
    pub(in crate::cli) on_failure: Choice,
    /// With `--on-failure rollback`: take databases back, too, where a release needs them as
    /// they were. The present ones are kept aside.
    #[arg(long)]
    pub(in crate::cli) with_database: bool,
}

/// What happens when more hosts fail than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Choice {
    /// Begin no further host.
    Stop,
    /// Go on with all.
    Continue,
    /// Begin no further host, and take back those that this run deployed.
    Rollback,
}

impl FleetArguments {
    /// Returns the rules.
    pub(in crate::cli) fn rules(&self) -> Rules {
        Rules {
            batches: self.batches.clone(),
            max_parallel: self.max_parallel,
            per_server: self.per_server,
            max_failed: self.max_failed,
            max_unreachable: self.max_unreachable,
            on_failure: match self.on_failure {
                Choice::Stop => OnFailure::Stop,
                Choice::Continue => OnFailure::Continue,
                Choice::Rollback => OnFailure::Rollback,
            },
        }
    }
}

/// Which run is resumed.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ResumeArguments {
    /// The run, as its end names it; the last one of this repository where none is named.
    #[arg(value_name = "RUN")]
    pub(in crate::cli) run: Option<String>,
    /// Show the plan and do nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
    /// Show a desktop notification at the end, also without a terminal.
    #[arg(long)]
    pub(in crate::cli) notify: bool,
    /// Leave the hooks of the repository out.
    #[arg(long)]
    pub(in crate::cli) no_hooks: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
