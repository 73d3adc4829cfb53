//! Words a run, harmlessly: no secrets, no control characters, bounded. Pure.

use super::{Action, Ending, HostSummary, RunSummary};
use crate::{
    render::{NotificationHost, NotificationInput},
    secret::Redactor,
    settings::NotifyEvent,
};

/// The most characters of a name, a subject, a cause and a hint.
const NAME: usize = 100;
const SUBJECT: usize = 150;
const FAILURE: usize = 800;
const HINT: usize = 400;
const URL: usize = 500;

/// The most characters of a cause where several hosts are told of.
const FAILURE_OF_MANY: usize = 150;

/// The most hosts that are told of one by one. All together stays near the 4,000
/// characters Slack advises for a message.
const MOST: usize = 15;

/// Words all that is known of a run.
pub(super) fn worded(run: &RunSummary, redactor: &Redactor) -> NotificationInput {
    let many = run.hosts.len() > 1;
    let words = Words { run, redactor, longest: if many { FAILURE_OF_MANY } else { FAILURE } };
    let failed = run.hosts.iter().filter(|host| host.ending.event() == NotifyEvent::Failed);
    let failed = failed.map(|host| words.host(host)).collect::<Vec<_>>();
    let left_out = failed.len().saturating_sub(MOST);
    NotificationInput {
        title: words.title(),
        event: run.event().as_str(),
        action: run.action.as_str(),
        many,
        hosts: run.hosts.iter().map(|host| words.host(host)).collect(),
        failed: failed.into_iter().take(MOST).collect(),
        left_out,
        message: words.clean(run.message.as_deref(), SUBJECT),
        who: cleaned(&run.who, NAME, redactor),
        from: cleaned(&run.from, NAME, redactor),
        took: run.duration.map(time),
        users: run.hosts.first().filter(|_| !many).and_then(users),
        url: words.clean(run.url.as_deref().filter(|url| is_link(url)), URL),
    }
}

struct Words<'a> {
    run: &'a RunSummary,
    redactor: &'a Redactor,
    longest: usize,
}

impl Words<'_> {
    /// Says what happened in one line: to the one host, or to how many of them.
    fn title(&self) -> String {
        let hosts = &self.run.hosts;
        if let [host] = hosts.as_slice() {
            return format!("{} ({}): {}", host.host, host.environment, self.happened(host));
        }
        let count = |event| hosts.iter().filter(|host| host.ending.event() == event).count();
        let (all, idle) = (hosts.len(), count(NotifyEvent::Unchanged));
        if all == idle {
            return format!("nothing to do on {all} hosts");
        }
        let done = match self.run.action {
            Action::Deploy => "deployed",
            Action::Rollback => "rolled back",
        };
        let deployed = format!("{} of {all} hosts {done}", count(NotifyEvent::Deployed));
        let idle = (idle > 0).then(|| format!("{idle} had nothing to do"));
        let failed = count(NotifyEvent::Failed);
        let failed = (failed > 0).then(|| format!("{failed} failed"));
        [Some(deployed), failed, idle].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn happened(&self, host: &HostSummary) -> String {
        let release = host.release.map(|number| format!("release {number}"));
        let (made, tried, not) = match (self.run.action, host.to) {
            (Action::Deploy, _) => (
                release.clone().unwrap_or_else(|| "the vhost".to_owned()),
                release.unwrap_or_else(|| "the deploy".to_owned()),
                "not deployed",
            ),
            (Action::Rollback, Some(to)) => {
                let rollback = format!("the rollback to release {to}");
                (rollback.clone(), rollback, "not rolled back")
            }
            (Action::Rollback, None) => {
                ("the rollback".to_owned(), "the rollback".to_owned(), "not rolled back")
            }
        };
        match host.ending {
            Ending::Deployed => format!("{made} is live and verified"),
            Ending::NotVerified => format!("{made} is live, but not verified from outside"),
            Ending::Unchanged => "nothing to do".to_owned(),
            Ending::Refused => format!("{not}, nothing was touched"),
            Ending::Locked => format!("{not}, another deploy is running"),
            Ending::Unreachable => format!("{not}, the server cannot be reached"),
            Ending::Reverted => format!("{tried} failed, everything is as it was before"),
            Ending::Broken => format!("{tried} failed and so did the way back, a person is needed"),
            Ending::Lost => format!("{tried} went out of sight, its outcome is not known"),
        }
    }

    fn host(&self, host: &HostSummary) -> NotificationHost {
        let commit = host.commit.as_ref();
        NotificationHost {
            host: host.host.to_string(),
            environment: host.environment.to_string(),
            ending: host.ending.as_str(),
            what: self.happened(host),
            release: host.release.map(|number| number.0),
            to: host.to.map(|number| number.0),
            branch: self.clean(host.branch.as_deref(), NAME),
            commit: self.clean(commit.map(|(id, _)| id.as_str()), NAME),
            subject: self.clean(commit.map(|(_, subject)| subject.as_str()), SUBJECT),
            label: if host.ending == Ending::NotVerified { "warning" } else { "error" },
            failure: self.clean(host.failure.as_deref(), self.longest),
            hint: self.clean(host.hint.as_deref(), HINT),
            interruption_ms: host.interruption,
        }
    }

    fn clean(&self, text: Option<&str>, longest: usize) -> Option<String> {
        text.map(|text| cleaned(text, longest, self.redactor)).filter(|text| !text.is_empty())
    }
}

/// Says what users noticed; nothing where they were not touched, or nobody knows what they see.
fn users(host: &HostSummary) -> Option<String> {
    match (host.ending, host.interruption) {
        (Ending::Deployed | Ending::NotVerified | Ending::Reverted, Some(waited)) => {
            Some(format!("users waited {}", time(waited)))
        }
        (Ending::Deployed | Ending::Reverted, None) => Some("users noticed nothing".to_owned()),
        _ => None,
    }
}

/// Writes milliseconds for people.
fn time(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    if seconds < 60 {
        format!("{seconds}.{} s", milliseconds % 1000 / 100)
    } else if seconds < 3600 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {} min", seconds / 3600, seconds % 3600 / 60)
    }
}

/// Tells whether a URL is one that is shown; a longer one would be cut and lead nowhere.
fn is_link(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://"))
        && url.chars().count() <= URL
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Makes one bounded line without secrets, control characters and marks that hide or
/// reorder what stands around them.
pub(super) fn cleaned(text: &str, longest: usize, redactor: &Redactor) -> String {
    let visible = redactor.redact(text).replace(is_hidden, "");
    let words = visible.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    // A secret may have been taken apart by what was just removed.
    let line = redactor.redact(&line);
    match line.char_indices().nth(longest) {
        None => line,
        Some(_) => line.chars().take(longest - 1).chain(['…']).collect(),
    }
}

/// Directional marks, zero-width characters and invisible tags (Unicode 16, chapter 23).
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
