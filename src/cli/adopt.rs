//! Adopts an Odoo that somebody set up by hand.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{
    ExitCode, deploy, json,
    surroundings::surroundings,
    terminal::{Style, Terminal},
};
use crate::{
    host::{DatabaseName, EnvironmentName, HostName, ServerName, lint::Severity},
    settings::Server,
    transport::TransportError,
    wire::Adoption,
    workflow::{
        Project, WorkflowError,
        adopt::{AdoptionReport, AdoptionRequest, Ending, Secrets, adopt},
        deploy::{ConfigFrom, DeployRequest},
    },
};

#[derive(Debug, Clone, Args)]
pub(super) struct AdoptArguments {
    /// The server: a name under `[servers]` of `config/deploy.toml`.
    #[arg(long, value_parser = ServerName::parse, value_name = "NAME")]
    server: ServerName,
    /// Where the server is, as ssh takes it, where `config/deploy.toml` does not know it yet.
    #[arg(long, value_name = "[USER@]ADDRESS[:PORT]")]
    address: Option<String>,
    /// The service that runs Odoo; the only one where none is named.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// The hostname; the one that nginx serves it by where none is named.
    #[arg(long, value_parser = HostName::parse, value_name = "HOSTNAME")]
    host: Option<HostName>,
    /// The environment; the one of the branch that is checked out there where none is named.
    #[arg(long, value_parser = EnvironmentName::parse, value_name = "NAME")]
    environment: Option<EnvironmentName>,
    /// The databases it serves, where neither its `db_name` nor its role tells.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = DatabaseName::parse)]
    database: Vec<DatabaseName>,
    /// Where passwords and other secrets go.
    #[arg(long, value_enum, default_value_t = SecretsArgument::Keep, value_name = "WHERE")]
    secrets: SecretsArgument,
    /// Show the host's file and write nothing, neither here nor on the server.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
}

/// Where secrets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SecretsArgument {
    /// They stay on the server: `keep = db_password`.
    Keep,
    /// They become `${NAME}`, to be set where deploys are started.
    Env,
}

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &AdoptArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let base = deploy::request_for(&HostName::parse("localhost").expect("a hostname"))?;
    let request = AdoptionRequest {
        server: arguments.server.clone(),
        address: arguments.address.clone(),
        unit: arguments.unit.clone(),
        host: arguments.host.clone(),
        environment: arguments.environment.clone(),
        databases: arguments.database.clone(),
        secrets: match arguments.secrets {
            SecretsArgument::Keep => Secrets::Keep,
            SecretsArgument::Env => Secrets::Environment,
        },
        dry_run: arguments.dry_run,
        id: base.id.to_string(),
        now: base.now,
    };
    terminal.busy("looking at the server");
    let ended = terminal.asking(adopt(&project, &request)).await;
    terminal.idle();
    let ending = ended.inspect_err(|error| without_root(error, &project, arguments, terminal))?;
    match ending {
        Ending::Left { host, unit } => {
            terminal.result(&format!("{unit} was adopted as {host} before, and is left by now"));
            terminal.note(&format!("`deploy status --host {host}` shows what runs"));
            terminal.json(&json!({
                "schema": json::SCHEMA,
                "event": "adopted",
                "host": host,
                "server": arguments.server,
                "unit": unit,
                "outcome": "left",
            }));
            Ok(ExitCode::Success)
        }
        Ending::Adopted(report) => {
            show(&report, terminal);
            terminal.json(&object(&report));
            if !arguments.dry_run {
                preview(directory, &report, base, terminal).await;
            }
            Ok(ExitCode::Success)
        }
    }
}

/// Shows what the first deploy would do. Where that cannot be told yet, the adoption is
/// done all the same.
async fn preview(
    directory: &Path,
    report: &AdoptionReport,
    base: DeployRequest,
    terminal: &mut Terminal,
) {
    let host = report.record.host.clone();
    terminal.result(&terminal.paint(Style::Bold, "what the first deploy would do"));
    let request = DeployRequest { host: host.clone(), config_from: ConfigFrom::Preview, ..base };
    let prepared = match Project::open(directory, surroundings()) {
        Ok(project) => deploy::make(&project, &request, terminal).await,
        Err(error) => Err(error),
    };
    match prepared {
        Ok(prepared) => prepared.leave().await,
        Err(error) => {
            terminal.failure(&error);
            terminal.note("the host is adopted; mend that before its first deploy");
        }
    }
    terminal.note(&format!(
        "next: commit and push, then `deploy plan --host {host}` and `deploy --host {host}`"
    ));
}

