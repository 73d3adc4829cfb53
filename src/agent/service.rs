//! The door to systemd: units, their processes and their verification.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{FileError, ProgramError, Server};

/// The server's service manager.
#[derive(Debug, Clone, Copy)]
pub struct Systemd<'a> {
    server: &'a Server,
}

/// A unit as systemd sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// `loaded`, `not-found`, `masked`, `bad-setting`, …
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`, …
    pub active: String,
    /// `running`, `dead`, `auto-restart`, …
    pub sub: String,
    /// Why the last run ended: `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, …
    pub result: String,
    /// The main process; none where the unit does not run.
    pub main_pid: Option<u32>,
    /// How often systemd restarted it by itself.
    pub restarts: u32,
    /// Whether the unit file was changed since systemd read it.
    pub needs_daemon_reload: bool,
    /// The unit file.
    pub fragment: Option<PathBuf>,
    /// The drop-ins that systemd has read.
    pub drop_ins: Vec<PathBuf>,
    /// The control group below `/sys/fs/cgroup`; none where there are no processes.
    pub control_group: Option<String>,
    /// When the main process was started, since boot.
    pub main_started: Duration,
}

impl UnitState {
    /// Tells whether the service runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.active == "active" && self.main_pid.is_some()
    }

    /// Tells whether systemd knows the unit.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.load != "not-found"
    }

    fn parse(text: &str) -> Self {
        let values: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let value = |key: &str| values.get(key).copied().unwrap_or_default();
        let some = |key: &str| Some(value(key)).filter(|text| !text.is_empty());
        Self {
            load: value("LoadState").to_owned(),
            active: value("ActiveState").to_owned(),
            sub: value("SubState").to_owned(),
            result: value("Result").to_owned(),
            main_pid: value("MainPID").parse().ok().filter(|pid| *pid != 0),
            restarts: value("NRestarts").parse().unwrap_or(0),
            needs_daemon_reload: value("NeedDaemonReload") == "yes",
            fragment: some("FragmentPath").map(PathBuf::from),
            drop_ins: value("DropInPaths").split_whitespace().map(PathBuf::from).collect(),
            control_group: some("ControlGroup").map(str::to_owned),
            main_started: Duration::from_micros(
                value("ExecMainStartTimestampMonotonic").parse().unwrap_or(0),
            ),
        }
    }
}

impl fmt::Display for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.active, self.sub)?;
        match self.result.as_str() {
            "" | "success" => Ok(()),
            result => write!(f, ", last result: {result}"),
        }
    }
}

/// The processes of a unit. A number alone can be given out again, so each has
/// the time it was started, in clock ticks since boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessSet {
    started: BTreeMap<u32, u64>,
}

impl ProcessSet {
    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.started.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.started.is_empty()
    }

    /// Returns their numbers.
    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.started.keys().copied()
    }

    /// Tells whether a process is among them.
    #[must_use]
    pub fn contains(&self, pid: u32) -> bool {
        self.started.contains_key(&pid)
    }

    /// Returns those that are in both, but for the process given.
    #[must_use]
    pub fn still_in(&self, now: &Self, except: Option<u32>) -> Vec<u32> {
        let kept = self.started.iter().filter(|(pid, _)| Some(**pid) != except);
        kept.filter(|(pid, start)| now.started.get(pid) == Some(start))
            .map(|(pid, _)| *pid)
            .collect()
    }
}

/// A unit file that systemd would not take.
#[derive(Debug, thiserror::Error)]
pub enum VerifyUnitError {
    /// The check could not be made.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The staged copy could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// systemd objects.
    #[error("systemd rejects `{unit}`: {message}")]
    Rejected {
        /// The unit.
        unit: String,
        /// What it says.
        message: String,
    },
}

const PROPERTIES: &str = "LoadState,ActiveState,SubState,Result,MainPID,NRestarts,\
    NeedDaemonReload,FragmentPath,DropInPaths,ControlGroup,ExecMainStartTimestampMonotonic";

impl<'a> Systemd<'a> {
    /// Opens the server's service manager.
    #[must_use]
    pub const fn new(server: &'a Server) -> Self {
        Self { server }
    }

