//! A platform repository, its server, and the program under test between them.

#![expect(
    clippy::disallowed_methods,
    reason = "runs git and the program, writes what is committed"
)]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{
    content,
    lab::{self, Disk, Server, Turn, lock_file, server_name},
};

/// The host that is deployed.
pub(crate) const HOST: &str = "demo.somosblink.com";
/// Its database.
pub(crate) const DATABASE: &str = "demo";
/// A secret of the host: it must never be printed.
pub(crate) const SECRET: &str = "s3cr3t-planted-by-the-tests";

const PROGRAM: &str = env!("CARGO_BIN_EXE_deploy");
const BRANCHES: &[&str] = &["main", "test", "blink"];

/// One test's server and repository. A test has one world at a time.
pub(crate) struct World {
    server: Server,
    directory: PathBuf,
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The objects that `--json` prints.
    pub(crate) events: Vec<Value>,
}

/// Where the host stands, as its server's files, systemd and PostgreSQL say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostState {
    /// The release that `current` names.
    pub(crate) current: Option<u32>,
    /// Every release and what became of it.
    pub(crate) releases: BTreeMap<u32, String>,
    /// Whether the service runs.
    pub(crate) active: bool,
    pub(crate) main_pid: u32,
    /// Whether Odoo is kept from starting by itself.
    pub(crate) hold: bool,
    /// Whether users see the maintenance page.
    pub(crate) maintenance: bool,
    /// The databases and whether they take connections.
    pub(crate) databases: BTreeMap<String, bool>,
}

impl World {
    /// A server without any host, and a repository that was never deployed.
    pub(crate) fn fresh(name: &str) -> Self {
        let name = server_name(name);
        let turn = Turn::wait_for(&name);
        Self::new(Server::boot(&name, "base", Disk::Folder, Some(turn)))
    }

    /// A server with Debian and sshd only, and a repository that has Odoo 19 installed on it:
    /// `deploy server setup` makes it ready.
    pub(crate) fn bare(name: &str) -> Self {
        let name = server_name(name);
        let turn = Turn::wait_for(&name);
        let world = Self::new(Server::boot(&name, "bare", Disk::Folder, Some(turn)));
        let odoo = "[odoo.\"19.0\"]\npackage = \"odoo-19\"\n\n[servers.vps-1]\nodoo = [\"19.0\"]\n";
        world.edit("config/deploy.toml", "[servers.vps-1]\n", odoo);
        world.commit("Name where Odoo comes from");
        world
    }

    /// A server on which the tip of branch `demo` was deployed before, by this
    /// very program. The commits since only say where the server is.
    pub(crate) fn deployed(name: &str) -> Self {
        Self::deployed_on(name, Disk::Folder)
    }

    /// The same on a disk of that kind.
    pub(crate) fn deployed_on(name: &str, disk: Disk) -> Self {
        let name = server_name(name);
        let turn = Turn::wait_for(&name);
        let lock = Checkpoint::make_sure();
        let server = Server::boot(&name, &Checkpoint::name(), disk, Some(turn));
        let world = Self { directory: work_directory(server.name()), server };
        world.empty_directory();
        for part in ["platform", "origin.git"] {
            let (from, to) = (Checkpoint::directory().join(part), world.directory.join(part));
            program("cp", &["-a", text(&from), text(&to)]);
        }
        drop(lock);
        world.connect("The server has another address");
        world.server.wait_until_served();
        world
    }

    /// A copy of another world's repository for a server that was copied from its.
    pub(crate) fn beside(other: &Self, server: Server) -> Self {
        let world = Self { directory: work_directory(server.name()), server };
        world.empty_directory();
        for part in ["platform", "origin.git"] {
            let (from, to) = (other.directory.join(part), world.directory.join(part));
            program("cp", &["-a", text(&from), text(&to)]);
        }
        world.connect("The copy has another address");
        world
    }

