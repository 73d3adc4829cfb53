//! Which server carries a new host.

use crate::{
    host::{EnvironmentName, ServerName, did_you_mean},
    odoo::Series,
    settings::Placement,
};

/// A server that could carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: ServerName,
    /// How many hosts it carries.
    pub hosts: usize,
    /// What it takes.
    pub placement: Placement,
    /// The series of Odoo that it has; empty where nothing says which.
    pub series: Vec<Series>,
    /// Whether it is the machine that runs the command.
    pub is_local: bool,
}

/// The host that is to be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Its environment.
    pub environment: &'a EnvironmentName,
    /// Its series of Odoo.
    pub odoo: Series,
}

/// The server that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name.
    pub server: ServerName,
    /// Why this one.
    pub why: String,
}

/// No server that could carry it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// There is none of that name.
    #[error("there is no server `{name}` in config/deploy.toml")]
    Unknown {
        /// The name.
        name: ServerName,
        /// The near name, or all.
        hint: String,
    },
    /// The one that was named does not take it.
    #[error("server `{name}` {why}")]
    Refuses {
        /// Its name.
        name: ServerName,
        /// Why.
        why: String,
    },
    /// None takes it.
    #[error("no server takes a new {environment} host{}", reasons(.why))]
    None {
        /// The environment.
        environment: EnvironmentName,
        /// Why, server by server.
        why: Vec<String>,
    },
}

impl PlacementError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { hint, .. } => hint.clone(),
            Self::Refuses { name, .. } => format!(
                "name another one by `--server`, or change `environments` or `max_hosts` under \
                 [servers.{name}] of config/deploy.toml"
            ),
            Self::None { .. } => "add a server to config/deploy.toml, or change `environments` or \
                                  `max_hosts` of one"
                .to_owned(),
        }
    }
}

fn reasons(why: &[String]) -> String {
    if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) }
}

impl Candidate {
    /// Says why it does not take a host; none where it does. `asked_for` by name, also the
    /// machine that runs the command does.
    fn refusal(&self, host: Wanted<'_>, asked_for: bool) -> Option<String> {
        let Wanted { environment, odoo } = host;
        match &self.placement.environments {
            Some(only) if !only.contains(environment) => {
                let only: Vec<_> = only.iter().map(EnvironmentName::as_str).collect();
                return Some(match only.as_slice() {
                    [] => "takes no new hosts".to_owned(),
                    only => format!("takes new hosts of {} only", only.join(" and ")),
                });
            }
            None if self.is_local && !asked_for => {
                return Some("is this machine".to_owned());
            }
            _ => {}
        }
        if !self.series.is_empty() && !self.series.contains(&odoo) {
            return Some(format!("has no Odoo {odoo}"));
        }
        let max = self.placement.max_hosts?;
        let is_full = u32::try_from(self.hosts).unwrap_or(u32::MAX) >= max;
        is_full.then(|| format!("is full: it has {} of {max} hosts", self.hosts))
    }
}

/// Chooses the server that has the fewest hosts of those that take one; the first of several.
///
/// # Errors
/// Says, server by server, why none takes it.
pub fn choose_server(
    host: Wanted<'_>,
    candidates: &[Candidate],
    wanted: Option<&ServerName>,
) -> Result<Choice, PlacementError> {
    if let Some(wanted) = wanted {
        return named(host, candidates, wanted);
    }
    let (mut fitting, mut why) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match candidate.refusal(host, false) {
            None => fitting.push(candidate),
            Some(reason) => why.push(format!("{} {reason}", candidate.name)),
        }
    }
    let Some(chosen) = fitting.iter().min_by_key(|candidate| candidate.hosts) else {
        return Err(PlacementError::None { environment: host.environment.clone(), why });
    };
    let others: Vec<_> = fitting
        .iter()
        .filter(|other| other.name != chosen.name)
        .map(|other| format!("{}: {}", other.name, other.hosts))
        .collect();
    let has = match chosen.hosts {
        0 => "it has no host yet".to_owned(),
        1 => "it has 1 host".to_owned(),
        many => format!("it has {many} hosts"),
    };
    let fewest = match others.as_slice() {
        [] => has,
        others => format!("{has} ({})", others.join(", ")),
    };
    let parts: Vec<_> = std::iter::once(fewest).chain(why).collect();
    Ok(Choice { server: chosen.name.clone(), why: parts.join("; ") })
}

