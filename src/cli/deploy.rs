//! The main job, and `deploy plan`.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    ExitCode,
    arguments::{ConfigSource, DeployArguments, PlanArguments, TargetArguments},
    around::Around,
    dns, follow, json, plan_file, plan_view,
    surroundings::surroundings,
    terminal::{Style, Terminal},
    words,
};
use crate::{
    host::{HostName, ModuleName},
    layout::ReleaseNumber,
    notify::Action,
    plan::{Event, OnDrift, Outcome, Switch, TransactionId, UpdateChoice},
    wire::Attached,
    workflow::{
        Outside, Project, WorkflowError,
        deploy::{ConfigFrom, DeployRequest, Listener, Notice, Prepared, Revision, prepare},
        follow::Report,
        saved::SavedPlan,
    },
};

/// Shows a plan and leaves.
#[tokio::main]
pub(super) async fn plan(
    directory: &Path,
    arguments: &PlanArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let request = request(&arguments.target, arguments.target.one_host()?)?;
    let prepared = make(&project, &request, terminal).await?;
    if let Some(path) = &arguments.out {
        plan_file::write(path, &SavedPlan::of(&prepared, &request))?;
        terminal.note(&format!("the plan is saved: `deploy apply {}`", path.display()));
    }
    let changes = !prepared.is_empty();
    prepared.leave().await;
    Ok(if changes && arguments.exit_code { ExitCode::Changes } else { ExitCode::Success })
}

/// Deploys, and tells those who want to hear of it how it ended.
#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    target: &TargetArguments,
    arguments: &DeployArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let mut around = Around::begin(&project, target.one_host()?, Action::Deploy, arguments);
    let ended = deploy(&project, target, arguments, &mut around, terminal).await;
    around.conclude(&ended, terminal).await;
    ended
}

async fn deploy(
    project: &Project,
    target: &TargetArguments,
    arguments: &DeployArguments,
    around: &mut Around<'_>,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let began = Instant::now();
    let mut request = request(target, target.one_host()?)?;
    request.message.clone_from(&arguments.message);
    request.wait_lock = arguments.wait_lock.unwrap_or(Duration::ZERO);
    around.before_plan(&request, terminal).await?;
    let prepared = make(project, &request, terminal).await?;
    carry_out(prepared, began, arguments, around, terminal).await
}

/// Does what the plan says, once it is confirmed.
pub(super) async fn carry_out(
    prepared: Prepared,
    began: Instant,
    arguments: &DeployArguments,
    around: &mut Around<'_>,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    around.know(&prepared);
    let previous = prepared.plan.transaction.previous;
    if prepared.is_empty() || arguments.dry_run {
        if !prepared.is_empty() {
            terminal.note("dry run: nothing was changed");
        }
        if let Some(announcement) = around.announcement() {
            announcement.unchanged(previous);
        }
        prepared.leave().await;
        return Ok(ExitCode::Success);
    }
    if !confirmed(&prepared, arguments, terminal).await {
        prepared.leave().await;
        return Err(WorkflowError::Declined);
    }
    if prepared.plan.is_empty() {
        if let Some(announcement) = around.announcement() {
            announcement.unchanged(previous);
        }
        return dns::alone(prepared, terminal).await;
    }
    if let Err(refusal) = around.before_deploy(terminal).await {
        prepared.leave().await;
        return Err(refusal);
    }
    let release = prepared.plan.transaction.number;
    let switch = prepared.plan.switch.to_string();
    let report = follow::carry_out(prepared, terminal).await?;
    if let Some(announcement) = around.announcement() {
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        announcement.report(&report, milliseconds);
    }
    Ok(conclude(&report, &Stands { release, previous, switch: &switch }, terminal))
}

pub(super) async fn make(
    project: &Project,
    request: &DeployRequest,
    terminal: &mut Terminal,
) -> Result<Prepared, WorkflowError> {
    planned(terminal, async |listen| prepare(project, request, listen).await).await
}