/// Says what to add to sudoers where the login has no root.
fn without_root(
    error: &WorkflowError,
    project: &Project,
    arguments: &AdoptArguments,
    terminal: &Terminal,
) {
    let WorkflowError::Transport(TransportError::Sudo { .. }) = error else { return };
    let known = project.settings.servers.get(&arguments.server);
    let of_settings = match known {
        Some(Server::Ssh(server)) => server.user.clone(),
        Some(Server::Local) | None => None,
    };
    let of_address = arguments.address.as_ref().and_then(|address| address.split_once('@'));
    let login = of_settings.or_else(|| of_address.map(|(user, _)| user.to_owned()));
    for line in crate::transport::sudoers(login.as_deref().unwrap_or("LOGIN")) {
        terminal.result(&line);
    }
}

fn show(report: &AdoptionReport, terminal: &mut Terminal) {
    for note in &report.notes {
        terminal.warning(note);
    }
    let record = &report.record;
    let title = match report.adoption {
        None => "would be adopted",
        Some(Adoption::Recorded) => "adopted",
        Some(Adoption::Renewed) => "adopted again, as it is now",
        Some(Adoption::Unchanged) => "adopted already, and as it was",
    };
    let host = terminal.paint(Style::Bold, record.host.as_str());
    terminal.result(&format!("{host}  {title}"));
    let line = |label: &str, text: &str| terminal.result(&format!("  {label:12} {text}"));
    line("server", &format!("{}, environment {}", report.server, report.environment));
    line("runs", &format!("{} as {}, Odoo {}", record.service.unit, record.user, record.series));
    let names: Vec<_> = record.service.health.databases.iter().map(ToString::to_string).collect();
    line("databases", &names.join(", "));
    if let Some(conf) = &record.conf {
        line("odoo.conf", &conf.display().to_string());
    }
    for place in &record.code {
        line("addons", &code(place));
    }
    for vhost in &record.vhosts {
        line("vhost", &vhost.path.display().to_string());
    }
    line("release 0", "on the server; nothing was moved or restarted");
    if !report.keep.is_empty() {
        line("stay there", &report.keep.join(", "));
    }
    if !report.names.is_empty() {
        line("to be set", &report.names.join(", "));
    }
    for path in &report.written {
        line(
            if report.adoption.is_some() { "wrote" } else { "would write" },
            &path.display().to_string(),
        );
    }
    if let Some(path) = &report.left {
        terminal.warning(&format!("`{}` was there and stays as it is", path.display()));
    }
    for finding in report.findings.iter().filter(|one| one.severity == Severity::Error) {
        terminal.warning(&format!("{}: {} [{}]", finding.origin, finding.message, finding.rule));
    }
    if report.adoption.is_none() {
        terminal.result(&terminal.paint(Style::Cyan, "the host's file"));
        report.text.lines().for_each(|line| terminal.result(&format!("  {line}")));
        terminal.note("dry run: nothing was written");
    }
}

fn code(place: &crate::plan::CodePlace) -> String {
    let path = place.path.display();
    match (&place.in_repository, &place.checkout) {
        (Some(own), Some(checkout)) => {
            let own =
                if own.as_os_str().is_empty() { ".".into() } else { own.display().to_string() };
            let branch = checkout.branch.as_deref().unwrap_or("no branch");
            format!("{path}: `{own}` of this repository, {branch} @ {}", checkout.head.short())
        }
        _ => format!("{path}: stays where it is"),
    }
}

fn object(report: &AdoptionReport) -> Value {
    let record = &report.record;
    let outcome = match report.adoption {
        None => "dry-run",
        Some(Adoption::Recorded) => "recorded",
        Some(Adoption::Renewed) => "renewed",
        Some(Adoption::Unchanged) => "unchanged",
    };
    json!({
        "schema": json::SCHEMA,
        "event": "adopted",
        "host": record.host,
        "server": report.server,
        "unit": record.service.unit,
        "outcome": outcome,
        "environment": report.environment,
        "series": record.series,
        "databases": record.service.health.databases,
        "conf": record.conf,
        "data_dir": record.data_dir,
        "commit": record.commit,
        "code": record.code,
        "vhosts": record.vhosts.iter().map(|vhost| &vhost.path).collect::<Vec<_>>(),
        "keep": report.keep,
        "secrets": report.names,
        "written": report.written,
        "left": report.left,
        "notes": report.notes,
    })
}
