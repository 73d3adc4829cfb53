//! Zones at Cloudflare. Does I/O. The mark of a record is its comment.

mod api;

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Mutex,
};

use serde::Deserialize;
use serde_json::{Value, json};

use self::api::{Api, Failure};
use super::{
    Address, Change, Data, DnsError, Found, FoundRecord, Mark, Owner, Provider, error::senseless,
};
use crate::{host::HostName, secret::Secret};

/// Who is spoken of in messages.
const NAME: &str = "Cloudflare";

/// Codes by which Cloudflare says that a record is there already, in one way or another.
const THERE_ALREADY: [u32; 4] = [81053, 81054, 81057, 81058];
/// Codes by which it says that a record is gone.
const GONE: [u32; 1] = [81044];
/// Codes by which it says that it does not accept a token, besides 401 and 403.
const NO_TOKEN: [u32; 5] = [6003, 6111, 9109, 10000, 10001];

/// A zone at Cloudflare.
pub(super) struct Cloudflare {
    zone: HostName,
    api: Api,
    known: Mutex<Option<Zone>>,
}

/// What Cloudflare calls a zone, and who answers for it.
#[derive(Debug, Clone, Deserialize)]
struct Zone {
    id: String,
    name: String,
    #[serde(default)]
    name_servers: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Record {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    proxied: bool,
    ttl: u32,
    comment: Option<String>,
}

impl Record {
    /// Reads what is of interest; none for a record of another kind.
    fn found(&self, zone: &HostName) -> Option<FoundRecord> {
        let data = match self.kind.as_str() {
            "A" | "AAAA" => Data::Address(self.address()?),
            "CNAME" => Data::OtherName(self.content.clone()),
            "NS" if self.name != zone.as_str() => Data::NameServer(self.content.clone()),
            _ => return None,
        };
        let mark = self.comment.as_deref().and_then(Mark::parse);
        Some(FoundRecord { data, owner: mark.map_or(Owner::Stranger, Owner::Host) })
    }

    fn address(&self) -> Option<Address> {
        let ip = self.content.parse().ok()?;
        Some(Address { ip, proxied: self.proxied, ttl: self.ttl })
    }
}

impl Cloudflare {
    /// Takes the token; nothing is asked yet.
    pub(super) fn new(zone: HostName, endpoint: String, token: Secret) -> Self {
        Self { zone, api: Api::new(endpoint, token), known: Mutex::new(None) }
    }

    fn zone(&self) -> Result<Zone, DnsError> {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        if let Some(zone) = &*known {
            return Ok(zone.clone());
        }
        let name = self.zone.as_str();
        let zones: Vec<Zone> =
            self.api.list("/zones", &[("name", name)]).map_err(|why| self.error("list", why))?;
        let zone = zones.into_iter().find(|zone| zone.name == name);
        let zone = zone.ok_or_else(|| DnsError::NoZone {
            zone: self.zone.clone(),
            provider: NAME.to_owned(),
        })?;
        Ok(known.insert(zone).clone())
    }

    fn records(&self, filters: &[(&str, &str)]) -> Result<Vec<Record>, DnsError> {
        let path = format!("/zones/{}/dns_records", self.zone()?.id);
        self.api.list(&path, filters).map_err(|why| self.error("list records", why))
    }

    fn error(&self, what: &str, failure: Failure) -> DnsError {
        let (zone, provider) = (self.zone.clone(), NAME.to_owned());
        match failure {
            Failure::NoAnswer(source) => DnsError::NoAnswer { zone, provider, source },
            Failure::Said { status, codes, said } => {
                let is_token = |code: &u32| NO_TOKEN.contains(code);
                if matches!(status, 401 | 403) || codes.iter().any(is_token) {
                    return DnsError::Credentials {
                        zone,
                        provider,
                        what: "the token".to_owned(),
                        said,
                        hint: "give it the permissions Zone:Read and DNS:Edit for the zone",
                    };
                }
                DnsError::Rejected { zone, provider, what: what.to_owned(), said }
            }
        }
    }
}

impl Provider for Cloudflare {
    fn look(&self, host: &HostName, names: &[HostName]) -> Result<Vec<Found>, DnsError> {
        let mark = Mark::of(host).text();
        let mut records: Vec<Record> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let mut filters = vec![("name.exact", name.as_str())];
            if index == 0 {
                // Whatever else is marked as the host's comes with the first name.
                filters.extend([("comment.exact", mark.as_str()), ("match", "any")]);
            }
            for record in self.records(&filters)? {
                if records.iter().all(|known| known.id != record.id) {
                    records.push(record);
                }
            }
        }
        let mut found: Vec<Found> = names
            .iter()
            .map(|name| Found { zone: self.zone.clone(), name: name.clone(), records: Vec::new() })
            .collect();
        for record in records {
            let Some(one) = record.found(&self.zone) else { continue };
            let Ok(name) = HostName::parse(&record.name) else { continue };
            match found.iter_mut().find(|found| found.name == name) {
                Some(found) => found.records.push(one),
                None => found.push(Found { zone: self.zone.clone(), name, records: vec![one] }),
            }
        }
        Ok(found)
    }

