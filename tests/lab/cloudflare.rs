//! Behind Cloudflare: its certificates, by a small API of the tests' own, and the real
//! addresses of visitors.

#![expect(
    clippy::disallowed_methods,
    reason = "runs openssl and curl, as an authority and a visitor"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use crate::{
    lab::Server,
    world::{HOST, World},
};

const PAGE: &str = "/taller/estado";
const TOKEN: &str = "t0ken-planted-by-the-tests";
/// The address that a request claims to come from.
const CLAIMED: &str = "203.0.113.9";
/// The address that requests of this machine come from.
const OWN: &str = "10.77.0.1";
const TEMPLATE: &str = include_str!("../../src/render/templates/nginx.conf.hbs");

/// The part of Cloudflare's API that certifies servers: an authority of openssl's behind it.
struct Cloudflare {
    endpoint: String,
    directory: tempfile::TempDir,
    done: Arc<Mutex<Done>>,
}

/// What it was asked for, by the ids of certificates.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Done {
    issued: Vec<String>,
    revoked: Vec<String>,
}

impl Cloudflare {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        openssl(
            directory.path(),
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
             -subj /CN=Origin -keyout ca.key -out ca.pem",
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/client/v4", listener.local_addr().unwrap());
        let done = Arc::new(Mutex::new(Done::default()));
        let (shared, path) = (Arc::clone(&done), directory.path().to_owned());
        // It ends with the tests.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &path, &shared);
            }
        });
        Self { endpoint, directory, done }
    }

    fn done(&self) -> Done {
        self.done.lock().unwrap().clone()
    }

    fn root(&self) -> String {
        fs::read_to_string(self.directory.path().join("ca.pem")).unwrap()
    }
}

fn answer(stream: TcpStream, directory: &Path, done: &Mutex<Done>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let found = head.iter().filter_map(|line| line.split_once(": "));
        let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned())
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request: Vec<_> = head[0].split(' ').collect();
    let is_known = header("authorization").is_some_and(|it| it == format!("Bearer {TOKEN}"));
    let (status, result) = match (is_known, request[0], request[1]) {
        (false, ..) => (403, None),
        (_, "POST", "/client/v4/certificates") => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            (200, Some(issue(&body, directory, &mut done.lock().unwrap())))
        }
        (_, "DELETE", path) => {
            let id = path.rsplit('/').next().unwrap().to_owned();
            done.lock().unwrap().revoked.push(id.clone());
            (200, Some(json!({ "id": id })))
        }
        _ => (404, None),
    };
    let errors = if result.is_some() {
        json!([])
    } else {
        json!([{ "code": 10_000, "message": "Authentication error" }])
    };
    let text =
        json!({ "success": result.is_some(), "errors": errors, "messages": [], "result": result });
    let text = text.to_string();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .unwrap();
}