/// Has a plan made, and shows it. Ctrl-C ends it before the server is reached.
pub(super) async fn planned(
    terminal: &mut Terminal,
    prepare: impl AsyncFnOnce(Listener<'_>) -> Result<Prepared, WorkflowError>,
) -> Result<Prepared, WorkflowError> {
    let interrupts = terminal.interrupts();
    let mut listen = |notice| {
        if matches!(notice, Notice::Observing) {
            interrupts.gate().close();
        }
        tell(&notice, terminal);
    };
    let prepared = interrupts.or(prepare(&mut listen)).await;
    terminal.idle();
    let prepared = prepared?;
    show(&prepared, terminal);
    Ok(prepared)
}

/// Shows a plan, and what should be known before it is carried out.
fn show(prepared: &Prepared, terminal: &mut Terminal) {
    terminal.know_secrets(&prepared.redactor);
    for note in prepared.notes.iter().chain(&prepared.plan.warnings) {
        terminal.warning(note);
    }
    plan_view::show(prepared, terminal);
    terminal.json(&json::plan(prepared));
}

/// Returns what is asked for on the command line, for a host.
pub(super) fn request(
    target: &TargetArguments,
    host: &HostName,
) -> Result<DeployRequest, WorkflowError> {
    Ok(DeployRequest {
        revision: match (&target.branch, &target.commit) {
            (Some(branch), _) => Revision::Branch(branch.clone()),
            (None, Some(commit)) => Revision::Commit(commit.clone()),
            (None, None) => Revision::EnvironmentBranch,
        },
        config_from: match target.config_from {
            ConfigSource::Commit => ConfigFrom::Commit,
            ConfigSource::WorkingTree => ConfigFrom::WorkingTree,
        },
        update: update(&target.update_modules)?,
        install: target.install.clone(),
        on_drift: if target.overwrite_drift { OnDrift::Overwrite } else { OnDrift::Refuse },
        ..request_for(host)?
    })
}

/// Asks for the tip of the environment's own branch, under a new id.
pub(super) fn request_for(host: &HostName) -> Result<DeployRequest, WorkflowError> {
    let now = jiff::Timestamp::now();
    let mask_key = random()?;
    let suffix: String = random::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = format!("{}-{suffix}", now.strftime("%Y%m%dT%H%M%SZ"));
    Ok(DeployRequest {
        host: host.clone(),
        revision: Revision::EnvironmentBranch,
        config_from: ConfigFrom::Commit,
        update: UpdateChoice::Changed,
        install: Vec::new(),
        on_drift: OnDrift::Refuse,
        tips: None,
        saved: None,
        message: None,
        wait_lock: Duration::ZERO,
        id: TransactionId::parse(&id).expect("a time and digits are an id"),
        now: now.as_second(),
        mask_key,
    })
}

/// Returns random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], WorkflowError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| WorkflowError::Usage {
        message: format!("this machine gives no random numbers: {error}"),
        hint: None,
    })?;
    Ok(bytes)
}

fn update(text: &str) -> Result<UpdateChoice, WorkflowError> {
    Ok(match text {
        "changed" => UpdateChoice::Changed,
        "all" => UpdateChoice::All,
        "none" => UpdateChoice::None,
        names => {
            let names: Result<Vec<_>, _> =
                names.split(',').map(|name| ModuleName::parse(name.trim())).collect();
            UpdateChoice::Only(names.map_err(|error| WorkflowError::Usage {
                message: format!("`--update-modules`: {error}"),
                hint: Some("write `changed`, `all`, `none` or names joined by commas".to_owned()),
            })?)
        }
    })
}

/// Asks where the environment says so and a person is there. Without a person,
/// what was typed is the consent: pipelines have their own approvals.
async fn confirmed(
    prepared: &Prepared,
    arguments: &DeployArguments,
    terminal: &mut Terminal,
) -> bool {
    if arguments.yes || !prepared.environment.confirm || !terminal.is_interactive() {
        return true;
    }
    let desired = &prepared.desired;
    let host = format!("{} ({})", desired.host, desired.environment);
    let question = match &desired.rollback {
        None => format!("Deploy this to {host}?"),
        Some(wish) => format!("Take {host} back to release {}?", wish.to),
    };
    terminal.confirm(&question).await
}

/// Prints what goes on.
pub(super) fn tell(notice: &Notice, terminal: &mut Terminal) {
    match notice {
        Notice::Fetching => terminal.busy("fetching the branch"),
        Notice::Observing => terminal.busy("looking at the server"),
        Notice::WaitingForLock(holder) => {
            let who = holder.as_ref().map(words::held_by).unwrap_or_default();
            terminal.note(&format!("waiting for the deploy of {who}"));
        }
        Notice::Sending { objects, bytes } => {
            terminal.busy(&format!("sending {objects} objects, {} kB", bytes.div_ceil(1024)));
        }
        Notice::Event(event) => {
            // The terminal prints a warning's object itself.
            if !matches!(event, Event::Warning { .. }) {
                let mut object = serde_json::to_value(event).expect("an event is JSON");
                object["schema"] = json!(json::SCHEMA);
                terminal.json(&object);
            }
            tell_event(event, terminal);
        }
    }
}