    fn change(&self, host: &HostName, change: &Change) -> Result<(), DnsError> {
        let overtaken = || DnsError::Overtaken { name: change.name.clone() };
        let name = change.name.as_str();
        let records = self.records(&[("name.exact", name)])?;
        let records = records.into_iter().filter(|record| record.name == name);
        let (records, found): (Vec<_>, Vec<_>) = records
            .filter_map(|record| record.found(&self.zone).map(|found| (record, found)))
            .unzip();
        let there = Found { zone: change.zone.clone(), name: change.name.clone(), records: found };
        // A removal leaves a stranger's records beside the host's own.
        let is_ours = |record: &FoundRecord| record.owner == Owner::Host(Mark::of(host));
        let own = Found {
            records: there.records.iter().filter(|record| is_ours(record)).cloned().collect(),
            ..there.clone()
        };
        let mixed = own.records.len() != there.records.len();
        if own.addresses() != change.before || (mixed && !change.removes()) {
            return Err(overtaken());
        }
        let records: Vec<_> =
            records.iter().zip(&there.records).filter(|(_, found)| is_ours(found)).collect();
        let records: Vec<_> = records.into_iter().map(|(record, _)| record).collect();
        let path = format!("/zones/{}/dns_records/batch", self.zone()?.id);
        match self.api.post::<Value>(&path, &batch(host, change, &records)) {
            Ok(_) => Ok(()),
            Err(Failure::Said { codes, .. })
                if codes.iter().any(|code| THERE_ALREADY.contains(code) || GONE.contains(code)) =>
            {
                Err(overtaken())
            }
            Err(failure) => Err(self.error(&format!("change {name}"), failure)),
        }
    }

    fn authorities(&self) -> Vec<SocketAddr> {
        let Ok(zone) = self.zone() else { return Vec::new() };
        let servers = zone.name_servers.iter();
        servers.filter_map(|name| (name.as_str(), 53).to_socket_addrs().ok()?.next()).collect()
    }
}

/// Describes a change as one transaction: a record keeps its id where another of its type
/// takes its place.
fn batch(host: &HostName, change: &Change, records: &[&Record]) -> Value {
    let mut missing: Vec<Address> = change.after.clone();
    let mut left: Vec<&Record> = Vec::new();
    for record in records {
        match missing.iter().position(|wanted| Some(*wanted) == record.address()) {
            Some(at) => {
                missing.remove(at);
            }
            None => left.push(record),
        }
    }
    let (mut patches, mut deletes) = (Vec::new(), Vec::new());
    // One whose address stays is not given to another address.
    left.sort_by_key(|record| {
        let ip = record.content.parse::<IpAddr>().ok();
        !missing.iter().any(|wanted| Some(wanted.ip) == ip)
    });
    for record in left {
        let ip = record.content.parse::<IpAddr>().ok();
        let same = missing.iter().position(|wanted| Some(wanted.ip) == ip);
        let kind = missing.iter().position(|wanted| wanted.kind() == record.kind);
        match same.or(kind) {
            Some(at) => {
                let mut patch = object(host, change, &missing.remove(at));
                patch["id"] = json!(record.id);
                patches.push(patch);
            }
            None => deletes.push(json!({ "id": record.id })),
        }
    }
    let posts: Vec<_> = missing.iter().map(|address| object(host, change, address)).collect();
    json!({ "deletes": deletes, "patches": patches, "posts": posts })
}

fn object(host: &HostName, change: &Change, address: &Address) -> Value {
    json!({
        "type": address.kind(),
        "name": change.name,
        "content": address.ip,
        "ttl": address.ttl,
        "proxied": address.proxied,
        "comment": Mark::of(host).text(),
    })
}

#[cfg(test)]
mod tests;
