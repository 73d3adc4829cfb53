//! A runner: runs a step's script with bash, as GitHub's does.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::workflow::Step;

/// A machine with a check-out and the programs of the tests.
pub(crate) struct Runner {
    directory: TempDir,
}

/// What a step did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) success: bool,
    /// What it printed, on both channels.
    pub(crate) log: String,
}

impl Runner {
    /// Starts with an empty check-out, and the real `deploy`.
    pub(crate) fn new() -> Self {
        let runner = Self { directory: tempfile::tempdir().unwrap() };
        for directory in ["bin", "home", "temp", "checkout"] {
            fs::create_dir(runner.path(directory)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_deploy"), runner.path("bin/deploy")).unwrap();
        runner
    }

    /// Starts with the check-out of a new platform repository.
    pub(crate) fn with_platform() -> Self {
        let runner = Self::new();
        let ran = runner.shell(
            "git config --global user.name Ana
             git config --global user.email ana@example.com
             deploy init . >init.log && rm init.log",
        );
        assert!(ran.success, "{ran:?}");
        runner
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    pub(crate) fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_default()
    }

    /// Writes a file of the check-out.
    pub(crate) fn write(&self, below: &str, text: &str) {
        let path = self.path("checkout").join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Puts a program that stands for another one before it on the PATH.
    pub(crate) fn double(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        // Not through the link to the real one.
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Puts a program there that writes its arguments into `<name>.log`, one a line.
    pub(crate) fn recorder(&self, name: &str) {
        let log = self.path(&format!("{name}.log"));
        self.double(name, &format!("printf '%s\\n' \"$@\" >>'{}'", log.display()));
    }

    /// Puts a `deploy` there that records its arguments too, and fails unless the real one takes
    /// them: it reads its command line before it finds that there is no platform repository.
    pub(crate) fn parser(&self) {
        let elsewhere = self.path("elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        let log = self.path("deploy.log");
        self.double(
            "deploy",
            &format!(
                "printf '%s\\n' \"$@\" >>'{}'\nsaid=$('{}' -C '{}' \"$@\" 2>&1 </dev/null)\n\
                 [[ $said == *'no `config/deploy.toml` in '* ]] || {{ echo \"$said\"; exit 2; }}",
                log.display(),
                env!("CARGO_BIN_EXE_deploy"),
                elsewhere.display(),
            ),
        );
    }

    /// Runs a step. `values` are those of the expressions in its `env`, each of which has to
    /// have one; `event` is that of the workflow.
    pub(crate) fn run(&self, step: &Step, event: &[(&str, &str)], values: &[(&str, &str)]) -> Ran {
        let mut variables = BTreeMap::new();
        for (name, value) in &step.env {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            variables.insert(name.clone(), evaluate(&value, values));
        }
        for (name, value) in event {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        self.bash(step.run.as_deref().unwrap(), &variables)
    }

    /// Runs a script of the test's own.
    pub(crate) fn shell(&self, script: &str) -> Ran {
        self.bash(script, &BTreeMap::new())
    }

    fn bash(&self, script: &str, variables: &BTreeMap<String, String>) -> Ran {
        let file = self.path("step.sh");
        fs::write(&file, script).unwrap();
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&file)
            .current_dir(self.path("checkout"))
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("RUNNER_TEMP", self.path("temp"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_PATH", self.path("added-to-path"))
            .env("GITHUB_ACTIONS", "true")
            .envs(variables)
            .output()
            .unwrap();
        let mut log = String::from_utf8_lossy(&output.stdout).into_owned();
        log.push_str(&String::from_utf8_lossy(&output.stderr));
        Ran { success: output.status.success(), log }
    }

    /// Returns an output of the steps so far.
    pub(crate) fn output(&self, name: &str) -> String {
        let outputs = self.read("output");
        let line = outputs.lines().rev().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("there is no output `{name}`: {outputs}")).to_owned()
    }

    /// Fails where a hostile text was run: each of them would leave a file `touched`.
    pub(crate) fn expect_untouched(&self) {
        let mut left = vec![self.directory.path().to_owned()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                assert_ne!(path.file_name().unwrap(), "touched", "{path:?}");
                if path.is_dir() && !path.is_symlink() {
                    left.push(path);
                }
            }
        }
    }
}

/// Texts that do something where a shell reads them as code.
pub(crate) const HOSTILE: [&str; 6] = [
    "$(touch touched)",
    "`touch touched`",
    "\"; touch touched; \"",
    "'; touch touched; '",
    "a\ntouch touched",
    "--config-from=working-tree",
];

fn evaluate(text: &str, values: &[(&str, &str)]) -> String {
    let mut value = text.to_owned();
    while let Some(start) = value.find("${{") {
        let end = start + value[start..].find("}}").unwrap();
        let expression = value[start + 3..end].trim();
        let known = values.iter().find(|(name, _)| *name == expression);
        let (_, known) = known.unwrap_or_else(|| panic!("no value for `{expression}`"));
        value.replace_range(start..end + 2, known);
    }
    value
}

/// Tells whether a program is on this machine.
pub(crate) fn is_installed(program: &Path) -> bool {
    let found = Command::new("sh").arg("-c").arg("command -v \"$0\"").arg(program).output();
    found.is_ok_and(|found| found.status.success())
}
