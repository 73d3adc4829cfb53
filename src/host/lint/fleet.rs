//! What two hosts may not share.

use std::collections::BTreeMap;

use super::{Finding, RuleId, Severity};
use crate::host::{Host, Origin, load::host_file_path};

/// One thing that only one host may use.
struct Claim<'a> {
    host: &'a Host,
    key: &'static str,
    rule: RuleId,
    /// The thing, in the words of a message.
    thing: String,
    /// Where it is: a server, or the address of a cluster.
    place: String,
}

/// Checks all hosts of a repository against each other.
#[must_use]
pub fn lint_fleet(hosts: &[Host]) -> Vec<Finding> {
    let mut claimed = BTreeMap::<(RuleId, String, String), &Host>::new();
    let mut findings = Vec::new();
    for claim in hosts.iter().flat_map(claims) {
        let key = (claim.rule, claim.place.clone(), claim.thing.clone());
        match claimed.get(&key) {
            Some(first) if first.name != claim.host.name => findings.push(shared(&claim, first)),
            Some(_) => {}
            None => {
                claimed.insert(key, claim.host);
            }
        }
    }
    findings.extend(shared_ports(hosts));
    findings.extend(shared_users(hosts));
    findings
}

fn claims(host: &Host) -> Vec<Claim<'_>> {
    let server = format!("server {}", host.server);
    let claim = |key, rule, thing: String, place: &str| Claim {
        host,
        key,
        rule,
        thing,
        place: place.to_owned(),
    };
    let cluster = cluster(host).unwrap_or_else(|| server.clone());
    let mut claims = host
        .databases
        .iter()
        .map(|database| {
            let thing = format!("database `{database}`");
            claim("db_name", RuleId::SharedDatabase, thing, &cluster)
        })
        .collect::<Vec<_>>();
    // Without a data directory of its own a host has a finding already.
    if host.options.contains_key("data_dir") {
        let thing = format!("data directory `{}`", host.data_dir.display());
        claims.push(claim("data_dir", RuleId::SharedDataDir, thing, &server));
    }
    let aliases = host.nginx.iter().flat_map(|nginx| &nginx.aliases);
    for name in std::iter::once(&host.name).chain(aliases) {
        claims.push(claim("aliases", RuleId::SharedName, format!("name `{name}`"), &server));
    }
    claims
}

/// Returns the address of a database server that other machines can reach as well.
fn cluster(host: &Host) -> Option<String> {
    let value = |key: &str| host.options.get(key).map(|setting| setting.value.as_str());
    let address = value("db_host")?;
    let local = ["", "False", "false", "None", "localhost", "127.0.0.1", "::1"].contains(&address)
        || address.starts_with('/');
    let port = value("db_port").filter(|port| !["", "False", "false", "None"].contains(port));
    (!local).then(|| format!("PostgreSQL at {address}:{}", port.unwrap_or("5432")))
}

fn shared(claim: &Claim<'_>, first: &Host) -> Finding {
    Finding {
        rule: claim.rule,
        severity: Severity::Error,
        origin: origin(claim.host, claim.key),
        message: format!("{} on {} is also that of {}", claim.thing, claim.place, first.name),
        hint: "two hosts share nothing: give each its own".to_owned(),
    }
}

fn shared_ports(hosts: &[Host]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let rivals = hosts[..index].iter().filter(|other| {
            other.server == host.server && other.name != host.name && interfaces_meet(host, other)
        });
        for other in rivals {
            for (key, port) in [("http_port", host.http_port), ("gevent_port", host.gevent_port)] {
                if [other.http_port, other.gevent_port].contains(&port) {
                    findings.push(Finding {
                        rule: RuleId::SharedPort,
                        severity: Severity::Error,
                        origin: origin(host, key),
                        message: format!(
                            "`{key}` {port} on server {} is also a port of {}",
                            host.server, other.name
                        ),
                        hint: format!("write a `{key}` of its own"),
                    });
                }
            }
        }
    }
    findings
}

fn interfaces_meet(one: &Host, other: &Host) -> bool {
    let every =
        |host: &Host| ["", "0.0.0.0", "::", "False"].contains(&host.http_interface.as_str());
    every(one) || every(other) || one.http_interface == other.http_interface
}

/// One finding for each host, however many it shares its user with.
fn shared_users(hosts: &[Host]) -> Vec<Finding> {
    let rival = |index: usize, host: &Host| {
        hosts[..index].iter().find(|other| {
            other.server == host.server
                && other.deploy.user == host.deploy.user
                && are_of_two_clients(other, host)
        })
    };
    let sharing = hosts.iter().enumerate().filter_map(|(index, host)| {
        let other = rival(index, host)?;
        Some(Finding {
            rule: RuleId::SharedUser,
            severity: Severity::Warning,
            origin: origin(host, "user"),
            message: format!(
                "system user `{}` on server {} is also that of {}: the modules of each can read \
                 the files and databases of both",
                host.deploy.user, host.server, other.name
            ),
            hint: "write a `user` of its own in `[deploy]` before its first deploy".to_owned(),
        })
    });
    sharing.collect()
}

/// Tells whether two hosts are surely not of one client, which has one host in an environment,
/// called `<client>` or `<client>-<environment>`. A domain of the client's own says nothing.
fn are_of_two_clients(one: &Host, other: &Host) -> bool {
    if one.name == other.name || one.environment == other.environment {
        return one.name != other.name;
    }
    let named = |host: &Host| {
        let (label, domain) = host.name.as_str().split_once('.')?;
        let client = label.strip_suffix(&format!("-{}", host.environment)).unwrap_or(label);
        Some((client.to_owned(), domain.to_owned()))
    };
    let (Some((one, platform)), Some((other, domain))) = (named(one), named(other)) else {
        return false;
    };
    platform == domain && one != other
}

fn origin(host: &Host, key: &str) -> Origin {
    host.options.get(key).map_or_else(
        || Origin::whole_file(&host_file_path(&host.name)),
        |setting| setting.origin.clone(),
    )
}
