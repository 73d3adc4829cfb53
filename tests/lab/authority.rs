//! A certificate authority and a name server on a lab server: Pebble and BIND.

#![expect(clippy::disallowed_methods, reason = "writes its root, on a server's disk")]

use std::path::Path;

use super::{lab::Server, name_server::NameServer};

/// An authority that speaks ACME, and the DNS that it looks at. Both listen on all of
/// their server's addresses, and end with it.
pub(crate) struct Authority<'a> {
    server: &'a Server,
    /// Who tells it where a name leads.
    pub(crate) names: NameServer<'a>,
    /// The URL of its directory.
    pub(crate) directory: String,
    /// The root of its own certificate, as PEM: not of those that it issues.
    pub(crate) root: String,
}

const DIRECTORY: &str = "/var/lib/lab-authority";

/// Pebble checks names on port 80, and asks the name server of its own server for them. It
/// looks at a name again each time: a name that led here once need not do so now.
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
systemd-run --quiet --unit=lab-pebble --setenv=PEBBLE_VA_NOSLEEP=1 \
  --setenv=PEBBLE_WFE_NONCEREJECT=0 --setenv=PEBBLE_AUTHZREUSE=0 \
  -- /usr/bin/pebble -config "$DIRECTORY/pebble.json" -dnsserver 127.0.0.1:53
"#;

impl<'a> Authority<'a> {
    /// Starts both on a server.
    pub(crate) fn start(server: &'a Server) -> Self {
        let names = NameServer::start(server);
        let address = server.address();
        server.script(&format!("DIRECTORY={DIRECTORY} ADDRESS={address}\n{START}")).ok();
        let authority = Self {
            server,
            names,
            directory: format!("https://{address}:14000/dir"),
            root: server.shell(&["cat", &format!("{DIRECTORY}/root.pem")]).ok(),
        };
        server.wait_until("the authority answers", |_| {
            authority.fetch(&authority.directory).is_some()
        });
        authority
    }

    /// Returns the root of the certificates that it issues, as PEM.
    fn issued_root(&self) -> String {
        let url = format!("https://{}:15000/roots/0", self.server.address());
        self.fetch(&url).expect("the authority shows its root")
    }

    /// Keeps the root of what it issues on a server as `/root/issued.pem`, as a visitor's
    /// browser there would.
    pub(crate) fn trust(&self, visitor: &Server) {
        std::fs::write(visitor.path("/root/issued.pem"), self.issued_root()).unwrap();
    }

    /// Counts the certificates that were asked for so far.
    pub(crate) fn issued(&self) -> usize {
        let log = self.server.shell(&["journalctl", "-o", "cat", "-u", "lab-pebble.service"]).ok();
        log.lines().filter(|line| line.contains("Issued certificate serial")).count()
    }

    /// Ends the authority; the name server goes on.
    pub(crate) fn stop(&self) {
        self.server.shell(&["systemctl", "stop", "lab-pebble.service"]).ok();
    }

    fn fetch(&self, url: &str) -> Option<String> {
        let root = Path::new(DIRECTORY).join("root.pem");
        let root = root.to_str().expect("it is UTF-8");
        let answer = self.server.shell(&["curl", "-sSf", "--cacert", root, url]);
        (answer.code == 0).then_some(answer.stdout)
    }
}
