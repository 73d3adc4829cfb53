//! Tells those who want to hear of a run how it ended.

use std::path::Path;

use tokio::task::spawn_blocking;

use super::{Project, WorkflowError, deploy::Prepared, follow::Report};
use crate::{
    causes::with_causes,
    host::{FileSource as _, Host, HostName},
    layout::ReleaseNumber,
    notify::{
        Action, Delivery, Ending, HostSummary, LONGEST, Message, Patience, RunSummary, Service,
        deliver,
    },
    plan::{Failure, Outcome},
    render::NOTIFICATION_TEMPLATE,
    secret::Redactor,
    settings::Settings,
};

/// What is known of one host's deploy before it ends.
#[derive(Debug, Clone)]
pub struct Announcement {
    action: Action,
    summary: HostSummary,
    message: Option<String>,
    duration: Option<u64>,
    settings: Settings,
    redactor: Redactor,
}

impl Announcement {
    /// Begins an announcement with what the working tree knows; none where not
    /// even the host can be read.
    #[must_use]
    pub fn begin(
        project: &Project,
        host: &HostName,
        action: Action,
        message: Option<&str>,
    ) -> Option<Self> {
        let environment = Host::load(&project.files, host).ok()?.environment;
        let summary = HostSummary {
            host: host.clone(),
            environment,
            ending: Ending::Lost,
            release: None,
            to: None,
            branch: None,
            commit: None,
            failure: None,
            hint: None,
            interruption: None,
        };
        Some(Self {
            action,
            summary,
            message: message.map(str::to_owned),
            duration: None,
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
        self.summary.to = desired.rollback.as_ref().map(|rollback| rollback.to);
    }

    /// Returns how it ended, as far as that is known.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        self.summary.ending
    }

    /// Ends as a deploy that had nothing to do.
    pub fn unchanged(&mut self, live: Option<ReleaseNumber>) {
        self.summary.ending = Ending::Unchanged;
        self.summary.release = live;
    }

    /// Ends as the agent reported.
    pub fn report(&mut self, report: &Report, milliseconds: u64) {
        self.duration = Some(milliseconds);
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
}

fn said(failure: &Failure) -> String {
    format!("failed to {}: {}", failure.step, failure.message)
}

/// A run that is over, and who wants to hear of it.
#[derive(Debug, Clone)]
pub struct News {
    /// The run.
    pub run: RunSummary,
    settings: Settings,
    redactor: Redactor,
}

/// A run over many hosts that ended.
#[derive(Debug, Clone)]
pub struct FleetEnded {
    /// How each host did.
    pub hosts: Vec<HostSummary>,
    /// What the operator said about it.
    pub message: Option<String>,
    /// Knows every secret of the hosts.
    pub redactor: Redactor,
    /// How long it took, in milliseconds.
    pub duration: u64,
    /// When it was over, in seconds since the epoch.
    pub time: i64,
}

impl News {
    /// Makes one piece of news of the hosts of a run, whose channels are those that the
    /// first one knows; none where there is no host. The run took as long as its slowest host, where
    /// nobody says otherwise.
    #[must_use]
    pub fn of(project: &Project, hosts: Vec<Announcement>, time: i64) -> Option<Self> {
        let first = hosts.first()?.clone();
        let mut redactor = Redactor::default();
        hosts.iter().for_each(|host| redactor.extend(&host.redactor));
        let operator = &project.operator;
        let run = RunSummary {
            action: first.action,
            duration: hosts.iter().filter_map(|host| host.duration).max(),
            hosts: hosts.into_iter().map(|host| host.summary).collect(),
            who: operator.who.clone(),
            from: operator.from.clone(),
            message: first.message,
            url: operator.url.clone(),
            time,
        };
        Some(Self { run, settings: first.settings, redactor })
    }

    /// Makes news of a run over many hosts; none where there is no host.
    #[must_use]
    pub fn of_fleet(project: &Project, ended: FleetEnded) -> Option<Self> {
        let FleetEnded { hosts, message, redactor, duration, time } = ended;
        if hosts.is_empty() {
            return None;
        }
        let operator = &project.operator;
        let run = RunSummary {
            action: Action::Deploy,
            duration: Some(duration),
            hosts,
            who: operator.who.clone(),
            from: operator.from.clone(),
            message,
            url: operator.url.clone(),
            time,
        };
        Some(Self { run, settings: project.settings.clone(), redactor })
    }

    /// Words the message about all of the run, and says what is wrong with the
    /// repository's own words for it.
    #[must_use]
    pub fn message(&self, project: &Project) -> (Message, Option<String>) {
        self.worded(&self.run, own_words(project).as_deref())
    }

    fn worded(&self, run: &RunSummary, template: Option<&str>) -> (Message, Option<String>) {
        let (message, fault) = Message::new(run, &self.redactor, template);
        let fault = fault.map(|fault| {
            let why = with_causes(&fault);
            format!("{NOTIFICATION_TEMPLATE}: {why}; the built-in text is used")
        });
        (message, fault)
    }
}

/// Reads the repository's own template, from the working tree.
fn own_words(project: &Project) -> Option<String> {
    let bytes = project.files.read(Path::new(NOTIFICATION_TEMPLATE)).ok()??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Tells every channel that wants to hear of a run, in one message each. What fails is
/// returned, one sentence for each channel, and changes nothing.
pub async fn announce_run(project: &Project, news: &News) -> Vec<String> {
    let template = own_words(project);
    let mut problems = Vec::new();
    let mut deliveries = Vec::new();
    for (name, channel) in &news.settings.notify {
        let Some(run) = news.run.heard_by(channel) else { continue };
        let (message, fault) = news.worded(&run, template.as_deref());
        problems.extend(fault.filter(|fault| !problems.contains(fault)));
        match Service::resolve(&channel.service, &project.secrets, &news.redactor) {
            Ok(service) => deliveries.push(Delivery { channel: name.clone(), service, message }),
            Err(missing) => problems.push(format!("notification `{name}`: {missing}")),
        }
    }
    let sent = spawn_blocking(move || deliver(deliveries, Patience::default(), LONGEST)).await;
    problems.extend(sent.unwrap_or_default());
    problems
}
