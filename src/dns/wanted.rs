//! Which names a host needs, and where they lead. Pure.

use super::Address;
use crate::{
    host::{Host, HostName},
    settings::{DnsProvider, Settings},
};

/// A name that a host needs in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The zone.
    pub zone: HostName,
    /// The name: the host's own, or an alias.
    pub name: HostName,
    /// Where it leads, sorted.
    pub addresses: Vec<Address>,
}

/// Lists the names of a host that lie in zones of `deploy.toml`: none where the host's
/// records are somebody else's business (`manage = False`, or no vhost).
///
/// # Errors
/// Says what is missing where nothing says where the names lead.
pub fn wanted(host: &Host, settings: &Settings) -> Result<Vec<Wanted>, String> {
    let Some(nginx) = host.nginx.as_ref().filter(|_| host.dns.manage) else {
        return Ok(Vec::new());
    };
    let mut all = Vec::<Wanted>::new();
    for name in std::iter::once(&host.name).chain(&nginx.aliases) {
        let Some((zone, settled)) = settings.zone_of(name) else { continue };
        if all.iter().any(|wanted| wanted.name == *name) {
            continue;
        }
        let proxied = match settled.provider {
            DnsProvider::Cloudflare { proxied, .. } => host.dns.proxied.unwrap_or(proxied),
            DnsProvider::Rfc2136 { .. } => false,
        };
        let addresses = settings.public_addresses(&host.server).ok_or_else(|| {
            format!(
                "server `{}` has no `public_addresses`, which the DNS record of {name} needs",
                host.server
            )
        })?;
        // Cloudflare decides how long a proxied record is remembered.
        let ttl = if proxied { 1 } else { settled.ttl };
        let mut addresses: Vec<_> =
            addresses.into_iter().map(|ip| Address { ip, proxied, ttl }).collect();
        addresses.sort_unstable();
        addresses.dedup();
        all.push(Wanted { zone: zone.clone(), name: name.clone(), addresses });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        path::{Path, PathBuf},
    };

    use super::*;

    const SETTINGS: &str = "[servers.s]\naddress = \"s.example\"\n\
        public_addresses = [\"2001:db8::5\", \"203.0.113.5\"]\n\
        [dns.\"a.example\"]\nprovider = \"cloudflare\"\ntoken = \"${T}\"\nproxied = true\n\
        [dns.\"b.example\"]\nprovider = \"rfc2136\"\nserver = \"n\"\nkey_name = \"k\"\n\
        secret = \"${K}\"\n";

    fn host(more: &str) -> Host {
        let text = format!(
            "[options]\ndb_name = ab\naddons_path = x\n[deploy]\nenvironment = test\n\
             server = s\nodoo = 19.0\n{more}"
        );
        let path = PathBuf::from("config/hosts/h.a.example.conf");
        let files = BTreeMap::from([(path, text.into_bytes())]);
        Host::load(&files, &HostName::parse("h.a.example").unwrap()).unwrap()
    }

    fn list(more: &str, settings: &str) -> Result<Vec<String>, String> {
        let settings = Settings::parse(settings, Path::new("deploy.toml")).unwrap();
        let show = |wanted: Wanted| {
            let addresses: Vec<_> = wanted.addresses.iter().map(ToString::to_string).collect();
            format!("{} {} {}", wanted.zone, wanted.name, addresses.join(" "))
        };
        Ok(wanted(&host(more), &settings)?.into_iter().map(show).collect())
    }

    #[test]
    fn the_host_and_its_aliases_are_wanted_each_in_its_zone() {
        let aliases = "[deploy.nginx]\naliases = b.example, c.example, h.a.example\n";
        assert_eq!(
            list(aliases, SETTINGS).unwrap(),
            [
                "a.example h.a.example 203.0.113.5 proxied 2001:db8::5 proxied",
                "b.example b.example 203.0.113.5 (ttl 300) 2001:db8::5 (ttl 300)"
            ]
        );
    }

    #[test]
    fn a_host_says_whether_it_is_managed_and_proxied() {
        let unproxied = list("[deploy.dns]\nproxied = False\n", SETTINGS).unwrap();
        assert_eq!(unproxied, ["a.example h.a.example 203.0.113.5 2001:db8::5"]);
        assert!(list("[deploy.dns]\nmanage = False\n", SETTINGS).unwrap().is_empty());
        assert!(list("[deploy.nginx]\nenabled = False\n", SETTINGS).unwrap().is_empty());
        assert!(list("", "[servers.s]\naddress = \"s\"\n").unwrap().is_empty());
    }

    #[test]
    fn a_server_without_an_address_is_named_with_the_key_that_is_missing() {
        let settings = SETTINGS.replace("public_addresses", "#");
        let said = list("", &settings).unwrap_err();
        assert!(said.contains("server `s` has no `public_addresses`"), "{said}");
    }
}