fn named(
    host: Wanted<'_>,
    candidates: &[Candidate],
    wanted: &ServerName,
) -> Result<Choice, PlacementError> {
    let Some(candidate) = candidates.iter().find(|candidate| candidate.name == *wanted) else {
        let names = || candidates.iter().map(|candidate| candidate.name.as_str());
        let hint = did_you_mean(wanted.as_str(), names());
        let all = || format!("the servers are {}", names().collect::<Vec<_>>().join(", "));
        let hint = hint.unwrap_or_else(all);
        return Err(PlacementError::Unknown { name: wanted.clone(), hint });
    };
    match candidate.refusal(host, true) {
        None => Ok(Choice { server: wanted.clone(), why: "as `--server` says".to_owned() }),
        Some(why) => Err(PlacementError::Refuses { name: wanted.clone(), why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> EnvironmentName {
        EnvironmentName::parse(text).unwrap()
    }

    fn server(text: &str, hosts: usize) -> Candidate {
        Candidate {
            name: ServerName::parse(text).unwrap(),
            hosts,
            placement: Placement::default(),
            series: Vec::new(),
            is_local: false,
        }
    }

    fn only(candidate: Candidate, environments: &[&str]) -> Candidate {
        let environments = environments.iter().map(|name| environment(name)).collect();
        let placement = Placement { environments: Some(environments), ..candidate.placement };
        Candidate { placement, ..candidate }
    }

    fn at_most(candidate: Candidate, max_hosts: u32) -> Candidate {
        let placement = Placement { max_hosts: Some(max_hosts), ..candidate.placement };
        Candidate { placement, ..candidate }
    }

    fn chosen(candidates: &[Candidate]) -> Result<(String, String), String> {
        let environment = environment("test");
        let host = Wanted { environment: &environment, odoo: Series::V19 };
        choose_server(host, candidates, None)
            .map(|choice| (choice.server.to_string(), choice.why))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_server_with_the_fewest_hosts_is_chosen_and_the_first_of_several() {
        let servers = [server("a", 3), server("b", 1), server("c", 1)];
        let why = "it has 1 host (a: 3, c: 1)".to_owned();
        assert_eq!(chosen(&servers), Ok(("b".to_owned(), why)));
    }

    #[test]
    fn a_server_that_does_not_take_it_is_passed_over_and_the_reason_is_told() {
        let local = Candidate { is_local: true, ..server("here", 0) };
        let servers = [
            only(server("a", 0), &["production"]),
            at_most(server("b", 2), 2),
            local,
            server("c", 9),
        ];
        let (name, why) = chosen(&servers).unwrap();
        assert_eq!(name, "c");
        assert_eq!(
            why,
            "it has 9 hosts; a takes new hosts of production only; b is full: it has 2 of 2 \
             hosts; here is this machine"
        );
        assert_eq!(
            chosen(&servers[..2]).unwrap_err(),
            "no server takes a new test host: a takes new hosts of production only; b is full: \
             it has 2 of 2 hosts"
        );
        assert!(chosen(&[]).is_err());
    }

    #[test]
    fn a_server_without_the_series_is_passed_over() {
        let other = Candidate { series: vec![Series::V18], ..server("a", 0) };
        let same = Candidate { series: vec![Series::V18, Series::V19], ..server("b", 3) };
        let (name, why) = chosen(&[other, same]).unwrap();
        assert_eq!((name.as_str(), why.as_str()), ("b", "it has 3 hosts; a has no Odoo 19.0"));
    }

    #[test]
    fn a_server_that_is_named_is_asked_what_it_takes() {
        let local = Candidate { is_local: true, ..server("here", 0) };
        let servers = [only(server("a", 0), &["production"]), local];
        let wanted = |name: &str| {
            let name = ServerName::parse(name).unwrap();
            let environment = environment("test");
            let host = Wanted { environment: &environment, odoo: Series::V19 };
            choose_server(host, &servers, Some(&name))
        };
        assert_eq!(wanted("here").unwrap().server.as_str(), "here");
        let error = wanted("a").unwrap_err();
        assert_eq!(error.to_string(), "server `a` takes new hosts of production only");
        let error = wanted("heer").unwrap_err();
        assert_eq!(error.hint(), "did you mean `here`?");
    }
}
