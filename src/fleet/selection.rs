//! Which hosts a command is about.

use crate::{
    host::{EnvironmentName, HostName, HostPattern, ServerName, did_you_mean},
    settings::{PolicyError, Settings},
    source::Branch,
};

/// What a selection looks at: a host, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetHost {
    /// Its name.
    pub host: HostName,
    /// Its environment.
    pub environment: EnvironmentName,
    /// The branch of that environment.
    pub branch: Branch,
    /// The server that carries it.
    pub server: ServerName,
}

/// The hosts that an operator means: those that fit everything that is said. What is left
/// out says nothing, so the default means all hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// One of these patterns fits the hostname.
    pub hosts: Vec<HostPattern>,
    /// The host is in one of these environments.
    pub environments: Vec<EnvironmentName>,
    /// One of these servers carries it.
    pub servers: Vec<ServerName>,
    /// The branch is that of its environment.
    pub branch: Option<Branch>,
}

/// A selection that means something that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No host has such a name.
    #[error("no host matches `{pattern}`")]
    NoHost {
        /// The pattern.
        pattern: HostPattern,
        /// The near name, or where all are listed.
        hint: String,
    },
    /// Hosts have such names, but none of those that are selected otherwise.
    #[error("`{pattern}` matches no host {others}")]
    Elsewhere {
        /// The pattern.
        pattern: HostPattern,
        /// What else is said: `of environment test`.
        others: String,
        /// Where those are that it does match.
        hint: String,
    },
    /// There is no such environment.
    #[error(transparent)]
    Environment(#[from] PolicyError),
    /// There is no such server.
    #[error("there is no server `{name}` in config/deploy.toml")]
    UnknownServer {
        /// The name.
        name: ServerName,
        /// The near name, or all.
        hint: String,
    },
    /// No environment has the branch for its own.
    #[error("`{branch}` is the branch of no environment")]
    NoEnvironment {
        /// The branch.
        branch: Branch,
        /// The near name, or all.
        hint: String,
    },
}

impl SelectionError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoHost { hint, .. }
            | Self::Elsewhere { hint, .. }
            | Self::UnknownServer { hint, .. }
            | Self::NoEnvironment { hint, .. } => hint.clone(),
            Self::Environment(error) => error.hint(),
        }
    }
}

impl Selection {
    /// Tells whether nothing is said, so that all hosts are meant.
    #[must_use]
    pub fn means_all(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the hosts that are meant, in the order in which they come. They may be none:
    /// an environment without hosts is right to list, and the caller's to refuse.
    ///
    /// # Errors
    /// Returns the first word that means nothing: an environment, server or branch that is
    /// not there, or a pattern that fits no host which the rest of the selection means.
    pub fn choose(
        &self,
        hosts: &[FleetHost],
        settings: &Settings,
    ) -> Result<Vec<FleetHost>, SelectionError> {
        self.check_names(hosts, settings)?;
        let placed: Vec<_> = hosts.iter().filter(|host| self.means_place(host)).collect();
        for pattern in &self.hosts {
            if !placed.iter().any(|host| pattern.matches(&host.host)) {
                return Err(self.no_match(pattern, hosts));
            }
        }
        let named = |host: &FleetHost| {
            self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(&host.host))
        };
        Ok(placed.into_iter().filter(|host| named(host)).cloned().collect())
    }

    fn check_names(&self, hosts: &[FleetHost], settings: &Settings) -> Result<(), SelectionError> {
        for name in &self.environments {
            settings.environment(name)?;
        }
        for name in &self.servers {
            let known = settings.servers.contains_key(name);
            if !known && !hosts.iter().any(|host| host.server == *name) {
                let all = settings.servers.keys().map(ServerName::as_str);
                let hint = match settings.servers.is_empty() {
                    true => format!("describe it under [servers.{name}]"),
                    false => near_or_all(name.as_str(), "servers", all),
                };
                return Err(SelectionError::UnknownServer { name: name.clone(), hint });
            }
        }
        let Some(branch) = &self.branch else { return Ok(()) };
        let mut own = settings.environments.values().map(|environment| &environment.branch);
        if own.any(|own| own == branch) {
            return Ok(());
        }
        let all = settings.environments.values().map(|environment| environment.branch.as_str());
        let hint = near_or_all(branch.as_str(), "environments' branches", all);
        Err(SelectionError::NoEnvironment { branch: branch.clone(), hint })
    }

    /// Tells whether all but the name of a host fits.
    fn means_place(&self, host: &FleetHost) -> bool {
        (self.environments.is_empty() || self.environments.contains(&host.environment))
            && (self.servers.is_empty() || self.servers.contains(&host.server))
            && self.branch.as_ref().is_none_or(|branch| *branch == host.branch)
    }

    fn no_match(&self, pattern: &HostPattern, hosts: &[FleetHost]) -> SelectionError {
        let pattern = pattern.clone();
        if let Some(elsewhere) = hosts.iter().find(|host| pattern.matches(&host.host)) {
            let FleetHost { host, environment, server, .. } = elsewhere;
            let hint = format!("{host} is in environment {environment}, on server {server}");
            return SelectionError::Elsewhere { pattern, others: self.places(), hint };
        }
        let names = hosts.iter().map(|host| host.host.as_str());
        let hint = did_you_mean(pattern.as_str(), names)
            .unwrap_or_else(|| "`deploy hosts` lists them; `*` stands for any text".to_owned());
        SelectionError::NoHost { pattern, hint }
    }

