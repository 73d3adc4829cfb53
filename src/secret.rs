//! Values that are never shown, and where they come from. Pure.

mod redactor;

pub use redactor::Redactor;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use serde::{Serialize, Serializer};

use crate::host::{ConfigError, Origin, SourceError};

/// What stands in place of a secret.
pub const MASK: &str = "********";

/// Values beside those of the environment, relative to the root of the repository; never committed.
pub const SECRETS_FILE: &str = "config/secrets.env";

/// A value that no output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Names what keeps the value from standing on one line of a file, where something does.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        if self.0.is_empty() {
            Some("is empty")
        } else if self.0.chars().any(char::is_control) {
            Some("contains a line break or another control character")
        } else if self.0.trim() != self.0 {
            Some("begins or ends with white space")
        } else {
            None
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// Words that make a key sensitive. `pass` is that of `admin_passwd`,
/// `db_password`, `smtp_pass` and passphrases.
pub const SENSITIVE_WORDS: [&str; 10] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "credential",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "webhook",
];

/// Tells whether a key holds a secret, whatever its value looks like.
#[must_use]
pub fn is_sensitive_key(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    SENSITIVE_WORDS.iter().any(|word| key.contains(word))
}

/// Tells whether a text holds a password as a URL does, `scheme://user:password@host`.
#[must_use]
pub fn has_url_password(text: &str) -> bool {
    url_passwords(text).next().is_some()
}

/// Returns the passwords of the URLs in a text.
fn url_passwords(text: &str) -> impl Iterator<Item = &str> {
    let password = |rest: &'_ str| -> Option<std::ops::Range<usize>> {
        let authority = rest.split(['/', '?', ' ', '\n']).next().unwrap_or_default();
        let (login, _) = authority.rsplit_once('@')?;
        let (user, password) = login.split_once(':')?;
        (!password.is_empty()).then(|| user.len() + 1..login.len())
    };
    text.split("://").skip(1).filter_map(move |rest| rest.get(password(rest)?))
}

/// Names and values of secrets: the process environment, then `config/secrets.env`.
#[derive(Debug, Clone, Default)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// Takes the variables of a process environment.
    #[must_use]
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name, Secret(value))).collect())
    }

    /// Gives every name a value that may be shown.
    #[must_use]
    pub fn masked(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| (name, Secret::new(MASK))).collect())
    }

    /// Adds the lines of a `secrets.env`; what is already known wins.
    ///
    /// A line is `NAME=VALUE`; the value is all that follows, with white space
    /// and one pair of quotes around it removed. `#` starts a comment line.
    ///
    /// # Errors
    /// Returns every line that is neither; no line is shown.
    pub fn with_file(mut self, path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line);
            let pair = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
            match pair.filter(|(name, _)| is_secret_name(name)) {
                Some((name, value)) => {
                    self.0.entry(name.to_owned()).or_insert_with(|| Secret::new(unquoted(value)));
                }
                None => {
                    let origin =
                        Origin { file: path.to_owned(), line: index + 1, text: String::new() };
                    let message = "this line is no `NAME=VALUE`";
                    faults.push(SourceError::new(&origin, message).with_hint(
                        "a name is made of letters, digits and `_` and starts with no digit",
                    ));
                }
            }
        }
        ConfigError::unless_empty(faults, self)
    }

    /// Returns every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// Puts the values of `${NAME}` into a text; any other `$` stays.
    ///
    /// # Errors
    /// Returns every name that has no value.
    pub fn resolve(&self, text: &str) -> Result<Secret, MissingSecrets> {
        let parts = split_secrets(text);
        self.require(parts.iter().filter_map(Part::secret))?;
        let resolved = parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Secret(name) => self.0[name].expose(),
        });
        Ok(Secret(resolved.collect()))
    }

    /// Checks that every name has a value.
    ///
    /// # Errors
    /// Returns the names that have none, all at once.
    pub fn require<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), MissingSecrets> {
        let missing = names.into_iter().filter(|name| !self.0.contains_key(*name));
        let missing = missing.map(str::to_owned).collect::<BTreeSet<_>>();
        if missing.is_empty() { Ok(()) } else { Err(MissingSecrets { names: missing }) }
    }
}

