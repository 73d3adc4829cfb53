//! Which hosts are a client's, and what new ones are called.

use super::{ClientName, hosts_of_page};
use crate::host::{EnvironmentName, HostName};

/// The environment whose hosts have the plain name.
const PRODUCTION: &str = "production";

/// A hostname that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostnameError {
    /// Nobody said below which domain.
    #[error("there is no domain that a host of `{client}` could be below")]
    NoDomain {
        /// The client.
        client: ClientName,
    },
    /// It is the domain of the platform itself.
    #[error("`{name}` is the platform's own domain, which no client gets")]
    Root {
        /// The hostname.
        name: String,
    },
    /// It is too long, or no hostname.
    #[error("`{name}` is no hostname: {why}")]
    Invalid {
        /// The hostname.
        name: String,
        /// The rule it breaks.
        why: String,
    },
}

impl HostnameError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoDomain { .. } => {
                "write `domain = \"example.com\"` under [clients] of config/deploy.toml, or give \
                 `--domain`"
            }
            Self::Root { .. } => "leave `--domain` out, or give the client's own domain",
            Self::Invalid { .. } => "choose a shorter name",
        }
    }
}

/// Names a client's host in an environment.
///
/// In production it is the client's own domain, else `<client>.<platform>`. Elsewhere it is
/// `<client>-<environment>.<platform>`, and `<environment>.<own>` only where the platform has
/// no domain: a certificate and a record for it are then the client's to give.
///
/// # Errors
/// Fails where there is no domain, the name is too long, or is the platform's own.
pub fn hostname(
    client: &ClientName,
    environment: &EnvironmentName,
    platform: Option<&HostName>,
    own: Option<&HostName>,
) -> Result<HostName, HostnameError> {
    let is_production = environment.as_str() == PRODUCTION;
    let name = match (platform, own) {
        (_, Some(own)) if is_production => own.to_string(),
        (Some(platform), _) if is_production => format!("{client}.{platform}"),
        (Some(platform), _) => format!("{client}-{environment}.{platform}"),
        (None, Some(own)) => format!("{environment}.{own}"),
        (None, None) => return Err(HostnameError::NoDomain { client: client.clone() }),
    };
    if platform.is_some_and(|root| name == root.as_str() || name == format!("www.{root}")) {
        return Err(HostnameError::Root { name });
    }
    // An environment's name may hold what a hostname cannot.
    HostName::parse(&name)
        .map_err(|error| HostnameError::Invalid { name, why: error.rule.to_owned() })
}

/// Finds the hosts of a client among all: those its page lists, and those called after it.
#[must_use]
pub fn hosts_of<'a>(
    client: &ClientName,
    page: Option<&str>,
    hosts: impl IntoIterator<Item = (&'a HostName, &'a EnvironmentName)>,
) -> Vec<HostName> {
    let listed = page.map(hosts_of_page).unwrap_or_default();
    let is_called_after = |host: &HostName, environment: &EnvironmentName| {
        let label = host.as_str().split('.').next().unwrap_or_default();
        label == client.as_str() || label == format!("{client}-{environment}")
    };
    let mut found: Vec<_> = hosts
        .into_iter()
        .filter(|(host, environment)| listed.contains(host) || is_called_after(host, environment))
        .map(|(host, _)| host.clone())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> ClientName {
        ClientName::parse(text).unwrap()
    }

    fn environment(text: &str) -> EnvironmentName {
        EnvironmentName::parse(text).unwrap()
    }

    fn name(
        environment_name: &str,
        platform: Option<&str>,
        own: Option<&str>,
    ) -> Result<String, HostnameError> {
        let parse = |text: Option<&str>| text.map(|text| HostName::parse(text).unwrap());
        let (platform, own) = (parse(platform), parse(own));
        hostname(&client("acme"), &environment(environment_name), platform.as_ref(), own.as_ref())
            .map(|name| name.to_string())
    }

    #[test]
    fn production_has_the_plain_name_and_other_environments_a_suffix() {
        let blink = Some("somosblink.com");
        assert_eq!(name("production", blink, None).unwrap(), "acme.somosblink.com");
        assert_eq!(name("test", blink, None).unwrap(), "acme-test.somosblink.com");
        assert_eq!(name("production", blink, Some("erp.acme.com")).unwrap(), "erp.acme.com");
        assert_eq!(name("test", blink, Some("acme.com")).unwrap(), "acme-test.somosblink.com");
        assert_eq!(name("test", None, Some("acme.com")).unwrap(), "test.acme.com");
        assert!(matches!(name("test", None, None), Err(HostnameError::NoDomain { .. })));
    }

    #[test]
    fn the_root_domain_is_nobodys() {
        for own in ["somosblink.com", "www.somosblink.com"] {
            let error = name("production", Some("somosblink.com"), Some(own)).unwrap_err();
            assert!(error.to_string().contains("own domain"), "{error}");
        }
    }

    #[test]
    fn a_name_that_is_no_hostname_says_why() {
        let error = name("a_b", Some("somosblink.com"), None).unwrap_err();
        assert!(matches!(error, HostnameError::Invalid { .. }), "{error}");
    }

    #[test]
    fn a_clients_hosts_are_those_called_after_it_and_those_its_page_lists() {
        let host = |text: &str| HostName::parse(text).unwrap();
        let (production, test) = (environment("production"), environment("test"));
        let hosts = [
            (host("acme.blink.com"), &production),
            (host("acme-test.blink.com"), &test),
            (host("acme-east.blink.com"), &test),
            (host("erp.acme.com"), &production),
            (host("tacme.blink.com"), &production),
        ];
        let all = || hosts.iter().map(|(host, environment)| (host, *environment));
        let found = hosts_of(&client("acme"), None, all());
        assert_eq!(found, [host("acme-test.blink.com"), host("acme.blink.com")]);
        let page = super::super::client_page(None, &client("acme"), &[]);
        assert_eq!(hosts_of(&client("acme"), Some(&page), all()).len(), 2);
    }
}
