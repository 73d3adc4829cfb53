//! `deploy server setup`.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use tokio::select;

use crate::{
    cli::{
        ExitCode,
        arguments::server::SetupArguments,
        deploy::tell,
        json, plan_view,
        surroundings::surroundings,
        terminal::{Style, Terminal},
        words,
    },
    host::ServerName,
    plan::Failure,
    setup::SetupTold,
    workflow::{
        Project, WorkflowError,
        deploy::Notice,
        setup::{Found, PreparedSetup, SetupFollowing, prepare},
    },
};

#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &SetupArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let found = terminal.asking(prepare(&project, &arguments.server)).await?;
    let prepared = match found {
        Found::Running(following) => {
            terminal.note("this server is being set up already; this is how far that is");
            return watch(*following, terminal).await;
        }
        Found::Planned(prepared) => *prepared,
    };
    show(&prepared, terminal);
    if !prepared.plan.obstacles.is_empty() {
        let obstacles = prepared.plan.obstacles.clone();
        prepared.leave().await;
        return Err(WorkflowError::Obstacles(obstacles));
    }
    if prepared.plan.steps.is_empty() {
        prepared.leave().await;
        conclude(&arguments.server, "unchanged", None, terminal);
        return Ok(ExitCode::Success);
    }
    if arguments.check {
        prepared.leave().await;
        conclude(&arguments.server, "drift", None, terminal);
        return Ok(ExitCode::Changes);
    }
    if !agreed(arguments, terminal).await? {
        prepared.leave().await;
        return Err(WorkflowError::Declined);
    }
    let interrupts = terminal.interrupts();
    interrupts.gate().close();
    let now = Timestamp::now().as_second();
    let following = interrupts.or(prepared.carry_out(&project, now)).await?;
    watch(following, terminal).await
}

async fn agreed(
    arguments: &SetupArguments,
    terminal: &mut Terminal,
) -> Result<bool, WorkflowError> {
    if arguments.yes {
        return Ok(true);
    }
    if !terminal.is_interactive() {
        return Err(WorkflowError::Usage {
            message: "a server is set up by somebody who has seen the plan".to_owned(),
            hint: Some("give `--yes` where nobody can be asked".to_owned()),
        });
    }
    Ok(terminal.confirm("Set this server up?").await)
}

fn show(prepared: &PreparedSetup, terminal: &mut Terminal) {
    let (plan, facts) = (&prepared.plan, &prepared.facts);
    let name = terminal.paint(Style::Bold, prepared.server.as_str());
    terminal.result(&format!(
        "{name}  {}, {}, {} processors",
        facts.os.name,
        words::room(facts.memory),
        facts.cpus
    ));
    for diff in &plan.diffs {
        plan_view::file(diff, terminal);
    }
    if !plan.steps.is_empty() {
        terminal.result(&terminal.paint(Style::Cyan, "plan"));
        for (step, index) in plan.steps.iter().zip(1..) {
            terminal.result(&format!("  {index:>2}  {step}"));
        }
    }
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "setup-plan",
        "server": prepared.server,
        "distribution": facts.os.name,
        "steps": plan.steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "diffs": plan.diffs,
    }));
    for warning in &plan.warnings {
        terminal.warning(warning);
    }
}

/// Prints what a setup tells until it ends.
async fn watch(
    mut following: SetupFollowing,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let interrupts = terminal.interrupts();
    interrupts.gate().close();
    let server = following.server().clone();
    loop {
        let told = select! {
            told = following.next() => told?,
            _ = interrupts.next() => {
                following.leave().await;
                return Err(WorkflowError::SetupLeft { server });
            }
        };
        match told {
            SetupTold::Event(event) => tell(&Notice::Event(event), terminal),
            SetupTold::Ended(failure) => {
                following.leave().await;
                terminal.idle();
                let outcome = if failure.is_some() { "failed" } else { "done" };
                conclude(&server, outcome, failure.as_ref(), terminal);
                let failed = failure.is_some();
                return Ok(if failed { ExitCode::Broken } else { ExitCode::Success });
            }
            SetupTold::Busy(holder) => return Err(WorkflowError::SetupRuns(holder)),
        }
    }
}

fn conclude(
    server: &ServerName,
    outcome: &str,
    failure: Option<&Failure>,
    terminal: &mut Terminal,
) {
    match (outcome, failure) {
        (_, Some(failure)) => {
            terminal.step_failure(failure);
            terminal.note("what was done before stays as it is, and is whole");
        }
        ("unchanged", _) => {
            terminal.result(&terminal.paint(Style::Green, "nothing to do: it is as it should be"));
        }
        ("drift", _) => terminal.note("nothing was touched"),
        _ => {
            terminal.result(&terminal.paint(Style::Green, &format!("{server} is ready for hosts")));
        }
    }
    terminal.json(&json!({
        "schema": json::SCHEMA,
        "event": "setup",
        "server": server,
        "outcome": outcome,
        "failure": failure,
    }));
}