fn tell_event(event: &Event, terminal: &mut Terminal) {
    match event {
        Event::Started { steps, .. } => terminal.begin_steps(*steps),
        Event::StepStarted { index, title } => terminal.begin_step(*index, title),
        Event::Progress { text } => terminal.step_progress(text),
        Event::StepDone { milliseconds, .. } => terminal.end_step(*milliseconds),
        Event::Warning { text } => terminal.warning(text),
        Event::StepFailed { .. } => terminal.fail_step(),
        Event::Reverting => terminal.note("taking everything back"),
        Event::Recovering { step } => {
            terminal.note(&format!("the transaction died (\"{step}\"); the server ends it"));
        }
        Event::Committed => terminal.note("verified: from here on nothing is taken back"),
        Event::Finished { .. } => {}
    }
}

/// Where the host stood, and where it was to stand.
pub(super) struct Stands<'a> {
    pub(super) release: Option<ReleaseNumber>,
    pub(super) previous: Option<ReleaseNumber>,
    /// The plan's word for the way.
    pub(super) switch: &'a str,
}

impl<'a> Stands<'a> {
    /// Tells it of a transaction that somebody began.
    pub(super) fn of(attached: &'a Attached) -> Self {
        let Attached { release, previous, summary, .. } = attached;
        Self { release: *release, previous: *previous, switch: &summary.switch }
    }

    /// Names what is made live. A release stays where only its service follows.
    fn what_goes_live(&self) -> String {
        let is_vhost = self.switch == Switch::Vhost.to_string();
        match self.release.or(self.previous.filter(|_| !is_vhost)) {
            Some(number) => format!("release {number}"),
            None => "the vhost".to_owned(),
        }
    }
}

/// Says how the deploy ended and where the host stands now.
pub(super) fn conclude(report: &Report, stands: &Stands<'_>, terminal: &mut Terminal) -> ExitCode {
    let Stands { release, previous, .. } = stands;
    let what = stands.what_goes_live();
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "result",
        "result": report.outcome,
        "release": release,
        "interruption_ms": report.interruption,
        "outside": report.outside.as_ref().map(|outside| json!({
            "url": outside.url,
            "problem": outside.problem,
        })),
    }));
    let stands = previous.map_or_else(
        || "the host has no release yet, as before".to_owned(),
        |number| format!("the host is back on release {number} with its database"),
    );
    match &report.outcome {
        Outcome::Deployed => deployed(report, &what, terminal),
        Outcome::Locked { holder } => terminal.failure(&WorkflowError::Locked(holder.clone())),
        Outcome::Refused { failure } => {
            terminal.step_failure(failure);
            terminal.note("nothing was touched");
            ExitCode::Refused
        }
        Outcome::Reverted { failure, kept } => {
            terminal.step_failure(failure);
            let kept = if kept.is_empty() {
                String::new()
            } else {
                format!("; kept for a closer look: {}", kept.join(", "))
            };
            terminal.hint(Some(&format!("{stands}{kept}")));
            ExitCode::Reverted
        }
        Outcome::Broken { failure, revert, kept } => {
            terminal.step_failure(failure);
            terminal.step_failure(revert);
            terminal.hint(Some(&format!(
                "the host is not on one of its two states; everything needed for a repair is \
                 kept: {}",
                kept.join(", ")
            )));
            ExitCode::Broken
        }
    }
}

fn deployed(report: &Report, what: &str, terminal: &mut Terminal) -> ExitCode {
    let waited = match report.interruption {
        Some(milliseconds) => format!(", users waited {}", seconds(milliseconds)),
        None => ", users noticed nothing".to_owned(),
    };
    let line = format!("{what} is live and verified{waited}");
    let line = terminal.paint(Style::Green, &line);
    terminal.result(&line);
    match &report.outside {
        None => ExitCode::Success,
        Some(Outside { problem: None, url, note }) => {
            terminal.result(&format!("it answers at {url}"));
            if let Some(note) = note {
                terminal.warning(note);
            }
            ExitCode::Success
        }
        Some(Outside { problem: Some(problem), url, .. }) => {
            terminal.warning(&format!("not verified from outside: {url}: {problem}"));
            terminal.hint(Some("the server itself answers: look at DNS, firewall and proxies"));
            ExitCode::NotVerified
        }
    }
}

/// Writes a time for people.
pub(super) fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}
