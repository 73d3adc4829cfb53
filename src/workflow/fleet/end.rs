//! How a host's turn ended, from what its deploy returned.

use super::Surveyed;
use crate::{
    causes::with_causes,
    fleet::End,
    host::Host,
    layout::ReleaseNumber,
    notify::{Ending, HostSummary},
    plan::{Failure, Outcome},
    transport::TransportError,
    workflow::{Project, WorkflowError, deploy::Revision, follow::Report},
};

/// How a host's turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReport {
    /// In one word.
    pub end: End,
    /// What went wrong.
    pub problem: Option<String>,
    /// The next move.
    pub hint: Option<String>,
    /// Lines that say more.
    pub details: Vec<String>,
    /// The release that the host is on.
    pub release: Option<ReleaseNumber>,
    /// How long users could not be served, in milliseconds.
    pub interruption: Option<u64>,
    /// How long the turn took, in milliseconds.
    pub milliseconds: u64,
}

impl HostReport {
    /// Reports an end that needs no words.
    pub(super) const fn of_end(end: End, release: Option<ReleaseNumber>) -> Self {
        Self {
            end,
            problem: None,
            hint: None,
            details: Vec::new(),
            release,
            interruption: None,
            milliseconds: 0,
        }
    }

    /// Reports how a transaction ended.
    pub(super) fn of_report(
        report: &Report,
        before: Option<ReleaseNumber>,
        after: Option<ReleaseNumber>,
    ) -> Self {
        let outside = report.outside.as_ref().and_then(|outside| outside.problem.as_ref());
        let (end, failure) = match &report.outcome {
            Outcome::Deployed if outside.is_some() => (End::NotVerified, None),
            Outcome::Deployed => (End::Deployed, None),
            Outcome::Locked { .. } => (End::Locked, None),
            Outcome::Refused { failure } => (End::Refused, Some(failure)),
            Outcome::Reverted { failure, .. } => (End::Reverted, Some(failure)),
            Outcome::Broken { failure, .. } => (End::Broken, Some(failure)),
        };
        let release = if end.is_live() { after } else { before };
        let mut told = Self::of_end(end, release);
        told.interruption = report.interruption;
        told.problem = outside.map(|problem| format!("not verified from outside: {problem}"));
        if let Some(Failure { step, message, hint, details }) = failure {
            told.problem = Some(format!("failed to {step}: {message}"));
            told.hint.clone_from(hint);
            told.details.clone_from(details);
        }
        told
    }

    /// Reports why a transaction was not begun, or not seen to its end.
    pub(super) fn of_error(error: &WorkflowError) -> Self {
        let mut told = Self::of_end(end(error), None);
        told.problem = Some(with_causes(error));
        told.hint = error.hint();
        if let WorkflowError::Obstacles(obstacles) = error {
            told.problem = obstacles.first().map(|first| first.message.clone());
            told.hint = obstacles.first().and_then(|first| first.hint.clone());
            let more = obstacles.iter().skip(1).map(|obstacle| obstacle.message.clone());
            told.details = more.collect();
        }
        told
    }
}

/// Sums a host up for those who want to hear of the run; none where not even its environment
/// can be read.
pub fn summary(
    project: &Project,
    surveyed: &Surveyed,
    end: Option<End>,
    report: Option<&HostReport>,
) -> Option<HostSummary> {
    let name = &surveyed.request.host;
    let digest = surveyed.found.as_ref().ok();
    let environment = match digest {
        Some(digest) => digest.environment.clone(),
        None => Host::load(&project.files, name).ok()?.environment,
    };
    let problem = report.and_then(|report| report.problem.clone());
    let said = match end {
        None => Some("it was not begun".to_owned()),
        Some(End::RolledBack) => Some("it was taken back, because others failed".to_owned()),
        Some(_) => problem,
    };
    Some(HostSummary {
        host: name.clone(),
        environment,
        ending: ending(end),
        release: report.and_then(|report| report.release).filter(|_| end.is_some_and(End::is_live)),
        to: None,
        branch: match &surveyed.request.revision {
            Revision::Branch(branch) => Some(branch.to_string()),
            _ => None,
        },
        commit: digest.map(|digest| digest.commit.clone()),
        failure: said,
        hint: report.and_then(|report| report.hint.clone()),
        interruption: report.and_then(|report| report.interruption),
    })
}

pub(super) const fn ending(end: Option<End>) -> Ending {
    match end {
        Some(End::Deployed) => Ending::Deployed,
        Some(End::Unchanged) => Ending::Unchanged,
        Some(End::NotVerified) => Ending::NotVerified,
        None | Some(End::Refused) => Ending::Refused,
        Some(End::Locked) => Ending::Locked,
        Some(End::Reverted | End::RolledBack) => Ending::Reverted,
        Some(End::Broken) => Ending::Broken,
        Some(End::Unreachable) => Ending::Unreachable,
        Some(End::OutOfSight) => Ending::Lost,
    }
}

fn end(error: &WorkflowError) -> End {
    match error {
        WorkflowError::Locked(_) => End::Locked,
        WorkflowError::LostSight { .. } | WorkflowError::LeftRunning { .. } => End::OutOfSight,
        WorkflowError::Transport(error) if error.is_refusal() => End::Refused,
        WorkflowError::Transport(TransportError::Local { .. }) => End::Refused,
        // Nothing was begun: a link that broke is a server that is out of reach.
        WorkflowError::Transport(_) => End::Unreachable,
        _ => End::Refused,
    }
}
