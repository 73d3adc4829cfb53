//! Carries a saved plan out.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    ExitCode, arguments::ApplyArguments, deploy, plan_file, surroundings::surroundings,
    terminal::Terminal,
};
use crate::workflow::{Project, WorkflowError, announce::Announcement, saved::SavedPlan};

/// Applies a plan, and tells those who want to hear of it how it ended.
#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    arguments: &ApplyArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let saved = plan_file::read(&arguments.plan)?;
    let project = Project::open(directory, surroundings())?;
    let message = arguments.deploy.message.as_deref();
    let mut announcement = Announcement::begin(&project, &saved.host, message);
    let ended = apply(&project, &saved, arguments, &mut announcement, terminal).await;
    deploy::conclude_with_news(announcement, &ended, &project, &arguments.deploy, terminal).await;
    ended
}

async fn apply(
    project: &Project,
    saved: &SavedPlan,
    arguments: &ApplyArguments,
    announcement: &mut Option<Announcement>,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let began = Instant::now();
    let mut request = saved.request(deploy::request_for(&saved.host)?);
    request.message.clone_from(&arguments.deploy.message);
    request.wait_lock = arguments.deploy.wait_lock.unwrap_or(Duration::ZERO);
    let prepared = deploy::make(project, &request, terminal).await?;
    deploy::carry_out(prepared, began, &arguments.deploy, announcement, terminal).await
}
