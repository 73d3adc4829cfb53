//! Patterns in which `*` stands for any text.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{HostName, InvalidName};

/// A hostname in which `*` stands for any text, dots included: `corteperfecto*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

impl HostPattern {
    /// Checks a pattern: a hostname, with `*` allowed anywhere.
    ///
    /// # Errors
    /// Returns the rule when the text breaks it.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if HostName::parse(&text.replace('*', "x")).is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidName {
            kind: "hostname pattern",
            value: text.to_owned(),
            rule: "a hostname in which `*` stands for any text, such as `corteperfecto*`",
        })
    }

    /// Tells whether the host is one of the pattern's.
    #[must_use]
    pub fn matches(&self, host: &HostName) -> bool {
        matches_stars(&self.0, host.as_str())
    }

    /// Returns the checked text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for HostPattern {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.0
    }
}

/// Tells whether a text is one that a pattern means; `*` stands for any text.
#[must_use]
pub fn matches_stars(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        HostPattern::parse(pattern).unwrap().matches(&HostName::parse(host).unwrap())
    }

    #[test]
    fn a_pattern_means_whole_hostnames() {
        assert!(matches("corteperfecto*", "corteperfecto.somosblink.com"));
        assert!(matches("corteperfecto*", "corteperfecto-test.somosblink.com"));
        assert!(!matches("corteperfecto*", "x-corteperfecto.somosblink.com"));
        assert!(!matches("acme.example.com", "acme.example.com.evil.net"));
        assert!(!matches("acme.example.com", "x.acme.example.com"));
        assert!(matches("*.somosblink.com", "acme.somosblink.com"));
        assert!(!matches("*.somosblink.com", "somosblink.com"));
        assert!(matches("*", "a"));
    }

    #[test]
    fn a_pattern_is_nothing_else_than_a_hostname_with_stars() {
        for hostile in ["", "a b", "a,b", "../*", "a\"b*", "a\n*", "A*", "a'*", "*;x", "[a-z]", "?"]
        {
            assert!(HostPattern::parse(hostile).is_err(), "{hostile:?}");
        }
    }
}
