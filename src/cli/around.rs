//! What happens around a deploy: hooks before and after it, and news of how it ended.

use serde_json::{Value, json};

use super::{
    ExitCode, arguments::DeployArguments, json, surroundings::desktop_session, terminal::Terminal,
};
use crate::{
    causes::with_causes,
    hooks::{Hook, HookError},
    host::HostName,
    notify::{Action, Ending, show_on_desktop},
    workflow::{
        Project, WorkflowError,
        announce::{Announcement, News, announce_run},
        deploy::{DeployRequest, Prepared, Revision},
        hooks::{HookContext, Hooks, refusal},
    },
};

/// What goes along with the deploy of a host.
pub(super) struct Around<'a> {
    project: &'a Project,
    arguments: &'a DeployArguments,
    action: Action,
    announcement: Option<Announcement>,
    hooks: Option<Hooks>,
    /// What hooks read: the plan once there is one, until then what was asked for.
    input: Value,
}

impl<'a> Around<'a> {
    /// Begins with what the working tree knows. In a dry run no hook runs, and nobody is told.
    pub(super) fn begin(
        project: &'a Project,
        host: &HostName,
        action: Action,
        arguments: &'a DeployArguments,
    ) -> Self {
        let message = arguments.message.as_deref();
        let with_hooks = !arguments.dry_run && !arguments.no_hooks;
        Self {
            project,
            arguments,
            action,
            announcement: Announcement::begin(project, host, action, message),
            hooks: with_hooks.then(|| Hooks::of(project, [host])),
            input: Value::Null,
        }
    }

    /// Returns the announcement, where somebody may hear of the deploy.
    pub(super) const fn announcement(&mut self) -> Option<&mut Announcement> {
        self.announcement.as_mut()
    }

    /// Runs the hook before the plan; it can refuse.
    pub(super) async fn before_plan(
        &mut self,
        request: &DeployRequest,
        terminal: &mut Terminal,
    ) -> Result<(), WorkflowError> {
        self.input = request_object(self.project, self.action, request);
        let ran = self.run(Hook::BeforePlan, None, terminal).await;
        // Git, which is next, hears nothing of interrupts.
        terminal.interrupts().gate().open();
        ran.map_err(|error| refusal(&error))
    }

    /// Adds what a plan knows.
    pub(super) fn know(&mut self, prepared: &Prepared) {
        self.input = json::plan(prepared);
        if let Some(announcement) = &mut self.announcement {
            announcement.know(prepared);
        }
        if let Some(hooks) = &mut self.hooks {
            hooks.know(&prepared.redactor);
        }
    }

    /// Runs the hook before anything is touched; it can refuse.
    pub(super) async fn before_deploy(&self, terminal: &mut Terminal) -> Result<(), WorkflowError> {
        self.run(Hook::BeforeDeploy, None, terminal).await.map_err(|error| refusal(&error))
    }

    /// Tells those who want to hear of it how the deploy ended, and runs the hook after
    /// it. Neither ever changes the exit code.
    pub(super) async fn conclude(
        mut self,
        ended: &Result<ExitCode, WorkflowError>,
        terminal: &mut Terminal,
    ) {
        let Some(mut announcement) = self.announcement.take() else { return };
        let is_news = ended.as_ref().map_or_else(|error| announcement.error(error), |_| true);
        if !is_news || self.arguments.dry_run {
            return;
        }
        let ending = announcement.ending();
        let now = jiff::Timestamp::now().as_second();
        if let Some(news) = News::of(self.project, vec![announcement], now) {
            tell_others(self.project, &news, self.arguments.notify, terminal).await;
        }
        let hook = match ending {
            Ending::Unchanged => return,
            Ending::Deployed | Ending::NotVerified => Hook::AfterDeploy,
            Ending::Refused
            | Ending::Locked
            | Ending::Unreachable
            | Ending::Reverted
            | Ending::Broken
            | Ending::Lost => Hook::AfterFailure,
        };
        if let Err(error) = self.run(hook, Some(ending.as_str()), terminal).await {
            terminal.warning(&with_causes(&error));
        }
    }

    /// Runs a hook and shows what it writes. An interrupt ends it.
    async fn run(
        &self,
        hook: Hook,
        result: Option<&str>,
        terminal: &mut Terminal,
    ) -> Result<(), HookError> {
        let Some(hooks) = &self.hooks else { return Ok(()) };
        let interrupts = terminal.interrupts();
        interrupts.gate().close();
        terminal.busy(&format!("hook {}", hook.as_str()));
        let stop = async {
            interrupts.next().await;
        };
        let context = HookContext { input: &self.input, result };
        let ran = hooks.run(hook, &context, stop, &mut |line| terminal.hook(hook, line)).await;
        terminal.idle();
        ran
    }
}

/// Tells the channels, in one message each, and the desktop: where the operator sits at one, or
/// asks for it. What cannot be told is a warning.
pub(super) async fn tell_others(
    project: &Project,
    news: &News,
    notify: bool,
    terminal: &mut Terminal,
) {
    for problem in announce_run(project, news).await {
        terminal.warning(&problem);
    }
    let wanted = project.settings.desktop_notification && terminal.is_interactive();
    if notify || wanted {
        let (message, _) = news.message(project);
        let note = show_on_desktop(&message, desktop_session());
        if let Some(note) = note.filter(|_| notify) {
            terminal.warning(&note);
        }
    }
}

/// Describes what was asked for, to a hook that runs before there is a plan.
pub(super) fn request_object(project: &Project, action: Action, request: &DeployRequest) -> Value {
    let (branch, commit) = match &request.revision {
        Revision::EnvironmentBranch => (None, None),
        Revision::Branch(branch) => (Some(branch.to_string()), None),
        Revision::Commit(commit) => (None, Some(commit.clone())),
        Revision::Pinned { branch, commit } => {
            (branch.as_ref().map(ToString::to_string), Some(commit.to_string()))
        }
    };
    let operator = &project.operator;
    json!({
        "schema": json::SCHEMA,
        "action": action.as_str(),
        "host": request.host,
        "branch": branch,
        "commit": commit,
        "message": request.message,
        "who": operator.who,
        "from": operator.from,
        "url": operator.url,
    })
}
