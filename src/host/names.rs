//! The names an operator writes, checked once.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that breaks its rule, with the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {kind}: {rule}")]
pub struct InvalidName {
    /// What the name was meant to be.
    pub kind: &'static str,
    /// The text as it was written.
    pub value: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text against the rule of this kind of name.
            ///
            /// # Errors
            /// Returns the rule when the text breaks it.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName { kind: $kind, value: text.to_owned(), rule: $rule })
                }
            }

            /// Returns the checked text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name!(
    /// One Odoo instance, named by its hostname.
    HostName, "hostname",
    "labels of a-z, 0-9 and inner `-`, at most 63 characters each, joined by dots, 200 in all",
    is_hostname
);
name!(
    /// A machine that carries hosts, as `config/deploy.toml` names it.
    ServerName, "server name", "a-z, 0-9, `-`, `_` and `.`, starting with a letter or digit, at most 64",
    is_label
);
name!(
    /// An environment, as `config/deploy.toml` names it.
    EnvironmentName, "environment name", "a-z, 0-9, `-`, `_` and `.`, starting with a letter or digit, at most 64",
    is_label
);
name!(
    /// A PostgreSQL database (Odoo's own rule for names; PostgreSQL cuts off after 63 bytes).
    DatabaseName, "database name",
    "letters, digits, `_`, `.` and `-`, starting with a letter or digit, 2 to 63 characters",
    is_database_name
);
name!(
    /// An Odoo module (the name of an addon's directory).
    ModuleName, "module name", "letters, digits and `_`, at most 256",
    is_module_name
);
name!(
    /// A system user or group.
    UserName, "user name", "a-z, 0-9, `-` and `_`, starting with a letter or `_`, at most 32",
    is_user_name
);
name!(
    /// A deploy key of a server. It is part of a command line and of file names.
    KeyName, "name of a key", "a-z, 0-9, `-` and `_`, starting with a letter or digit, at most 48",
    is_key_name
);

fn is_hostname(text: &str) -> bool {
    // 200 leaves room for `odoo-` and `.service` in a file name.
    !text.is_empty()
        && text.len() <= 200
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

fn is_label(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

fn is_database_name(text: &str) -> bool {
    (2..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_module_name(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_user_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

fn is_key_name(text: &str) -> bool {
    // sudo passes files of sudoers.d by that have a dot in their name.
    (1..=48).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_is_lowercase_labels() {
        assert!(HostName::parse("corteperfecto-test.somosblink.com").is_ok());
        assert!(HostName::parse("localhost").is_ok());
        for hostile in ["", ".", "a..b", "-a", "a-", "A.b", "a/b", "../x", "a b", "a\nb", "a;b"] {
            assert!(HostName::parse(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn a_database_name_follows_odoos_rule() {
        assert!(DatabaseName::parse("corteperfecto-prod").is_ok());
        for hostile in ["a", " b", "b ", "-x", "a\"b", "a'b", &"x".repeat(64)] {
            assert!(DatabaseName::parse(hostile).is_err(), "{hostile:?}");
        }
    }
}
