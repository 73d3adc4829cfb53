//! What people are told, as plain text and as Slack wants it. Pure.

use crate::{
    host::{EnvironmentName, HostName},
    layout::ReleaseNumber,
    secret::Redactor,
    settings::NotifyEvent,
};

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
}

/// What is known of a deploy when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The host.
    pub host: HostName,
    /// Its environment.
    pub environment: EnvironmentName,
    /// What the deploy came to.
    pub ending: Ending,
    /// The release it made; none where only the vhost changed or nothing was made.
    pub release: Option<ReleaseNumber>,
    /// The branch, where one was named.
    pub branch: Option<String>,
    /// The commit's short id and the first line of its message.
    pub commit: Option<(String, String)>,
    /// The person or job.
    pub who: String,
    /// The machine it was started from.
    pub from: String,
    /// What the operator said about it.
    pub message: Option<String>,
    /// What failed and why; for [`Ending::NotVerified`], what was seen from outside.
    pub failure: Option<String>,
    /// The next move.
    pub hint: Option<String>,
    /// How long it took, in milliseconds.
    pub duration: Option<u64>,
    /// How long users could not be served, in milliseconds; none where they noticed nothing.
    pub interruption: Option<u64>,
    /// The CI run, where there is one.
    pub url: Option<String>,
}

/// A message that every sink can show: no secrets, no control characters, bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What happened to which host, in one line.
    pub title: String,
    /// The title and the lines below it.
    pub text: String,
    /// What channels choose by.
    pub event: NotifyEvent,
    /// The host.
    pub host: HostName,
    /// The host's environment.
    pub environment: EnvironmentName,
}

/// The most characters of a name, a subject, a cause and a hint. All together stay
/// below the 4,000 characters Slack advises for a message.
const NAME: usize = 100;
const SUBJECT: usize = 150;
const FAILURE: usize = 800;
const HINT: usize = 400;
const URL: usize = 500;

impl Message {
    /// Words a message. All that is free text is redacted and made harmless.
    #[must_use]
    pub fn new(summary: &Summary, redactor: &Redactor) -> Self {
        let title = format!("{} ({}): {}", summary.host, summary.environment, happened(summary));
        let mut lines = vec![title.clone()];
        lines.extend(lines_below(summary, redactor));
        Self {
            title,
            text: lines.join("\n"),
            event: summary.ending.event(),
            host: summary.host.clone(),
            environment: summary.environment.clone(),
        }
    }

    /// Returns the lines below the title.
    #[must_use]
    pub fn details(&self) -> &str {
        self.text.split_once('\n').map_or("", |(_, details)| details)
    }

    /// Returns the JSON an incoming webhook of Slack accepts; Mattermost and
    /// Rocket.Chat take the same. Markup and previews of links are off.
    #[must_use]
    pub fn to_slack(&self) -> String {
        let body = serde_json::json!({
            "text": slack_escaped(&self.text),
            "mrkdwn": false,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        body.to_string()
    }
}

fn happened(summary: &Summary) -> String {
    let release = summary.release.map(|number| format!("release {number}"));
    let made = release.clone().unwrap_or_else(|| "the vhost".to_owned());
    let tried = release.clone().unwrap_or_else(|| "the deploy".to_owned());
    match summary.ending {
        Ending::Deployed => format!("{made} is live and verified"),
        Ending::NotVerified => format!("{made} is live, but not verified from outside"),
        Ending::Unchanged => "nothing to do".to_owned(),
        Ending::Refused => "not deployed, nothing was touched".to_owned(),
        Ending::Locked => "not deployed, another deploy is running".to_owned(),
        Ending::Unreachable => "not deployed, the server cannot be reached".to_owned(),
        Ending::Reverted => format!("{tried} failed, everything is as it was before"),
        Ending::Broken => format!("{tried} failed and so did the way back, a person is needed"),
        Ending::Lost => format!("{tried} went out of sight, its outcome is not known"),
    }
}

fn lines_below(summary: &Summary, redactor: &Redactor) -> Vec<String> {
    let clean = |text: &str, longest| cleaned(text, longest, redactor);
    let branch = summary.branch.as_deref().map(|branch| clean(branch, NAME));
    let commit = summary.commit.as_ref();
    let commit = commit.map(|(id, subject)| [clean(id, NAME), clean(subject, SUBJECT)].join(" "));
    let code = branch.into_iter().chain(commit).collect::<Vec<_>>().join(" ");
    let label = if summary.ending == Ending::NotVerified { "warning" } else { "error" };
    let labelled = |label: &str, text: &Option<String>, longest| {
        let text = clean(text.as_deref()?, longest);
        (!text.is_empty()).then(|| format!("{label}: {text}"))
    };
    let failure = labelled(label, &summary.failure, FAILURE);
    let hint = labelled("hint", &summary.hint, HINT);
    let said = labelled("message", &summary.message, SUBJECT);
    let by = format!(
        "by {} from {}{}",
        clean(&summary.who, NAME),
        clean(&summary.from, NAME),
        times(summary)
    );
    let url = summary.url.as_deref().filter(|url| is_link(url)).map(|url| clean(url, URL));
    let lines = [Some(code.trim().to_owned()), failure, hint, said, Some(by), url];
    lines.into_iter().flatten().filter(|line| !line.is_empty()).collect()
}

fn times(summary: &Summary) -> String {
    let took = summary.duration.map(|took| format!(" in {}", time(took))).unwrap_or_default();
    let users = match (summary.ending, summary.interruption) {
        (Ending::Deployed | Ending::NotVerified | Ending::Reverted, Some(waited)) => {
            format!(", users waited {}", time(waited))
        }
        (Ending::Deployed | Ending::Reverted, None) => ", users noticed nothing".to_owned(),
        // Users were not touched, or nobody knows what they see.
        _ => String::new(),
    };
    took + &users
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

/// Escapes the three control characters of Slack's text
/// (<https://docs.slack.dev/messaging/formatting-message-text/>), so that `<!channel>`
/// and `<@U…>` are text. A bare `@name` at the start of a word, which Mattermost and
/// Rocket.Chat take for a mention, is parted by an invisible word joiner.
fn slack_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' if !before.is_alphanumeric() => escaped.push_str("@\u{2060}"),
            c => escaped.push(c),
        }
        before = c;
    }
    escaped
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::secret::Secret;

