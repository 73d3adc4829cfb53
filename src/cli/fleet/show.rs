//! What a run prints: its hosts side by side, and a table at the end.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use super::super::{
    ExitCode,
    deploy::seconds,
    json,
    terminal::{Style, Terminal},
    words,
};
use crate::{
    fleet::{End, Run, Stop, Turn},
    host::HostName,
    notify::HostSummary,
    plan::Event,
    secret::Redactor,
    workflow::{
        Project,
        deploy::Notice,
        fleet::{FleetNotice, FleetWish, HostReport, Surveyed, summary},
    },
};

/// Prints what goes on with each host of a run.
pub(super) struct Board<'a> {
    hosts: &'a [HostName],
    pub(super) terminal: &'a mut Terminal,
    steps: BTreeMap<usize, usize>,
    looked_at: usize,
    /// Knows every secret of the hosts.
    pub(super) redactor: Redactor,
}

impl Finished<'_> {
    /// Sums every host up.
    pub(super) fn summaries(&self, project: &Project) -> Vec<HostSummary> {
        let hosts = self.surveyed.iter().zip(self.turns).enumerate();
        let sum = |(place, (one, turn)): (usize, (&Surveyed, &Turn))| {
            let report = self.reports.iter().find(|(other, _)| *other == place);
            let report = report.map(|(_, report)| report).or(one.found.as_ref().err());
            let end = if let Turn::Ended(end) = turn { Some(*end) } else { None };
            summary(project, one, end, report)
        };
        hosts.filter_map(sum).collect()
    }
}

impl<'a> Board<'a> {
    pub(super) fn new(hosts: &'a [HostName], terminal: &'a mut Terminal) -> Self {
        Self {
            hosts,
            terminal,
            steps: BTreeMap::new(),
            looked_at: 0,
            redactor: Redactor::default(),
        }
    }

    pub(super) fn hear(&mut self, notice: &FleetNotice<'_>) {
        match notice {
            FleetNotice::Planned { prepared, .. } => {
                self.look();
                self.terminal.json(&json::plan(prepared));
            }
            FleetNotice::Hindered { .. } => self.look(),
            FleetNotice::Secrets(redactor) => {
                self.terminal.know_secrets(redactor);
                self.redactor.extend(redactor);
            }
            FleetNotice::Began { place } => {
                self.object(*place, json!({ "event": "host-began" }));
                self.line(*place, "begins");
            }
            FleetNotice::Host { place, notice } => self.host(*place, notice),
            FleetNotice::Warned { place, text } => {
                let text = format!("{}: {text}", self.hosts[*place]);
                self.terminal.warning(&text);
            }
            FleetNotice::Hook { place, hook, line } => {
                self.terminal.hook(*hook, &format!("{}: {line}", self.hosts[*place]));
            }
            FleetNotice::RollingBack { place } => {
                self.object(*place, json!({ "event": "host-rolls-back" }));
                self.line(*place, "is taken back");
            }
            FleetNotice::Ended { place, report } => self.ended(*place, report),
            FleetNotice::Stopped(stop) => {
                let why = why(*stop);
                self.terminal.note(&format!("no further host is begun: {why}"));
            }
        }
    }

    fn look(&mut self) {
        self.looked_at += 1;
        let text = format!("looked at {} of {} hosts", self.looked_at, self.hosts.len());
        self.terminal.busy(&text);
    }

    fn host(&mut self, place: usize, notice: &Notice) {
        let text = match notice {
            Notice::Fetching => return,
            Notice::Observing => "looking at the server".to_owned(),
            Notice::WaitingForLock(holder) => {
                let who = holder.as_ref().map(words::held_by).unwrap_or_default();
                self.line(place, &format!("waits for the deploy of {who}"));
                return;
            }
            Notice::Sending { objects, .. } => format!("sending {objects} objects"),
            Notice::Event(event) => return self.event(place, event),
        };
        self.lane(place, &text);
    }

    fn event(&mut self, place: usize, event: &Event) {
        let mut object = serde_json::to_value(event).expect("an event is JSON");
        object["schema"] = json!(json::SCHEMA);
        object["host"] = json!(self.hosts[place]);
        self.terminal.json(&object);
        match event {
            Event::Started { steps, .. } => {
                self.steps.insert(place, *steps);
            }
            Event::StepStarted { index, title } => {
                let steps = self.steps.get(&place).copied().unwrap_or_default();
                self.lane(place, &format!("{index}/{steps}  {title}"));
            }
            Event::Progress { text } => self.lane(place, text),
            Event::Reverting => self.line(place, "takes everything back"),
            Event::Recovering { step } => {
                self.line(place, &format!("the transaction died (\"{step}\"); the server ends it"));
            }
            Event::Warning { text } => {
                let line = format!("{}: {text}", self.hosts[place]);
                let label = self.terminal.paint(Style::Yellow, "warning:");
                self.terminal.note(&format!("{label} {line}"));
            }
            Event::StepDone { .. }
            | Event::StepFailed { .. }
            | Event::Committed
            | Event::Finished { .. } => {}
        }
    }

