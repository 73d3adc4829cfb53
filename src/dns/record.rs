//! Records, whose they are, and changes of them. Pure.

use std::{fmt, net::IpAddr};

use serde::Serialize;

use crate::host::HostName;

/// Who writes the marks.
const MANAGER: &str = "managed-by=odoo-deploy host=";

/// What a comment at Cloudflare may hold in a free plan, in characters.
const LONGEST_COMMENT: usize = 100;

/// An address that a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Whether visitors come through Cloudflare.
    pub proxied: bool,
    /// How long it may be remembered, in seconds; 1 is Cloudflare's automatic.
    pub ttl: u32,
}

impl Address {
    /// Returns the type of its record.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.ip {
            IpAddr::V4(_) => "A",
            IpAddr::V6(_) => "AAAA",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxied = if self.proxied { " proxied" } else { "" };
        match self.ttl {
            1 => write!(f, "{}{proxied}", self.ip),
            ttl => write!(f, "{}{proxied} (ttl {ttl})", self.ip),
        }
    }
}

/// Whose a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// It carries the mark of this tool and a host.
    Host(Mark),
    /// It carries no mark: somebody else's.
    Stranger,
}

/// The mark of a record that this tool made for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// Returns the mark of a host's records.
    #[must_use]
    pub fn of(host: &HostName) -> Self {
        let name = host.as_str();
        if MANAGER.len() + name.len() <= LONGEST_COMMENT {
            return Self(name.to_owned());
        }
        // What is cut off must not make two hosts the same.
        let hash = blake3::hash(name.as_bytes()).to_hex();
        let room = LONGEST_COMMENT - MANAGER.len() - 17;
        Self(format!("{}~{}", &name[..room], &hash[..16]))
    }

    /// Reads a mark; none where the text is somebody else's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let host = text.strip_prefix(MANAGER)?.split(' ').next()?;
        (!host.is_empty()).then(|| Self(host.to_owned()))
    }

    /// Returns the text that marks a record.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{MANAGER}{}", self.0)
    }

    /// Returns the host that is named, as it may be shown.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A or AAAA.
    Address(Address),
    /// CNAME: the name is another name.
    OtherName(String),
    /// NS: somebody else answers for the name.
    NameServer(String),
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{} {}", address.kind(), address.ip),
            Self::OtherName(target) => write!(f, "CNAME {target}"),
            Self::NameServer(target) => write!(f, "NS {target}"),
        }
    }
}

/// A record that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRecord {
    /// What it says.
    pub data: Data,
    /// Whose it is.
    pub owner: Owner,
}

/// A name of a zone, with the records of it that matter to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The zone.
    pub zone: HostName,
    /// The name.
    pub name: HostName,
    /// Its A, AAAA, CNAME and NS records.
    pub records: Vec<FoundRecord>,
}

impl Found {
    /// Returns the addresses, sorted.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let address = |record: &FoundRecord| match &record.data {
            Data::Address(address) => Some(*address),
            Data::OtherName(_) | Data::NameServer(_) => None,
        };
        let mut addresses: Vec<_> = self.records.iter().filter_map(address).collect();
        addresses.sort_unstable();
        addresses
    }

    /// Returns the records that are not a host's own.
    pub fn foreign(&self, host: &HostName) -> impl Iterator<Item = &FoundRecord> {
        let own = Owner::Host(Mark::of(host));
        self.records.iter().filter(move |record| record.owner != own)
    }
}

/// The records of one name before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The zone.
    pub zone: HostName,
    /// The name.
    pub name: HostName,
    /// The addresses that are there, sorted.
    pub before: Vec<Address>,
    /// The addresses that are to be there, sorted; none removes the name.
    pub after: Vec<Address>,
}

impl Change {
    /// Returns the change that takes this one back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { before: self.after.clone(), after: self.before.clone(), ..self.clone() }
    }

    /// Tells whether the name goes.
    #[must_use]
    pub const fn removes(&self) -> bool {
        self.after.is_empty()
    }

    /// Describes it as a diff, a line for each record.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let missing = |from: &[Address], at: &[Address], sign: char| {
            let lines = from.iter().filter(|one| !at.contains(one));
            lines.map(|one| format!("{sign} {} {} {one}", one.kind(), self.name)).collect()
        };
        let mut lines: Vec<String> = missing(&self.before, &self.after, '-');
        lines.extend(missing(&self.after, &self.before, '+') as Vec<String>);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    #[test]
    fn a_mark_names_its_host_and_nothing_else_is_one() {
        let mark = Mark::of(&name("a.example"));
        assert_eq!(mark.text(), "managed-by=odoo-deploy host=a.example");
        assert_eq!(Mark::parse(&mark.text()), Some(mark.clone()));
        assert_eq!(Mark::parse("managed-by=odoo-deploy host=a.example more=x"), Some(mark));
        for other in ["", "managed-by=odoo-deploy", "managed-by=odoo-deploy host=", "heritage=x"] {
            assert_eq!(Mark::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_long_hosts_mark_fits_into_a_comment_and_stays_its_own() {
        let long = |last: char| name(&format!("{}.{}{last}", "a".repeat(60), "b".repeat(60)));
        let (one, other) = (Mark::of(&long('x')), Mark::of(&long('y')));
        assert_eq!(one.text().len(), LONGEST_COMMENT);
        assert_ne!(one, other);
        assert_eq!(Mark::parse(&one.text()), Some(one));
    }

    #[test]
    fn a_change_is_shown_as_a_diff() {
        let address = |ip: &str, proxied| Address { ip: ip.parse().unwrap(), proxied, ttl: 1 };
        let change = Change {
            zone: name("example"),
            name: name("a.example"),
            before: vec![address("203.0.113.4", false), address("203.0.113.9", false)],
            after: vec![address("203.0.113.9", false), address("2001:db8::5", true)],
        };
        let lines = ["- A a.example 203.0.113.4", "+ AAAA a.example 2001:db8::5 proxied"];
        assert_eq!(change.lines(), lines);
        assert_eq!(change.reversed().reversed(), change);
    }
}
