//! `[dns."zone"]`, and the public addresses of servers that its records name.

use std::net::IpAddr;

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

use super::{
    Server, Settings,
    parse::Check,
    values::{api, secret_name},
};
use crate::host::{HostName, ServerName};

/// Where records of a zone are changed.
const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";

/// What a record lives for where `ttl` is not written, in seconds.
const TTL: u32 = 300;

/// Cloudflare's word for "as long as Cloudflare likes".
const AUTOMATIC: u32 = 1;

/// A zone of the DNS whose records the tool may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsZone {
    /// `ttl`: how long a record may be remembered, in seconds; 1 is Cloudflare's automatic.
    pub ttl: u32,
    /// `provider` and the keys that belong to it.
    pub provider: DnsProvider,
}

/// Who answers for a zone. Secrets are names still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsProvider {
    /// Cloudflare's API.
    Cloudflare {
        /// `token`: `${NAME}`.
        token: String,
        /// `proxied`: whether visitors come through Cloudflare, where a host says nothing.
        proxied: bool,
        /// `endpoint`: where the API is, without a slash at the end.
        endpoint: String,
    },
    /// Any name server that takes dynamic updates (RFC 2136).
    Rfc2136 {
        /// `server`: the zone's primary, `host:port`.
        server: String,
        /// `key_name`: the name of the key that signs.
        key_name: HostName,
        /// `algorithm`: how it signs.
        algorithm: TsigAlgorithm,
        /// `secret`: `${NAME}`, the key in base64.
        secret: String,
    },
}

/// How a message to a name server is signed (RFC 8945).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TsigAlgorithm {
    /// `hmac-sha256`.
    HmacSha256,
    /// `hmac-sha384`.
    HmacSha384,
    /// `hmac-sha512`.
    HmacSha512,
}

impl Settings {
    /// Returns the zone that a name lies in, the narrowest where several do.
    #[must_use]
    pub fn zone_of(&self, name: &HostName) -> Option<(&HostName, &DnsZone)> {
        let inside = |zone: &&HostName| {
            let rest = name.as_str().strip_suffix(zone.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let zone = self.dns.keys().filter(inside).max_by_key(|zone| zone.as_str().len())?;
        Some((zone, &self.dns[zone]))
    }

    /// Returns what the records of a server's hosts name: `public_addresses`, else its
    /// `address` where that is one; none where neither says it.
    #[must_use]
    pub fn public_addresses(&self, server: &ServerName) -> Option<Vec<IpAddr>> {
        if let Some(written) = self.public_addresses.get(server) {
            return Some(written.clone());
        }
        match self.servers.get(server)? {
            Server::Ssh(ssh) => ssh.address.parse().ok().map(|address| vec![address]),
            Server::Local => None,
        }
    }
}

/// A zone as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenZone {
    provider: Spanned<String>,
    ttl: Option<Spanned<u32>>,
    token: Option<Spanned<String>>,
    proxied: Option<Spanned<bool>>,
    endpoint: Option<Spanned<String>>,
    server: Option<Spanned<String>>,
    key_name: Option<Spanned<String>>,
    algorithm: Option<Spanned<String>>,
    secret: Option<Spanned<String>>,
}

impl Check<'_> {
    pub(super) fn zones(
        &mut self,
        written: IndexMap<Spanned<String>, WrittenZone>,
    ) -> IndexMap<HostName, DnsZone> {
        let mut zones = IndexMap::new();
        for (name, zone) in written {
            let parsed = self.value(&name, |text| HostName::parse(text));
            let zone = self.zone(&name, zone);
            if let (Some(name), Some(zone)) = (parsed, zone) {
                zones.insert(name, zone);
            }
        }
        zones
    }

    fn zone(&mut self, name: &Spanned<String>, written: WrittenZone) -> Option<DnsZone> {
        let is_cloudflare = self.value(&written.provider, |text| match text.as_str() {
            "cloudflare" => Ok(true),
            "rfc2136" => Ok(false),
            other => Err(format!("`{other}` is neither `cloudflare` nor `rfc2136`")),
        })?;
        let ttl = written.ttl.as_ref().and_then(|ttl| self.value(ttl, |ttl| seconds(*ttl)));
        let provider = if is_cloudflare {
            self.cloudflare(name, written)
        } else {
            self.rfc2136(name, written)
        };
        let usual = if is_cloudflare { AUTOMATIC } else { TTL };
        Some(DnsZone { ttl: ttl.unwrap_or(usual), provider: provider? })
    }

