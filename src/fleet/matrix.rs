//! How hosts are spread over the runners of a pipeline.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::FleetHost;

/// How many jobs GitHub takes in one matrix.
pub const MOST_JOBS: usize = 256;

/// A job matrix, as `fromJSON` of GitHub Actions reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// One entry for each job.
    pub include: Vec<Job>,
}

/// A job: the hosts that it deploys, all of one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Job {
    /// A host of its own.
    Host {
        /// The host.
        host: String,
        /// Its environment.
        environment: String,
        /// Its server.
        server: String,
    },
    /// Hosts that share a runner. Those of a server are together, so that a pipeline opens
    /// one connection to it and not one for each host.
    Group {
        /// The hosts, joined by commas.
        hosts: String,
        /// Their environment.
        environment: String,
        /// Their servers, joined by commas.
        servers: String,
    },
}

/// Hosts that cannot be spread as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// More hosts than jobs, one host each.
    #[error("{hosts} hosts are more than the {MOST_JOBS} jobs that GitHub takes in a matrix")]
    TooMany {
        /// How many hosts.
        hosts: usize,
    },
    /// A group is of one environment, for approvals are given to environments.
    #[error("the hosts are of {environments} environments, which take as many groups")]
    TooFewGroups {
        /// How many environments.
        environments: usize,
    },
}

impl MatrixError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::TooMany { .. } => format!("give jobs several hosts: `--groups {MOST_JOBS}`"),
            Self::TooFewGroups { environments } => {
                format!("`--groups {environments}` or more, or one `--environment`")
            }
        }
    }
}

impl Matrix {
    /// Gives each host a job.
    ///
    /// # Errors
    /// Refuses more hosts than GitHub takes jobs.
    pub fn of_hosts(hosts: &[FleetHost]) -> Result<Self, MatrixError> {
        if hosts.len() > MOST_JOBS {
            return Err(MatrixError::TooMany { hosts: hosts.len() });
        }
        let job = |host: &FleetHost| Job::Host {
            host: host.host.to_string(),
            environment: host.environment.to_string(),
            server: host.server.to_string(),
        };
        Ok(Self { include: hosts.iter().map(job).collect() })
    }

    /// Spreads the hosts over at most so many jobs, evenly as far as the hosts of a server
    /// stay together. The same hosts always give the same jobs.
    ///
    /// # Errors
    /// Refuses fewer groups than there are environments.
    pub fn of_groups(hosts: &[FleetHost], groups: usize) -> Result<Self, MatrixError> {
        let environments = by_environment(hosts);
        if environments.len() > groups {
            return Err(MatrixError::TooFewGroups { environments: environments.len() });
        }
        let shares = shares(&environments, groups);
        let spread = environments.into_values().zip(shares);
        let spread = spread.flat_map(|(servers, share)| share_out(servers, share));
        Ok(Self { include: spread.map(Group::into_job).collect() })
    }
}

/// Hosts on their way into a job.
struct Group {
    environment: String,
    servers: BTreeSet<String>,
    hosts: Vec<String>,
}

impl Group {
    fn add(&mut self, other: Self) {
        self.servers.extend(other.servers);
        self.hosts.extend(other.hosts);
    }

    fn into_job(self) -> Job {
        Job::Group {
            hosts: self.hosts.join(","),
            environment: self.environment,
            servers: self.servers.into_iter().collect::<Vec<_>>().join(","),
        }
    }
}

/// Makes a group of each server's hosts, by environment.
fn by_environment(hosts: &[FleetHost]) -> BTreeMap<String, Vec<Group>> {
    let mut servers = BTreeMap::<_, Vec<String>>::new();
    for host in hosts {
        let key = (host.environment.to_string(), host.server.to_string());
        servers.entry(key).or_default().push(host.host.to_string());
    }
    let mut environments = BTreeMap::<_, Vec<Group>>::new();
    for ((environment, server), hosts) in servers {
        let group =
            Group { environment: environment.clone(), servers: BTreeSet::from([server]), hosts };
        environments.entry(environment).or_default().push(group);
    }
    environments
}

/// Says how many groups each environment gets: one, and each further one goes where groups are
/// fullest, as long as there are servers for it.
fn shares(environments: &BTreeMap<String, Vec<Group>>, groups: usize) -> Vec<usize> {
    let servers: Vec<_> = environments.values().map(Vec::len).collect();
    let count = |groups: &Vec<Group>| groups.iter().map(|group| group.hosts.len()).sum::<usize>();
    let hosts: Vec<_> = environments.values().map(count).collect();
    let mut shares = vec![1; environments.len()];
    for _ in environments.len()..groups {
        let open = (0..shares.len()).filter(|&at| shares[at] < servers[at]);
        let Some(fullest) = open.max_by_key(|&at| hosts[at].div_ceil(shares[at])) else { break };
        shares[fullest] += 1;
    }
    shares
}

