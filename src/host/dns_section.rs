//! `[deploy.dns]`.

use super::{
    reader::{Reader, parse_bool},
    resolve::Settings,
};

const DNS_KEYS: [&str; 2] = ["manage", "proxied"];

/// `[deploy.dns]`: the host's records in the DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsOptions {
    /// `manage`: whether records are written where the host's name lies in a zone (default yes).
    pub manage: bool,
    /// `proxied`: whether visitors come through Cloudflare; none is what the zone says.
    pub proxied: Option<bool>,
}

/// Reads `[deploy.dns]`.
pub(super) fn read_dns(reader: &mut Reader<'_>, dns: &Settings) -> DnsOptions {
    reader.only_known(dns, "deploy.dns", &DNS_KEYS);
    DnsOptions {
        manage: reader.parsed(dns, "manage", parse_bool).unwrap_or(true),
        proxied: reader.parsed(dns, "proxied", parse_bool),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented() {
        let page = include_str!("../../docs/reference/configuration.md");
        for key in DNS_KEYS {
            assert!(page.contains(&format!("| `{key}`")), "{key}");
        }
    }
}
