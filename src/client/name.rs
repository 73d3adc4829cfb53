//! The name of a client: a label of DNS that nobody else needs.

use std::fmt;

use crate::host::EnvironmentName;

/// Names that no client has: they are, or soon will be, something else below a domain or
/// on a server.
const RESERVED: &[&str] = &[
    // What people and programs look for below any domain.
    "www",
    "web",
    "api",
    "app",
    "apps",
    "cdn",
    "static",
    "assets",
    "media",
    "blog",
    "shop",
    "ftp",
    "sftp",
    "ssh",
    "vpn",
    "git",
    "dns",
    "ns",
    "ns1",
    "ns2",
    "ntp",
    "ldap",
    "proxy",
    "mail",
    "email",
    "smtp",
    "imap",
    "pop",
    "pop3",
    "mx",
    "webmail",
    "autodiscover",
    "autoconfig",
    "postmaster",
    "hostmaster",
    "webmaster",
    "abuse",
    "status",
    "monitor",
    "support",
    "help",
    "local",
    "localhost",
    "broadcasthost",
    // Environments.
    "prod",
    "production",
    "test",
    "tests",
    "testing",
    "stage",
    "staging",
    "dev",
    "develop",
    "development",
    "demo",
    "internal",
    "preview",
    "sandbox",
    "qa",
    "uat",
    "live",
    // System users and databases.
    "admin",
    "administrator",
    "root",
    "sudo",
    "odoo",
    "openerp",
    "postgres",
    "postgresql",
    "template0",
    "template1",
    "nginx",
    "deploy",
    "backup",
    "backups",
    "daemon",
    "bin",
    "sys",
    "sync",
    "games",
    "man",
    "lp",
    "news",
    "uucp",
    "www-data",
    "list",
    "irc",
    "nobody",
    "nogroup",
    "sshd",
    "messagebus",
    "debian",
    "ubuntu",
    "bind",
    "certbot",
];

/// A client: what its hosts, databases and system users are called after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientName(String);

/// A name that no client can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientNameError {
    /// It is no label of DNS.
    #[error("`{}` cannot be a client's name", text.escape_debug())]
    NoLabel {
        /// What was written.
        text: String,
    },
    /// It is something else.
    #[error("`{name}` is reserved and cannot be a client's name")]
    Reserved {
        /// The name.
        name: String,
        /// Whether `deploy.toml` says so.
        by_settings: bool,
    },
    /// It reads as another client's host.
    #[error("`{name}` would read as the {environment} host of a client `{other}`")]
    Ambiguous {
        /// The name.
        name: String,
        /// The client it seems to be.
        other: String,
        /// The environment it ends in.
        environment: EnvironmentName,
    },
}

impl ClientNameError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoLabel { .. } => "it becomes a part of hostnames: a-z, 0-9 and inner `-`, at \
                                     most 63 characters"
                .to_owned(),
            Self::Reserved { by_settings: true, .. } => {
                "`reserved` under [clients] of config/deploy.toml lists it: choose another one"
                    .to_owned()
            }
            Self::Reserved { by_settings: false, .. } => {
                "such a name below a domain or on a server is taken for something else: choose \
                 another one"
                    .to_owned()
            }
            Self::Ambiguous { other, environment, .. } => format!(
                "`deploy client add {other} --environment {environment}` adds that host; else \
                 choose another name"
            ),
        }
    }
}

impl ClientName {
    /// Checks a name that is about to be used, against what nobody may be called, what
    /// `deploy.toml` reserves, and the environments, which become parts of hostnames.
    ///
    /// # Errors
    /// Returns the rule that the name breaks.
    pub fn new<'a>(
        text: &str,
        reserved: &[String],
        environments: impl IntoIterator<Item = &'a EnvironmentName>,
    ) -> Result<Self, ClientNameError> {
        let name = Self::parse(text)?;
        let by_settings = reserved.iter().any(|other| other == text);
        let environments: Vec<_> = environments.into_iter().collect();
        let is_environment = environments.iter().any(|other| other.as_str() == text);
        if by_settings || is_environment || RESERVED.contains(&text) {
            return Err(ClientNameError::Reserved { name: text.to_owned(), by_settings });
        }
        for environment in environments {
            let other = text.strip_suffix(environment.as_str());
            if let Some(other) = other.and_then(|other| other.strip_suffix('-')) {
                return Err(ClientNameError::Ambiguous {
                    name: text.to_owned(),
                    other: other.to_owned(),
                    environment: environment.clone(),
                });
            }
        }
        Ok(name)
    }

    /// Reads the name of a client that may be there already.
    ///
    /// # Errors
    /// Refuses what is no label of DNS.
    pub fn parse(text: &str) -> Result<Self, ClientNameError> {
        let is_label = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if !is_label {
            return Err(ClientNameError::NoLabel { text: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as a part of names of secrets.
    #[must_use]
    pub fn in_capitals(&self) -> String {
        let text = self.0.to_uppercase().replace('-', "_");
        // A secret's name begins with no digit.
        if text.starts_with(|c: char| c.is_ascii_digit()) { format!("_{text}") } else { text }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(text: &str) -> Result<ClientName, ClientNameError> {
        let environments = ["production", "test", "trial"];
        let environments = environments.map(|name| EnvironmentName::parse(name).unwrap());
        ClientName::new(text, &["intranet".to_owned()], &environments)
    }

    #[test]
    fn a_client_is_a_label_of_dns() {
        for good in ["acme", "a", "3m", "corte-perfecto", "xn--caf-dma", &"a".repeat(63)] {
            assert_eq!(new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a.b",
            "a_b",
            "ñ",
            "a b",
            "a/b",
            "../x",
            "a\n",
            "--json",
            "${HOME}",
            &"a".repeat(64),
        ] {
            assert!(matches!(new(bad), Err(ClientNameError::NoLabel { .. })), "{bad:?}");
        }
    }

    #[test]
    fn what_is_something_else_is_reserved() {
        for bad in ["www", "api", "mail", "ftp", "prod", "production", "test", "staging", "trial"] {
            let error = new(bad).unwrap_err();
            assert!(matches!(error, ClientNameError::Reserved { by_settings: false, .. }), "{bad}");
        }
        let error = new("intranet").unwrap_err();
        assert!(error.hint().contains("`reserved`"), "{error:?}");
    }

    #[test]
    fn a_name_that_reads_as_a_test_host_is_refused() {
        let error = new("acme-test").unwrap_err();
        assert_eq!(error.to_string(), "`acme-test` would read as the test host of a client `acme`");
        assert!(error.hint().contains("client add acme --environment test"));
        assert!(new("acmetest").is_ok());
    }

    #[test]
    fn a_secret_is_named_in_capitals() {
        assert_eq!(new("corte-perfecto").unwrap().in_capitals(), "CORTE_PERFECTO");
        assert_eq!(new("3m").unwrap().in_capitals(), "_3M");
    }
}