    fn ended(&mut self, place: usize, report: &HostReport) {
        self.terminal.end_lane(place);
        let mut object = json!({ "event": "host-ended" });
        let fields = object.as_object_mut().expect("it is an object");
        fields.extend(report_fields(report));
        self.object(place, object);
        let time = self.terminal.paint(Style::Dim, &seconds(report.milliseconds));
        let text = format!("{}  {time}", self.terminal.paint(colour(report.end), word(report.end)));
        self.line(place, &text);
        say_problem(report, self.terminal);
    }

    fn lane(&mut self, place: usize, text: &str) {
        let line = format!("{}  {text}", self.hosts[place]);
        self.terminal.lane(place, &line);
    }

    fn line(&mut self, place: usize, text: &str) {
        let line = format!("{}  {text}", self.hosts[place]);
        self.terminal.note(&line);
    }

    fn object(&self, place: usize, mut object: Value) {
        object["schema"] = json!(json::SCHEMA);
        object["host"] = json!(self.hosts[place]);
        self.terminal.json(&object);
    }
}

fn report_fields(report: &HostReport) -> Map<String, Value> {
    let fields = json!({
        "end": report.end,
        "release": report.release,
        "problem": report.problem,
        "hint": report.hint,
        "ms": report.milliseconds,
        "interruption_ms": report.interruption,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn say_problem(report: &HostReport, terminal: &mut Terminal) {
    if let Some(problem) = &report.problem {
        terminal.note(&format!("  {problem}"));
    }
    for line in &report.details {
        let line = terminal.paint(Style::Dim, &format!("  | {line}"));
        terminal.note(&line);
    }
    terminal.hint(report.hint.as_deref());
}

/// Prints what would be done, a line for each host, and what stands in the way of others.
pub(super) fn plan_table(surveyed: &[Surveyed], terminal: &mut Terminal) {
    let mut commits = BTreeMap::new();
    let mut rows = Vec::new();
    for one in surveyed {
        let (host, server) = (one.request.host.to_string(), one.server.to_string());
        let [live, to, way, interruption] = match &one.found {
            Ok(digest) => {
                let live = digest.live.map_or_else(|| "-".to_owned(), |number| number.to_string());
                if digest.is_empty {
                    [live, digest.commit.0.clone(), "nothing to do".to_owned(), String::new()]
                } else {
                    commits.insert(digest.commit.0.clone(), digest.commit.1.clone());
                    let modules = match digest.modules {
                        0 => String::new(),
                        1 => ", 1 module".to_owned(),
                        number => format!(", {number} modules"),
                    };
                    let way = format!("{}{modules}", digest.switch);
                    [live, digest.commit.0.clone(), way, digest.interruption.clone()]
                }
            }
            Err(report) => ["?".into(), "-".into(), word(report.end).to_owned(), String::new()],
        };
        rows.push([host, server, live, to, way, interruption]);
    }
    for (commit, subject) in &commits {
        let id = terminal.paint(Style::Bold, commit);
        terminal.result(&format!("{id}  {subject}"));
    }
    terminal.table(["HOST", "SERVER", "LIVE", "TO", "WAY", "INTERRUPTION"], &rows);
    for one in surveyed {
        if let Err(report) = &one.found {
            let host = terminal.paint(Style::Bold, one.request.host.as_str());
            terminal.note(&host);
            say_problem(report, terminal);
        }
    }
}

/// Returns the exit code where something stands in the way of hosts.
pub(super) fn hindered(surveyed: &[Surveyed]) -> Option<ExitCode> {
    let ends: Vec<_> =
        surveyed.iter().filter_map(|one| one.found.as_ref().err()).map(|one| one.end).collect();
    let first = *ends.first()?;
    let all_alike = ends.iter().all(|end| *end == first);
    Some(if all_alike { code(first) } else { ExitCode::Refused })
}

/// Ends a run of which nothing was begun.
pub(super) fn untouched(surveyed: &[Surveyed], dry_run: bool, terminal: &mut Terminal) -> ExitCode {
    let hindered = hindered(surveyed);
    let all_empty =
        surveyed.iter().all(|one| one.found.as_ref().is_ok_and(|digest| digest.is_empty));
    let hosts: Vec<_> = surveyed
        .iter()
        .map(|one| match &one.found {
            Ok(digest) if digest.is_empty => {
                host_object(&one.request.host, one.server.as_str(), Some(End::Unchanged), None)
            }
            Ok(_) => host_object(&one.request.host, one.server.as_str(), None, None),
            Err(report) => {
                host_object(&one.request.host, one.server.as_str(), Some(report.end), Some(report))
            }
        })
        .collect();
    terminal.json(&json!({
        "schema": json::SCHEMA, "event": "fleet-result", "run": null, "stop": null, "hosts": hosts,
    }));
    if all_empty {
        terminal.result("nothing to do");
    } else if dry_run && hindered.is_none() {
        terminal.note("dry run: nothing was changed");
    } else {
        terminal.note("nothing was touched on any host");
    }
    hindered.unwrap_or(ExitCode::Success)
}

fn host_object(
    host: &HostName,
    server: &str,
    end: Option<End>,
    report: Option<&HostReport>,
) -> Value {
    let mut object = Value::Object(report.map_or_else(Map::new, report_fields));
    object["host"] = json!(host);
    object["server"] = json!(server);
    object["end"] = json!(end);
    object
}

/// A run that ended.
pub(super) struct Finished<'a> {
    pub(super) run: &'a Run<FleetWish>,
    pub(super) surveyed: &'a [Surveyed],
    pub(super) turns: &'a [Turn],
    pub(super) reports: &'a [(usize, HostReport)],
    pub(super) took: Duration,
}

/// Prints how each host ended, and the run with them.
pub(super) fn conclude(finished: &Finished<'_>, terminal: &mut Terminal) -> ExitCode {
    let Finished { run, surveyed, turns, reports, took } = *finished;
    let reports: BTreeMap<_, _> = reports.iter().map(|(place, report)| (*place, report)).collect();
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for (place, (one, turn)) in surveyed.iter().zip(turns).enumerate() {
        let report = reports.get(&place).copied().or(one.found.as_ref().err());
        let end = if let Turn::Ended(end) = turn { Some(*end) } else { None };
        let release = report.and_then(|report| report.release);
        let release = release.or(one.found.as_ref().ok().and_then(|digest| digest.live));
        rows.push([
            one.request.host.to_string(),
            one.server.to_string(),
            end.map_or("not begun", word).to_owned(),
            release.map_or_else(|| "-".to_owned(), |number| number.to_string()),
            report
                .filter(|r| r.milliseconds > 0)
                .map_or_else(String::new, |report| seconds(report.milliseconds)),
            report.and_then(|report| report.problem.clone()).unwrap_or_default(),
        ]);
        objects.push(host_object(&one.request.host, one.server.as_str(), end, report));
    }
    terminal.table(["HOST", "SERVER", "RESULT", "RELEASE", "TIME", "BECAUSE"], &rows);
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "fleet-result",
        "run": run.id,
        "stop": run.stop,
        "hosts": objects,
    }));
    let done = turns.iter().filter(|turn| matches!(turn, Turn::Ended(end) if end.is_success()));
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let line = format!(
        "{} of {} hosts are where they should be, after {}",
        done.count(),
        turns.len(),
        seconds(milliseconds)
    );
    terminal.result(&line);
    if let Some(stop) = run.stop {
        terminal.note(&format!("it ended early: {}", why(stop)));
    }
    if !run.left().is_empty() {
        terminal.hint(Some(&format!("`deploy resume {}` goes on with what is left", run.id)));
    }
    code_of(turns)
}

