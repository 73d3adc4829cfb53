//! The life of the process: parse, do, print the error once, end.

use std::process;

use clap::Parser as _;
use tracing_subscriber::{EnvFilter, fmt};

use super::{
    Arguments, ExitCode, adopt, agent, apply,
    arguments::{Command, HostsFormat, LockCommand},
    attach, changes, client, completions, deploy, dns, fleet, history, hosts, init, lint, lock,
    logs, man_pages, render, rollback, server, status,
    terminal::Terminal,
};
use crate::workflow::WorkflowError;

/// Runs the command that was typed.
#[must_use]
pub fn run() -> process::ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; both are printed by clap.
            let _ = error.print();
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Success };
            return code.into();
        }
    };
    start_log(arguments.verbose);
    let mut terminal = Terminal::open(json(&arguments));
    let code = match command(arguments, &mut terminal) {
        Ok(code) => code,
        Err(error) => terminal.failure(&error),
    };
    code.into()
}

fn command(arguments: Arguments, terminal: &mut Terminal) -> Result<ExitCode, WorkflowError> {
    let directory = arguments.directory.unwrap_or_else(|| ".".into());
    if arguments.command.is_some() && arguments.target.names_hosts() {
        return Err(WorkflowError::Usage {
            message: "`--host` stands before a command".to_owned(),
            hint: Some("write it behind the command, or leave the command out".to_owned()),
        });
    }
    match (arguments.command, arguments.target) {
        (Some(Command::Plan(plan)), _) if plan.target.selection.is_given() => {
            fleet::plan(&directory, &plan, terminal)
        }
        (Some(Command::Plan(plan)), _) => deploy::plan(&directory, &plan, terminal),
        (Some(Command::Resume(arguments)), _) => fleet::resume(&directory, &arguments, terminal),
        (Some(Command::Adopt(arguments)), _) => adopt::run(&directory, &arguments, terminal),
        (Some(Command::Apply(arguments)), _) => apply::run(&directory, &arguments, terminal),
        (Some(Command::Status(arguments)), _) => status::run(&directory, &arguments, terminal),
        (Some(Command::History(arguments)), _) => history::run(&directory, &arguments, terminal),
        (Some(Command::Logs(arguments)), _) => logs::run(&directory, &arguments, terminal),
        (Some(Command::Attach(arguments)), _) => attach::run(&directory, &arguments, terminal),
        (Some(Command::Lock(arguments)), _) => lock::run(&directory, &arguments, terminal),
        (Some(Command::Rollback(arguments)), _) => rollback::run(&directory, &arguments, terminal),
        (Some(Command::Dns(arguments)), _) => dns::run(&directory, &arguments, terminal),
        (Some(Command::Render(arguments)), _) => render::run(&directory, &arguments, terminal),
        (Some(Command::Hosts(arguments)), _) => hosts::run(&directory, &arguments, terminal),
        (Some(Command::Changes(arguments)), _) => changes::run(&directory, &arguments, terminal),
        (Some(Command::Lint(arguments)), _) => lint::run(&directory, &arguments, terminal),
        (Some(Command::Init(arguments)), _) => init::run(&directory, &arguments, terminal),
        (Some(Command::Client(arguments)), _) => client::run(&directory, &arguments, terminal),
        (Some(Command::Server(arguments)), _) => server::run(&directory, &arguments, terminal),
        (Some(Command::Completions { shell }), _) => Ok(completions::run(shell)),
        (Some(Command::ManPages { into }), _) => man_pages::run(&into),
        (Some(Command::Agent(arguments)), _) => Ok(agent::run(arguments, terminal)),
        (None, target) if target.selection.is_given() => {
            fleet::run(&directory, &target, &arguments.deploy, &arguments.fleet, terminal)
        }
        (None, target) if target.host.is_some() => {
            deploy::run(&directory, &target, &arguments.deploy, terminal)
        }
        (None, _) => Ok(terminal.no_command()),
    }
}

fn json(arguments: &Arguments) -> bool {
    match (&arguments.command, &arguments.target) {
        (Some(Command::Plan(plan)), _) => plan.target.json,
        (Some(Command::Adopt(adopt)), _) => adopt.json,
        (Some(Command::Apply(apply)), _) => apply.json,
        (Some(Command::Status(status)), _) => status.json,
        (Some(Command::History(history)), _) => history.json,
        (Some(Command::Logs(logs)), _) => logs.json,
        (Some(Command::Attach(attach)), _) => attach.json,
        (Some(Command::Lock(lock)), _) => match &lock.command {
            LockCommand::Status(status) => status.json,
            LockCommand::Break(broken) => broken.json,
        },
        (Some(Command::Resume(resume)), _) => resume.json,
        (Some(Command::Rollback(rollback)), _) => rollback.json,
        (Some(Command::Dns(dns)), _) => dns.json(),
        (Some(Command::Hosts(hosts)), _) => hosts.format() == HostsFormat::Json,
        (Some(Command::Client(client)), _) => client.json(),
        (Some(Command::Lint(lint)), _) => lint.json,
        (Some(Command::Server(server)), _) => server.json(),
        (None, target) => target.json,
        _ => false,
    }
}

fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "odoo_deploy=info,warn",
        2 => "odoo_deploy=debug,info",
        _ => "odoo_deploy=trace,debug",
    };
    let filter = EnvFilter::try_from_env("ODOO_DEPLOY_LOG").unwrap_or_else(|_| level.into());
    fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
}
