//! What can be typed.

mod client;
mod fleet;
mod hosts;
pub(super) mod server;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::host::{HostName, KeyName, ModuleName, parse_duration};
use crate::source::Branch;
use crate::workflow::WorkflowError;

pub(super) use client::{
    ClientAddArguments, ClientArguments, ClientCommand, ClientRemoveArguments,
};
pub(super) use fleet::{FleetArguments, ResumeArguments, SelectionArguments};
pub(super) use hosts::{HostsArguments, HostsFormat};

/// Puts an Odoo instance live from Git: code, configuration, database modules
/// and service together, or not at all.
///
/// Without a command, deploys `--host`, or every host that `--hosts`, `--environment`,
/// `--server` or `--all` mean, to the tip of `--branch`.
#[derive(Debug, Parser)]
#[command(name = "deploy", version, max_term_width = 100, subcommand_negates_reqs = true)]
pub struct Arguments {
    /// Directory of the platform repository, or one below it.
    #[arg(long, short = 'C', global = true, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Say more about what is done (repeat for more).
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) target: TargetArguments,
    #[command(flatten)]
    pub(super) deploy: DeployArguments,
    #[command(flatten)]
    pub(super) fleet: FleetArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shows what a deploy would do, and does nothing.
    Plan(PlanArguments),
    /// Carries out a plan that `deploy plan --out` saved: exactly that, or nothing.
    Apply(ApplyArguments),
    /// Adopts an Odoo that was set up by hand: writes its host file and records what runs as
    /// release 0. Nothing is moved or restarted.
    Adopt(super::adopt::AdoptArguments),
    /// Goes on with a deploy of many hosts: those that are not where it was to bring them, at
    /// the commit that it was for.
    Resume(ResumeArguments),
    /// Takes a host back to a release that was verified on it before.
    Rollback(RollbackArguments),
    /// Shows what runs on a host, or on all hosts, whether it is well, and what waits to be
    /// deployed.
    ///
    /// Ends with 0 also where a host is unwell: it could be asked.
    Status(StatusArguments),
    /// Lists what was deployed to a host, newest first.
    History(HistoryArguments),
    /// Shows what deploys told and what Odoo wrote.
    Logs(LogsArguments),
    /// Follows the deploy that runs on a host from its first step, else shows the last one.
    ///
    /// Ends as that deploy does.
    Attach(AttachArguments),
    /// Shows who deploys to a host right now, or stops that deploy.
    Lock(LockArguments),
    /// Shows a host's records in the DNS, or removes them.
    Dns(super::dns::DnsArguments),
    /// Writes a host's odoo.conf, unit, vhost and maintenance page as they would be deployed.
    Render(RenderArguments),
    /// Lists the hosts of the repository.
    Hosts(HostsArguments),
    /// Shows what changed since another check-out for which hosts, without a server or a
    /// secret: for reviews.
    Changes(super::changes::ChangesArguments),
    /// Checks the configuration of every host, or of some.
    Lint(LintArguments),
    /// Starts a platform repository, or adds what is missing to one.
    Init(InitArguments),
    /// Adds a client, or removes one.
    Client(ClientArguments),
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Writes the manual pages into a directory.
    #[command(hide = true)]
    ManPages {
        /// The directory.
        into: PathBuf,
    },
    /// Prepares servers, says what is wrong with them, and which keys may deploy to them.
    Server(server::ServerArguments),
    /// Runs on a server, started by a controller.
    #[command(hide = true)]
    Agent(AgentArguments),
}

