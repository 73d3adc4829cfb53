//! `deploy status`.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};

use super::{
    ExitCode,
    arguments::StatusArguments,
    deploy, history, json, lock,
    surroundings::surroundings,
    terminal::{Style, Terminal},
    words,
};
use crate::{
    plan::{AdoptedFacts, LATE, ReleaseRecord, adopted_live, drift, live_record, megabytes},
    source::Relation,
    wire::{Certificate, Health, StatusFacts},
    workflow::{
        Project, WorkflowError,
        status::{HostStatus, Pending, every_host, find_pending, look},
    },
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &StatusArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let names = match &arguments.host {
        Some(host) => vec![host.clone()],
        None => every_host(&project)?,
    };
    let interrupts = terminal.interrupts();
    interrupts.gate().close();
    terminal.busy("asking the server");
    let asked = interrupts.or(look(&project, &names, deploy::random()?)).await;
    interrupts.gate().open();
    terminal.busy("fetching the branches");
    let mut hosts = asked.inspect_err(|_| terminal.idle())?;
    find_pending(&project, &mut hosts);
    terminal.idle();
    match arguments.host {
        Some(_) => show_each(&hosts, terminal),
        None => show_all(&hosts, terminal),
    }
    tell(hosts, terminal)
}

/// Prints the objects, and why servers could not be asked.
fn tell(hosts: Vec<HostStatus>, terminal: &mut Terminal) -> Result<ExitCode, WorkflowError> {
    let mut code = ExitCode::Success;
    let mut told: Vec<Arc<WorkflowError>> = Vec::new();
    for host in hosts {
        if let Ok(facts) = &host.facts {
            terminal.json(&object(&host, facts));
        }
        if let Some(Err(why)) = &host.pending {
            terminal.warning(&format!("what waits for {} is not known: {why}", host.host));
        }
        if let Err(error) = host.facts
            && !told.iter().any(|earlier| Arc::ptr_eq(earlier, &error))
        {
            code = terminal.failure(&error);
            told.push(error);
        }
    }
    Ok(code)
}

fn show_each(hosts: &[HostStatus], terminal: &Terminal) {
    for host in hosts {
        if let Ok(facts) = &host.facts {
            show(host, facts, terminal);
        }
    }
}

fn show_all(hosts: &[HostStatus], terminal: &Terminal) {
    let rows: Vec<_> = hosts.iter().map(row).collect();
    terminal.table(["HOST", "ENVIRONMENT", "RELEASE", "COMMIT", "SINCE", "STATE"], &rows);
}

fn row(host: &HostStatus) -> [String; 6] {
    let name = host.host.to_string();
    let environment = host.environment.to_string();
    let Ok(facts) = &host.facts else {
        return [name, environment, "?".into(), "?".into(), "?".into(), "not asked".into()];
    };
    let live = live_record(&facts.observed);
    let adopted = adopted_live(&facts.observed).map(|facts| &facts.record);
    let number = live.map(|live| live.number).or(adopted.map(|adopted| adopted.number));
    let commit = live.map(|live| live.commit).or(adopted.and_then(|adopted| adopted.commit));
    [
        name,
        environment,
        number.map(|number| number.to_string()).unwrap_or_default(),
        commit.map(|commit| commit.short()).unwrap_or_default(),
        since(facts).unwrap_or_default(),
        state(host, facts),
    ]
}

/// Says in a few words how a host is.
fn state(host: &HostStatus, facts: &StatusFacts) -> String {
    let mut words = vec![match &facts.health {
        Health::Well => "well".to_owned(),
        Health::Unwell { .. } => "unwell".to_owned(),
        Health::NotAsked => "no release".to_owned(),
    }];
    if facts.lock.is_some() {
        words.push("being deployed to".to_owned());
    } else if facts.observed.host.unfinished.is_some() {
        words.push("between two states".to_owned());
    }
    if !drift(&facts.observed.host).is_empty() {
        words.push("drifted".to_owned());
    }
    let now = facts.observed.server.time;
    let until = facts.certificate.as_ref().and_then(|one| one.until.clone().ok());
    if until.is_some_and(|until| until - now < LATE) {
        words.push("certificate ends soon".to_owned());
    }
    if let Some(Ok(pending)) = &host.pending {
        let count = pending.log.commits.len() + pending.log.more;
        if count > 0 {
            words.push(format!("{count} pending"));
        }
    }
    words.join(", ")
}

