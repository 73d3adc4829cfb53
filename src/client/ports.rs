//! Ports that nobody uses.

use std::collections::BTreeSet;

/// Odoo's own ports, which the first host of a server gets.
const FIRST: u16 = 8069;
const FROM_HTTP_TO_GEVENT: u16 = 3;
/// How far the next host is: as far as the ports of one host from those of the next have
/// always been.
const STEP: usize = 10;
/// Linux gives ports from here on to whoever connects to somewhere.
const END: u16 = 32_768;

/// The ports of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// `http_port`.
    pub http: u16,
    /// `gevent_port`.
    pub gevent: u16,
}

/// Finds the lowest pair of ports that is free; none where all are taken.
#[must_use]
pub fn free_ports(taken: &BTreeSet<u16>) -> Option<Ports> {
    let pairs = (FIRST..END - FROM_HTTP_TO_GEVENT).step_by(STEP);
    pairs
        .map(|http| Ports { http, gevent: http + FROM_HTTP_TO_GEVENT })
        .find(|ports| !taken.contains(&ports.http) && !taken.contains(&ports.gevent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pair_of_which_both_are_free_is_taken() {
        let free = |taken: &[u16]| free_ports(&taken.iter().copied().collect()).unwrap();
        assert_eq!(free(&[]), Ports { http: 8069, gevent: 8072 });
        assert_eq!(free(&[8069, 8072, 8082]), Ports { http: 8089, gevent: 8092 });
        assert_eq!(free(&[8072]), Ports { http: 8079, gevent: 8082 });
    }

    #[test]
    fn a_server_whose_ports_are_all_taken_has_none() {
        assert_eq!(free_ports(&(1..=u16::MAX).collect()), None);
    }
}