    /// Says what is selected besides names.
    fn places(&self) -> String {
        let list = |kind, names: Vec<&str>| {
            (!names.is_empty()).then(|| format!("of {kind} {}", names.join(" or ")))
        };
        let environments = self.environments.iter().map(EnvironmentName::as_str).collect();
        let servers = self.servers.iter().map(ServerName::as_str).collect();
        let branch = self.branch.iter().map(Branch::as_str).collect();
        [list("environment", environments), list("server", servers), list("branch", branch)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn near_or_all<'a>(word: &str, kind: &str, all: impl Iterator<Item = &'a str> + Clone) -> String {
    did_you_mean(word, all.clone())
        .unwrap_or_else(|| format!("the {kind} are {}", all.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, environment: &str, branch: &str, server: &str) -> FleetHost {
        FleetHost {
            host: HostName::parse(name).unwrap(),
            environment: EnvironmentName::parse(environment).unwrap(),
            branch: Branch::parse(branch).unwrap(),
            server: ServerName::parse(server).unwrap(),
        }
    }

    fn fleet() -> Vec<FleetHost> {
        vec![
            host("acme.example.com", "production", "main", "aws-1"),
            host("acme-test.example.com", "test", "test", "aws-2"),
            host("bolt.example.com", "production", "main", "aws-2"),
            host("bolt-test.example.com", "test", "test", "aws-2"),
        ]
    }

    fn patterns(texts: &[&str]) -> Vec<HostPattern> {
        texts.iter().map(|text| HostPattern::parse(text).unwrap()).collect()
    }

    fn environments(names: &[&str]) -> Vec<EnvironmentName> {
        names.iter().map(|name| EnvironmentName::parse(name).unwrap()).collect()
    }

    fn servers(names: &[&str]) -> Vec<ServerName> {
        names.iter().map(|name| ServerName::parse(name).unwrap()).collect()
    }

    fn chosen(selection: &Selection) -> Result<Vec<String>, SelectionError> {
        let chosen = selection.choose(&fleet(), &Settings::default())?;
        Ok(chosen.into_iter().map(|host| host.host.to_string()).collect())
    }

    #[test]
    fn nothing_said_means_all_hosts() {
        assert!(Selection::default().means_all());
        assert_eq!(chosen(&Selection::default()).unwrap().len(), 4);
    }

    #[test]
    fn words_of_one_kind_add_hosts_and_words_of_another_take_them() {
        let acme_or_bolt = patterns(&["acme*", "bolt*"]);
        let all = Selection { hosts: acme_or_bolt.clone(), ..Selection::default() };
        assert_eq!(chosen(&all).unwrap().len(), 4);
        let tested = Selection { environments: environments(&["test"]), ..all };
        assert_eq!(chosen(&tested).unwrap(), ["acme-test.example.com", "bolt-test.example.com"]);
        let on_second = Selection { servers: servers(&["aws-2"]), ..Selection::default() };
        assert_eq!(chosen(&on_second).unwrap().len(), 3);
        let of_main = Selection { branch: Some(Branch::parse("main").unwrap()), ..on_second };
        assert_eq!(chosen(&of_main).unwrap(), ["bolt.example.com"]);
    }

    #[test]
    fn a_host_that_two_patterns_match_comes_once() {
        let twice = Selection { hosts: patterns(&["acme*", "*"]), ..Selection::default() };
        assert_eq!(chosen(&twice).unwrap().len(), 4);
    }

    #[test]
    fn an_environment_without_hosts_is_no_error() {
        let demo = Selection { environments: environments(&["demo"]), ..Selection::default() };
        assert!(chosen(&demo).unwrap().is_empty());
        let blink =
            Selection { branch: Some(Branch::parse("blink").unwrap()), ..Selection::default() };
        assert!(chosen(&blink).unwrap().is_empty());
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_an_error_with_the_near_name() {
        let slip =
            Selection { hosts: patterns(&["acme*", "bold.example.com"]), ..Selection::default() };
        let error = chosen(&slip).unwrap_err();
        assert_eq!(error.to_string(), "no host matches `bold.example.com`");
        assert_eq!(error.hint(), "did you mean `bolt.example.com`?");
    }

    #[test]
    fn a_pattern_that_matches_only_hosts_elsewhere_says_where_they_are() {
        let elsewhere = Selection {
            hosts: patterns(&["acme.example.com"]),
            environments: environments(&["test"]),
            ..Selection::default()
        };
        let error = chosen(&elsewhere).unwrap_err();
        assert_eq!(error.to_string(), "`acme.example.com` matches no host of environment test");
        assert_eq!(error.hint(), "acme.example.com is in environment production, on server aws-1");
    }

    #[test]
    fn names_that_are_not_there_are_errors() {
        let environment =
            Selection { environments: environments(&["prodution"]), ..Selection::default() };
        assert_eq!(chosen(&environment).unwrap_err().hint(), "did you mean `production`?");

        let server = Selection { servers: servers(&["azure"]), ..Selection::default() };
        let error = chosen(&server).unwrap_err();
        assert_eq!(error.to_string(), "there is no server `azure` in config/deploy.toml");
        assert_eq!(error.hint(), "describe it under [servers.azure]");

        let branch =
            Selection { branch: Some(Branch::parse("mian").unwrap()), ..Selection::default() };
        let error = chosen(&branch).unwrap_err();
        assert_eq!(error.to_string(), "`mian` is the branch of no environment");
        assert_eq!(error.hint(), "did you mean `main`?");
    }
}
