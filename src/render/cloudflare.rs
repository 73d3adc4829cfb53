//! From where Cloudflare talks to servers.

/// Cloudflare's address ranges, as of <https://www.cloudflare.com/ips-v4> and
/// <https://www.cloudflare.com/ips-v6>, taken from copies of them in November 2026. A range
/// that is missing here costs its visitors their own address in logs; one that is not
/// Cloudflare's any more could choose the address it is logged with.
pub const CLOUDFLARE_RANGES: [&str; 22] = [
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn every_range_is_one_and_there_once() {
        let mut seen = std::collections::BTreeSet::new();
        for range in CLOUDFLARE_RANGES {
            let (address, bits) = range.split_once('/').expect("a range has a length");
            let address: IpAddr = address.parse().expect("a range begins with an address");
            let bits: u32 = bits.parse().expect("a length is a number");
            let rest = match address {
                IpAddr::V4(address) => u128::from(address.to_bits()) << (96 + bits),
                IpAddr::V6(address) => address.to_bits() << bits,
            };
            assert_eq!(rest, 0, "{range} has bits behind its length");
            assert!(seen.insert(range));
        }
    }
}
