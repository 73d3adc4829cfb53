//! A fleet of five hundred hosts through the real binary. Their servers are directories of
//! this machine, below which the agent works, with programs that answer as a server's would.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]
#![expect(clippy::disallowed_methods, reason = "runs the program and writes a repository")]

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

const HOSTS: usize = 500;
const PER_SERVER: usize = 10;
const SECRET: &str = "s3cr3t-of-the-fleet";

/// What the servers' programs answer.
const PROGRAMS: [(&str, &str); 5] = [
    (
        "psql",
        "cat >/dev/null\necho '{\"version\": 170000, \"may_create\": true, \"databases\": []}'",
    ),
    ("setpriv", "echo 'Odoo Server 19.0-20260101'"),
    ("systemctl", ":"),
    ("ss", ":"),
    ("nginx", ":"),
];

/// A platform repository, and the machine that stands for all servers.
struct Platform {
    directory: tempfile::TempDir,
}

/// What the program did.
struct Run {
    code: i32,
    events: Vec<Value>,
    stderr: String,
    /// The most memory that it had, in kilobytes.
    peak: u64,
}

impl Platform {
    /// Makes one with hosts whose odoo.conf has a text of `bytes` bytes more.
    fn new(bytes: usize) -> Self {
        let platform = Self { directory: tempfile::tempdir().unwrap() };
        for directory in ["home", "bin", "server/etc", "server/usr/bin", "server/opt"] {
            fs::create_dir_all(platform.path(directory)).unwrap();
        }
        platform.script("server/usr/bin/odoo", ":");
        for (name, text) in PROGRAMS {
            platform.script(&format!("bin/{name}"), text);
        }
        let passwd = "odoo:x:0:0::/var/lib/odoo:/usr/sbin/nologin\n";
        fs::write(platform.path("server/etc/passwd"), passwd).unwrap();
        fs::write(platform.path("server/etc/group"), "odoo:x:0:\n").unwrap();
        let root = platform.path("platform");
        platform.run(&["init", root.to_str().unwrap()]);
        platform.describe(&root, bytes);
        platform
    }

    fn describe(&self, root: &Path, bytes: usize) {
        let hosts = root.join("config/hosts");
        fs::remove_dir_all(&hosts).unwrap();
        fs::create_dir(&hosts).unwrap();
        let mut settings = fs::read_to_string(root.join("config/deploy.toml")).unwrap();
        for number in 0..HOSTS {
            let server = number / PER_SERVER;
            if number % PER_SERVER == 0 {
                settings.push_str(&format!("\n[servers.s{server}]\nlocal = true\n"));
            }
            // One line each, which a diff shows.
            let more: String =
                (0..bytes / 50).map(|line| format!("x_{line:08} = {line:030}\n")).collect();
            let conf = format!(
                "extends = ../base.conf\n\n[options]\ndb_name = h{number}\nworkers = 0\n\
                 http_port = {}\n\n[deploy]\nenvironment = test\nserver = s{server}\ninstall = base\n\n\
                 [deploy.nginx]\nenabled = False\n\n[x]\n{more}",
                10000 + number
            );
            fs::write(hosts.join(format!("h{number:03}.example.com.conf")), conf).unwrap();
        }
        fs::write(root.join("config/deploy.toml"), settings).unwrap();
        let origin = self.path("origin.git");
        let origin = origin.to_str().unwrap();
        self.git(root, &["init", "-q", "--bare", origin]);
        self.git(root, &["add", "--all"]);
        self.git(root, &["commit", "-q", "-m", "Five hundred hosts"]);
        self.git(root, &["branch", "-f", "test"]);
        self.git(root, &["remote", "add", "origin", origin]);
        self.git(root, &["push", "-q", "origin", "--all"]);
    }

    fn path(&self, below: &str) -> PathBuf {
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
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("ODOO_ADMIN_PASSWD", SECRET)
            .env("ODOO_DEPLOY_CACHE", self.path("cache"))
            .env("ODOO_DEPLOY_LOCAL_ROOT", self.path("server"))
            .env("ODOO_DEPLOY_LOCAL_PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .stdin(Stdio::null());
    }

    fn git(&self, root: &Path, arguments: &[&str]) {
        let mut git = Command::new("git");
        self.scrub(&mut git);
        git.arg("-C").arg(root).args(["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]);
        assert!(git.args(arguments).status().unwrap().success(), "git {arguments:?}");
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
        self.scrub(&mut command);
        let root = self.path("platform");
        if root.exists() {
            command.arg("-C").arg(root);
        }
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
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
        }
    }
}

/// The most memory that a process had so far, in kilobytes; 0 where it is gone.
fn memory(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

#[test]
fn every_host_is_planned_and_no_diff_is_kept() {
    let platform = Platform::new(100_000);
    let some = platform.run(&["plan", "--hosts", "h0*", "--json", "--exit-code"]);
    let all = platform.run(&["plan", "--environment", "test", "--json", "--exit-code"]);
    assert_eq!((some.code, all.code), (3, 3), "{}", all.stderr);
    let plans: BTreeMap<_, _> = all
        .events
        .iter()
        .filter(|event| event["event"] == "plan")
        .map(|plan| (plan["host"].as_str().unwrap(), plan))
        .collect();
    assert_eq!(plans.len(), HOSTS);
    assert!(plans.values().all(|plan| plan["commit"] == plans["h000.example.com"]["commit"]));

    let shown = |run: &Run| run.events.iter().map(|event| event.to_string().len()).sum::<usize>();
    let more = (shown(&all) - shown(&some)) / 1024;
    let kept = usize::try_from(all.peak.saturating_sub(some.peak)).unwrap();
    assert!(
        kept < more / 2,
        "{more} kB of plans more are shown, and {kept} kB more are held ({} and {} kB)",
        some.peak,
        all.peak
    );
}

#[test]
fn who_is_meant_is_said_clearly() {
    let platform = Platform::new(0);
    let some = platform.run(&["plan", "--hosts", "h01*", "--server", "s1", "--json"]);
    assert_eq!(some.code, 0, "{}", some.stderr);
    assert_eq!(some.events.iter().filter(|event| event["event"] == "plan").count(), 10);
    for (arguments, code, said) in [
        (&["--hosts", "h9*"][..], 2, "no host matches `h9*`"),
        (&["--environment", "tset"], 2, "did you mean `test`"),
        (&["--server", "s77"], 2, "no server `s77`"),
        (&["--environment", "test", "--commit", "abcdef1"], 2, "is for one host"),
        (&["--all", "--batches", "1,x"], 2, "neither a number of hosts nor a part"),
        (&["--all"], 2, "no host is meant"),
        (&["resume"], 2, "no run of this repository is known here"),
        (&["resume", "../x"], 2, "no run `../x` is known here"),
    ] {
        let run = platform.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
    }
}
