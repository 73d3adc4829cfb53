//! What a service's log tells about its health. Pure.

use std::{collections::BTreeSet, path::Path};

use crate::odoo::{LogLevel, LogRecord, UpgradeLog};

/// Who reaches the service while it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The maintenance page is up: every request is the check's own.
    Nobody,
    /// Users do; a request that fails may be theirs, and may have failed before.
    Everybody,
}

/// How many lines of a log an operator is shown.
const SHOWN: usize = 20;

/// Returns the first record that tells of a failure, as far as it is this check's.
pub(super) fn failure(log: &str, audience: Audience) -> Option<String> {
    let speaks = |record: &LogRecord<'_>| {
        record.level == LogLevel::Critical
            || record.message.starts_with("Failed to load registry")
            || record.message.starts_with("Database or registry unusable")
            || (audience == Audience::Nobody
                && record.level == LogLevel::Error
                && record.logger == "odoo.http"
                && record.has_traceback())
    };
    let records = LogRecord::split(log);
    let record = records.iter().find(|record| speaks(record))?;
    // The first record only announces what a later one explains.
    let failure = UpgradeLog::read(log).failure.filter(|_| record.logger != "odoo.http");
    Some(failure.map_or_else(|| told(record), |failure| failure.to_string()))
}

/// Returns the errors of a log, each once.
pub(super) fn errors(log: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for record in LogRecord::split(log) {
        let text = told(&record);
        if record.level >= LogLevel::Error && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// Tells whether the log names the release as where addons are loaded from;
/// none where it does not say from where at all.
pub(super) fn release_logged(log: &str, release: &Path) -> Option<bool> {
    let release = format!("{}/", release.display());
    let mut paths = log.lines().filter(|line| line.contains(" addons paths: ")).peekable();
    paths.peek()?;
    Some(paths.all(|line| line.contains(&release)))
}

/// Returns the worker processes that said that they begin: `Worker WorkerHTTP (12) alive`.
pub(super) fn workers_begun(log: &str) -> BTreeSet<u32> {
    let messages = LogRecord::split(log).into_iter().map(|record| record.message);
    messages.filter(|message| message.ends_with(") alive")).filter_map(worker).collect()
}

/// Returns the worker processes that said why they end: `Worker (12) exiting. …`,
/// `Worker (12) max request (8192) reached.`, `WorkerHTTP (12) timeout after 120s`.
pub(super) fn workers_ended(log: &str) -> BTreeSet<u32> {
    let messages = LogRecord::split(log).into_iter().map(|record| record.message);
    messages.filter(|message| !message.ends_with(") alive")).filter_map(worker).collect()
}

fn worker(message: &str) -> Option<u32> {
    let rest = message.strip_prefix("Worker")?;
    rest.split_once('(')?.1.split_once(')')?.0.parse().ok()
}

/// Returns the end of what is grave in a log, else the log's own end.
pub(super) fn matter(log: &str) -> Vec<String> {
    let grave: Vec<_> = LogRecord::split(log)
        .into_iter()
        // Before the first record stands what Python itself printed.
        .filter(|record| record.level >= LogLevel::Error || record.has_traceback())
        .flat_map(|record| {
            let tail = record.rest.len().saturating_sub(SHOWN);
            let rest: Vec<_> = record.rest[tail..].to_vec();
            std::iter::once(record.message).chain(rest)
        })
        // Python underlines the place it means; the line above says it already.
        .filter(|line| !line.trim_matches([' ', '~', '^']).is_empty())
        .collect();
    let lines = if grave.is_empty() { log.lines().collect() } else { grave };
    lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| (*line).to_owned()).collect()
}

/// Says a record in one line: its message, and its exception where it has one.
fn told(record: &LogRecord<'_>) -> String {
    match record.exceptions().last() {
        Some(exception) => {
            let text = exception.message.first().copied().unwrap_or_default();
            format!("{} {}: {text}", record.message, exception.kind)
        }
        None => record.message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-22 09:40:00,000 1 INFO ? odoo: addons paths: ['/usr/lib/odoo', '/opt/odoo/a/releases/0042/code/addons'] \n\
2026-11-22 09:40:01,000 1 ERROR acme odoo.http: Exception during request handling. \n\
Traceback (most recent call last):\n  File \"x.py\", line 1, in y\nKeyError: 'z'\n\
2026-11-22 09:40:02,000 1 INFO acme werkzeug: \"GET /web/login\" 500\n";

    #[test]
    fn a_users_failed_request_does_not_speak_against_a_release() {
        assert_eq!(failure(LOG, Audience::Everybody), None);
        let line = failure(LOG, Audience::Nobody);
        assert_eq!(line.as_deref(), Some("Exception during request handling. KeyError: 'z'"));
        assert_eq!(errors(LOG).len(), 1);
    }

    #[test]
    fn a_registry_that_does_not_load_speaks_against_it() {
        let line = "2026-11-22 09:40:01,000 1 ERROR acme odoo.registry: Failed to load registry\n";
        assert!(failure(line, Audience::Everybody).is_some());
    }

    #[test]
    fn the_release_is_known_by_its_addons_path() {
        let named = |path: &str| release_logged(LOG, Path::new(path));
        assert_eq!(named("/opt/odoo/a/releases/0042"), Some(true));
        assert_eq!(named("/opt/odoo/a/releases/004"), Some(false));
        assert_eq!(release_logged("", Path::new("/opt")), None);
    }

    #[test]
    fn a_worker_says_when_it_begins_and_why_it_ends() {
        let line =
            |text: &str| format!("2026-11-22 09:40:00,000 1 INFO ? odoo.service.server: {text}\n");
        let log: String = [
            "Worker WorkerHTTP (12) alive",
            "Worker WorkerCron (13) alive",
            "Worker (12) max request (8192) reached.",
            "Worker (12) exiting. request_count: 8192, registry count: 1.",
            "WorkerHTTP (14) timeout after 120s",
        ]
        .into_iter()
        .map(line)
        .collect();
        assert_eq!(workers_begun(&log), BTreeSet::from([12, 13]));
        assert_eq!(workers_ended(&log), BTreeSet::from([12, 14]));
    }

    #[test]
    fn an_operator_is_shown_what_is_grave() {
        assert_eq!(matter(LOG).last().map(String::as_str), Some("KeyError: 'z'"));
        assert_eq!(matter("one\ntwo\n"), ["one", "two"]);
    }
}