/// Which code goes where.
#[derive(Debug, Clone, Args)]
pub(super) struct TargetArguments {
    /// The host: a file of `config/hosts`, by its name without `.conf`.
    #[arg(
        long,
        value_parser = HostName::parse,
        value_name = "HOSTNAME",
        conflicts_with_all = ["hosts", "environment", "server", "all"]
    )]
    pub host: Option<HostName>,
    #[command(flatten)]
    pub(super) selection: SelectionArguments,
    /// The branch; the environment's own where none is named.
    #[arg(long, value_parser = Branch::parse, value_name = "BRANCH", conflicts_with = "commit")]
    pub branch: Option<Branch>,
    /// A commit of the environment's own branch.
    #[arg(long, value_name = "COMMIT")]
    pub commit: Option<String>,
    /// Modules to upgrade: `changed` (those whose change a database notices), `all`,
    /// `none`, or names.
    #[arg(
        long,
        value_name = "MODULES",
        num_args = 0..=1,
        require_equals = true,
        default_value = "changed",
        default_missing_value = "changed"
    )]
    pub update_modules: String,
    /// Modules to install.
    #[arg(long, value_name = "MODULES", value_delimiter = ',', value_parser = ModuleName::parse)]
    pub install: Vec<ModuleName>,
    /// Overwrite files that were edited on the server since the last deploy, instead of
    /// refusing to or leaving them alone.
    #[arg(long)]
    pub overwrite_drift: bool,
    /// Take the host's configuration from the working tree instead of the commit, to try an
    /// edit; refused where the environment asks for confirmation.
    #[arg(long, value_enum, default_value_t = ConfigSource::Commit, value_name = "WHERE")]
    pub config_from: ConfigSource,
    /// Print one JSON object per line.
    #[arg(long)]
    pub json: bool,
}

impl TargetArguments {
    /// Tells whether hosts are named, one or many.
    pub(super) const fn names_hosts(&self) -> bool {
        self.host.is_some() || self.selection.is_given()
    }

