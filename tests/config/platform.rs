//! The real binary in a platform repository of its own.

#![expect(clippy::disallowed_methods, reason = "runs the program and writes a repository")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

/// A new platform repository, and the program in it.
pub(crate) struct Platform {
    directory: tempfile::TempDir,
}

/// What the program did.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) said: String,
    pub(crate) events: Vec<Value>,
}

impl Platform {
    pub(crate) fn new() -> Self {
        let platform = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(platform.directory.path().join("home")).unwrap();
        platform.command(&["init", platform.root().to_str().unwrap()]).output().unwrap();
        platform.git(&["config", "user.name", "Ana"]);
        platform.git(&["config", "user.email", "ana@taller.example"]);
        platform
    }

    /// A repository with a remote whose server nobody answers at: a deploy fetches its
    /// commit and comes no further.
    pub(crate) fn unreachable() -> Self {
        let platform = Self::new();
        let settings = platform.read("config/deploy.toml");
        let nobody = "address = \"127.0.0.1\"\nport = 1";
        let settings = settings.replace("address = \"vps-1.example.net\"", nobody);
        platform.write("config/deploy.toml", &settings);
        let remote = platform.directory.path().join("remote.git");
        let remote = remote.to_str().unwrap();
        platform.git(&["init", "--bare", remote]);
        platform.git(&["remote", "add", "origin", remote]);
        platform.publish();
        platform
    }

    /// Commits everything and pushes it to the branch of the host `demo.somosblink.com`.
    pub(crate) fn publish(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "Fix <!channel> the till"]);
        self.git(&["push", "--quiet", "origin", "HEAD:demo"]);
    }

    /// Adds to `config/deploy.toml`.
    pub(crate) fn configure(&self, text: &str) {
        let settings = self.read("config/deploy.toml");
        self.write("config/deploy.toml", &format!("{settings}\n{text}\n"));
        self.publish();
    }

    /// Writes a program.
    pub(crate) fn program(&self, path: &str, body: &str) {
        self.write(path, &format!("#!/bin/sh\n{body}\n"));
        let path = self.root().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Deploys the demo host with these variables.
    pub(crate) fn deploy(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let root = self.root();
        let base = ["-C", root.to_str().unwrap(), "--host", "demo.somosblink.com"];
        let mut command = self.command(&[&base, arguments].concat());
        Run::of(&command.envs(variables.iter().copied()).output().unwrap())
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("platform")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
        self.scrub(&mut command);
        command.args(arguments);
        command
    }

    pub(crate) fn scrub(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.directory.path().join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("ODOO_ADMIN_PASSWD", "s3cr3t")
            .stdin(std::process::Stdio::null())
            .current_dir(self.directory.path());
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let root = self.root();
        let directory = ["-C", root.to_str().unwrap()];
        Run::of(&self.command(&[arguments, &directory].concat()).output().unwrap())
    }

    /// Adds a client without asking a server.
    pub(crate) fn add(&self, arguments: &[&str]) -> Run {
        self.run(&[&["client", "add", "--offline"], arguments].concat())
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        self.scrub(&mut git);
        let output = git.arg("-C").arg(self.root()).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Every file but Git's own, with what it holds.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut files, mut left) = (BTreeMap::new(), vec![self.root()]);
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with(".git") {
                    left.push(path);
                } else if path.is_file() {
                    let content = fs::read(&path).unwrap();
                    files.insert(path, content);
                }
            }
        }
        files
    }
}

impl Run {
    fn of(output: &Output) -> Self {
        let stdout = String::from_utf8(output.stdout.clone()).unwrap();
        Self {
            code: output.status.code().unwrap(),
            events: stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            said: stdout + &String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32, said: &str) -> Self {
        assert_eq!(self.code, code, "{}", self.said);
        assert!(self.said.contains(said), "`{said}` was not said:\n{}", self.said);
        self
    }

    #[track_caller]
    pub(crate) fn event(&self, name: &str) -> &Value {
        self.events.iter().find(|event| event["event"] == name).expect(name)
    }
}
