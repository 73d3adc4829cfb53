//! Notifications through the real binary, to a web server of the test's own and to a real
//! mail server (Debian's `python3-aiosmtpd`).

#![expect(clippy::disallowed_methods, reason = "starts a mail server and writes its files")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::platform::{Platform, Run};

/// Takes posts for as long as the test runs.
struct WebServer {
    address: String,
    posts: mpsc::Receiver<(String, Value)>,
}

impl WebServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tell, posts) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                tell.send(post(stream.unwrap())).unwrap();
            }
        });
        Self { address, posts }
    }

    /// Returns the path and body of every post so far, by path.
    fn posts(&self) -> Vec<(String, Value)> {
        let mut posts = self.posts.try_iter().collect::<Vec<_>>();
        posts.sort_by(|(one, _), (other, _)| one.cmp(other));
        posts
    }
}

fn post(mut stream: TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 204 None\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), serde_json::from_slice(&body).unwrap())
}

#[test]
fn each_channel_is_told_once_in_its_own_way() {
    let platform = Platform::unreachable();
    let server = WebServer::start();
    platform.configure(
        "[notify.slack]\nwebhook = \"${HOOK}slack\"\n\
         [notify.discord]\nwebhook = \"${HOOK}discord\"\nkind = \"discord\"\n\
         [notify.teams]\nwebhook = \"${HOOK}teams\"\nkind = \"teams\"\n\
         [notify.program]\nwebhook = \"${HOOK}json\"\nkind = \"json\"\nsecret = \"${KEY}\"\n\
         [notify.bot]\ntelegram = { token = \"${TOKEN}\", chat = \"-1\", endpoint = \"ENDPOINT\" }\n\
         [notify.calm]\nwebhook = \"${HOOK}calm\"\non = [\"deployed\"]\n\
         [notify.elsewhere]\nwebhook = \"${HOOK}elsewhere\"\nenvironments = [\"production\"]\n\
         [notify.gone]\nwebhook = \"${NOBODY}\"\n"
            .replace("ENDPOINT", &server.address)
            .as_str(),
    );
    let hook = format!("{}/", server.address);
    let variables = [("HOOK", hook.as_str()), ("KEY", "a-key"), ("TOKEN", "1:abcdefgh")];
    let run = platform.deploy(&["--message", "Ana said <@U1>"], &variables);
    let run = run.expect(5, "warning: notification `gone`: no value for `NOBODY`");
    assert!(!run.said.contains("abcdefgh"), "{}", run.said);
    let posts = server.posts();
    let paths = posts.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>();
    assert_eq!(paths, ["/bot1:abcdefgh/sendmessage", "/discord", "/json", "/slack", "/teams"]);
    let title = "demo.somosblink.com (demo): not deployed, the server cannot be reached";
    assert!(posts[0].1["text"].as_str().unwrap().starts_with(title));
    assert_eq!(posts[1].1["allowed_mentions"], serde_json::json!({ "parse": [] }));
    assert_eq!(posts[2].1["hosts"][0]["ending"], "unreachable");
    assert_eq!(posts[2].1["message"], "Ana said <@U1>");
    assert!(posts[3].1["text"].as_str().unwrap().contains("message: Ana said &lt;@\u{2060}U1&gt;"));
    assert_eq!(posts[4].1["type"], "message");
}

#[test]
fn a_dry_run_tells_nobody() {
    let platform = Platform::unreachable();
    let server = WebServer::start();
    platform.configure("[notify.team]\nwebhook = \"${HOOK}\"");
    platform.deploy(&["--dry-run"], &[("HOOK", &server.address)]).expect(5, "127.0.0.1");
    assert!(server.posts().is_empty());
}