fn show(host: &HostStatus, facts: &StatusFacts, terminal: &Terminal) {
    let line = |label: &str, text: &str| terminal.result(&format!("{label:12} {text}"));
    terminal.result(&terminal.paint(Style::Bold, host.host.as_str()));
    line("server", &format!("{}, environment {}", host.server, host.environment));
    match live_record(&facts.observed) {
        None => match adopted_live(&facts.observed) {
            Some(adopted) => show_adopted(adopted, facts, &line),
            None => line("release", "none"),
        },
        Some(live) => show_live(live, facts, &line),
    }
    if adopted_live(&facts.observed).is_none() {
        line("service", &facts.observed.host.service.active);
    }
    show_health(&facts.health, terminal, &line);
    for drift in drift(&facts.observed.host) {
        line("drift", &drift.text);
    }
    show_transactions(facts, &line);
    match &host.pending {
        Some(Ok(pending)) => show_pending(pending, &line),
        Some(Err(_)) => line("pending", "not known"),
        None => {}
    }
    show_kept(facts, &line);
    let server = &facts.observed.server;
    line(
        "disk",
        &format!(
            "{} free for code, {} for files, {} for databases",
            words::room(server.code_space.bytes),
            words::room(server.data_space.bytes),
            words::room(server.database_space.bytes)
        ),
    );
    line("certificate", &certificate(facts.certificate.as_ref(), server.time));
}

fn show_adopted(adopted: &AdoptedFacts, facts: &StatusFacts, line: &dyn Fn(&str, &str)) {
    let since = facts.deployed.as_ref();
    let since = since.map(|line| format!(", since {}", words::when(line.holder.since)));
    line("release", &format!("0, as it was adopted{}", since.unwrap_or_default()));
    let record = &adopted.record;
    if let Some(commit) = record.commit {
        line("commit", &commit.short());
    }
    let state = if adopted.is_running { "active" } else { "inactive" };
    line("service", &format!("{}, {state}", record.service.unit));
}

fn show_live(live: &ReleaseRecord, facts: &StatusFacts, line: &dyn Fn(&str, &str)) {
    let by = facts.deployed.as_ref().map(|deployed| {
        format!(
            ", since {} by {} on {}",
            words::when(deployed.holder.since),
            deployed.holder.who,
            deployed.holder.from
        )
    });
    line("release", &format!("{}{}", live.number, by.unwrap_or_default()));
    let subject = facts.deployed.as_ref().map(|deployed| deployed.summary.subject.clone());
    line("commit", &format!("{} {}", live.commit.short(), subject.unwrap_or_default()));
    let branch = live.branch.as_ref().map(ToString::to_string);
    line("branch", branch.as_deref().unwrap_or("none, it was deployed by commit"));
}

fn show_health(health: &Health, terminal: &Terminal, line: &dyn Fn(&str, &str)) {
    match health {
        Health::Well => line("health", &terminal.paint(Style::Green, "well")),
        Health::NotAsked => line("health", "not asked: there is no release"),
        Health::Unwell { problem, log } => {
            line("health", &terminal.paint(Style::Red, &format!("unwell: {problem}")));
            for said in log {
                line("", &format!("| {}", words::plain(said)));
            }
        }
    }
}

fn show_transactions(facts: &StatusFacts, line: &dyn Fn(&str, &str)) {
    if let Some(held) = &facts.lock {
        line("deploying", &words::held_by(&held.holder));
        line("", &lock::at(held.at.as_ref()));
    } else if let Some(transaction) = &facts.observed.host.unfinished {
        line("unfinished", &format!("transaction {transaction} did not end"));
    }
    if let Some(last) = facts.last.as_ref().filter(|last| Some(*last) != facts.deployed.as_ref()) {
        line(
            "last deploy",
            &format!(
                "{}, {} by {}: {}",
                last.outcome,
                words::when(last.holder.since),
                last.holder.who,
                history::code(last)
            ),
        );
        if let Some(why) = &last.message {
            line("", &words::plain(why));
        }
    }
}