fn issue(body: &Value, directory: &Path, done: &mut Done) -> Value {
    assert_eq!(body["request_type"], "origin-ecc", "{body}");
    let names: Vec<_> =
        body["hostnames"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    fs::write(directory.join("csr.pem"), body["csr"].as_str().unwrap()).unwrap();
    let names: Vec<_> = names.iter().map(|name| format!("DNS:{name}")).collect();
    fs::write(directory.join("names"), format!("subjectAltName={}\n", names.join(","))).unwrap();
    let id = (done.issued.len() + 1).to_string();
    openssl(
        directory,
        &format!(
            "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -set_serial {id} -days 5475 \
             -extfile names -out new.pem"
        ),
    );
    done.issued.push(id.clone());
    let certificate = fs::read_to_string(directory.join("new.pem")).unwrap();
    json!({ "id": id, "certificate": certificate, "expires_on": "later" })
}

fn openssl(directory: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    let output =
        command.args(arguments.split_whitespace()).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Asks for the page from this machine, with headers that only a proxy should send.
fn ask_forged(server: &Server, scheme: &str) {
    let port = if scheme == "https" { 443 } else { 80 };
    let output = Command::new("curl")
        .args(["-sSk", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"])
        .args(["--resolve", &format!("{HOST}:{port}:{}", server.address())])
        .args(["-H", &format!("CF-Connecting-IP: {CLAIMED}")])
        .args(["-H", &format!("X-Forwarded-For: {CLAIMED}")])
        .args(["-H", &format!("X-Real-IP: {CLAIMED}")])
        .arg(format!("{scheme}://{HOST}{PAGE}"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "200", "{output:?}");
}

/// Returns from whom the last request for the page came, as nginx and as Odoo log it.
fn logged(server: &Server) -> (String, String) {
    let nginx = server.script(&format!("grep -F '{PAGE}' /var/log/nginx/access.log | tail -1"));
    let first = |text: String| text.split_whitespace().next().unwrap_or_default().to_owned();
    // Odoo's line is in the journal a moment after its answer.
    let journal = format!(
        "journalctl -o cat -u odoo-{HOST}.service | grep -F 'GET {PAGE}' | tail -1 |
           sed 's/.*werkzeug: //'"
    );
    (first(nginx.stdout), first(server.script(&journal).stdout))
}

#[track_caller]
fn came_from(server: &Server, scheme: &str, address: &str) {
    server.script("truncate -s 0 /var/log/nginx/access.log").ok();
    ask_forged(server, scheme);
    let expected = (address.to_owned(), address.to_owned());
    server.wait_until(&format!("{address} is logged"), |server| logged(server) == expected);
}

/// What of the host's certificates is on the server.
fn certificates(server: &Server) -> String {
    let script = format!(
        "cd /etc/ssl/odoo-deploy/{HOST} && find . -mindepth 1 -printf '%M %u %P %l\\n' | sort
         sha256sum /etc/nginx/sites-enabled/{HOST}"
    );
    server.script(&script).stdout
}

#[test]
fn cloudflare_certifies_a_server_and_says_who_its_visitors_are() {
    let world = World::deployed("cloudflare");
    let server = world.server();
    came_from(server, "http", OWN);

    let cloudflare = Cloudflare::start();
    let settings = world.read("config/deploy.toml");
    let zone = format!(
        "\n[dns.\"somosblink.com\"]\nprovider = \"cloudflare\"\ntoken = \"${{CLOUDFLARE_TOKEN}}\"\n\
         endpoint = \"{}\"\n",
        cloudflare.endpoint
    );
    world.write("config/deploy.toml", &(settings + &zone));
    let wish =
        "[deploy.nginx]\ntls = cloudflare-origin\ncloudflare = True\n[deploy.dns]\nmanage = False";
    world.edit(&world.host_conf(HOST), "[deploy.nginx]", wish);
    world.commit("Come through Cloudflare");

    // A token that may not do it: nothing is touched.
    world.write("config/secrets.env", "CLOUDFLARE_TOKEN=another\n");
    let (state, before) = (world.state(), certificates(server));
    world
        .deploy(&["--branch", "demo"])
        .expect_code(6)
        .expect_said("Cloudflare refuses to issue a certificate: Authentication error (10000)")
        .expect_said("the token needs the permission");
    assert_eq!((world.state(), certificates(server)), (state, before));

    world.write("config/secrets.env", &format!("CLOUDFLARE_TOKEN={TOKEN}\n"));
    let run = world.deploy_ok(&["--branch", "demo"]);
    assert!(!format!("{run:?}").contains(TOKEN), "{run:?}");
    run.expect_said(&format!("obtain one for {HOST} from Cloudflare"));
    server.script(&format!("cat >/root/issued.pem <<'END'\n{}END\n", cloudflare.root())).ok();
    let resolve = format!("{HOST}:443:127.0.0.1");
    let url = format!("https://{HOST}{PAGE}");
    server
        .shell(&["curl", "-sSf", "--resolve", &resolve, "--cacert", "/root/issued.pem", &url])
        .ok();
    let files = certificates(server);
    assert!(files.contains("-rw------- root ") && files.contains("/key.pem"), "{files}");
    let found =
        server.script(&format!("grep -rlF '{TOKEN}' /etc /opt /run /root /var/log /var/lib/odoo"));
    assert_eq!(found.stdout, "");
    world.deploy_ok(&["--branch", "demo"]).expect_said("nothing to do");
    assert_eq!(cloudflare.done().issued, ["1"]);

    // This machine is none of Cloudflare's, whatever it says.
    came_from(server, "https", OWN);
    let trusting = TEMPLATE
        .replace("    real_ip_header", &format!("    set_real_ip_from {OWN};\n    real_ip_header"));
    world.write("deployment/templates/nginx.conf.hbs", &trusting);
    world.commit("Take this machine for Cloudflare");
    world.deploy_ok(&["--branch", "demo"]).expect_said("the vhost is live");
    came_from(server, "https", CLAIMED);

    // What was issued for a deploy that came to nothing is revoked, and gone.
    world.edit(
        &world.host_conf(HOST),
        "cloudflare = True",
        "cloudflare = True\naliases = www.somosblink.com",
    );
    world
        .write("deployment/templates/nginx.conf.hbs", &trusting.replace("gzip on", "gzip perhaps"));
    world.commit("Break the vhost");
    let before = certificates(server);
    world.deploy(&["--branch", "demo"]).expect_code(6).expect_said("nginx rejects");
    assert_eq!(certificates(server), before);
    let done = Done { issued: vec!["1".into(), "2".into()], revoked: vec!["2".into()] };
    assert_eq!(cloudflare.done(), done);
}
