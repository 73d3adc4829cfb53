//! Runs Odoo's program beside its service: upgrades, load checks, import checks.

mod admin_password;
mod dependencies;
mod follow;
mod run_end;
mod script;

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{FileError, ProgramError, Server, Systemd};
use crate::{
    host::{DatabaseName, ModuleName, UserName},
    odoo::{Series, UpgradeLog},
};

pub(super) use admin_password::PasswordChange;
pub(super) use dependencies::{DependencyCheck, MissingDependency};
use follow::Follower;
pub use run_end::RunEnd;
use run_end::read_end;
use script::{Script, script};

const IMPORT_CHECK: &str = script!("import_check.py");

/// The name an upgrade's sessions have in PostgreSQL.
pub const UPGRADE_SESSION: &str = "odoo-deploy-upgrade";
/// The name a check's sessions have in PostgreSQL.
pub const CHECK_SESSION: &str = "odoo-deploy-check";

/// Odoo as it is installed on a server, and who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooProgram {
    /// Its program.
    pub path: PathBuf,
    /// The interpreter it runs under.
    pub python: PathBuf,
    /// Whether that interpreter has to start it, in place of the one its first line names.
    pub is_started_by_python: bool,
    /// Its series.
    pub series: Series,
    /// The system user.
    pub user: UserName,
    /// The group.
    pub group: UserName,
    /// A file of environment variables the service has, too; secrets may be in it.
    pub environment_file: Option<PathBuf>,
}

/// Whether terms that users translated themselves give way to the modules' own.
///
/// Without overwriting, a term changed in a module's `.po` file stays as it was in
/// the database (tried on 19.0); with it, users' own translations are lost (tried).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Translations {
    /// Terms in the database stay; new ones are added.
    Keep,
    /// The modules' terms replace them.
    Overwrite,
}

/// What Odoo is run for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OdooJob {
    /// Installs and upgrades modules.
    Upgrade {
        /// `-i`
        install: Vec<ModuleName>,
        /// `-u`
        upgrade: Vec<ModuleName>,
        /// Whether users' translations stay.
        translations: Translations,
    },
    /// Loads the registry and ends; writes nothing, unless the database is in a state
    /// in which the series upgrades it all the same.
    Load,
}

/// One run of Odoo with `--stop-after-init`, in a unit of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooRun {
    /// The transient unit's name.
    pub unit: String,
    /// The release's odoo.conf.
    pub conf: PathBuf,
    /// The database.
    pub database: DatabaseName,
    /// What it is for.
    pub job: OdooJob,
    /// Where everything it says is appended.
    pub log: PathBuf,
    /// The longest it may take.
    pub timeout: Duration,
    /// A file that ends it when it appears.
    pub stop_file: PathBuf,
}

/// A try whether modules import, in a unit of its own.
#[derive(Debug, Clone, Copy)]
pub struct ImportCheck<'a> {
    /// The transient unit's name.
    pub unit: &'a str,
    /// The release's odoo.conf.
    pub conf: &'a Path,
    /// The modules.
    pub modules: &'a [ModuleName],
    /// The longest it may take.
    pub timeout: Duration,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooRunReport {
    /// How it ended.
    pub end: RunEnd,
    /// What it said, and no run before it in the same file.
    pub log: UpgradeLog,
}

impl OdooRunReport {
    /// Says in one sentence why the run was no success; none where neither its end
    /// nor its log speaks against it. The states of the modules are still to be
    /// looked at.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.end.problem(&self.log)
    }
}

/// A module whose Python does not import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportFailure {
    /// The module; none where Odoo itself or its configuration is the reason.
    pub module: Option<ModuleName>,
    /// The exception.
    pub cause: String,
    /// The file it came from, where that is known.
    pub file: Option<PathBuf>,
    /// The line, from 1.
    pub line: Option<usize>,
}

/// A run that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OdooRunError {
    /// A program did not start or failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The log could not be written or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The run cannot be watched.
    #[error("failed to watch `{unit}`")]
    Watch {
        /// The unit.
        unit: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The import check did not answer.
    #[error("the import check did not answer: {0}")]
    NoAnswer(String),
    /// `--version` said something else.
    #[error("`{program}` is no Odoo of a known series: it says `{said}`")]
    Version {
        /// The program.
        program: PathBuf,
        /// What it says.
        said: String,
    },
}

