//! From what is wanted and what is there to what has to change. Pure.

use super::{Address, Change, Data, Found, FoundRecord, Mark, Owner, Wanted};
use crate::{host::HostName, plan::Obstacle};

/// What becomes of a host's records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DnsPlan {
    /// The names that change, in the order in which they are wanted; those that go are last.
    pub changes: Vec<Change>,
    /// What the operator should know: records that are somebody else's and stay.
    pub notes: Vec<String>,
}

/// Compares. A name is wholly the host's or wholly somebody else's: what somebody else
/// made is never changed, nor is anything put beside it.
///
/// # Errors
/// Returns an obstacle for each name that stands in the way.
pub fn make_dns_plan(
    host: &HostName,
    wanted: &[Wanted],
    found: &[Found],
) -> Result<DnsPlan, Vec<Obstacle>> {
    let mut plan = DnsPlan::default();
    let mut obstacles = Vec::new();
    for one in wanted {
        let nothing = Found { zone: one.zone.clone(), name: one.name.clone(), records: Vec::new() };
        let there = found.iter().find(|found| found.name == one.name).unwrap_or(&nothing);
        let before = there.addresses();
        if there.foreign(host).next().is_some() {
            match foreign(host, one, there) {
                Ok(note) => plan.notes.push(note),
                Err(obstacle) => obstacles.push(obstacle),
            }
        } else if before != one.addresses {
            let (zone, name, after) = (one.zone.clone(), one.name.clone(), one.addresses.clone());
            plan.changes.push(Change { zone, name, before, after });
        }
    }
    let is_wanted = |found: &&Found| wanted.iter().any(|one| one.name == found.name);
    let dropped = found.iter().filter(|found| !is_wanted(found));
    plan.changes.extend(dropped.filter_map(|found| removal(host, found)));
    if obstacles.is_empty() { Ok(plan) } else { Err(obstacles) }
}

/// Plans the end of a host's records: what carries its mark goes, and the rest of the names
/// that were looked at stays, which is noted.
#[must_use]
pub fn make_dns_removal(host: &HostName, found: &[Found]) -> DnsPlan {
    let changes = found.iter().filter_map(|found| removal(host, found)).collect();
    let stays = |found: &Found| -> Vec<String> {
        let foreign = found.foreign(host);
        let line = |one: &FoundRecord| {
            format!("DNS record {} of {}: {}", one.data, found.name, whose(&[one]))
        };
        foreign.map(line).collect()
    };
    DnsPlan { changes, notes: found.iter().flat_map(stays).collect() }
}

/// Removes what is the host's own of a name.
fn removal(host: &HostName, found: &Found) -> Option<Change> {
    let own = Owner::Host(Mark::of(host));
    let records = found.records.iter().filter(|record| record.owner == own).cloned().collect();
    let own = Found { records, ..found.clone() };
    let before = own.addresses();
    let (zone, name) = (own.zone, own.name);
    (!before.is_empty()).then(|| Change { zone, name, before, after: Vec::new() })
}

/// Judges a name that has records of somebody else: a note where they are right.
fn foreign(host: &HostName, wanted: &Wanted, found: &Found) -> Result<String, Obstacle> {
    let name = &wanted.name;
    let records: Vec<_> = found.foreign(host).collect();
    let whose = whose(&records);
    let ips = |addresses: &[Address]| addresses.iter().map(|one| one.ip).collect::<Vec<_>>();
    let only_addresses = found.records.iter().all(|one| matches!(one.data, Data::Address(_)));
    let there = found.addresses();
    if only_addresses && ips(&there) == ips(&wanted.addresses) {
        let proxied = |addresses: &[Address]| addresses.iter().any(|address| address.proxied);
        let but = match (proxied(&there), proxied(&wanted.addresses)) {
            (true, false) => ", but proxied",
            (false, true) => ", but not proxied",
            _ => "",
        };
        return Ok(format!(
            "the DNS records of {name} are right{but}; {whose}, they stay as they are"
        ));
    }
    let list: Vec<_> = records.iter().map(|record| record.data.to_string()).collect();
    let hint = match list.len() {
        1 => "delete it at the provider, and the deploy makes its own",
        _ => "delete them at the provider, and the deploy makes its own",
    };
    let wish: Vec<_> = wanted.addresses.iter().map(|one| one.ip.to_string()).collect();
    Err(Obstacle {
        message: format!("{name} leads elsewhere in the DNS: {} ({whose})", list.join(", ")),
        hint: Some(format!(
            "{hint}; let it lead to {}; or write `manage = False` in [deploy.dns] of the host",
            wish.join(" and ")
        )),
        details: Vec::new(),
    })
}