    /// Returns the host, where it is about one.
    pub(super) fn one_host(&self) -> Result<&HostName, WorkflowError> {
        self.host.as_ref().ok_or_else(|| WorkflowError::Usage {
            message: "no host is named".to_owned(),
            hint: Some("give `--host`, `--hosts`, `--environment`, `--server` or `--all`".into()),
        })
    }
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ConfigSource {
    /// The commit that is deployed.
    Commit,
    /// The working tree.
    WorkingTree,
}

/// How the main job is done.
#[derive(Debug, Clone, Args)]
pub(super) struct DeployArguments {
    /// Show the plan and do nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Show a desktop notification at the end, also without a terminal.
    #[arg(long)]
    pub(super) notify: bool,
    /// Run none of the hooks of `deployment/hooks`.
    #[arg(long)]
    pub(super) no_hooks: bool,
    /// How long to wait for a deploy of the same host that is running, such as `10m`.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) wait_lock: Option<Duration>,
    /// A word to those who look at the history or wait for the lock.
    #[arg(long, short, value_name = "TEXT")]
    pub(super) message: Option<String>,
}

/// What a plan is made for.
#[derive(Debug, Clone, Args)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    pub(super) target: TargetArguments,
    /// End with status 3 when there is something to do.
    #[arg(long)]
    pub(super) exit_code: bool,
    /// Save the plan into this file, for `deploy apply`.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// Which plan is carried out.
#[derive(Debug, Clone, Args)]
pub(super) struct ApplyArguments {
    /// The file that `deploy plan --out` wrote.
    #[arg(value_name = "FILE")]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) deploy: DeployArguments,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

/// What is gone back to.
#[derive(Debug, Clone, Args)]
pub(super) struct RollbackArguments {
    /// The host: a file of `config/hosts`, by its name without `.conf`.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// The release; the newest verified one with other content than the live one where none
    /// is named. 0 is what was adopted.
    #[arg(long, value_name = "NUMBER")]
    pub(super) to: Option<u32>,
    /// Take databases back, too, where the release needs them as they were. The present ones
    /// are kept aside.
    #[arg(long)]
    pub(super) with_database: bool,
    /// Overwrite files that were edited on the server since the last deploy, instead of
    /// refusing to or leaving them alone.
    #[arg(long)]
    pub(super) overwrite_drift: bool,
    #[command(flatten)]
    pub(super) deploy: DeployArguments,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct StatusArguments {
    /// The host; every host of the repository where none is named.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: Option<HostName>,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct HistoryArguments {
    /// The host.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// How many deploys to list at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: usize,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct LogsArguments {
    /// The host.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// Go on with what comes later, until Ctrl-C.
    #[arg(long, short)]
    pub(super) follow: bool,
    /// Only what deploys told.
    #[arg(long, conflicts_with = "odoo")]
    pub(super) deploys: bool,
    /// Only what Odoo wrote.
    #[arg(long)]
    pub(super) odoo: bool,
    /// How many lines of each to begin with, from the end.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) lines: usize,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct AttachArguments {
    /// The host.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct LockArguments {
    #[command(subcommand)]
    pub(super) command: LockCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum LockCommand {
    /// Shows who holds the lock, since when, and which step that deploy is at.
    Status(LockStatusArguments),
    /// Stops the deploy that holds the lock, and takes back what it began.
    ///
    /// Ends with 0 where the host is whole afterwards, in whichever state.
    Break(LockBreakArguments),
}

#[derive(Debug, Clone, Args)]
pub(super) struct LockStatusArguments {
    /// The host.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct LockBreakArguments {
    /// The host.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// Do not ask; needed where nobody can be asked.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct RenderArguments {
    /// The host.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: HostName,
    /// Write the files into this directory, secrets included, instead of showing them masked.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct LintArguments {
    /// Only this host; may be given several times.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    pub(super) host: Vec<HostName>,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct InitArguments {
    /// The directory; it is created where it does not exist.
    #[arg(default_value = ".", value_name = "DIR")]
    pub(super) into: PathBuf,
    /// Add two small modules with some history, to try the tool with.
    #[arg(long)]
    pub(super) demo: bool,
}

#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct AgentArguments {
    #[command(subcommand)]
    pub(super) command: Option<AgentCommand>,
    /// Serves a deploy key: only what its record allows.
    #[arg(long, value_parser = KeyName::parse, value_name = "NAME")]
    pub(super) key: Option<KeyName>,
    /// A directory that stands for the machine; for tests.
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// The search path of programs below `--root`.
    #[arg(long, global = true, value_name = "PATH")]
    pub(super) path: Option<OsString>,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum AgentCommand {
    /// Executes a plan that a session wrote down.
    Transaction {
        /// The plan's file.
        plan: PathBuf,
    },
    /// Removes a host as an order says that a session wrote down.
    Removal {
        /// The order's file.
        order: PathBuf,
    },
    /// Starts Odoo again where a removal ended before anything was removed.
    AfterRemoval {
        /// The host.
        #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
        host: HostName,
    },
    /// Ends what transactions that died have left, on one host or on all.
    Recover {
        /// The host.
        #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
        host: Option<HostName>,
        /// Leave the work to a unit of its own.
        #[arg(long, requires = "host")]
        in_background: bool,
    },
    /// Sets the server up as a session wrote down.
    Setup,
}

/// Describes every command and option in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(
        "# Command line\n\nWritten by a test from the program's own help \
         (`tests/reference`); do not edit.\n",
    );
    describe(&mut text, &mut Arguments::command(), "deploy");
    text
}

fn describe(text: &mut String, command: &mut clap::Command, name: &str) {
    let help = command.clone().bin_name(name).term_width(100).render_long_help().to_string();
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
    let subcommands: Vec<_> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
        .map(|command| command.get_name().to_owned())
        .collect();
    for subcommand in subcommands {
        if let Some(command) = command.find_subcommand_mut(&subcommand) {
            describe(text, command, &format!("{name} {subcommand}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_deploy_needs_no_command() {
        let arguments = parse("deploy --host a.example --branch main").unwrap();
        let target = arguments.target;
        assert_eq!(target.one_host().unwrap().as_str(), "a.example");
        assert_eq!(target.update_modules, "changed");
    }

    #[test]
    fn one_host_or_many_are_meant() {
        let many = parse("deploy --environment test --server a,b --batches 1,25%").unwrap();
        assert!(many.target.selection.is_given() && many.target.one_host().is_err());
        assert!(parse("deploy --host a.example --all").is_err());
        assert!(parse("deploy --all --hosts a*").is_err());
        assert!(parse("deploy --all --batches 1,half").is_err());
        assert!(!parse("deploy --branch main").unwrap().target.names_hosts());
    }

    #[test]
    fn the_directory_may_stand_before_the_command() {
        let arguments = parse("deploy -C platform plan --host a.example").unwrap();
        assert_eq!(arguments.directory, Some("platform".into()));
        assert!(matches!(arguments.command, Some(Command::Plan(_))));
    }

    #[test]
    fn help_or_an_option_is_never_taken_for_a_name() {
        assert!(parse("deploy --host --help").is_err());
        assert!(parse("deploy --host a.example --branch --upload-pack=x").is_err());
        assert!(parse("deploy --host a.example --branch main --commit 123").is_err());
        assert!(parse("deploy --host a.example --update-modules=a,b").is_ok());
    }
}