impl OdooProgram {
    /// Runs Odoo in a transient unit and waits for it; every line it says is handed
    /// on as it comes.
    ///
    /// # Errors
    /// Fails when the unit cannot be started or watched; how Odoo ended is no error.
    pub fn run(
        &self,
        server: &Server,
        run: &OdooRun,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<OdooRunReport, OdooRunError> {
        let log = server.path(&run.log);
        let at = |operation| FileError::at(operation, &run.log);
        // Root creates it: systemd's own would be readable by all.
        fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log)
            .map_err(at("write"))?;
        let mut follower = Follower::at_end(&log).map_err(at("read"))?;
        let mut command = self.unit_command(server, run);
        let mut said = String::new();
        let mut on_line = |line: &str| {
            on_line(line);
            said.push_str(line);
            said.push('\n');
        };
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| ProgramError::Start { program: "systemd-run".to_owned(), source })?;
        let watch = |source| OdooRunError::Watch { unit: run.unit.clone(), source };
        let mut stopped = false;
        while child.try_wait().map_err(watch)?.is_none() {
            follower.read(&mut on_line).map_err(at("read"))?;
            if !stopped && server.path(&run.stop_file).exists() {
                stopped = true;
                Systemd::new(server).stop(&run.unit)?;
            }
            std::thread::sleep(POLL);
        }
        let output = child.wait_with_output().map_err(watch)?;
        follower.read(&mut on_line).map_err(at("read"))?;
        let end = match stopped {
            true => RunEnd::Stopped,
            false => read_end(&String::from_utf8_lossy(&output.stderr), output.status.code()),
        };
        if matches!(end, RunEnd::Unknown(_)) {
            // Whoever waited for it is gone; it may still work on the database.
            let systemd = Systemd::new(server);
            if systemd.state(&run.unit)?.main_pid.is_some() {
                systemd.stop(&run.unit)?;
            }
        }
        Ok(OdooRunReport { end, log: UpgradeLog::read(&said) })
    }

    /// Imports the Python of modules, and nothing else: no registry is made and no
    /// database opened.
    ///
    /// # Errors
    /// Fails when the check itself does not run within the time given.
    pub fn import_check(
        &self,
        server: &Server,
        check: &ImportCheck<'_>,
    ) -> Result<Vec<ImportFailure>, OdooRunError> {
        let ImportCheck { unit, conf, timeout, .. } = *check;
        let script = Script { text: IMPORT_CHECK, unit, conf, timeout };
        let mut command = self.script(server, &script);
        command.args(check.modules.iter().map(ModuleName::as_str));
        let output = server.output(&mut command)?;
        serde_json::from_str(&output.stdout).map_err(|_| OdooRunError::NoAnswer(output.message()))
    }

    /// Asks Odoo's program for its series.
    ///
    /// # Errors
    /// Fails when the program does not run or its series is not known.
    pub fn installed_series(&self, server: &Server) -> Result<Series, OdooRunError> {
        let mut command = server.command_as(&self.user, &self.group, "timeout");
        let said = server.run(command.arg("60").arg(&self.path).arg("--version"))?;
        read_version(&said).ok_or_else(|| OdooRunError::Version {
            program: self.path.clone(),
            said: said.trim().to_owned(),
        })
    }

    fn unit_command(&self, server: &Server, run: &OdooRun) -> Command {
        let session = match run.job {
            OdooJob::Upgrade { .. } => UPGRADE_SESSION,
            OdooJob::Load => CHECK_SESSION,
        };
        let mut command = self.transient(server, run.timeout, session);
        let mut output = OsString::from("StandardOutput=append:");
        output.push(&run.log);
        command.arg("--unit").arg(&run.unit).arg("--property").arg(output);
        command.args(["--property=StandardError=inherit", "--"]);
        if self.is_started_by_python {
            command.arg(escaped_path(&self.python));
        }
        command.arg(escaped_path(&self.path));
        command.args(self.arguments(run));
        command
    }

    /// Prepares a transient unit that runs as Odoo's user.
    fn transient(&self, server: &Server, timeout: Duration, session: &str) -> Command {
        let mut command = server.command("systemd-run");
        command.args(["--collect", "--wait"]);
        command.arg(format!("--property=User={}", self.user));
        command.arg(format!("--property=Group={}", self.group));
        command.arg(format!("--property=RuntimeMaxSec={}", timeout.as_secs().max(1)));
        command.args(["--property=TimeoutStopSec=10", "--property=OOMPolicy=kill"]);
        if let Some(path) = &self.environment_file {
            command.arg(format!("--property=EnvironmentFile={}", path.display()));
        }
        let variable = self.series.rules().session_variable;
        command.arg(format!("--setenv={variable}={session}"));
        command
    }

    /// Returns Odoo's arguments. With `--workers=0` it binds no port, which
    /// belongs to the service; a limit on memory meant for workers would end it.
    fn arguments(&self, run: &OdooRun) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["-c".into(), escaped_path(&run.conf)];
        arguments.extend(["-d".into(), run.database.as_str().into()]);
        if let OdooJob::Upgrade { install, upgrade, translations } = &run.job {
            for (option, modules) in [("-i", install), ("-u", upgrade)] {
                if !modules.is_empty() {
                    let names: Vec<_> = modules.iter().map(ModuleName::as_str).collect();
                    arguments.extend([option.into(), names.join(",").into()]);
                }
            }
            if !install.is_empty() {
                arguments.push(self.series.rules().without_demo.into());
            }
            // Odoo refuses it where nothing is upgraded; what is installed is new.
            if *translations == Translations::Overwrite && !upgrade.is_empty() {
                arguments.push("--i18n-overwrite".into());
            }
        }
        arguments.extend(ALWAYS.map(OsString::from));
        arguments
    }
}

const ALWAYS: [&str; 6] = [
    "--stop-after-init",
    "--no-http",
    "--workers=0",
    "--max-cron-threads=0",
    "--limit-memory-hard=0",
    "--logfile=",
];
const POLL: Duration = Duration::from_millis(200);

/// Doubles what systemd would expand in a command line.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn escaped_path(path: &Path) -> OsString {
    path.to_str().map_or_else(|| path.as_os_str().to_owned(), |text| escaped(text).into())
}

/// Reads `Odoo Server 18.0-20250821`.
fn read_version(said: &str) -> Option<Series> {
    let word = said.lines().find_map(|line| line.trim().strip_prefix("Odoo Server "))?;
    let end = word.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(word.len());
    Series::parse(&word[..end])
}

#[cfg(test)]
mod tests;
