//! Reads what programs print about a machine.

use std::collections::BTreeMap;

use crate::setup::{Firewall, UnitFacts};

/// Reads `dpkg-query -W -f '${Package}\t${db:Status-Abbrev}\t${Version}\n'`: installed ones.
pub(super) fn packages(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let (name, state, version) = (fields.next()?, fields.next()?, fields.next()?);
        (state.trim() == "ii").then(|| (name.to_owned(), version.to_owned()))
    });
    lines.collect()
}

/// Reads `systemctl show --property Id,LoadState,ActiveState,UnitFileState,FragmentPath` of
/// several units, in their order.
pub(super) fn units(names: &[String], text: &str) -> BTreeMap<String, UnitFacts> {
    let blocks = text.split("\n\n").map(|block| {
        let values: BTreeMap<_, _> =
            block.lines().filter_map(|line| line.split_once('=')).collect();
        let value = |key: &str| values.get(key).copied().unwrap_or_default();
        UnitFacts {
            known: value("LoadState") != "not-found",
            active: matches!(value("ActiveState"), "active" | "reloading" | "activating"),
            enabled: matches!(
                value("UnitFileState"),
                "enabled" | "enabled-runtime" | "static" | "generated" | "indirect" | "alias"
            ),
            masked: value("LoadState") == "masked",
            file: Some(value("FragmentPath")).filter(|path| !path.is_empty()).map(Into::into),
        }
    });
    names.iter().cloned().zip(blocks).collect()
}

/// Reads `ufw status verbose`.
pub(super) fn firewall(text: &str) -> Firewall {
    let mut open: Vec<u16> = Vec::new();
    for line in text.lines() {
        // `22/tcp  ALLOW IN  Anywhere`; a rule for one address opens nothing to everybody.
        let mut words = line.split_whitespace();
        let Some(target) = words.next() else { continue };
        let rest = words.collect::<Vec<_>>().join(" ");
        if !(rest.starts_with("ALLOW IN Anywhere") || rest.starts_with("LIMIT IN Anywhere")) {
            continue;
        }
        let ports = target.strip_suffix("/tcp").unwrap_or(target).split(',');
        open.extend(ports.filter_map(|port| port.parse::<u16>().ok()));
    }
    Firewall {
        active: text.contains("Status: active"),
        closed: text.contains("Default: deny (incoming)")
            || text.contains("Default: reject (incoming)"),
        open,
    }
}

/// Reads the ports that sshd listens on out of `ss -H -l -t -n -p`.
pub(super) fn ssh_listeners(text: &str) -> Vec<u16> {
    let lines = text.lines().filter(|line| line.contains("((\"sshd\""));
    lines
        .filter_map(|line| line.split_whitespace().nth(3)?.rsplit(':').next()?.parse().ok())
        .collect()
}

/// Reads the ports out of `sshd -T`.
pub(super) fn ssh_ports(text: &str) -> Vec<u16> {
    text.lines().filter_map(|line| line.strip_prefix("port ")?.trim().parse().ok()).collect()
}

/// Reads the ports out of `systemctl show --property Listen ssh.socket`.
pub(super) fn socket_ports(text: &str) -> Vec<u16> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("Listen="));
    let words = lines.flat_map(|line| line.split_whitespace().next());
    words.filter_map(|word| word.rsplit(':').next()?.parse().ok()).collect()
}

/// Reads one line of `/proc/meminfo`, in bytes.
pub(super) fn memory(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let text = "nginx\tii \t1.26.3-3\nold\trc \t1\nhalf\tiU \t2\n";
        assert_eq!(packages(text), [("nginx".to_owned(), "1.26.3-3".to_owned())].into());
    }

    #[test]
    fn units_are_told_apart_by_their_order() {
        let names = ["a.service".to_owned(), "b.service".to_owned()];
        let text = "LoadState=loaded\nActiveState=active\nFragmentPath=/usr/lib/a\n\
                    UnitFileState=enabled\n\nLoadState=masked\nActiveState=inactive\n\
                    FragmentPath=\nUnitFileState=masked\n";
        let units = units(&names, text);
        assert!(units["a.service"].is_up());
        assert!(units["b.service"].masked && !units["b.service"].is_up());
    }

    #[test]
    fn a_rule_for_one_address_opens_no_port() {
        let text = "Status: active\nLogging: on (low)\n\
                    Default: deny (incoming), allow (outgoing), disabled (routed)\n\n\
                    To                         Action      From\n\
                    22/tcp                     LIMIT IN    Anywhere                  \n\
                    80,443/tcp                 ALLOW IN    Anywhere                  \n\
                    5432/tcp                   ALLOW IN    10.0.0.7\n\
                    25/tcp                     DENY IN     Anywhere\n\
                    22/tcp (v6)                ALLOW IN    Anywhere (v6)\n";
        let firewall = firewall(text);
        assert!(firewall.active && firewall.closed);
        assert_eq!(firewall.open, [22, 80, 443]);
    }

    #[test]
    fn sshd_is_found_where_it_listens_by_itself_or_by_a_socket() {
        let text = "LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:((\"sshd\",pid=1,fd=3))\n\
                    LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:((\"nginx\",pid=2,fd=5))\n";
        assert_eq!(ssh_listeners(text), [2222]);
        assert_eq!(ssh_ports("port 22\naddressfamily any\n"), [22]);
        assert_eq!(socket_ports("Listen=0.0.0.0:22 (Stream)\nListen=[::]:22 (Stream)\n"), [22, 22]);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(memory("MemTotal:       2048 kB\n", "MemTotal"), 2 << 20);
    }
}