    fn cloudflare(&mut self, name: &Spanned<String>, written: WrittenZone) -> Option<DnsProvider> {
        let WrittenZone { token, proxied, endpoint, server, key_name, algorithm, secret, .. } =
            written;
        let others = [
            ("server", server),
            ("key_name", key_name),
            ("algorithm", algorithm),
            ("secret", secret),
        ];
        self.foreign_to("cloudflare", others);
        let token = self.needed(name, "token", token.as_ref());
        let token = token.and_then(|token| self.value(token, |text| secret_name(text)));
        let endpoint = match &endpoint {
            Some(written) => self.value(written, |text| api(text)),
            None => Some(CLOUDFLARE.to_owned()),
        };
        let proxied = proxied.is_some_and(Spanned::into_inner);
        Some(DnsProvider::Cloudflare { token: token?, proxied, endpoint: endpoint? })
    }

    fn rfc2136(&mut self, name: &Spanned<String>, written: WrittenZone) -> Option<DnsProvider> {
        let WrittenZone { token, proxied, endpoint, server, key_name, algorithm, secret, .. } =
            written;
        self.foreign_to("rfc2136", [("token", token), ("endpoint", endpoint)]);
        if let Some(proxied) = proxied.filter(|proxied| *proxied.get_ref()) {
            self.fault(&proxied, "only records at Cloudflare can be proxied", None);
        }
        let server = self.needed(name, "server", server.as_ref());
        let server = server.and_then(|server| self.value(server, |text| server_and_port(text)));
        let key_name = self.needed(name, "key_name", key_name.as_ref());
        let key_name = key_name.and_then(|name| self.value(name, |text| HostName::parse(text)));
        let secret = self.needed(name, "secret", secret.as_ref());
        let secret = secret.and_then(|secret| self.value(secret, |text| secret_name(text)));
        let algorithm = match &algorithm {
            Some(written) => self.value(written, |text| tsig_algorithm(text)),
            None => Some(TsigAlgorithm::HmacSha256),
        };
        Some(DnsProvider::Rfc2136 {
            server: server?,
            key_name: key_name?,
            algorithm: algorithm?,
            secret: secret?,
        })
    }

    fn needed<'a>(
        &mut self,
        zone: &Spanned<String>,
        key: &str,
        written: Option<&'a Spanned<String>>,
    ) -> Option<&'a Spanned<String>> {
        if written.is_none() {
            self.fault(zone, format!("zone `{}` has no `{key}`", zone.get_ref()), None);
        }
        written
    }

    fn foreign_to<const N: usize>(
        &mut self,
        provider: &str,
        keys: [(&str, Option<Spanned<String>>); N],
    ) {
        for (key, written) in keys {
            if let Some(written) = written {
                self.fault(&written, format!("`{key}` is no key of provider `{provider}`"), None);
            }
        }
    }

    /// Reads the addresses of a server; none where they are not written.
    pub(super) fn addresses(&mut self, written: &[Spanned<String>]) -> Vec<IpAddr> {
        written.iter().filter_map(|one| self.value(one, |text| public_address(text))).collect()
    }
}

fn seconds(ttl: u32) -> Result<u32, String> {
    match ttl {
        60..=86_400 => Ok(ttl),
        ttl => Err(format!("{ttl} is no number of seconds from 60 to 86400")),
    }
}

fn server_and_port(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    let usual = || Err(format!("`{}` is no name server: write `host:port`", text.escape_debug()));
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        return usual();
    }
    if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
        return Ok(format!("[{text}]:53"));
    }
    match text.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) =>
        {
            Ok(text.to_owned())
        }
        Some(_) if !text.ends_with(']') => usual(),
        _ => Ok(format!("{text}:53")),
    }
}

fn tsig_algorithm(text: &str) -> Result<TsigAlgorithm, String> {
    match text {
        "hmac-sha256" => Ok(TsigAlgorithm::HmacSha256),
        "hmac-sha384" => Ok(TsigAlgorithm::HmacSha384),
        "hmac-sha512" => Ok(TsigAlgorithm::HmacSha512),
        _ => Err(format!("`{text}` is not `hmac-sha256`, `hmac-sha384` or `hmac-sha512`")),
    }
}

