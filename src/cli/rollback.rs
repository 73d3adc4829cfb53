//! The way back to an earlier release.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    ExitCode, arguments::RollbackArguments, around::Around, deploy, surroundings::surroundings,
    terminal::Terminal,
};
use crate::{
    layout::ReleaseNumber,
    notify::Action,
    plan::OnDrift,
    workflow::{
        Project, WorkflowError,
        deploy::Listener,
        rollback::{RollbackRequest, prepare},
    },
};

/// Rolls a host back, and tells those who want to hear of it how it ended.
#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &RollbackArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = Project::open(directory, surroundings())?;
    let mut around = Around::begin(&project, &arguments.host, Action::Rollback, &arguments.deploy);
    let ended = roll_back(&project, arguments, &mut around, terminal).await;
    around.conclude(&ended, terminal).await;
    ended
}

async fn roll_back(
    project: &Project,
    arguments: &RollbackArguments,
    around: &mut Around<'_>,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let began = Instant::now();
    let mut request = deploy::request_for(&arguments.host)?;
    request.message.clone_from(&arguments.deploy.message);
    request.wait_lock = arguments.deploy.wait_lock.unwrap_or(Duration::ZERO);
    if arguments.overwrite_drift {
        request.on_drift = OnDrift::Overwrite;
    }
    around.before_plan(&request, terminal).await?;
    let request = RollbackRequest {
        deploy: request,
        to: arguments.to.map(ReleaseNumber),
        with_database: arguments.with_database,
    };
    let make = async |listen: Listener<'_>| prepare(project, &request, listen).await;
    let prepared = deploy::planned(terminal, make).await?;
    let arguments = &arguments.deploy;
    deploy::carry_out(prepared, began, arguments, around, terminal).await
}
