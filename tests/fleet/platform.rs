//! A platform repository with many hosts. Their servers are directories of this machine, below
//! which the agent works, with programs that answer as a server's would.

#![expect(clippy::disallowed_methods, reason = "runs the program and writes a repository")]

use std::{
    fs::{self, Permissions},
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

const PER_SERVER: usize = 10;
const ADDONS: usize = 30;
const SECRET: &str = "s3cr3t-of-the-fleet";

/// What the servers' programs answer.
const PROGRAMS: [(&str, &str); 5] = [
    (
        "psql",
        // Counts who looks. No database is there: to what is asked of each, the answer is empty.
        "echo x >>\"${0%/bin/psql}/looks\"\n\
         echo '{\"version\": 170000, \"may_create\": true, \"databases\": []}'\n\
         while IFS= read -r question; do case $question in *circumstances*) echo '{}' ;; esac; done",
    ),
    ("setpriv", "echo 'Odoo Server 19.0-20260101'"),
    ("systemctl", ":"),
    ("ss", ":"),
    ("nginx", ":"),
];

/// The repository, and the machine that stands for all servers.
pub(crate) struct Platform {
    directory: tempfile::TempDir,
}

/// What the program did.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
    /// The most memory that it had, in kilobytes.
    pub(crate) peak: u64,
    pub(crate) took: Duration,
}

impl Run {
    /// Returns the objects of an event.
    pub(crate) fn of(&self, event: &str) -> Vec<&Value> {
        self.events.iter().filter(|object| object["event"] == event).collect()
    }
}

impl Platform {
    /// Makes one with so many hosts, each of whose units is a text of `bytes` bytes more.
    pub(crate) fn new(hosts: usize, bytes: usize) -> Self {
        let platform = Self { directory: tempfile::tempdir().unwrap() };
        for directory in ["home", "bin", "controller", "server/etc", "server/usr/bin", "server/opt"]
        {
            fs::create_dir_all(platform.path(directory)).unwrap();
        }
        platform.script("server/usr/bin/odoo", ":");
        for (name, text) in PROGRAMS {
            platform.script(&format!("bin/{name}"), text);
        }
        // Counts how often the program asks Git.
        let log = platform.path("git.log");
        let git = format!("echo x >>'{}'\nexec /usr/bin/git \"$@\"", log.display());
        platform.script("controller/git", &git);
        let passwd = "odoo:x:0:0::/var/lib/odoo:/usr/sbin/nologin\n";
        fs::write(platform.path("server/etc/passwd"), passwd).unwrap();
        fs::write(platform.path("server/etc/group"), "odoo:x:0:\n").unwrap();
        let root = platform.path("platform");
        platform.run(&["init", root.to_str().unwrap()]);
        platform.describe(&root, hosts);
        platform.write_code(&root, bytes);
        platform.publish();
        platform
    }

    fn describe(&self, root: &Path, number: usize) {
        let hosts = root.join("config/hosts");
        fs::remove_dir_all(&hosts).unwrap();
        fs::create_dir(&hosts).unwrap();
        let mut settings = fs::read_to_string(root.join("config/deploy.toml")).unwrap();
        for number in 0..number {
            let server = number / PER_SERVER;
            if number % PER_SERVER == 0 {
                settings.push_str(&format!("\n[servers.s{server}]\nlocal = true\n"));
            }
            let conf = format!(
                "extends = ../base.conf\n\n[options]\ndb_name = h{number}\nworkers = 0\n\
                 http_port = {}\n\n[deploy]\nenvironment = test\nserver = s{server}\ninstall = base\n\n\
                 [deploy.nginx]\nenabled = False\n",
                10000 + number
            );
            fs::write(hosts.join(format!("h{number:03}.example.com.conf")), conf).unwrap();
        }
        fs::write(root.join("config/deploy.toml"), settings).unwrap();
    }

