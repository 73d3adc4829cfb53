//! Tells those who want to hear of a deploy how it ended.

use tokio::task::spawn_blocking;

use super::{Project, WorkflowError, deploy::Prepared, follow::Report};
use crate::{
    host::{EnvironmentName, Host, HostName},
    layout::ReleaseNumber,
    notify::{Ending, Message, Patience, Summary, Webhook, channels_for},
    plan::{Failure, Outcome},
    secret::Redactor,
    settings::Settings,
};

/// What is known of a deploy before it ends.
#[derive(Debug, Clone)]
pub struct Announcement {
    summary: Summary,
    settings: Settings,
    redactor: Redactor,
}

impl Announcement {
    /// Begins an announcement with what the working tree knows; none where not
    /// even the host can be read.
    #[must_use]
    pub fn begin(project: &Project, host: &HostName, message: Option<&str>) -> Option<Self> {
        let environment = Host::load(&project.files, host).ok()?.environment;
        Some(Self {
            summary: empty(project, host, environment, message),
            settings: project.settings.clone(),
            redactor: Redactor::default(),
        })
    }

    /// Adds what a plan knows.
    pub fn know(&mut self, prepared: &Prepared) {
        let desired = &prepared.desired;
        self.settings = prepared.settings.clone();
        self.redactor = prepared.redactor.clone();
        self.summary.branch = desired.branch.as_ref().map(ToString::to_string);
        self.summary.commit = Some((desired.commit.id.short(), desired.commit.subject.clone()));
        self.summary.release = prepared.plan.transaction.number;
    }

    /// Ends as a deploy that had nothing to do.
    pub fn unchanged(&mut self, live: Option<ReleaseNumber>) {
        self.summary.ending = Ending::Unchanged;
        self.summary.release = live;
    }

    /// Ends as the agent reported.
    pub fn report(&mut self, report: &Report, milliseconds: u64) {
        self.summary.duration = Some(milliseconds);
        self.summary.interruption = report.interruption;
        let (ending, failure) = match &report.outcome {
            Outcome::Deployed => (Ending::Deployed, None),
            Outcome::Locked { .. } => (Ending::Locked, None),
            Outcome::Refused { failure } => (Ending::Refused, Some(failure)),
            Outcome::Reverted { failure, .. } => (Ending::Reverted, Some(failure)),
            Outcome::Broken { failure, .. } => (Ending::Broken, Some(failure)),
        };
        self.summary.ending = ending;
        self.summary.failure = failure.map(said);
        self.summary.hint = failure.and_then(|failure| failure.hint.clone());
        let problem = report.outside.as_ref().and_then(|outside| outside.problem.clone());
        if let Some(problem) = problem {
            self.summary.ending = Ending::NotVerified;
            self.summary.failure = Some(problem);
        }
    }

    /// Ends with an error; false where nobody has to hear of it: the operator
    /// mistyped something, or said no.
    pub fn error(&mut self, error: &WorkflowError) -> bool {
        self.summary.ending = match error {
            WorkflowError::Locked(_) => Ending::Locked,
            WorkflowError::Obstacles(obstacles) => {
                let first = obstacles.first();
                self.summary.failure = first.map(|obstacle| obstacle.message.clone());
                self.summary.hint = first.and_then(|obstacle| obstacle.hint.clone());
                Ending::Refused
            }
            WorkflowError::Dns { .. } => Ending::Refused,
            WorkflowError::Transport(error) if error.is_refusal() => Ending::Refused,
            WorkflowError::Transport(crate::transport::TransportError::Wire(_)) => Ending::Lost,
            WorkflowError::LostSight { .. } => Ending::Lost,
            WorkflowError::Transport(_) => Ending::Unreachable,
            _ => return false,
        };
        if self.summary.failure.is_none() {
            self.summary.failure = Some(error.to_string());
        }
        true
    }

    /// Words the message.
    #[must_use]
    pub fn message(&self) -> Message {
        Message::new(&self.summary, &self.redactor)
    }

    /// Sends the message to every channel that wants it. What fails is
    /// returned, one sentence for each channel, and changes nothing.
    pub async fn send(&self, project: &Project) -> Vec<String> {
        let message = self.message();
        let mut failures = Vec::new();
        for (name, channel) in
            channels_for(&self.settings, &self.summary.environment, message.event)
        {
            let url = match project.secrets.resolve(&channel.webhook) {
                Ok(url) => url,
                Err(missing) => {
                    failures.push(format!("notification `{name}`: {missing}"));
                    continue;
                }
            };
            let webhook = Webhook::new(self.redactor.clone(), Patience::default());
            let message = message.clone();
            let sent = spawn_blocking(move || webhook.post(&url, &message)).await;
            if let Ok(Err(error)) = sent {
                failures.push(format!("notification `{name}`: {error}"));
            }
        }
        failures
    }
}

fn said(failure: &Failure) -> String {
    format!("failed to {}: {}", failure.step, failure.message)
}

fn empty(
    project: &Project,
    host: &HostName,
    environment: EnvironmentName,
    message: Option<&str>,
) -> Summary {
    let operator = &project.operator;
    Summary {
        host: host.clone(),
        environment,
        ending: Ending::Lost,
        release: None,
        branch: None,
        commit: None,
        who: operator.who.clone(),
        from: operator.from.clone(),
        message: message.map(str::to_owned),
        failure: None,
        hint: None,
        duration: None,
        interruption: None,
        url: operator.url.clone(),
    }
}