    fn new(server: Server) -> Self {
        let world = Self { directory: work_directory(server.name()), server };
        world.empty_directory();
        let platform = world.repository();
        let made = world.command(&["init", "--demo", text(&platform)]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        program("git", &["init", "-q", "--bare", text(&world.directory.join("origin.git"))]);
        world.git(&["checkout", "-q", "demo"]);
        world.connect("Set the lab up");
        world
    }

    /// Writes the server's address into the repository and pushes all branches there.
    fn connect(&self, subject: &str) {
        let settings = self.read("config/deploy.toml");
        let (before, rest) = settings.split_once("[servers.vps-1]\n").expect("vps-1 is there");
        let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
        let Server { identity, host_key, .. } = &self.server;
        let address = self.server.address();
        let server = format!(
            "[servers.vps-1]\naddress = \"{address}\"\nuser = \"deploy\"\n\
             identity = \"{identity}\"\nhost_key = \"{host_key}\"\n\n"
        );
        self.write("config/deploy.toml", &format!("{before}{server}{after}"));
        let origin = self.directory.join("origin.git");
        let _ = self.try_git(&["remote", "remove", "origin"]);
        self.git(&["remote", "add", "origin", text(&origin)]);
        self.git(&["commit", "-q", "--all", "-m", subject]);
        for branch in BRANCHES {
            self.git(&["branch", "-q", "-f", branch]);
        }
        self.git(&["push", "-q", "origin", "--all"]);
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the root of the platform repository.
    pub(crate) fn repository(&self) -> PathBuf {
        self.directory.join("platform")
    }

    /// Returns the file of a host, relative to the repository.
    pub(crate) fn host_conf(&self, host: &str) -> String {
        format!("config/hosts/{host}.conf")
    }

    /// Replaces a text that is in a file once or more, the first time only.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "`{path}` has no `{from}`:\n{text}");
        self.write(path, &text.replacen(from, to, 1));
    }

    /// Writes a file of the repository.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.repository().join(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Removes a file or a directory of the repository.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.repository().join(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let full = self.repository().join(path);
        fs::read_to_string(&full).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Commits everything to the current branch, pushes it and returns the commit's id.
    pub(crate) fn commit(&self, subject: &str) -> String {
        let id = self.commit_unpushed(subject);
        self.git(&["push", "-q", "origin", "HEAD"]);
        id
    }

    /// Commits everything to the current branch, for this repository only.
    pub(crate) fn commit_unpushed(&self, subject: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Checks a branch out.
    pub(crate) fn checkout(&self, branch: &str) {
        self.git(&["checkout", "-q", branch]);
    }

    /// Makes a branch of the present commit, checks it out and pushes it.
    pub(crate) fn create_branch(&self, name: &str) {
        self.git(&["checkout", "-q", "-b", name]);
        self.git(&["push", "-q", "origin", "HEAD"]);
    }

    /// Runs git in the repository and returns what it printed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.try_git(arguments).unwrap_or_else(|said| panic!("git {arguments:?}: {said}"))
    }

    fn try_git(&self, arguments: &[&str]) -> Result<String, String> {
        let mut git = Command::new("git");
        self.scrub(&mut git);
        let output = git
            .arg("-C")
            .arg(self.repository())
            .args(["-c", "user.name=Ana Torres", "-c", "user.email=ana@taller.example"])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        if output.status.success() { Ok(printed) } else { Err(said) }
    }

    /// Deploys the host (another one where `--host` is given).
    pub(crate) fn deploy(&self, arguments: &[&str]) -> Run {
        self.run(&self.deploy_arguments(arguments))
    }

    /// Deploys, which must succeed.
    pub(crate) fn deploy_ok(&self, arguments: &[&str]) -> Run {
        self.deploy(arguments).expect_code(0)
    }

    /// Returns the command line of a deploy, for tests that end it early.
    pub(crate) fn deploy_command(&self, arguments: &[&str]) -> Command {
        self.command(&self.deploy_arguments(arguments))
    }

    /// Plans, as JSON.
    pub(crate) fn plan(&self, arguments: &[&str]) -> Run {
        let arguments = self.deploy_arguments(arguments);
        self.run(&[&["plan", "--json"], arguments.as_slice()].concat())
    }

    /// Runs any command in the repository.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let run = Run::of(&self.command(arguments).output().unwrap());
        for (name, said) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            assert!(!said.contains(SECRET), "a secret on {name} of {arguments:?}:\n{said}");
        }
        run
    }

    /// Prepares the program: in the repository, with nothing of this machine's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        self.scrub(&mut command);
        command.stdin(Stdio::null()).current_dir(&self.directory);
        command.args(arguments);
        if arguments.first() != Some(&"init") {
            command.arg("-C").arg(self.repository());
        }
        command
    }

    fn scrub(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.directory.join("home"))
            .env("USER", "ana")
            .env("LANG", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("ODOO_DEPLOY_CACHE", self.directory.join("cache"))
            .env("ODOO_ADMIN_PASSWD", SECRET);
    }

    fn deploy_arguments<'a>(&self, arguments: &[&'a str]) -> Vec<&'a str> {
        let names_host = |argument: &&str| *argument == "--host" || argument.starts_with("--host=");
        let host: &[&str] = if arguments.iter().any(names_host) { &[] } else { &["--host", HOST] };
        [host, arguments].concat()
    }

    /// Lists what a database holds: equal texts are equal databases.
    pub(crate) fn database_content(&self, database: &str) -> String {
        content::database_content(&self.server, database)
    }

    /// Looks where the host stands.
    pub(crate) fn state(&self) -> HostState {
        self.state_of(HOST)
    }

    /// Looks where a host of the server stands.
    pub(crate) fn state_of(&self, host: &str) -> HostState {
        let base = self.server.path(Path::new("/opt/odoo").join(host));
        let number = |path: &Path| path.file_name()?.to_str()?.parse().ok();
        let releases = fs::read_dir(base.join("releases")).into_iter().flatten().flatten();
        let state = |entry: fs::DirEntry| {
            let state = fs::read_to_string(entry.path().join("state")).ok()?;
            Some((number(&entry.path())?, state.trim().trim_matches('"').to_owned()))
        };
        let unit = format!("odoo-{host}.service");
        let property = |name: &str| {
            let show = ["systemctl", "show", "--value", "--property", name, &unit];
            self.server.shell(&show).ok().trim().to_owned()
        };
        let databases = self.server.psql(
            "postgres",
            "SELECT datname, datallowconn FROM pg_database
              WHERE NOT datistemplate AND datname <> 'postgres'",
        );
        let database = |line: &str| {
            let (name, open) = line.rsplit_once('|')?;
            Some((name.to_owned(), open == "t"))
        };
        HostState {
            current: fs::read_link(base.join("current")).ok().and_then(|to| number(&to)),
            releases: releases.filter_map(state).collect(),
            active: property("ActiveState") == "active",
            main_pid: property("MainPID").parse().unwrap(),
            hold: base.join("hold").exists(),
            maintenance: base.join("maintenance").exists(),
            databases: databases.lines().filter_map(database).collect(),
        }
    }

    fn empty_directory(&self) {
        let _ = fs::remove_dir_all(&self.directory);
        fs::create_dir_all(self.directory.join("home")).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

impl Run {
    pub(crate) fn of(output: &std::process::Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            events: stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            stdout,
        }
    }

    /// Panics with everything that was printed where it ended otherwise.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Panics where neither stdout nor stderr has the text.
    #[track_caller]
    pub(crate) fn expect_said(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(said, "`{text}` was not said:\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Returns the first object of that kind that `--json` printed.
    #[track_caller]
    pub(crate) fn event(&self, name: &str) -> &Value {
        let event = self.events.iter().find(|event| event["event"] == name);
        event.unwrap_or_else(|| panic!("no `{name}`:\n{}\n{}", self.stdout, self.stderr))
    }
}

/// A server with the first deploy behind it, and the repository of that moment.
struct Checkpoint;

impl Checkpoint {
    fn name() -> String {
        server_name("deployed")
    }

    fn directory() -> PathBuf {
        work_directory(&Self::name())
    }

    /// Makes the checkpoint anew where another program made it, and keeps
    /// others from doing so as long as the file is held.
    fn make_sure() -> File {
        let lock = lock_file(&format!("checkpoint-{}", Self::name()));
        let stamp = blake3::hash(&fs::read(PROGRAM).unwrap()).to_hex().to_string();
        loop {
            lock.lock_shared().unwrap();
            if Self::stamp().as_deref() == Some(&stamp) {
                return lock;
            }
            lock.unlock().unwrap();
            lock.lock().unwrap();
            if Self::stamp().as_deref() != Some(&stamp) {
                Self::make(&stamp);
            }
            lock.unlock().unwrap();
        }
    }

    fn stamp() -> Option<String> {
        if !lab::has_checkpoint(&Self::name()) {
            return None;
        }
        fs::read_to_string(Self::directory().join("stamp")).ok()
    }

    fn make(stamp: &str) {
        let kept = Self::directory();
        let _ = fs::remove_dir_all(&kept);
        fs::create_dir_all(&kept).unwrap();
        // Within the turn of the test that needs it.
        let world = World::new(Server::boot(&server_name("first"), "base", Disk::Folder, None));
        world.deploy_ok(&["--branch", "demo"]);
        world.server.save(&Self::name());
        for part in ["platform", "origin.git"] {
            fs::rename(world.directory.join(part), kept.join(part)).unwrap();
        }
        fs::write(kept.join("stamp"), stamp).unwrap();
    }
}

fn work_directory(name: &str) -> PathBuf {
    // Not below `target`: a platform repository is not made inside another repository.
    std::env::temp_dir().join("odoo-deploy-lab-tests").join(name)
}

fn program(name: &str, arguments: &[&str]) {
    let status = Command::new(name).args(arguments).status().unwrap();
    assert!(status.success(), "{name} {arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the tests' paths are UTF-8")
}