    /// Writes addons, and a template of the unit with comments that a diff shows.
    fn write_code(&self, root: &Path, bytes: usize) {
        for number in 0..ADDONS {
            let addon = root.join(format!("custom-addons/addon_{number}"));
            fs::create_dir_all(addon.join("models")).unwrap();
            let manifest = format!("{{'name': 'Addon {number}', 'license': 'LGPL-3'}}\n");
            fs::write(addon.join("__manifest__.py"), manifest).unwrap();
            for file in 0..5 {
                let text = format!("NUMBER = {number}\n");
                fs::write(addon.join(format!("models/file_{file}.py")), text).unwrap();
            }
        }
        let built_in =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/templates/odoo.service.hbs");
        let mut unit = fs::read_to_string(built_in).unwrap();
        unit.extend((0..bytes / 50).map(|line| format!("# {line:047}\n")));
        let templates = root.join("deployment/templates");
        fs::create_dir_all(&templates).unwrap();
        fs::write(templates.join("odoo.service.hbs"), unit).unwrap();
    }

    fn publish(&self) {
        let origin = self.path("origin.git");
        let origin = origin.to_str().unwrap();
        self.git(&["init", "-q", "--bare", origin]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "-m", "Many hosts"]);
        self.git(&["branch", "-f", "test"]);
        self.git(&["remote", "add", "origin", origin]);
        self.git(&["push", "-q", "origin", "--all"]);
    }

    /// Writes a hook of the working tree.
    pub(crate) fn hook(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path("platform/deployment/hooks")).unwrap();
        self.script(&format!("platform/deployment/hooks/{name}"), text);
    }

    /// Returns what hooks wrote into files below `seen`, by the files' names.
    pub(crate) fn seen(&self) -> Vec<(String, Value)> {
        let entries = fs::read_dir(self.path("seen")).into_iter().flatten();
        let read = |entry: fs::DirEntry| {
            let object = serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap();
            (entry.file_name().into_string().unwrap(), object)
        };
        let mut seen: Vec<_> = entries.map(|entry| read(entry.unwrap())).collect();
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        seen
    }

    /// Tells how often the program asked Git, and begins to count anew.
    pub(crate) fn questions_to_git(&self) -> usize {
        let asked = fs::read_to_string(self.path("git.log")).unwrap_or_default();
        fs::write(self.path("git.log"), "").unwrap();
        asked.lines().count()
    }

    /// Tells how often a host was looked at, and begins to count anew.
    pub(crate) fn looks(&self) -> usize {
        let looks = fs::read_to_string(self.path("looks")).unwrap_or_default();
        fs::write(self.path("looks"), "").unwrap();
        looks.lines().count()
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    fn script(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    fn scrub(&self, command: &mut Command) {
        command
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("controller").display()),
            )
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("ODOO_ADMIN_PASSWD", SECRET)
            .env("ODOO_DEPLOY_CACHE", self.path("cache"))
            .env("ODOO_DEPLOY_LOCAL_ROOT", self.path("server"))
            .env("ODOO_DEPLOY_LOCAL_PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .stdin(Stdio::null());
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        self.scrub(&mut git);
        git.arg("-C").arg(self.path("platform")).args([
            "-c",
            "user.name=Ana",
            "-c",
            "user.email=ana@example.com",
        ]);
        assert!(git.args(arguments).status().unwrap().success(), "git {arguments:?}");
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    /// Runs the program with more variables.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
        self.scrub(&mut command);
        command.envs(variables.iter().copied());
        let root = self.path("platform");
        if root.exists() {
            command.arg("-C").arg(root);
        }
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let printed = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        let said = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).map(|_| text)
        });
        let mut peak = 0;
        let status = loop {
            peak = peak.max(memory(child.id()));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            thread::sleep(Duration::from_millis(20));
        };
        let printed = printed.join().unwrap().unwrap();
        assert!(!printed.contains(SECRET), "a secret is printed");
        Run {
            code: status.code().unwrap(),
            events: printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            stderr: said.join().unwrap().unwrap(),
            peak,
            took: began.elapsed(),
        }
    }
}

/// The most memory that a process had so far, in kilobytes; 0 where it is gone.
fn memory(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}
