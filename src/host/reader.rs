//! Typed access to the keys of one of the tool's sections.

use std::{path::PathBuf, time::Duration};

use super::{
    ConfigError, InvalidName, Origin, Setting, SourceError,
    expression::{Scope, evaluate},
    nearest::did_you_mean,
    resolve::{Settings, list},
};
use crate::secret::Part;

/// Reads the values that are known before a deploy, and collects every fault.
pub(super) struct Reader<'a> {
    /// Where a key that is missing ought to be written.
    pub(super) file: Origin,
    /// Two deploys: a value may not differ between them.
    pub(super) scopes: [Scope; 2],
    pub(super) faults: &'a mut Vec<SourceError>,
}

impl Reader<'_> {
    /// Returns a value with its expressions evaluated; none where it is absent, or is a fault.
    pub(super) fn text(&mut self, settings: &Settings, key: &str) -> Option<String> {
        let setting = settings.get(key)?;
        match self.identity(key, setting) {
            Ok(text) => Some(text),
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }

    fn identity(&self, key: &str, setting: &Setting) -> Result<String, SourceError> {
        let [first, second] = [&self.scopes[0], &self.scopes[1]].map(|s| evaluate(setting, s));
        let (first, second) = (first?, second?);
        if first != second {
            let message = format!("`{key}` may not depend on what is being deployed");
            return Err(SourceError::new(&setting.origin, message)
                .with_hint("use host.name, server.name and environment.name only"));
        }
        let mut text = String::new();
        for part in first {
            match part {
                Part::Text(plain) => text.push_str(&plain),
                Part::Secret(name) => {
                    let message = format!("`{key}` may not be the secret `{name}`");
                    return Err(SourceError::new(&setting.origin, message)
                        .with_hint("write the value: it is shown in plans and is no secret"));
                }
            }
        }
        Ok(text)
    }

    /// Returns a value in the type that a function makes of it.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        settings: &Settings,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(settings, key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(&settings[key].origin, format!("`{key}`: {error}"), None);
                None
            }
        }
    }

    /// Returns a value that has to be there; `hint` says what to write.
    pub(super) fn required<T, E: std::fmt::Display>(
        &mut self,
        settings: &Settings,
        (key, section): (&str, &str),
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if settings.get(key).is_none_or(|setting| setting.value.is_empty()) {
            let file = self.file.clone();
            self.fault(&file, format!("`{key}` is missing in `[{section}]`"), Some(hint));
            return None;
        }
        self.parsed(settings, key, parse)
    }

    /// Returns a list of names.
    pub(super) fn names<T>(
        &mut self,
        settings: &Settings,
        key: &str,
        parse: impl Fn(&str) -> Result<T, InvalidName>,
    ) -> Vec<T> {
        self.parsed(settings, key, |text| list(text).map(parse).collect()).unwrap_or_default()
    }

    /// Refuses keys that a section does not know.
    pub(super) fn only_known(&mut self, settings: &Settings, section: &str, known: &[&str]) {
        for (key, setting) in settings {
            if !known.contains(&key.as_str()) {
                let hint = did_you_mean(key, known.iter().copied())
                    .unwrap_or_else(|| format!("the keys are {}", known.join(", ")));
                self.fault(
                    &setting.origin,
                    format!("`{key}` is no key of `[{section}]`"),
                    Some(&hint),
                );
            }
        }
    }

    pub(super) fn fault(&mut self, origin: &Origin, message: String, hint: Option<&str>) {
        let fault = SourceError::new(origin, message);
        self.faults.push(fault.with_optional_hint(hint.map(str::to_owned)));
    }
}

/// Reads `90s`, `10m` or `1h`.
///
/// # Errors
/// Returns the rule when the text breaks it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let error = || format!("`{text}` is no duration: write `90s`, `10m` or `1h`");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(error)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(error()),
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(error());
    }
    // A week is longer than any deploy; the limit keeps sums of durations far from overflow.
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    match total {
        Some(total @ 1..=604_800) => Ok(Duration::from_secs(total)),
        _ => Err(format!("`{text}` is not between 1s and a week (168h)")),
    }
}

/// Reads the tool's booleans: `True` or `False`, as Odoo writes them, in any case.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{text}` is neither `True` nor `False`")),
    }
}

/// Reads a port.
pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(format!("`{text}` is no port: write a number from 1 to 65535")),
    }
}

/// Reads an absolute path of the server without `.`, `..` and characters that a unit or vhost
/// would have to escape.
pub(super) fn parse_server_path(text: &str) -> Result<PathBuf, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if !text.starts_with('/') || text.split('/').any(|part| part == "." || part == "..") {
        return Err(format!("`{text}` is no absolute path"));
    }
    if !text.chars().all(plain) {
        return Err(format!("`{text}` has characters other than letters, digits and `/._-+@`"));
    }
    // Two spellings of one directory compare equal.
    Ok(PathBuf::from(text).components().collect())
}

/// Joins the faults of several sources into one error.
pub(super) fn all_or<T>(value: Option<T>, faults: Vec<SourceError>) -> Result<T, ConfigError> {
    let value = ConfigError::unless_empty(faults, value)?;
    Ok(value.expect("a value that is absent has left a fault"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "s", "10", "1d", "+1s", "1.5h", "0s", "999999999999999999h", "1é", "é"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_path_is_plain_and_absolute() {
        assert_eq!(parse_server_path("/var//lib/odoo/"), Ok(PathBuf::from("/var/lib/odoo")));
        for bad in ["", "x", "~/x", "/a/../b", "/a b", "/a;b", "/a%b", "/$HOME"] {
            assert!(parse_server_path(bad).is_err(), "{bad}");
        }
    }
}
