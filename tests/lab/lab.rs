//! Servers of the lab, as the tests use them.

#![expect(clippy::disallowed_methods, reason = "runs the lab")]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::world::HOST;

const LAB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deployment/lab/lab");
/// How many servers run at once, whoever tests on this machine.
const SERVERS_AT_ONCE: usize = 3;
/// How long a server's answer may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of the lab. It is stopped at the end, and kept only where the test failed.
pub(crate) struct Server {
    name: String,
    address: String,
    root: PathBuf,
    pub(super) identity: String,
    pub(super) host_key: String,
    _turn: Option<Turn>,
}

/// What a server's disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// A folder of this machine: everything written is there after a kill.
    Folder,
    /// An image, which loses what was not synced when the power is cut.
    Image,
}

/// The right to run a server of this name.
pub(super) struct Turn {
    _name: File,
    _slot: File,
}

impl Turn {
    /// Waits until nobody else uses the name and few enough servers run.
    pub(super) fn wait_for(name: &str) -> Self {
        let file = lock_file(&format!("server-{name}"));
        file.lock().unwrap();
        Self { _name: file, _slot: a_slot() }
    }
}

/// What a program on a server left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What a server answered over HTTP; names of headers are in lower case.
#[derive(Debug, Clone)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Output {
    /// Returns what was printed; panics where the program failed.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    fn of(output: process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Server {
    /// Boots a server with a fresh disk.
    pub(super) fn boot(name: &str, checkpoint: &str, disk: Disk, turn: Option<Turn>) -> Self {
        let _ = run(&["kill", name]);
        let disk: &[&str] = match disk {
            Disk::Folder => &[],
            Disk::Image => &["--disk"],
        };
        run(&[&["up"], disk, &["--from", checkpoint, name]].concat()).ok();
        let env = run(&["env", name]).ok();
        let value = |key: &str| {
            let line = env.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("`lab env` says no {key}")).to_owned()
        };
        Self {
            name: name.to_owned(),
            address: value("ADDRESS"),
            root: value("ROOT").into(),
            identity: value("IDENTITY"),
            host_key: value("HOST_KEY"),
            _turn: turn,
        }
    }

    /// Boots a server without any host, whose power may be cut.
    pub(crate) fn on_an_image(name: &str) -> Self {
        let name = server_name(name);
        let turn = Turn::wait_for(&name);
        Self::boot(&name, "base", Disk::Image, Some(turn))
    }

    /// Keeps the disk as a checkpoint.
    pub(super) fn save(&self, checkpoint: &str) {
        run(&["save", &self.name, checkpoint]).ok();
    }

    /// Runs a lab command on this server: `kill`, `up`, `link … down`, …
    pub(crate) fn lab(&self, command: &str, arguments: &[&str]) -> Output {
        run(&[&[command, &self.name], arguments].concat())
    }

    /// Runs a program as root.
    pub(crate) fn shell(&self, command: &[&str]) -> Output {
        run(&[&["shell", &self.name], command].concat())
    }

    /// Runs a script of bash as root.
    pub(crate) fn script(&self, text: &str) -> Output {
        self.with_stdin(&["bash", "-s"], text)
    }

    /// Runs SQL as PostgreSQL's administrator and returns the rows, `|` between columns.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let psql = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database];
        let command = [&["runuser", "-u", "postgres", "--"], psql.as_slice()].concat();
        self.with_stdin(&command, sql).ok().trim_end().to_owned()
    }

    /// Returns the directory of this machine under which the server's files are.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    /// Returns a file's place on this machine.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root().join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the server's public key, as `host_key` takes it.
    pub(crate) fn host_key(&self) -> &str {
        &self.host_key
    }

    /// Asks nginx, as an outsider.
    pub(crate) fn get(&self, path: &str) -> HttpAnswer {
        self.get_as(HOST, path)
    }

    /// Asks nginx for another host.
    pub(crate) fn get_as(&self, host: &str, path: &str) -> HttpAnswer {
        ask(&self.address, host, path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Asks Odoo itself, on the server.
    pub(crate) fn odoo_get(&self, path: &str) -> HttpAnswer {
        let url = format!("http://127.0.0.1:8269{path}");
        let host = format!("Host: {HOST}");
        let answer = self.shell(&["curl", "-sS", "-i", "--http1.0", "-H", &host, &url]).ok();
        HttpAnswer::parse(&answer).unwrap_or_else(|error| panic!("GET {url}: {error}"))
    }

    /// Waits until something holds; panics with `what` where it never does.
    pub(crate) fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "{}: {what}: never", self.name);
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until Odoo serves pages through nginx.
    pub(crate) fn wait_until_served(&self) {
        self.wait_until("the login page answers", |server| {
            ask(&server.address, HOST, "/web/login").is_ok_and(|answer| answer.status == 200)
        });
    }

    /// Starts a program as root and lets the caller talk with it.
    pub(crate) fn start(&self, command: &[&str]) -> Child {
        Command::new(LAB)
            .args(["shell", &self.name])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn with_stdin(&self, command: &[&str], text: &str) -> Output {
        let mut child = self.start(command);
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A program that ends early says why by its code.
        let _ = stdin.write_all(text.as_bytes());
        drop(stdin);
        Output::of(child.wait_with_output().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let command = if std::thread::panicking() { "kill" } else { "clean" };
        let _ = run(&[command, &self.name]);
    }
}

impl HttpAnswer {
    fn parse(text: &str) -> Result<Self, String> {
        let (head, body) = text.split_once("\r\n\r\n").ok_or("the answer is cut off")?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        Ok(Self {
            status: status.ok_or("the answer has no status")?,
            body: body.to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect(),
        })
    }
}

/// Makes one request on a connection of its own.
pub(super) fn ask(address: &str, host: &str, path: &str) -> Result<HttpAnswer, String> {
    let exchange = || {
        let mut stream = TcpStream::connect((address, 80))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    HttpAnswer::parse(&exchange().map_err(|error| error.to_string())?)
}

/// Tells whether the lab has a checkpoint of this name.
pub(super) fn has_checkpoint(name: &str) -> bool {
    let list = run(&["list"]).ok();
    list.lines().any(|line| line.split_whitespace().eq([name, "checkpoint"]))
}

/// Forgets a checkpoint.
pub(super) fn drop_checkpoint(name: &str) {
    run(&["drop", name]).ok();
}

/// Names a server. Tests of several working copies run beside each other.
pub(super) fn server_name(name: &str) -> String {
    let copy = blake3::hash(env!("CARGO_MANIFEST_DIR").as_bytes()).to_hex();
    format!("t-{name}-{}", &copy[..4])
}

fn run(arguments: &[&str]) -> Output {
    Output::of(Command::new(LAB).args(arguments).stdin(Stdio::null()).output().unwrap())
}

fn a_slot() -> File {
    loop {
        for slot in 0..SERVERS_AT_ONCE {
            let file = lock_file(&format!("slot-{slot}"));
            if file.try_lock().is_ok() {
                return file;
            }
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Opens the file whose lock stands for a name.
pub(super) fn lock_file(name: &str) -> File {
    let directory = Path::new("/run/lock/odoo-deploy-lab-tests");
    fs::create_dir_all(directory).unwrap();
    File::create(directory.join(name)).unwrap()
}