    /// A deploy of which everything is known.
    pub(in crate::notify) fn summary(ending: Ending) -> Summary {
        Summary {
            host: HostName::parse("corteperfecto.somosblink.com").unwrap(),
            environment: EnvironmentName::parse("production").unwrap(),
            ending,
            release: Some(ReleaseNumber(42)),
            branch: Some("main".to_owned()),
            commit: Some(("1a2b3c4d5e".to_owned(), "Fix the till".to_owned())),
            who: "alice".to_owned(),
            from: "laptop".to_owned(),
            message: None,
            failure: None,
            hint: None,
            duration: Some(134_567),
            interruption: Some(38_240),
            url: Some("https://github.com/blink/odoo/actions/runs/1".to_owned()),
        }
    }

    fn text(summary: &Summary) -> String {
        Message::new(summary, &Redactor::default()).text
    }

    #[test]
    fn a_deploy_is_told_with_commit_person_times_and_run() {
        insta::assert_snapshot!(text(&summary(Ending::Deployed)), @r"
        corteperfecto.somosblink.com (production): release 42 is live and verified
        main 1a2b3c4d5e Fix the till
        by alice from laptop in 2 min 14 s, users waited 38.2 s
        https://github.com/blink/odoo/actions/runs/1
        ");
    }

    #[test]
    fn a_failure_is_told_with_its_cause_and_the_next_move() {
        let failed = Summary {
            message: Some("as agreed with Ana".to_owned()),
            failure: Some(
                "failed to upgrade `sale_extra`:\n  column \"x\" does not exist".to_owned(),
            ),
            hint: Some("the failed database is kept as `corteperfecto-prod~failed-42`".to_owned()),
            ..summary(Ending::Reverted)
        };
        insta::assert_snapshot!(text(&failed), @r#"
        corteperfecto.somosblink.com (production): release 42 failed, everything is as it was before
        main 1a2b3c4d5e Fix the till
        error: failed to upgrade `sale_extra`: column "x" does not exist
        hint: the failed database is kept as `corteperfecto-prod~failed-42`
        message: as agreed with Ana
        by alice from laptop in 2 min 14 s, users waited 38.2 s
        https://github.com/blink/odoo/actions/runs/1
        "#);
    }

    #[test]
    fn every_ending_has_a_title_and_an_event() {
        use Ending::{
            Broken, Deployed, Locked, Lost, NotVerified, Refused, Reverted, Unchanged, Unreachable,
        };
        let endings = [
            Deployed,
            NotVerified,
            Unchanged,
            Refused,
            Locked,
            Unreachable,
            Reverted,
            Broken,
            Lost,
        ];
        let told = endings.map(|ending| {
            let title = Message::new(&summary(ending), &Redactor::default()).title;
            let what = title.split_once(": ").unwrap().1.to_owned();
            format!("{:?} {what}", ending.event())
        });
        insta::assert_snapshot!(told.join("\n"), @r"
        Deployed release 42 is live and verified
        Failed release 42 is live, but not verified from outside
        Unchanged nothing to do
        Failed not deployed, nothing was touched
        Failed not deployed, another deploy is running
        Failed not deployed, the server cannot be reached
        Failed release 42 failed, everything is as it was before
        Failed release 42 failed and so did the way back, a person is needed
        Failed release 42 went out of sight, its outcome is not known
        ");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let bare = Summary {
            release: None,
            branch: None,
            commit: None,
            duration: None,
            interruption: None,
            url: None,
            ..summary(Ending::Deployed)
        };
        insta::assert_snapshot!(text(&bare), @r"
        corteperfecto.somosblink.com (production): the vhost is live and verified
        by alice from laptop, users noticed nothing
        ");
    }

    #[test]
    fn users_are_mentioned_only_where_it_is_known_what_they_saw() {
        let unnoticed = |ending| text(&Summary { interruption: None, ..summary(ending) });
        assert!(unnoticed(Ending::Deployed).contains("users noticed nothing"));
        assert!(unnoticed(Ending::Reverted).contains("users noticed nothing"));
        assert!(!unnoticed(Ending::NotVerified).contains("users"));
        assert!(text(&summary(Ending::NotVerified)).contains("users waited 38.2 s"));
        for ending in [Ending::Unchanged, Ending::Refused, Ending::Locked, Ending::Broken] {
            assert!(!text(&summary(ending)).contains("users"), "{ending:?}");
        }
    }

    #[test]
    fn a_hostile_subject_stays_on_its_line_and_pins_nobody() {
        let subject = "<!channel> <@U024BE7LH> &amp; *b* `c` @everyone a@b\r\n\x1b[31mred\u{202e}x\u{200b}\u{2028}y";
        let message = Message::new(
            &Summary {
                commit: Some(("1a2b3c4d5e".to_owned(), subject.to_owned())),
                ..summary(Ending::Deployed)
            },
            &Redactor::default(),
        );
        assert_eq!(
            message.text.lines().nth(1).unwrap(),
            "main 1a2b3c4d5e <!channel> <@U024BE7LH> &amp; *b* `c` @everyone a@b [31mredx y",
        );
        let json: serde_json::Value = serde_json::from_str(&message.to_slack()).unwrap();
        let sent = json["text"].as_str().unwrap();
        assert_eq!(
            sent.lines().nth(1).unwrap(),
            "main 1a2b3c4d5e &lt;!channel&gt; &lt;@\u{2060}U024BE7LH&gt; &amp;amp; *b* `c` \
             @\u{2060}everyone a@b [31mredx y",
        );
        assert!(!sent.contains(['<', '>']));
        assert_eq!(json["mrkdwn"], false);
        assert_eq!(json["unfurl_links"], false);
    }

    #[test]
    fn a_message_is_bounded_whatever_it_is_made_of() {
        let long = "&é".repeat(100_000);
        let message = Message::new(
            &Summary {
                branch: Some(long.clone()),
                commit: Some((long.clone(), long.clone())),
                who: long.clone(),
                from: long.clone(),
                message: Some(long.clone()),
                failure: Some(long.clone()),
                hint: Some(long.clone()),
                url: Some(format!("https://h/{long}")),
                ..summary(Ending::Broken)
            },
            &Redactor::default(),
        );
        assert!(message.text.chars().count() < 4000);
        assert!(message.text.contains("…\nhint: "));
        assert!(!message.text.contains("https://"), "half a link leads nowhere");
        assert!(message.to_slack().len() < 40_000, "Slack cuts off there");
    }

    #[test]
    fn only_a_web_address_is_linked() {
        for url in ["javascript:alert(1)", "https://h/ x", "https://h/\n<!here>"] {
            let odd = Summary { url: Some(url.to_owned()), ..summary(Ending::Deployed) };
            assert_eq!(text(&odd).lines().count(), 3, "{url}");
        }
    }

    #[test]
    fn a_planted_secret_is_masked_wherever_it_stands() {
        let mut redactor = Redactor::default();
        redactor.add(&Secret::new("hunter2"));
        let planted = || Some("password=hunter2 hun\u{200b}ter2".to_owned());
        let message = Message::new(
            &Summary {
                branch: planted(),
                commit: Some(("1a2b3c4d5e".to_owned(), planted().unwrap())),
                who: planted().unwrap(),
                from: planted().unwrap(),
                message: planted(),
                failure: planted(),
                hint: planted(),
                url: Some("https://ci/?token=hunter2".to_owned()),
                ..summary(Ending::Reverted)
            },
            &redactor,
        );
        assert!(!message.text.contains("hunter2"), "{}", message.text);
        assert_eq!(message.text.matches("********").count(), 15);
        assert_eq!(format!("{}\n{}", message.title, message.details()), message.text);
    }
}
