//! What is known of a run when it is over. Pure.

use crate::{
    host::{EnvironmentName, HostName},
    layout::ReleaseNumber,
    settings::{NotifyChannel, NotifyEvent},
};

/// What a run was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A commit goes live.
    Deploy,
    /// Hosts go back to earlier releases.
    Rollback,
}

impl Action {
    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
        }
    }
}

/// What a deploy came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The new state is live and verified.
    Deployed,
    /// It is live and healthy on the server, but does not answer from outside.
    NotVerified,
    /// Nothing had to be done.
    Unchanged,
    /// A check failed before anything live was touched.
    Refused,
    /// Another deploy holds the lock.
    Locked,
    /// The server could not be reached.
    Unreachable,
    /// A step failed and everything is as it was.
    Reverted,
    /// A step failed and so did the way back.
    Broken,
    /// The link was lost while the server worked: how it ended is not known here.
    Lost,
}

impl Ending {
    /// Returns the event a channel asks for to hear of it. What is live but does not
    /// answer from outside counts as failed: somebody has to look.
    #[must_use]
    pub const fn event(self) -> NotifyEvent {
        match self {
            Self::Deployed => NotifyEvent::Deployed,
            Self::Unchanged => NotifyEvent::Unchanged,
            Self::NotVerified
            | Self::Refused
            | Self::Locked
            | Self::Unreachable
            | Self::Reverted
            | Self::Broken
            | Self::Lost => NotifyEvent::Failed,
        }
    }

    /// Returns the word for it, which programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::NotVerified => "not-verified",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::Locked => "locked",
            Self::Unreachable => "unreachable",
            Self::Reverted => "reverted",
            Self::Broken => "broken",
            Self::Lost => "lost",
        }
    }
}

/// What is known of one host of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSummary {
    /// The host.
    pub host: HostName,
    /// Its environment.
    pub environment: EnvironmentName,
    /// What it came to.
    pub ending: Ending,
    /// The release it made; none where only the vhost changed or nothing was made.
    pub release: Option<ReleaseNumber>,
    /// The release that a rollback goes back to.
    pub to: Option<ReleaseNumber>,
    /// The branch, where one was named.
    pub branch: Option<String>,
    /// The commit's short id and the first line of its message.
    pub commit: Option<(String, String)>,
    /// What failed and why; for [`Ending::NotVerified`], what was seen from outside.
    pub failure: Option<String>,
    /// The next move.
    pub hint: Option<String>,
    /// How long users could not be served, in milliseconds; none where they noticed nothing.
    pub interruption: Option<u64>,
}

/// What is known of a run: of one host, or of several that were deployed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// What it was for.
    pub action: Action,
    /// The hosts, one at least.
    pub hosts: Vec<HostSummary>,
    /// The person or job.
    pub who: String,
    /// The machine it was started from.
    pub from: String,
    /// What the operator said about it.
    pub message: Option<String>,
    /// The CI run, where there is one.
    pub url: Option<String>,
    /// How long it took, in milliseconds.
    pub duration: Option<u64>,
    /// When it was over, in seconds since the epoch.
    pub time: i64,
}

impl RunSummary {
    /// Returns the weightiest event of its hosts.
    #[must_use]
    pub fn event(&self) -> NotifyEvent {
        let events = self.hosts.iter().map(|host| host.ending.event());
        events.max().unwrap_or(NotifyEvent::Unchanged)
    }

    /// Returns what a channel hears of the run: the hosts of its environments. None where
    /// nothing happened to any of them that it asks for.
    #[must_use]
    pub fn heard_by(&self, channel: &NotifyChannel) -> Option<Self> {
        let is_heard = |host: &&HostSummary| {
            channel.environments.is_empty() || channel.environments.contains(&host.environment)
        };
        let hosts = self.hosts.iter().filter(is_heard).cloned().collect::<Vec<_>>();
        let is_wanted = hosts.iter().any(|host| channel.on.contains(&host.ending.event()));
        is_wanted.then(|| Self { hosts, ..self.clone() })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::settings::NotifyService;

    /// A host of which everything is known.
    pub(in crate::notify) fn host(ending: Ending) -> HostSummary {
        HostSummary {
            host: HostName::parse("corteperfecto.somosblink.com").unwrap(),
            environment: EnvironmentName::parse("production").unwrap(),
            ending,
            release: Some(ReleaseNumber(42)),
            to: None,
            branch: Some("main".to_owned()),
            commit: Some(("1a2b3c4d5e".to_owned(), "Fix the till".to_owned())),
            failure: None,
            hint: None,
            interruption: Some(38_240),
        }
    }

    /// A run of these hosts of which everything is known.
    pub(in crate::notify) fn run(hosts: Vec<HostSummary>) -> RunSummary {
        RunSummary {
            action: Action::Deploy,
            hosts,
            who: "alice".to_owned(),
            from: "laptop".to_owned(),
            message: None,
            url: Some("https://github.com/blink/odoo/actions/runs/1".to_owned()),
            duration: Some(134_000),
            time: 1_795_343_960,
        }
    }

    fn environment(text: &str) -> EnvironmentName {
        EnvironmentName::parse(text).unwrap()
    }

    fn channel(on: &[NotifyEvent], environments: &[&str]) -> NotifyChannel {
        let webhook = NotifyService::Webhook { url: "${S}".to_owned(), kind: None, secret: None };
        NotifyChannel {
            service: webhook,
            on: on.to_vec(),
            environments: environments.iter().map(|text| environment(text)).collect(),
        }
    }

    #[test]
    fn a_channel_hears_of_its_events_in_its_environments() {
        use NotifyEvent::{Deployed, Failed};
        let heard = |ending, at: &str, channel: &NotifyChannel| {
            let one = HostSummary { environment: environment(at), ..host(ending) };
            run(vec![one]).heard_by(channel).is_some()
        };
        let team = channel(&[Deployed, Failed], &[]);
        let night = channel(&[Failed], &["production"]);
        assert!(heard(Ending::Deployed, "production", &team));
        assert!(!heard(Ending::Deployed, "production", &night));
        assert!(heard(Ending::Reverted, "production", &night));
        assert!(!heard(Ending::Reverted, "test", &night));
        assert!(heard(Ending::Reverted, "test", &team));
        assert!(!heard(Ending::Unchanged, "production", &team));
        assert!(!heard(Ending::Deployed, "test", &channel(&[], &[])));
    }

    #[test]
    fn a_channel_of_one_environment_hears_nothing_of_the_others() {
        use NotifyEvent::{Deployed, Failed};
        let test = HostSummary { environment: environment("test"), ..host(Ending::Reverted) };
        let both = run(vec![host(Ending::Deployed), test]);
        assert_eq!(both.event(), Failed);
        let heard = both.heard_by(&channel(&[Deployed, Failed], &["production"])).unwrap();
        assert_eq!((heard.hosts.len(), heard.event()), (1, Deployed));
        assert!(both.heard_by(&channel(&[Failed], &["production"])).is_none());
        let all = both.heard_by(&channel(&[Deployed], &[])).unwrap();
        assert_eq!(all.hosts.len(), 2, "who asks for one of them hears of the run");
    }
}