fn public_address(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => {
            Err(format!("{address} is the address of no server"))
        }
        Ok(address) if address.is_loopback() => {
            Err(format!("{address} leads every visitor to their own machine"))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(format!("`{text}` is no address, such as `203.0.113.5` or `2001:db8::5`")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::host::ConfigError;

    fn parse(text: &str) -> Result<Settings, ConfigError> {
        Settings::parse(text, Path::new("config/deploy.toml"))
    }

    fn name(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    #[test]
    fn a_zone_is_cloudflares_or_a_name_servers() {
        let settings = parse(
            "[dns.\"a.example\"]\nprovider = \"cloudflare\"\ntoken = \"${T}\"\nproxied = true\n\
             [dns.\"b.example\"]\nprovider = \"rfc2136\"\nserver = \"10.0.0.53\"\n\
             key_name = \"deploy\"\nalgorithm = \"hmac-sha512\"\nsecret = \"${K}\"\nttl = 60\n",
        )
        .unwrap();
        let endpoint = CLOUDFLARE.to_owned();
        assert_eq!(
            settings.dns[0],
            DnsZone {
                ttl: 1,
                provider: DnsProvider::Cloudflare {
                    token: "${T}".to_owned(),
                    proxied: true,
                    endpoint
                },
            }
        );
        let DnsZone { ttl: 60, provider: DnsProvider::Rfc2136 { server, algorithm, .. } } =
            &settings.dns[1]
        else {
            panic!("{:?}", settings.dns[1])
        };
        assert_eq!((server.as_str(), *algorithm), ("10.0.0.53:53", TsigAlgorithm::HmacSha512));
    }

    #[test]
    fn a_zone_that_lacks_something_or_has_too_much_is_refused_with_its_line() {
        let cloudflare = "provider = \"cloudflare\"\ntoken = \"${T}\"\n";
        let named =
            "provider = \"rfc2136\"\nserver = \"n:53\"\nkey_name = \"k\"\nsecret = \"${K}\"\n";
        for (text, said) in [
            ("provider = \"route53\"".to_owned(), "neither `cloudflare` nor `rfc2136`"),
            ("provider = \"cloudflare\"".to_owned(), "has no `token`"),
            ("provider = \"cloudflare\"\ntoken = \"hunter2\"".to_owned(), "`${NAME}`"),
            (format!("{cloudflare}secret = \"${{K}}\""), "no key of provider `cloudflare`"),
            (format!("{cloudflare}ttl = 5"), "from 60 to 86400"),
            (format!("{cloudflare}endpoint = \"http://api.example\""), "private address"),
            (format!("{cloudflare}endpoint = \"http://127.0.0.1@api.example/\""), "private"),
            (format!("{named}algorithm = \"hmac-md5\""), "is not `hmac-sha256`"),
            (format!("{named}proxied = true"), "only records at Cloudflare"),
            (named.replace("n:53", "n:x"), "no name server"),
            (format!("{cloudflare}tokn = 1"), "unknown key `tokn`"),
        ] {
            let error = parse(&format!("[dns.\"a.example\"]\n{text}\n")).unwrap_err();
            let fault = error.faults().next().unwrap();
            assert!(fault.message.contains(said), "{text}: {fault}");
            assert!(fault.origin.line > 0, "{fault}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn the_narrowest_zone_counts_and_a_similar_name_lies_in_none() {
        let settings = parse(
            "[dns.\"a.example\"]\nprovider = \"cloudflare\"\ntoken = \"${T}\"\n\
             [dns.\"eu.a.example\"]\nprovider = \"cloudflare\"\ntoken = \"${U}\"\n",
        )
        .unwrap();
        let zone = |text: &str| settings.zone_of(&name(text)).map(|(zone, _)| zone.to_string());
        assert_eq!(zone("x.eu.a.example").as_deref(), Some("eu.a.example"));
        assert_eq!(zone("a.example").as_deref(), Some("a.example"));
        assert_eq!(zone("x.y.a.example").as_deref(), Some("a.example"));
        assert_eq!(zone("bana.example"), None);
    }

    #[test]
    fn a_servers_own_address_counts_where_no_public_one_is_written() {
        let settings = parse(
            "[servers.a]\naddress = \"203.0.113.5\"\n[servers.b]\naddress = \"b.example\"\n\
             [servers.c]\nlocal = true\npublic_addresses = [\"203.0.113.7\", \"2001:db8::7\"]\n",
        )
        .unwrap();
        let addresses = |server: &str| {
            let server = ServerName::parse(server).unwrap();
            settings.public_addresses(&server).map(|addresses| addresses.len())
        };
        assert_eq!([addresses("a"), addresses("b"), addresses("c")], [Some(1), None, Some(2)]);
        for bad in ["localhost", "127.0.0.1", "::", "203.0.113.5/24"] {
            let text = format!("[servers.a]\naddress = \"a\"\npublic_addresses = [\"{bad}\"]\n");
            assert_eq!(parse(&text).unwrap_err().faults().next().unwrap().origin.line, 3);
        }
    }
}
