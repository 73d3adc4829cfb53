//! What people are told of a run, in words of their own where they wrote a template.

use serde::Serialize;

use super::{
    RenderError,
    template::{Escape, fill},
};

const TEMPLATE: &str = include_str!("templates/notification.txt.hbs");

/// Where a repository's own template is, relative to its root.
pub const NOTIFICATION_TEMPLATE: &str = "deployment/templates/notification.txt.hbs";

/// What a text is made of: the context of `notification.txt.hbs`. Every value is one
/// line without secrets; none where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationInput {
    /// What happened, in one line.
    pub title: String,
    /// `deployed`, `unchanged` or `failed`.
    pub event: &'static str,
    /// `deploy` or `rollback`.
    pub action: &'static str,
    /// Whether the run had several hosts.
    pub many: bool,
    /// The hosts.
    pub hosts: Vec<NotificationHost>,
    /// Those that failed, as many as a message holds.
    pub failed: Vec<NotificationHost>,
    /// How many more failed.
    pub left_out: usize,
    /// What the operator said about it.
    pub message: Option<String>,
    /// The person or job.
    pub who: String,
    /// The machine.
    pub from: String,
    /// How long it took, for people.
    pub took: Option<String>,
    /// What users noticed; of a run with one host.
    pub users: Option<String>,
    /// The CI run.
    pub url: Option<String>,
}

/// A host in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationHost {
    /// The host.
    pub host: String,
    /// Its environment.
    pub environment: String,
    /// How it ended, in one word.
    pub ending: &'static str,
    /// How it ended, for people.
    pub what: String,
    /// The release it made.
    pub release: Option<u32>,
    /// The release a rollback went back to.
    pub to: Option<u32>,
    /// The branch.
    pub branch: Option<String>,
    /// The commit's short id.
    pub commit: Option<String>,
    /// The first line of its message.
    pub subject: Option<String>,
    /// `error` or `warning`: what `failure` is.
    pub label: &'static str,
    /// What failed and why.
    pub failure: Option<String>,
    /// The next move.
    pub hint: Option<String>,
    /// How long users waited, in milliseconds.
    pub interruption_ms: Option<u64>,
}

/// Writes a notification, from the given template or the built-in one: its first line is
/// the title. Nothing is escaped: each service has its own way.
///
/// # Errors
/// Refuses a template that does not fit.
pub fn notification(
    input: &NotificationInput,
    template: Option<&str>,
) -> Result<String, RenderError> {
    fill("notification.txt", template.unwrap_or(TEMPLATE), Escape::Nothing, input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::template::documented_names;

    fn input() -> NotificationInput {
        let host = NotificationHost {
            host: "shop.example.com".to_owned(),
            environment: "production".to_owned(),
            ending: "deployed",
            what: "release 3 is live and verified".to_owned(),
            release: Some(3),
            to: None,
            branch: Some("main".to_owned()),
            commit: None,
            subject: None,
            label: "error",
            failure: None,
            hint: None,
            interruption_ms: None,
        };
        NotificationInput {
            title: "shop".to_owned(),
            event: "deployed",
            action: "deploy",
            many: false,
            hosts: vec![host.clone()],
            failed: vec![host],
            left_out: 0,
            message: None,
            who: "alice".to_owned(),
            from: "laptop".to_owned(),
            took: None,
            users: None,
            url: None,
        }
    }

    #[test]
    fn every_documented_name_is_there() {
        let run = documented_names("notification.txt.hbs");
        notification(&input(), Some(&run)).unwrap();
        let host = documented_names("a host of it");
        let each = format!("{{{{#each hosts}}}}{host}{{{{/each}}}}");
        assert!(notification(&input(), Some(&each)).unwrap().contains("shop.example.com\n"));
    }

    #[test]
    fn a_name_that_is_not_there_is_an_error() {
        assert!(notification(&input(), Some("{{tittle}}")).is_err());
        assert!(notification(&input(), Some("{{#each hosts}}{{hots}}{{/each}}")).is_err());
    }

    #[test]
    fn nothing_is_escaped_for_a_page() {
        let odd = NotificationInput { title: "<a> & \"b\"".to_owned(), ..input() };
        assert!(notification(&odd, None).unwrap().starts_with("<a> & \"b\"\n"));
    }
}