fn show_pending(pending: &Pending, line: &dyn Fn(&str, &str)) {
    let Pending { branch, log } = pending;
    let count = log.commits.len() + log.more;
    let commits = if count == 1 { "commit" } else { "commits" };
    line(
        "pending",
        &match log.relation {
            Relation::Forward if count == 0 => format!("nothing, it is the tip of {branch}"),
            Relation::Forward => format!("{count} {commits} on {branch} not deployed yet"),
            Relation::Backward => format!("{count} {commits} live that {branch} has no more"),
            Relation::Diverged => {
                format!("{count} {commits} on {branch}, which has gone elsewhere")
            }
            Relation::Unknown => format!("the live commit is not on the remote; {branch} is"),
        },
    );
    if log.relation == Relation::Unknown {
        return;
    }
    for commit in &log.commits {
        line("", &format!("{} {}", commit.id.short(), commit.subject));
    }
    if log.more > 0 {
        line("", &format!("and {} more", log.more));
    }
}

/// Lists the snapshots and failed databases that are kept, with their size.
fn show_kept(facts: &StatusFacts, line: &dyn Fn(&str, &str)) {
    let copies = facts.observed.databases.values().flat_map(|database| &database.copies);
    for (index, copy) in copies.enumerate() {
        let created = copy.created.map(|time| format!(", since {}", words::when(time)));
        line(
            if index == 0 { "kept" } else { "" },
            &format!("{}, {}{}", copy.name, megabytes(copy.bytes), created.unwrap_or_default()),
        );
    }
}

fn since(facts: &StatusFacts) -> Option<String> {
    Some(words::when(facts.deployed.as_ref()?.holder.since))
}

fn certificate(certificate: Option<&Certificate>, now: i64) -> String {
    match certificate {
        None => "none: the vhost names none".to_owned(),
        Some(Certificate { path, until: Err(why) }) => {
            format!("{} cannot be read: {}", path.display(), words::plain(why))
        }
        Some(Certificate { path, until: Ok(until) }) if *until < now => {
            format!("expired {} ({})", words::when(*until), path.display())
        }
        Some(Certificate { path, until: Ok(until) }) => format!(
            "valid until {}, for {} ({}){}",
            words::when(*until),
            words::duration(until - now),
            path.display(),
            if until - now < LATE { ": nobody renewed it" } else { "" }
        ),
    }
}

fn object(host: &HostStatus, facts: &StatusFacts) -> Value {
    let live = live_record(&facts.observed);
    let adopted = adopted_live(&facts.observed);
    let deployed = facts.deployed.as_ref();
    let server = &facts.observed.server;
    json!({
        "schema": json::SCHEMA,
        "event": "status",
        "host": host.host,
        "server": host.server,
        "environment": host.environment,
        "release": live
            .map(|live| live.number)
            .or(adopted.map(|adopted| adopted.record.number)),
        "commit": live
            .map(|live| live.commit)
            .or(adopted.and_then(|adopted| adopted.record.commit)),
        "adopted": adopted.map(|adopted| json!({
            "unit": adopted.record.service.unit,
            "running": adopted.is_running,
        })),
        "branch": live.and_then(|live| live.branch.clone()),
        "since": deployed.map(|line| line.holder.since),
        "who": deployed.map(|line| line.holder.who.clone()),
        "from": deployed.map(|line| line.holder.from.clone()),
        "service": facts.observed.host.service.active,
        "health": facts.health,
        "drift": drift(&facts.observed.host),
        "lock": facts.lock.as_ref().map(lock::object),
        "unfinished": facts.observed.host.unfinished,
        "last": facts.last.as_ref().map(|line| history::object(host.host.as_str(), line)),
        "pending": host.pending.as_ref().and_then(|pending| pending.as_ref().ok()).map(pending_object),
        "kept": facts
            .observed
            .databases
            .values()
            .flat_map(|database| &database.copies)
            .map(|copy| json!({
                "database": copy.name,
                "bytes": copy.bytes,
                "created": copy.created,
            }))
            .collect::<Vec<_>>(),
        "free_bytes": {
            "code": server.code_space.bytes,
            "files": server.data_space.bytes,
            "databases": server.database_space.bytes,
        },
        "certificate": facts.certificate.as_ref().map(|certificate| json!({
            "path": certificate.path,
            "until": certificate.until.as_ref().ok(),
            "problem": certificate.until.as_ref().err(),
        })),
    })
}

fn pending_object(pending: &Pending) -> Value {
    json!({ "branch": pending.branch, "commits": pending.log })
}
