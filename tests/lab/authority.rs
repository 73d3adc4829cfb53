//! A certificate authority and a name server on a lab server: Pebble and BIND.

use std::path::Path;

use super::lab::Server;

/// The zones that the name server is responsible for. Nothing else is in its DNS.
pub(crate) const ZONES: [&str; 3] = ["somosblink.com", "example", "example.com"];

/// An authority that speaks ACME, and the DNS that it looks at. Both listen on all of
/// their server's addresses, and end with it.
pub(crate) struct Authority {
    /// The URL of its directory.
    pub(crate) directory: String,
    /// The root of its own certificate, as PEM: not of those that it issues.
    pub(crate) root: String,
    /// Where the name server answers, `address:port`.
    pub(crate) dns: String,
    /// The key by which zones may be updated and transferred.
    pub(crate) key: TsigKey,
    management: String,
}

/// A key of TSIG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TsigKey {
    pub(crate) name: String,
    pub(crate) algorithm: String,
    /// Base64.
    pub(crate) secret: String,
}

const DIRECTORY: &str = "/var/lib/lab-authority";
const KEY_NAME: &str = "deploy";
const ALGORITHM: &str = "hmac-sha256";

/// Pebble checks names on port 80, and asks this server's BIND for them. It looks at a name
/// again each time: a name that led here once need not do so now.
const START: &str = r#"
set -eu
mkdir -p "$DIRECTORY"
cd "$DIRECTORY"
ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $ec -days 30 -subj "/CN=Lab directory root" -keyout root.key -out root.pem
openssl req $ec -subj "/CN=Lab directory" -keyout pebble.key -out pebble.csr
echo "subjectAltName=IP:$ADDRESS,IP:127.0.0.1,DNS:localhost" >names
openssl x509 -req -in pebble.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 \
  -extfile names -out pebble.pem
cat >pebble.json <<JSON
{ "pebble": { "listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000",
    "certificate": "$DIRECTORY/pebble.pem", "privateKey": "$DIRECTORY/pebble.key",
    "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
    "externalAccountBindingRequired": false, "retryAfter": { "authz": 1, "order": 1 },
    "certificateValidityPeriod": 7776000 } }
JSON
tsig-keygen -a "$ALGORITHM" "$KEY_NAME" >/etc/bind/lab.key
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
echo 'include "/etc/bind/lab.key";' >/etc/bind/named.conf.local
for zone in $ZONES; do
  printf '$TTL 60\n@ SOA ns.%s. root.%s. 1 60 60 60 60\n@ NS ns.%s.\nns A %s\n' \
    "$zone" "$zone" "$zone" "$ADDRESS" >"/var/lib/bind/$zone.zone"
  echo "zone \"$zone\" { type primary; file \"/var/lib/bind/$zone.zone\"; allow-update { key $KEY_NAME; }; };" \
    >>/etc/bind/named.conf.local
done
chown -R bind:bind /var/lib/bind
systemctl restart named.service
systemd-run --quiet --unit=lab-pebble --setenv=PEBBLE_VA_NOSLEEP=1 \
  --setenv=PEBBLE_WFE_NONCEREJECT=0 --setenv=PEBBLE_AUTHZREUSE=0 \
  -- /usr/bin/pebble -config "$DIRECTORY/pebble.json" -dnsserver 127.0.0.1:53
"#;

impl Authority {
    /// Starts both on a server.
    pub(crate) fn start(server: &Server) -> Self {
        let address = server.address();
        let zones = ZONES.join(" ");
        let variables = format!(
            "DIRECTORY={DIRECTORY} ADDRESS={address} ZONES=\"{zones}\" KEY_NAME={KEY_NAME} \
             ALGORITHM={ALGORITHM}\n"
        );
        server.script(&(variables + START)).ok();
        let read = |path: &str| server.shell(&["cat", path]).ok();
        let key = read("/etc/bind/lab.key");
        let secret = key.split_once("secret \"").and_then(|(_, rest)| rest.split_once('"'));
        let authority = Self {
            directory: format!("https://{address}:14000/dir"),
            root: read(&format!("{DIRECTORY}/root.pem")),
            dns: format!("{address}:53"),
            key: TsigKey {
                name: KEY_NAME.to_owned(),
                algorithm: ALGORITHM.to_owned(),
                secret: secret.expect("a key has a secret").0.to_owned(),
            },
            management: format!("https://{address}:15000"),
        };
        server.wait_until("the authority answers", |server| {
            authority.fetch(server, &authority.directory).is_some()
        });
        authority
    }

    /// Has a name lead to an address.
    pub(crate) fn point(&self, server: &Server, name: &str, address: &str) {
        let add = format!("update delete {name} A\nupdate add {name} 60 A {address}");
        self.update(server, &add);
    }

    /// Has a name lead nowhere.
    pub(crate) fn unpoint(&self, server: &Server, name: &str) {
        self.update(server, &format!("update delete {name} A"));
    }

    fn update(&self, server: &Server, lines: &str) {
        let TsigKey { name: key, algorithm, secret } = &self.key;
        let at = self.dns.replace(':', " ");
        let update = format!("server {at}\nkey {algorithm}:{key} {secret}\n{lines}\nsend\n");
        server.script(&format!("nsupdate <<'END'\n{update}END\n")).ok();
    }

    /// Returns the root of the certificates that it issues, as PEM.
    pub(crate) fn issued_root(&self, server: &Server) -> String {
        let url = format!("{}/roots/0", self.management);
        self.fetch(server, &url).expect("the authority shows its root")
    }

    /// Counts the certificates that were asked for so far.
    pub(crate) fn issued(&self, server: &Server) -> usize {
        let log = server.shell(&["journalctl", "-o", "cat", "-u", "lab-pebble.service"]).ok();
        log.lines().filter(|line| line.contains("Issued certificate serial")).count()
    }

    /// Ends the authority; the name server goes on.
    pub(crate) fn stop(&self, server: &Server) {
        server.shell(&["systemctl", "stop", "lab-pebble.service"]).ok();
    }

    fn fetch(&self, server: &Server, url: &str) -> Option<String> {
        let root = Path::new(DIRECTORY).join("root.pem");
        let root = root.to_str().expect("it is UTF-8");
        let answer = server.shell(&["curl", "-sSf", "--cacert", root, url]);
        (answer.code == 0).then_some(answer.stdout)
    }
}