    pub(super) const fn server(&self) -> &'a Server {
        self.server
    }

    /// Tells whether a unit is at work, or about to be; one that cannot be asked about is
    /// taken to be.
    #[must_use]
    pub fn is_up(&self, unit: &str) -> bool {
        let state = self.state(unit);
        !state.is_ok_and(|state| matches!(state.active.as_str(), "" | "inactive" | "failed"))
    }

    /// Returns a unit's state; one that does not exist has the load state `not-found`.
    ///
    /// # Errors
    /// Fails when systemd does not answer.
    pub fn state(&self, unit: &str) -> Result<UnitState, ProgramError> {
        let mut command = self.server.command("systemctl");
        command.args(["show", "--property", PROPERTIES, "--", unit]);
        Ok(UnitState::parse(&self.server.run(&mut command)?))
    }

    /// Starts a unit and waits until systemd takes it for started.
    ///
    /// # Errors
    /// Fails when it does not start.
    pub fn start(&self, unit: &str) -> Result<(), ProgramError> {
        self.forget_failures(unit)?;
        self.start_as_it_is(unit)
    }

    /// Has what stopped a unit before, a start limit for one, not count any more. A start that
    /// is refused for it does not say so: the result is still that of the last run.
    ///
    /// # Errors
    /// Fails when systemd cannot be asked; a unit that is not there has no failures.
    pub fn forget_failures(&self, unit: &str) -> Result<(), ProgramError> {
        let mut command = self.server.command("systemctl");
        self.server.output(command.args(["reset-failed", "--", unit])).map(drop)
    }

    /// Starts a unit whose failures are forgotten, as [`Systemd::start`] does.
    ///
    /// # Errors
    /// Fails when it does not start.
    pub fn start_as_it_is(&self, unit: &str) -> Result<(), ProgramError> {
        self.verb("start", unit)
    }

    /// Stops a unit and waits until its processes are gone.
    ///
    /// # Errors
    /// Fails when it cannot be stopped.
    pub fn stop(&self, unit: &str) -> Result<(), ProgramError> {
        self.verb("stop", unit)
    }

    /// Has a unit reload; it tells nothing about what the reload brought.
    ///
    /// # Errors
    /// Fails when it does not run or has no `ExecReload=`.
    pub fn reload(&self, unit: &str) -> Result<(), ProgramError> {
        self.verb("reload", unit)
    }

    /// Stops and starts a unit.
    ///
    /// # Errors
    /// Fails when it does not start.
    pub fn restart(&self, unit: &str) -> Result<(), ProgramError> {
        self.verb("restart", unit)
    }

    /// Has a unit started at boot.
    ///
    /// # Errors
    /// Fails when it has no `[Install]` section.
    pub fn enable(&self, unit: &str) -> Result<(), ProgramError> {
        self.verb("enable", unit)
    }

    /// Has systemd read a unit that was just written, and start it at boot. Each by itself
    /// would have all units read.
    ///
    /// # Errors
    /// Fails when it has no `[Install]` section.
    pub fn take_up(&self, unit: &str, text: &str) -> Result<(), ProgramError> {
        if !self.is_wanted(unit, text) {
            let mut command = self.server.command("systemctl");
            self.server.run(command.args(["enable", "--no-reload", "--", unit]))?;
        }
        self.daemon_reload()
    }

    /// Tells whether the links are there that the unit's `[Install]` section asks for. One
    /// that asks for more is left to systemd.
    fn is_wanted(&self, unit: &str, text: &str) -> bool {
        let Some(targets) = wanted_by(text).filter(|targets| !targets.is_empty()) else {
            return false;
        };
        targets.iter().all(|target| {
            let units = Path::new("/etc/systemd/system");
            let link = units.join(format!("{target}.wants")).join(unit);
            fs::read_link(self.server.path(&link)).is_ok_and(|to| to == units.join(unit))
        })
    }

    /// Tells whether a unit is started at boot by links that can be removed and made again.
    ///
    /// # Errors
    /// Fails when systemd does not answer.
    pub fn is_enabled(&self, unit: &str) -> Result<bool, ProgramError> {
        let mut command = self.server.command("systemctl");
        // It ends with 1 for every other state.
        let output = self.server.output(command.args(["is-enabled", "--", unit]))?;
        Ok(output.stdout.trim() == "enabled")
    }

    /// Has a unit no longer started at boot.
    ///
    /// # Errors
    /// Fails when systemd does not do it.
    pub fn disable(&self, unit: &str) -> Result<(), ProgramError> {
        self.verb("disable", unit)
    }

    /// Ends every process of a unit at once.
    ///
    /// # Errors
    /// Fails when the unit has no processes.
    pub fn kill(&self, unit: &str) -> Result<(), ProgramError> {
        let mut command = self.server.command("systemctl");
        command.args(["kill", "--signal=SIGKILL", "--", unit]);
        self.server.run(&mut command).map(drop)
    }

    /// Ends every unit that matches a pattern, its processes at once.
    ///
    /// # Errors
    /// Fails when systemd does not answer.
    pub fn end_all(&self, patterns: &[String]) -> Result<(), ProgramError> {
        let mut command = self.server.command("systemctl");
        // Where nothing matches, there is nothing to end.
        self.server.output(command.args(["kill", "--signal=SIGKILL", "--"]).args(patterns))?;
        let mut command = self.server.command("systemctl");
        self.server.run(command.args(["stop", "--"]).args(patterns)).map(drop)
    }

    /// Has systemd read every unit file again.
    ///
    /// # Errors
    /// Fails when systemd does not answer.
    pub fn daemon_reload(&self) -> Result<(), ProgramError> {
        let mut command = self.server.command("systemctl");
        self.server.run(command.arg("daemon-reload")).map(drop)
    }

    /// Returns the processes of a unit; a process that ends meanwhile is left out.
    ///
    /// # Errors
    /// Fails when the control group cannot be read.
    pub fn processes(&self, state: &UnitState) -> Result<ProcessSet, FileError> {
        let mut started = BTreeMap::new();
        let Some(group) = &state.control_group else { return Ok(ProcessSet::default()) };
        for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"] {
            let list = Path::new(mount).join(group.trim_start_matches('/')).join("cgroup.procs");
            let Some(list) = self.server.read(&list)? else { continue };
            for pid in list.lines().filter_map(|line| line.parse().ok()) {
                let stat = self.server.read(&PathBuf::from(format!("/proc/{pid}/stat")));
                if let Some(start) = stat.ok().flatten().as_deref().and_then(start_time) {
                    started.insert(pid, start);
                }
            }
            break;
        }
        Ok(ProcessSet { started })
    }

    /// Checks the text of a unit file on a copy that systemd never loads.
    ///
    /// # Errors
    /// Returns what systemd objects to, unknown settings and missing programs included.
    pub fn verify_unit(&self, unit: &str, text: &str) -> Result<(), VerifyUnitError> {
        let staging = tempfile::tempdir().map_err(FileError::at("stage", Path::new(unit)))?;
        let path = staging.path().join(unit);
        fs::write(&path, text).map_err(FileError::at("stage", &path))?;
        let mut command = self.server.command("systemd-analyze");
        command.args(["verify", "--man=no", "--recursive-errors=no"]).arg(&path);
        let output = self.server.output(&mut command)?;
        // Older versions end with 0 and only warn.
        let about = output.stderr.lines().filter(|line| line.contains(unit));
        let mut message = String::new();
        for line in about {
            let _ = write!(message, "{}; ", line.rsplit('/').next().unwrap_or(line));
        }
        if output.status.success() && message.is_empty() {
            return Ok(());
        }
        if message.is_empty() {
            message = output.message();
        }
        let message = message.trim_end_matches("; ").to_owned();
        Err(VerifyUnitError::Rejected { unit: unit.to_owned(), message })
    }

    fn verb(&self, verb: &str, unit: &str) -> Result<(), ProgramError> {
        let mut command = self.server.command("systemctl");
        command.args([verb, "--", unit]);
        self.server.run(&mut command).map(drop)
    }
}

