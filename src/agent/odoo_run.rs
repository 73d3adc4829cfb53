//! Runs Odoo's program beside its service: upgrades, load checks, import checks.

use std::{
    ffi::OsString,
    fmt, fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{FileError, ProgramError, Server};
use crate::{
    host::{DatabaseName, ModuleName, UserName},
    odoo::Series,
};

const IMPORT_CHECK: &str = include_str!("import_check.py");

/// The name an upgrade's sessions have in PostgreSQL (19.0, 18.0).
pub const UPGRADE_SESSION: &str = "odoo-deploy-upgrade";
/// The name a check's sessions have in PostgreSQL (19.0, 18.0).
pub const CHECK_SESSION: &str = "odoo-deploy-check";

/// Odoo as it is installed on a server, and who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooProgram {
    /// Its program.
    pub path: PathBuf,
    /// The interpreter it runs under.
    pub python: PathBuf,
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
    /// Loads the registry and ends; writes nothing.
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
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// With a status; 0 is no success before its log is read.
    Exited(i32),
    /// By a signal.
    Killed(i32),
    /// Its time was over.
    TimedOut,
    /// The kernel ended it for lack of memory.
    OutOfMemory,
    /// Nobody saw it end; that is a failure.
    Unknown(String),
}

impl RunEnd {
    /// Tells whether the status is 0.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::Exited(0)
    }
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "it ended with status {status}"),
            Self::Killed(signal) => write!(f, "it was ended by signal {signal}"),
            Self::TimedOut => f.write_str("it took longer than allowed and was ended"),
            Self::OutOfMemory => f.write_str("the server ran out of memory and ended it"),
            Self::Unknown(what) => write!(f, "nobody saw how it ended: {what}"),
        }
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
    /// Runs Odoo in a transient unit and waits for it; every line of its log is
    /// handed on as it comes.
    ///
    /// # Errors
    /// Fails when the unit cannot be started or watched; how Odoo ended is no error.
    pub fn run(
        &self,
        server: &Server,
        run: &OdooRun,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<RunEnd, OdooRunError> {
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
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| ProgramError::Start { program: "systemd-run".to_owned(), source })?;
        let watch = |source| OdooRunError::Watch { unit: run.unit.clone(), source };
        while child.try_wait().map_err(watch)?.is_none() {
            follower.read(on_line).map_err(at("read"))?;
            std::thread::sleep(POLL);
        }
        let output = child.wait_with_output().map_err(watch)?;
        follower.read(on_line).map_err(at("read"))?;
        Ok(read_end(&String::from_utf8_lossy(&output.stderr), output.status.code()))
    }

    /// Imports the Python of modules under a release's odoo.conf, and nothing else:
    /// no registry is made and no database opened.
    ///
    /// # Errors
    /// Fails when the check itself does not run within the time given.
    pub fn import_check(
        &self,
        server: &Server,
        conf: &Path,
        modules: &[ModuleName],
        timeout: Duration,
    ) -> Result<Vec<ImportFailure>, OdooRunError> {
        let mut command = self.transient(server, timeout, CHECK_SESSION);
        command.args(["--quiet", "--pipe", "--"]).arg(&self.python).args(["-B", "-c"]);
        command.arg(escaped(IMPORT_CHECK)).arg(escaped_path(&self.path)).arg(escaped_path(conf));
        command.args(modules.iter().map(ModuleName::as_str));
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
        command.args(["--property=StandardError=inherit", "--"]).arg(escaped_path(&self.path));
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
        // 19 knows the first one, 18 the second.
        command.arg(format!("--setenv=PGAPPNAME={session}"));
        command.arg(format!("--setenv=ODOO_PGAPPNAME={session}"));
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
                let all = if self.series >= Series::V19 { "True" } else { "all" };
                arguments.push(format!("--without-demo={all}").into());
            }
            if *translations == Translations::Overwrite {
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

/// Reads how a unit ended from what `systemd-run --wait` says:
/// `Finished with result: timeout` and
/// `Main processes terminated with: code=killed, status=15/TERM`.
fn read_end(said: &str, status: Option<i32>) -> RunEnd {
    let after = |text: &str| said.lines().find_map(|line| line.trim().strip_prefix(text));
    let unknown = || {
        let last = said.trim().lines().last().unwrap_or("systemd-run said nothing");
        RunEnd::Unknown(last.to_owned())
    };
    let Some(result) = after("Finished with result: ") else { return unknown() };
    match result {
        "timeout" => return RunEnd::TimedOut,
        "oom-kill" => return RunEnd::OutOfMemory,
        "success" => return status.map_or_else(unknown, RunEnd::Exited),
        _ => {}
    }
    let Some(code) = after("Main processes terminated with: code=") else { return unknown() };
    // 252 separates with `/`, later versions with `, `.
    let number = code.split_once("status=").map(|(_, rest)| rest);
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let Some(number) = number.and_then(|text| digits(text).parse().ok()) else { return unknown() };
    if code.starts_with("exited") { RunEnd::Exited(number) } else { RunEnd::Killed(number) }
}

/// Reads `Odoo Server 18.0-20250821`.
fn read_version(said: &str) -> Option<Series> {
    let word = said.lines().find_map(|line| line.trim().strip_prefix("Odoo Server "))?;
    let end = word.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(word.len());
    Series::parse(&word[..end])
}

/// Reads what is appended to a file, in whole lines.
struct Follower {
    file: fs::File,
    partial: Vec<u8>,
}

impl Follower {
    fn at_end(path: &Path) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        Ok(Self { file, partial: Vec::new() })
    }

    fn read(&mut self, on_line: &mut dyn FnMut(&str)) -> io::Result<()> {
        self.file.read_to_end(&mut self.partial)?;
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<_> = self.partial.drain(..=end).collect();
            on_line(String::from_utf8_lossy(&line).trim_end());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str) -> ModuleName {
        ModuleName::parse(name).unwrap()
    }

    fn program(series: Series) -> OdooProgram {
        OdooProgram {
            path: "/usr/bin/odoo".into(),
            python: "/usr/bin/python3".into(),
            series,
            user: UserName::parse("odoo").unwrap(),
            group: UserName::parse("odoo").unwrap(),
            environment_file: None,
        }
    }

    fn run(job: OdooJob) -> OdooRun {
        OdooRun {
            unit: "deploytx-1-upgrade".into(),
            conf: "/opt/odoo/a.test/releases/0042/odoo.conf".into(),
            database: DatabaseName::parse("acme").unwrap(),
            job,
            log: "/opt/odoo/a.test/journal/upgrade.log".into(),
            timeout: Duration::from_secs(3600),
        }
    }

    #[test]
    fn an_upgrade_runs_in_its_own_unit_as_odoos_user() {
        let job = OdooJob::Upgrade {
            install: vec![],
            upgrade: vec![module("sale_x"), module("stock_x")],
            translations: Translations::Keep,
        };
        let command = program(Series::V19).unit_command(&Server::this(), &run(job));
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        insta::assert_snapshot!(words.join("\n"), @r"
    --collect
    --wait
    --property=User=odoo
    --property=Group=odoo
    --property=RuntimeMaxSec=3600
    --property=TimeoutStopSec=10
    --property=OOMPolicy=kill
    --setenv=PGAPPNAME=odoo-deploy-upgrade
    --setenv=ODOO_PGAPPNAME=odoo-deploy-upgrade
    --unit
    deploytx-1-upgrade
    --property
    StandardOutput=append:/opt/odoo/a.test/journal/upgrade.log
    --property=StandardError=inherit
    --
    /usr/bin/odoo
    -c
    /opt/odoo/a.test/releases/0042/odoo.conf
    -d
    acme
    -u
    sale_x,stock_x
    --stop-after-init
    --no-http
    --workers=0
    --max-cron-threads=0
    --limit-memory-hard=0
    --logfile=
    ");
    }

    #[test]
    fn demo_data_is_refused_in_the_series_own_words() {
        let job = OdooJob::Upgrade {
            install: vec![module("base")],
            upgrade: vec![],
            translations: Translations::Overwrite,
        };
        let words = |series| format!("{:?}", program(series).arguments(&run(job.clone())));
        assert!(words(Series::V19).contains("\"--without-demo=True\""));
        assert!(words(Series::V18).contains("\"--without-demo=all\""));
        assert!(words(Series::V18).contains("\"--i18n-overwrite\""));
        assert!(
            !format!("{:?}", program(Series::V19).arguments(&run(OdooJob::Load))).contains("-u")
        );
    }

    #[test]
    fn every_end_is_told_apart() {
        let end = |result: &str, code: &str| {
            let code = format!("Main processes terminated with: code={code}\n");
            read_end(
                &format!("Running as unit: x\nFinished with result: {result}\n{code}"),
                Some(1),
            )
        };
        assert_eq!(end("exit-code", "exited, status=255/EXCEPTION"), RunEnd::Exited(255));
        assert_eq!(end("exit-code", "exited/status=1"), RunEnd::Exited(1));
        assert_eq!(end("signal", "killed, status=9/KILL"), RunEnd::Killed(9));
        assert_eq!(end("core-dump", "dumped, status=11/SEGV"), RunEnd::Killed(11));
        assert_eq!(end("timeout", "killed, status=15/TERM"), RunEnd::TimedOut);
        assert_eq!(end("oom-kill", "killed, status=9/KILL"), RunEnd::OutOfMemory);
        assert_eq!(read_end("Finished with result: success\n", Some(0)), RunEnd::Exited(0));
        assert_eq!(
            read_end("Failed to start transient service unit\n", Some(1)),
            RunEnd::Unknown("Failed to start transient service unit".to_owned())
        );
        assert_eq!(read_end("", None), RunEnd::Unknown("systemd-run said nothing".to_owned()));
    }

    #[test]
    fn the_version_is_read_past_a_builds_date() {
        assert_eq!(read_version("Odoo Server 19.0\n"), Some(Series::V19));
        assert_eq!(read_version("Running as root\nOdoo Server 18.0-20250821"), Some(Series::V18));
        assert_eq!(read_version("Odoo Server 16.0"), None);
    }
}
