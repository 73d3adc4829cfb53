//! Words for times, holders and events.

use jiff::{Timestamp, tz::TimeZone};

use super::deploy::seconds;
use crate::plan::{Event, Holder, Outcome, megabytes};

/// Writes a moment: in the zone that `TZ` names, else in UTC, and says which it is.
pub(super) fn when(second: i64) -> String {
    let Ok(time) = Timestamp::from_second(second) else { return "an unknown time".to_owned() };
    let zone = match std::env::var_os("TZ") {
        Some(zone) if !zone.is_empty() => TimeZone::system(),
        _ => TimeZone::UTC,
    };
    time.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Writes how long something takes or took.
pub(super) fn duration(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) if days < 3 => format!("{days} d {hours} h"),
        (days, ..) => format!("{days} days"),
    }
}

/// Says who holds or held a lock.
pub(super) fn held_by(holder: &Holder) -> String {
    let mut text = format!("{} on {}, since {}", holder.who, holder.from, when(holder.since));
    if let Some(url) = &holder.url {
        text.push_str(&format!(", {url}"));
    }
    if let Some(message) = &holder.message {
        text.push_str(&format!(", “{message}”"));
    }
    text
}

/// Writes room on a disk.
pub(super) fn room(bytes: u64) -> String {
    const GIGABYTE: u64 = 1 << 30;
    if bytes < 10 * GIGABYTE { megabytes(bytes) } else { format!("{} GB", bytes / GIGABYTE) }
}

/// Says what a transaction told, in one line.
pub(super) fn event(event: &Event) -> String {
    match event {
        Event::Started { steps, .. } => format!("begins, {steps} steps"),
        Event::StepStarted { index, title } => format!("step {index}: {title}"),
        Event::Progress { text } => text.clone(),
        Event::StepDone { index, milliseconds } => {
            format!("step {index} done in {}", seconds(*milliseconds))
        }
        Event::Warning { text } => format!("warning: {text}"),
        Event::StepFailed { index, failure } => {
            format!("step {index} failed: {}", failure.message)
        }
        Event::Recovering { step } => format!("died (\"{step}\"); the server ends it"),
        Event::Reverting => "taking everything back".to_owned(),
        Event::Committed => "verified: from here on nothing is taken back".to_owned(),
        Event::Finished { outcome, interruption } => {
            let waited = interruption.map(|waited| format!(", users waited {}", seconds(waited)));
            format!("ended: {}{}", outcome_word(outcome), waited.unwrap_or_default())
        }
    }
}

fn outcome_word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Deployed => "deployed".to_owned(),
        Outcome::Locked { .. } => "another deploy held the lock".to_owned(),
        Outcome::Refused { failure } => {
            format!("refused, nothing was touched: {}", failure.message)
        }
        Outcome::Reverted { failure, .. } => format!("taken back: {}", failure.message),
        Outcome::Broken { revert, .. } => {
            format!("broken, the way back failed too: {}", revert.message)
        }
    }
}

/// Replaces control characters, which a log may hold and a terminal would obey.
pub(super) fn plain(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_two_units_that_matter() {
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(130), "2 min 10 s");
        assert_eq!(duration(3_700), "1 h 1 min");
        assert_eq!(duration(90_000), "1 d 1 h");
        assert_eq!(duration(864_000), "10 days");
    }

    #[test]
    fn a_log_cannot_command_a_terminal() {
        assert_eq!(plain("a\u{1b}[31m\tb"), "a\u{fffd}[31m\tb");
    }
}