#[test]
fn the_repositorys_own_words_are_used_unless_they_are_broken() {
    let platform = Platform::unreachable();
    let server = WebServer::start();
    let variables = [("HOOK", server.address.as_str())];
    platform
        .configure("[notify.team]\nwebhook = \"${HOOK}\"\n[notify.other]\nwebhook = \"${HOOK}\"");
    let template = "deployment/templates/notification.txt.hbs";
    platform.write(template, "Oh no: {{event}}\n{{#each failed}}{{host}} {{ending}}{{/each}}\n");
    platform.deploy(&[], &variables).expect(5, "127.0.0.1");
    let own = Value::from("Oh no: failed\ndemo.somosblink.com unreachable");
    assert!(server.posts().iter().all(|(_, post)| post["text"] == own));

    platform.write(template, "{{evnet}}");
    let run = platform.deploy(&[], &variables).expect(5, "the built-in text is used");
    assert_eq!(run.said.matches(template).count(), 1, "said once: {}", run.said);
    let posts = server.posts();
    assert_eq!(posts.len(), 2);
    assert!(posts[0].1["text"].as_str().unwrap().starts_with("demo.somosblink.com (demo): "));
}

/// A mail server that keeps what it takes in a directory.
struct MailServer {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
}

/// aiosmtpd with a login, on a free port that it writes down.
const PROGRAM: &str = "
import asyncio, os, ssl, sys
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult

directory, mode = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(directory + '/cert.pem', directory + '/key.pem')

def check(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b'deploy', b's3cr3t-mail')
    return AuthResult(success=right, handled=False)

options = {}
if mode != 'none':
    options = {'authenticator': check, 'auth_required': True}
if mode == 'starttls':
    options |= {'tls_context': context, 'require_starttls': True}
if mode == 'tls':
    options |= {'auth_require_tls': False}

async def serve():
    loop = asyncio.get_running_loop()
    handler = Mailbox(directory + '/mail')
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, **options), '127.0.0.1', 0,
        ssl=context if mode == 'tls' else None)
    with open(directory + '/port.new', 'w') as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(directory + '/port.new', directory + '/port')
    await asyncio.sleep(300)

asyncio.run(serve())
";

impl MailServer {
    /// Starts one; `mode` is the channel's `tls`.
    fn start(mode: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        certificate(path);
        fs::write(path.join("server.py"), PROGRAM).unwrap();
        let mut python = Command::new("/usr/bin/python3");
        python.arg(path.join("server.py")).arg(path).arg(mode).stderr(Stdio::null());
        let mut server = Self { child: python.spawn().unwrap(), port: 0, directory };
        let begun = Instant::now();
        while server.port == 0 {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the mail server starts (package python3-aiosmtpd)");
            assert!(begun.elapsed() < Duration::from_secs(60), "the mail server starts");
            thread::sleep(Duration::from_millis(50));
            let port = fs::read_to_string(server.directory.path().join("port"));
            server.port = port.ok().and_then(|port| port.parse().ok()).unwrap_or(0);
        }
        server
    }

    /// Writes a channel that leads here.
    fn channel(&self, more: &str) -> String {
        format!(
            "[notify.mail]\nemail = {{ server = \"localhost\", port = {}, {more}, \
             from = \"deploy@taller.example\", to = [\"ana@taller.example\", \"bea@taller.example\"] }}",
            self.port
        )
    }

    /// Returns the mails that were taken.
    fn mails(&self) -> Vec<String> {
        let read = fs::read_dir(self.directory.path().join("mail/new"));
        let files = read.into_iter().flatten().map(|file| file.unwrap().path());
        files.map(|file| fs::read_to_string(file).unwrap()).collect()
    }

    fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes an authority and a certificate of `localhost` by it.
fn certificate(directory: &Path) {
    let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let make = |more: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(key).args(["-nodes", "-days", "2"]).args(more.split(' '));
        let made = openssl.current_dir(directory).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    make("-subj /CN=authority -keyout authority-key.pem -out authority.pem");
    make(
        "-subj /CN=localhost -keyout key.pem -out cert.pem -CA authority.pem \
         -CAkey authority-key.pem -addext subjectAltName=DNS:localhost \
         -addext basicConstraints=critical,CA:FALSE",
    );
}

/// Deploys, trusting this mail server's certificate.
fn deploy(platform: &Platform, server: &MailServer, password: &str, message: &str) -> Run {
    let authority = server.authority();
    let authority = authority.to_str().unwrap();
    let variables = [("MAIL_PASSWORD", password), ("SSL_CERT_FILE", authority)];
    platform.deploy(&["--message", message], &variables)
}

const LOGIN: &str = "user = \"deploy\", password = \"${MAIL_PASSWORD}\"";

#[test]
fn a_mail_server_takes_the_message_over_both_kinds_of_tls_with_a_login() {
    for mode in ["starttls", "tls"] {
        let platform = Platform::unreachable();
        let server = MailServer::start(mode);
        platform.configure(&server.channel(&format!("tls = \"{mode}\", {LOGIN}")));
        let run = deploy(&platform, &server, "s3cr3t-mail", "señal\r\nBcc: x@evil.example");
        assert!(!run.said.contains("warning: notification"), "{}", run.said);
        let mails = server.mails();
        assert_eq!(mails.len(), 1, "{mode}: {}", run.said);
        let (head, body) = mails[0].split_once("\n\n").unwrap();
        assert!(head.contains("\nSubject: demo.somosblink.com (demo): not deployed"), "{head}");
        assert!(head.contains("From: deploy@taller.example\n"), "{head}");
        assert!(head.contains("To: ana@taller.example, bea@taller.example\n"), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
        assert!(head.contains("\nX-RcptTo: ana@taller.example, bea@taller.example"), "{head}");
        assert!(!head.to_lowercase().contains("bcc"), "{head}");
        assert!(body.contains("se=C3=B1al Bcc: x@evil.example"), "{body}");
    }
}

#[test]
fn a_title_in_another_language_stays_one_header() {
    let platform = Platform::unreachable();
    let server = MailServer::start("none");
    platform.configure(&server.channel("tls = \"none\""));
    let template = "deployment/templates/notification.txt.hbs";
    platform.write(template, "¡Atención! {{message}}\nsin éxito\n");
    let run = deploy(&platform, &server, "", "a\r\nBcc: x@evil.example");
    assert!(!run.said.contains("warning: notification"), "{}", run.said);
    let mails = server.mails();
    let (head, _) = mails[0].split_once("\n\n").unwrap();
    assert!(head.contains("\nSubject: =?utf-8?"), "{head}");
    assert!(!head.contains("\nBcc"), "{head}");
}

#[test]
fn a_mail_server_that_refuses_is_a_warning_without_the_password() {
    let platform = Platform::unreachable();
    let server = MailServer::start("starttls");
    platform.configure(&server.channel(LOGIN));
    let run = deploy(&platform, &server, "wr0ng-mail", "x");
    let said = format!("notification `mail`: the mail server at localhost:{} did not", server.port);
    let run = run.expect(5, &said).expect(5, "535");
    assert!(!run.said.contains("wr0ng-mail"), "{}", run.said);
    assert!(server.mails().is_empty());
}

#[test]
fn a_message_does_not_travel_in_the_open_where_tls_is_wanted() {
    let platform = Platform::unreachable();
    let server = MailServer::start("none");
    platform.configure(&server.channel("tls = \"starttls\""));
    deploy(&platform, &server, "", "x").expect(5, "warning: notification `mail`: the mail server");
    assert!(server.mails().is_empty());
}

#[test]
fn a_certificate_of_nobody_known_is_not_trusted() {
    let platform = Platform::unreachable();
    let server = MailServer::start("tls");
    platform.configure(&server.channel(&format!("tls = \"tls\", {LOGIN}")));
    let run = platform.deploy(&[], &[("MAIL_PASSWORD", "s3cr3t-mail")]);
    run.expect(5, "invalid peer certificate");
    assert!(server.mails().is_empty());
}