/// Puts each server's hosts, the largest first, where the fewest are.
fn share_out(mut servers: Vec<Group>, share: usize) -> Vec<Group> {
    servers.sort_by_key(|group| std::cmp::Reverse(group.hosts.len()));
    let further = servers.split_off(share.min(servers.len()));
    for server in further {
        let emptiest = servers.iter_mut().min_by_key(|group| group.hosts.len());
        emptiest.expect("each environment has a group").add(server);
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::{EnvironmentName, HostName, ServerName},
        source::Branch,
    };

    fn host(name: &str, environment: &str, server: &str) -> FleetHost {
        FleetHost {
            host: HostName::parse(name).unwrap(),
            environment: EnvironmentName::parse(environment).unwrap(),
            branch: Branch::parse("main").unwrap(),
            server: ServerName::parse(server).unwrap(),
        }
    }

    /// `counts` hosts on as many servers.
    fn fleet(environment: &str, counts: &[usize]) -> Vec<FleetHost> {
        let mut hosts = Vec::new();
        for (server, count) in counts.iter().enumerate() {
            for number in 0..*count {
                let name = format!("h{number}.s{server}.{environment}.example.com");
                hosts.push(host(&name, environment, &format!("s{server}")));
            }
        }
        hosts
    }

    fn sizes(matrix: &Matrix) -> Vec<usize> {
        let mut sizes: Vec<_> = matrix
            .include
            .iter()
            .map(|job| match job {
                Job::Host { .. } => 1,
                Job::Group { hosts, .. } => hosts.split(',').count(),
            })
            .collect();
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn without_groups_each_host_has_a_job() {
        let matrix = Matrix::of_hosts(&[host("a.example.com", "production", "aws-1")]).unwrap();
        assert_eq!(
            serde_json::to_string(&matrix).unwrap(),
            r#"{"include":[{"host":"a.example.com","environment":"production","server":"aws-1"}]}"#
        );
        assert_eq!(serde_json::to_string(&Matrix::default()).unwrap(), r#"{"include":[]}"#);
    }

    #[test]
    fn more_hosts_than_jobs_need_groups() {
        let hosts = fleet("production", &[MOST_JOBS, 1]);
        let error = Matrix::of_hosts(&hosts).unwrap_err();
        assert_eq!(error, MatrixError::TooMany { hosts: 257 });
        assert_eq!(error.hint(), "give jobs several hosts: `--groups 256`");
        assert_eq!(sizes(&Matrix::of_groups(&hosts, MOST_JOBS).unwrap()), [1, 256]);
    }

    #[test]
    fn a_servers_hosts_stay_together() {
        let matrix = Matrix::of_groups(&fleet("production", &[3, 2]), 256).unwrap();
        assert_eq!(
            serde_json::to_string(&matrix.include[1]).unwrap(),
            "{\"hosts\":\"h0.s1.production.example.com,h1.s1.production.example.com\",\
             \"environment\":\"production\",\"servers\":\"s1\"}"
        );
        assert_eq!(sizes(&matrix), [2, 3]);
    }

    #[test]
    fn groups_are_even_as_far_as_servers_allow() {
        assert_eq!(sizes(&Matrix::of_groups(&fleet("test", &[1; 300]), 30).unwrap()), [10; 30]);
        assert_eq!(sizes(&Matrix::of_groups(&fleet("test", &[9, 1, 1, 1]), 2).unwrap()), [3, 9]);
        assert_eq!(sizes(&Matrix::of_groups(&fleet("test", &[2, 2]), 1).unwrap()), [4]);
        assert!(Matrix::of_groups(&[], 1).unwrap().include.is_empty());
    }

    #[test]
    fn a_group_is_of_one_environment() {
        let mut hosts = fleet("production", &[2, 2]);
        hosts.extend(fleet("test", &[1, 1]));
        assert_eq!(sizes(&Matrix::of_groups(&hosts, 2).unwrap()), [2, 4]);
        let error = Matrix::of_groups(&hosts, 1).unwrap_err();
        assert_eq!(error, MatrixError::TooFewGroups { environments: 2 });
    }
}
