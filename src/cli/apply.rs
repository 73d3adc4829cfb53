//! Carries a saved plan out.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    ExitCode, arguments::ApplyArguments, around::Around, deploy, plan_file,
    surroundings::surroundings, terminal::Terminal,
};
use crate::{
    notify::Action,
    workflow::{Project, WorkflowError, saved::SavedPlan},
};

/// Applies a plan, and tells those who want to hear of it how it ended.
#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &ApplyArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let saved = plan_file::read(&arguments.plan)?;
    let project = Project::open(directory, surroundings())?;
    let mut around = Around::begin(&project, &saved.host, Action::Deploy, &arguments.deploy);
    let ended = apply(&project, &saved, arguments, &mut around, terminal).await;
    around.conclude(&ended, terminal).await;
    ended
}

async fn apply(
    project: &Project,
    saved: &SavedPlan,
    arguments: &ApplyArguments,
    around: &mut Around<'_>,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let began = Instant::now();
    let mut request = saved.request(deploy::request_for(&saved.host)?);
    request.message.clone_from(&arguments.deploy.message);
    request.wait_lock = arguments.deploy.wait_lock.unwrap_or(Duration::ZERO);
    around.before_plan(&request, terminal).await?;
    let prepared = deploy::make(project, &request, terminal).await?;
    deploy::carry_out(prepared, began, &arguments.deploy, around, terminal).await
}