/// Returns the code of hosts that ended alike, else that of a run of which a part failed.
fn code_of(turns: &[Turn]) -> ExitCode {
    let bad = |turn: &&Turn| !matches!(turn, Turn::Ended(end) if end.is_success());
    let Some(first) = turns.iter().find(bad) else { return ExitCode::Success };
    match first {
        Turn::Ended(end) if turns.iter().all(|turn| turn == first) => code(*end),
        _ => ExitCode::PartFailed,
    }
}

const fn code(end: End) -> ExitCode {
    match end {
        End::Deployed | End::Unchanged => ExitCode::Success,
        End::NotVerified => ExitCode::NotVerified,
        End::Refused => ExitCode::Refused,
        End::Locked => ExitCode::Locked,
        End::Reverted | End::RolledBack => ExitCode::Reverted,
        End::Broken => ExitCode::Broken,
        End::Unreachable => ExitCode::Unreachable,
        End::OutOfSight => ExitCode::PartFailed,
    }
}

const fn word(end: End) -> &'static str {
    match end {
        End::Deployed => "deployed",
        End::Unchanged => "nothing to do",
        End::NotVerified => "deployed, not verified from outside",
        End::Refused => "refused",
        End::Locked => "locked",
        End::Reverted => "failed, reverted",
        End::Broken => "failed, not reverted",
        End::Unreachable => "unreachable",
        End::OutOfSight => "goes on by itself",
        End::RolledBack => "rolled back",
    }
}

const fn colour(end: End) -> Style {
    match end {
        End::Deployed | End::Unchanged => Style::Green,
        End::NotVerified | End::RolledBack | End::OutOfSight => Style::Yellow,
        End::Refused | End::Locked | End::Reverted | End::Broken | End::Unreachable => Style::Red,
    }
}

const fn why(stop: Stop) -> &'static str {
    match stop {
        Stop::Failed => "more hosts failed than may",
        Stop::Unreachable => "more hosts are out of reach than may",
        Stop::Interrupted => "it was interrupted",
    }
}