/// Secrets that are named and have no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no value for {}", quoted_list(names))]
pub struct MissingSecrets {
    /// The names, in alphabetical order.
    pub names: BTreeSet<String>,
}

impl MissingSecrets {
    /// Says where values come from.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "set them in the environment or in config/secrets.env (never committed)"
    }
}

fn quoted_list(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A piece of a value: text, or the name of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// `${NAME}`.
    Secret(String),
}

impl Part {
    /// Returns the name of the secret, where the part is one.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Secret(name) => Some(name),
        }
    }
}

/// Splits a value at its `${NAME}`; `$pbkdf2…`, `$1` and `${9}` are text.
#[must_use]
pub fn split_secrets(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let name = from[2..].split_once('}').map(|(name, _)| name);
        if let Some(name) = name.filter(|name| is_secret_name(name)) {
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Secret(name.to_owned()));
            rest = &from[name.len() + 3..];
        } else {
            plain.push_str("${");
            rest = &from[2..];
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    parts
}

fn is_secret_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn unquoted(value: &str) -> &str {
    let inner = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> Secrets {
        Secrets::from_environment(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "******** ********");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"********\"");
        assert!(!format!("{:?}", secrets(&[("A", "hunter2")])).contains("hunter2"));
    }

    #[test]
    fn only_dollar_brace_name_is_a_secret() {
        let text = "$pbkdf2-sha512$600000$x ${A}${b_1} ${9} ${ A} ${";
        let names = split_secrets(text).iter().filter_map(Part::secret).count();
        assert_eq!(names, 2);
        let resolved = secrets(&[("A", "1"), ("b_1", "${A}")]).resolve(text).unwrap();
        assert_eq!(resolved.expose(), "$pbkdf2-sha512$600000$x 1${A} ${9} ${ A} ${");
    }

    #[test]
    fn a_password_in_a_url_is_seen() {
        assert!(has_url_password("redis://:hunter2@cache/0"));
        assert!(has_url_password("x = https://u:p%40@h.example?a=b"));
        for plain in ["https://h.example:8069/@x", "https://u@h", "https://u:@h", "a:b@c", ""] {
            assert!(!has_url_password(plain), "{plain}");
        }
    }

    #[test]
    fn all_missing_names_are_reported_at_once() {
        let error = secrets(&[]).resolve("${B} ${A} ${B}").unwrap_err();
        assert_eq!(error.to_string(), "no value for `A`, `B`");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let text = "# c\nA=file\nexport B = \"q # x\"\nC='\n";
        let all = secrets(&[("A", "env")]).with_file(Path::new("secrets.env"), text).unwrap();
        assert_eq!(all.get("A").unwrap().expose(), "env");
        assert_eq!(all.get("B").unwrap().expose(), "q # x");
        assert_eq!(all.get("C").unwrap().expose(), "'");
    }

    #[test]
    fn a_bad_line_of_the_file_is_named_but_not_shown() {
        let error = secrets(&[]).with_file(Path::new("s.env"), "A=1\nhunter2\n").unwrap_err();
        assert_eq!(error.to_string(), "s.env:2: this line is no `NAME=VALUE`");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_value_that_would_change_the_file_is_a_fault() {
        for bad in ["", "a\nb", "a\0", " a", "a\t"] {
            assert!(Secret::new(bad).fault().is_some(), "{bad:?}");
        }
        for good in ["#a", ";a", "a # b", "a=b", "[x]", "{{a}}", "ñ"] {
            assert_eq!(Secret::new(good).fault(), None, "{good:?}");
        }
    }
}
