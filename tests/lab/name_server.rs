//! A name server on a lab server: BIND, with one zone that a key may update.

use super::lab::Server;

/// The zone.
pub(crate) const ZONE: &str = "somosblink.com";

/// A name server. It ends with its server.
pub(crate) struct NameServer<'a> {
    server: &'a Server,
    /// The key's secret, in base64.
    pub(crate) secret: String,
}

const START: &str = r#"
set -eu
tsig-keygen -a hmac-sha256 deploy >/etc/bind/lab.key
chown root:bind /etc/bind/lab.key
chmod 640 /etc/bind/lab.key
cat >/etc/bind/named.conf.options <<CONF
options {
  directory "/var/cache/bind";
  recursion no;
  dnssec-validation no;
  listen-on { any; };
  listen-on-v6 { none; };
  allow-transfer { any; };
};
CONF
cat >/etc/bind/named.conf.local <<CONF
include "/etc/bind/lab.key";
zone "$ZONE" { type primary; file "/var/lib/bind/$ZONE.zone"; allow-update { key deploy; }; };
CONF
printf '$TTL 60\n@ SOA ns root 1 60 60 60 60\n@ NS ns\nns A %s\n' "$ADDRESS" \
  >"/var/lib/bind/$ZONE.zone"
chown -R bind:bind /var/lib/bind
systemctl restart named.service
"#;

impl<'a> NameServer<'a> {
    /// Starts it on a server, on all of the server's addresses.
    pub(crate) fn start(server: &'a Server) -> Self {
        let address = server.address();
        server.script(&format!("ZONE={ZONE} ADDRESS={address}\n{START}")).ok();
        let key = server.shell(&["cat", "/etc/bind/lab.key"]).ok();
        let secret = key.split_once("secret \"").and_then(|(_, rest)| rest.split_once('"'));
        let secret = secret.expect("a key has a secret").0.to_owned();
        let started = Self { server, secret };
        server.wait_until("the name server answers", |_| started.zone().contains("ns.somosblink"));
        started
    }

    /// Returns every record of the zone but its version, sorted.
    pub(crate) fn zone(&self) -> String {
        let at = format!("@{}", self.server.address());
        let dig = ["dig", &at, ZONE, "AXFR", "+noall", "+answer", "+onesoa"];
        let records = self.server.shell(&dig).stdout;
        let mut lines: Vec<_> = records
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|line| !line.contains(" SOA ") && !line.starts_with(';'))
            .collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// Asks for records of a name, as anybody may.
    pub(crate) fn dig(&self, name: &str, kind: &str) -> String {
        let at = format!("@{}", self.server.address());
        self.server.shell(&["dig", "+short", &at, name, kind]).ok().trim_end().to_owned()
    }

    /// Has a name lead to an address.
    pub(crate) fn point(&self, name: &str, address: &str) {
        self.update(&format!("update delete {name} A\nupdate add {name} 60 A {address}"));
    }

    /// Changes the zone by hand: lines of `nsupdate`.
    pub(crate) fn update(&self, lines: &str) {
        let key = format!("hmac-sha256:deploy {}", self.secret);
        let server = self.server.address();
        let script = format!(
            "nsupdate <<'END'\nserver {server}\nkey {key}\nzone {ZONE}\n{lines}\nsend\nEND"
        );
        self.server.script(&script).ok();
    }

    /// Returns the zone's section of `deploy.toml`.
    pub(crate) fn settings(&self) -> String {
        format!(
            "[dns.\"{ZONE}\"]\nprovider = \"rfc2136\"\nserver = \"{}:53\"\nkey_name = \"deploy\"\n\
             secret = \"${{DNS_KEY}}\"\n\n",
            self.server.address()
        )
    }
}