fn whose(records: &[&FoundRecord]) -> String {
    let host = records.iter().find_map(|record| match &record.owner {
        Owner::Host(mark) => Some(mark.host()),
        Owner::Stranger => None,
    });
    match host {
        Some(host) => format!("made by this tool for {host}"),
        None => "not made by this tool".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &str = "203.0.113.5";
    const V6: &str = "2001:db8::5";

    fn name(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    fn host() -> HostName {
        name("h.example")
    }

    fn address(ip: &str) -> Address {
        Address { ip: ip.parse().unwrap(), proxied: false, ttl: 300 }
    }

    fn wanted(ips: &[&str]) -> Vec<Wanted> {
        let addresses = ips.iter().map(|ip| address(ip)).collect();
        vec![Wanted { zone: name("example"), name: host(), addresses }]
    }

    fn own(ip: &str) -> FoundRecord {
        FoundRecord { data: Data::Address(address(ip)), owner: Owner::Host(Mark::of(&host())) }
    }

    fn found(records: Vec<FoundRecord>) -> Vec<Found> {
        vec![Found { zone: name("example"), name: host(), records }]
    }

    fn lines(plan: &DnsPlan) -> Vec<String> {
        plan.changes.iter().flat_map(Change::lines).collect()
    }

    fn made(wanted: &[Wanted], found: &[Found]) -> DnsPlan {
        make_dns_plan(&host(), wanted, found).unwrap()
    }

    fn refused(found: &[Found]) -> String {
        let obstacles = make_dns_plan(&host(), &wanted(&[V4]), found).unwrap_err();
        assert!(obstacles[0].hint.as_deref().unwrap().contains("manage = False"));
        obstacles[0].message.clone()
    }

    #[test]
    fn a_name_that_is_not_there_is_made() {
        let plan = made(&wanted(&[V4, V6]), &[]);
        assert_eq!(
            lines(&plan),
            ["+ A h.example 203.0.113.5 (ttl 300)", "+ AAAA h.example 2001:db8::5 (ttl 300)"]
        );
    }

    #[test]
    fn a_name_that_is_as_it_should_be_needs_nothing() {
        assert_eq!(made(&wanted(&[V4, V6]), &found(vec![own(V6), own(V4)])), DnsPlan::default());
    }

    #[test]
    fn an_address_that_is_not_wanted_any_more_goes() {
        let plan = made(&wanted(&[V4]), &found(vec![own(V4), own(V6)]));
        assert_eq!(lines(&plan), ["- AAAA h.example 2001:db8::5 (ttl 300)"]);
        assert!(!plan.changes[0].removes());
        let plan = made(&wanted(&[V4]), &found(vec![own("203.0.113.4")]));
        let moved = ["- A h.example 203.0.113.4 (ttl 300)", "+ A h.example 203.0.113.5 (ttl 300)"];
        assert_eq!(lines(&plan), moved);
    }

    #[test]
    fn a_flag_that_differs_is_a_change() {
        let mut record = own(V4);
        record.data = Data::Address(Address { proxied: true, ttl: 1, ..address(V4) });
        let plan = made(&wanted(&[V4]), &found(vec![record]));
        let flag = ["- A h.example 203.0.113.5 proxied", "+ A h.example 203.0.113.5 (ttl 300)"];
        assert_eq!(lines(&plan), flag);
    }

    #[test]
    fn a_strangers_record_is_never_touched() {
        let stranger = |ip: &str| FoundRecord { owner: Owner::Stranger, ..own(ip) };
        let said = refused(&found(vec![stranger("198.51.100.7")]));
        assert_eq!(
            said,
            "h.example leads elsewhere in the DNS: A 198.51.100.7 (not made by this tool)"
        );
        // Nor is anything put beside it, or changed where both have some.
        refused(&found(vec![stranger(V4), own("198.51.100.7")]));
        let both = make_dns_plan(&host(), &wanted(&[V4, V6]), &found(vec![stranger(V4)]));
        assert_eq!(both.unwrap_err().len(), 1);
    }

    #[test]
    fn a_strangers_record_that_is_right_is_left_alone_and_said() {
        let stranger = FoundRecord {
            data: Data::Address(Address { ttl: 3600, ..address(V4) }),
            owner: Owner::Stranger,
        };
        let plan = made(&wanted(&[V4]), &found(vec![stranger]));
        assert_eq!(plan.changes, []);
        let said = "the DNS records of h.example are right; not made by this tool, they stay as \
                    they are";
        assert_eq!(plan.notes, [said]);
    }

    #[test]
    fn another_hosts_record_is_a_strangers_and_its_host_is_named() {
        let other = Owner::Host(Mark::of(&name("other.example")));
        let said = refused(&found(vec![FoundRecord { owner: other, ..own("198.51.100.7") }]));
        assert!(said.ends_with("(made by this tool for other.example)"), "{said}");
    }

    #[test]
    fn nothing_is_put_beside_another_name_or_below_a_delegation() {
        for data in [Data::OtherName("x.example".into()), Data::NameServer("n.example".into())] {
            let said = refused(&found(vec![FoundRecord { data, owner: Owner::Stranger }]));
            assert!(said.contains("CNAME x.example") || said.contains("NS n.example"), "{said}");
        }
    }

    #[test]
    fn a_host_that_goes_takes_what_is_marked_as_its_own_and_nothing_else() {
        let other = Owner::Host(Mark::of(&name("other.example")));
        let alias = Found {
            name: name("www.example"),
            records: vec![
                FoundRecord { owner: Owner::Stranger, ..own("198.51.100.7") },
                FoundRecord { owner: other, ..own(V6) },
            ],
            ..found(Vec::new())[0].clone()
        };
        let plan = make_dns_removal(&host(), &[found(vec![own(V4), own(V6)])[0].clone(), alias]);
        let gone =
            ["- A h.example 203.0.113.5 (ttl 300)", "- AAAA h.example 2001:db8::5 (ttl 300)"];
        assert_eq!(lines(&plan), gone);
        assert!(plan.changes.iter().all(Change::removes));
        assert_eq!(
            plan.notes,
            [
                "DNS record A 198.51.100.7 of www.example: not made by this tool",
                "DNS record AAAA 2001:db8::5 of www.example: made by this tool for other.example",
            ]
        );
    }

    #[test]
    fn a_name_that_is_not_an_alias_any_more_goes_and_a_strangers_stays() {
        let old = Found { name: name("old.example"), ..found(vec![own(V4)])[0].clone() };
        let stranger = FoundRecord { owner: Owner::Stranger, ..own(V4) };
        let mixed =
            Found { name: name("m.example"), records: vec![stranger, own(V6)], ..old.clone() };
        let plan = made(&wanted(&[V4]), &[found(vec![own(V4)])[0].clone(), old, mixed]);
        assert_eq!(
            lines(&plan),
            ["- A old.example 203.0.113.5 (ttl 300)", "- AAAA m.example 2001:db8::5 (ttl 300)"]
        );
        assert!(plan.changes.iter().all(Change::removes));
    }
}
