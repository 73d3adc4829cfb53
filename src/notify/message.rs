//! What people are told. Pure.

use super::{
    RunSummary,
    words::{cleaned, worded},
};
use crate::{
    render::{NotificationInput, RenderError, notification},
    secret::Redactor,
};

/// A message that every channel can send: no secrets, no control characters, bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What happened, in one line.
    pub title: String,
    /// The title and the lines below it.
    pub text: String,
    /// What it is made of, for programs.
    pub run: NotificationInput,
    /// How long the run took, in milliseconds.
    pub duration: Option<u64>,
    /// When the run was over, in seconds since the epoch.
    pub time: i64,
}

/// The most characters of a title, a line and a whole text.
const TITLE: usize = 300;
const LINE: usize = 1000;
const TEXT: usize = 3900;

impl Message {
    /// Words a message, by the given template or the built-in one. All that is free text
    /// is redacted and made harmless. Where the template does not fit, the message is the
    /// built-in one, and why comes with it.
    #[must_use]
    pub fn new(
        run: &RunSummary,
        redactor: &Redactor,
        template: Option<&str>,
    ) -> (Self, Option<RenderError>) {
        let input = worded(run, redactor);
        let own = template.map(|template| notification(&input, Some(template)));
        let (text, fault) = match own {
            Some(Ok(text)) if !text.trim().is_empty() => (text, None),
            Some(Err(error)) => (built_in(&input), Some(error)),
            Some(Ok(_)) | None => (built_in(&input), None),
        };
        let lines = text.lines().map(|line| cleaned(line, LINE, redactor));
        let mut lines = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>();
        let title = lines.first().cloned().unwrap_or_else(|| input.title.clone());
        let title = cleaned(&title, TITLE, redactor);
        if let Some(first) = lines.first_mut() {
            first.clone_from(&title);
        }
        let text = bounded(&lines);
        (Self { title, text, run: input, duration: run.duration, time: run.time }, fault)
    }

    /// Returns the lines below the title.
    #[must_use]
    pub fn details(&self) -> &str {
        self.text.split_once('\n').map_or("", |(_, details)| details)
    }
}

fn built_in(input: &NotificationInput) -> String {
    notification(input, None).expect("the built-in template fits")
}

/// Joins as many lines as fit.
fn bounded(lines: &[String]) -> String {
    let mut text = String::new();
    let mut left = TEXT;
    for (index, line) in lines.iter().enumerate() {
        let length = line.chars().count() + 1;
        if length > left {
            text.push_str("\n…");
            break;
        }
        left -= length;
        if index > 0 {
            text.push('\n');
        }
        text.push_str(line);
    }
    text
}

#[cfg(test)]
pub(super) mod tests;