/// Returns the targets that want a unit, by its `[Install]` section; none where that says
/// anything else.
fn wanted_by(text: &str) -> Option<Vec<&str>> {
    let lines = text.lines().map(str::trim);
    let section = lines.skip_while(|line| *line != "[Install]").skip(1);
    let settings = section.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let targets =
        settings.map(|line| line.strip_prefix("WantedBy=").filter(|value| is_plain(value)));
    let targets: Option<Vec<_>> = targets.collect();
    Some(targets?.into_iter().flat_map(str::split_whitespace).collect())
}

/// Tells whether a value neither goes on in the next line nor takes back what was said before.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && !value.contains(['\\', '%', '"', '\''])
}

/// Returns field 22 of `/proc/PID/stat`. The second one, the command's name, may
/// itself hold blanks and brackets.
fn start_time(stat: &str) -> Option<u64> {
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::agent::transaction;

    #[test]
    fn a_units_state_is_read_from_its_properties() {
        let state = UnitState::parse(
            "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\n\
             MainPID=195\nNRestarts=2\nNeedDaemonReload=yes\n\
             FragmentPath=/etc/systemd/system/odoo-a.service\n\
             DropInPaths=/run/a.conf /run/b.conf\n\
             ControlGroup=/system.slice/odoo-a.service\n\
             ExecMainStartTimestampMonotonic=1315089506\n",
        );
        assert!(state.is_running() && state.exists() && state.needs_daemon_reload);
        assert_eq!((state.main_pid, state.restarts), (Some(195), 2));
        assert_eq!(state.drop_ins, [PathBuf::from("/run/a.conf"), "/run/b.conf".into()]);
        assert_eq!(state.main_started, Duration::from_micros(1_315_089_506));
        let state = UnitState::parse("MainPID=0\nControlGroup=\nLoadState=not-found\n");
        assert!(!state.is_running() && !state.exists());
        assert_eq!((state.main_pid, state.control_group), (None, None));
    }

    #[test]
    fn a_process_is_known_by_number_and_start() {
        let set = |pairs: &[(u32, u64)]| ProcessSet { started: pairs.iter().copied().collect() };
        let before = set(&[(1, 10), (2, 20), (3, 30)]);
        let after = set(&[(1, 10), (2, 99), (4, 40)]);
        assert_eq!(before.still_in(&after, None), [1]);
        assert!(before.still_in(&after, Some(1)).is_empty());
    }

    #[test]
    fn only_a_plain_install_section_is_read() {
        let unit = |install: &str| format!("[Service]\nExecStart=/x\n\n[Install]\n{install}");
        let text = unit("# at boot\nWantedBy=multi-user.target a.target\nWantedBy=b.target\n");
        let targets = ["multi-user.target", "a.target", "b.target"];
        assert_eq!(wanted_by(&text).unwrap(), targets);
        assert!(wanted_by("[Service]\nWantedBy=a.target\n").unwrap().is_empty());
        let others =
            ["Alias=b.service", "WantedBy=a.target \\\nb.target", "WantedBy=", "[Unit]\nAfter=a"];
        for other in others {
            assert_eq!(wanted_by(&unit(&format!("WantedBy=multi-user.target\n{other}\n"))), None);
        }
    }

    #[test]
    fn a_unit_is_enabled_only_where_its_links_are_missing() {
        let root = tempfile::tempdir().unwrap();
        let said = |root: &Path| fs::read_to_string(root.join("said")).unwrap_or_default();
        let systemctl = "#!/bin/sh\necho \"$@\" >>\"$(dirname \"$0\")/said\"\n";
        symlink(transaction::program(systemctl), root.path().join("systemctl")).unwrap();
        let path = format!("{}:/usr/bin:/bin", root.path().display());
        let server = Server::below(root.path().into(), path.into());
        let text = "[Install]\nWantedBy=multi-user.target\n";
        let take_up = || Systemd::new(&server).take_up("odoo-a.service", text).unwrap();
        take_up();
        assert_eq!(said(root.path()), "enable --no-reload -- odoo-a.service\ndaemon-reload\n");
        let wants = root.path().join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        symlink("/etc/systemd/system/odoo-a.service", wants.join("odoo-a.service")).unwrap();
        fs::remove_file(root.path().join("said")).unwrap();
        take_up();
        assert_eq!(said(root.path()), "daemon-reload\n");
    }

    #[test]
    fn failures_of_before_are_forgotten_before_a_start() {
        let root = tempfile::tempdir().unwrap();
        let systemctl = "#!/bin/sh\necho \"$1\" >>\"$(dirname \"$0\")/said\"\n";
        symlink(transaction::program(systemctl), root.path().join("systemctl")).unwrap();
        let path = format!("{}:/usr/bin:/bin", root.path().display());
        let server = Server::below(root.path().into(), path.into());
        Systemd::new(&server).start("odoo-a.service").unwrap();
        let said = fs::read_to_string(root.path().join("said")).unwrap();
        assert_eq!(said, "reset-failed\nstart\n");
    }

    #[test]
    fn the_start_time_follows_any_command_name() {
        let stat = "195 (a) b (c) S 1 195 195 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 131508 9 9";
        assert_eq!(start_time(stat), Some(131_508));
    }
}
