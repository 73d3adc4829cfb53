//! The host's service: whether it runs, and whether it runs what its files say.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    agent::{
        server::Server,
        service::{Systemd, UnitState},
    },
    layout::{Layout, ReleaseNumber},
    plan::{RunningFrom, ServiceFacts},
};

/// Times of files and processes are compared that different clocks have written.
const SLACK: Duration = Duration::from_secs(1);

/// What Odoo logs of the addons it finds whenever it is started or reloaded.
const LOADED: &str = " addons paths: ";

/// How much of a log file is read, from its end.
const LARGEST_LOG: u64 = 16 << 20;

/// Where the service's files are, and what `current` names.
pub(super) struct Question<'a> {
    pub(super) layout: &'a Layout,
    pub(super) current: Option<&'a RunningFrom>,
    /// The file that Odoo logs to; none where that is the journal.
    pub(super) logfile: Option<&'a Path>,
}

/// Tells how the service is, and names drop-ins that somebody else gave it; what
/// systemd does not say is unknown.
pub(super) fn facts(server: &Server, question: &Question<'_>) -> (ServiceFacts, Vec<PathBuf>) {
    let Ok(state) = Systemd::new(server).state(&question.layout.unit_name()) else {
        let facts = ServiceFacts { active: "unknown".to_owned(), ..ServiceFacts::default() };
        return (facts, Vec::new());
    };
    let process = Process::find(server, question, &state);
    let facts = ServiceFacts {
        release: process.as_ref().and_then(|process| process.release(question)),
        needs_daemon_reload: state.needs_daemon_reload,
        older_than_unit: process
            .as_ref()
            .is_some_and(|process| process.is_older_than_unit(question)),
        older_than_conf: process
            .as_ref()
            .is_some_and(|process| process.is_older_than_conf(question)),
        load: state.load,
        active: state.active,
        main_pid: state.main_pid.unwrap_or(0),
    };
    (facts, foreign_drop_ins(server, question.layout, state.drop_ins))
}

/// Names the drop-ins besides the host's own, also those that systemd has not read yet.
/// The distribution's own are for every service.
fn foreign_drop_ins(server: &Server, layout: &Layout, read: Vec<PathBuf>) -> Vec<PathBuf> {
    let own = layout.unit_drop_in();
    let directory = own.parent().expect("a drop-in has a directory");
    let entries = fs::read_dir(server.path(directory)).into_iter().flatten().flatten();
    let is_drop_in = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "conf");
    let mut all: Vec<_> = entries
        .map(|entry| directory.join(entry.file_name()))
        .filter(is_drop_in)
        .chain(read.into_iter().filter(|path| !path.starts_with("/usr/lib")))
        .filter(|path| *path != own)
        .collect();
    all.sort();
    all.dedup();
    all
}

/// The main process of a service that runs.
struct Process<'a> {
    server: &'a Server,
    started: SystemTime,
    now: SystemTime,
    loaded: Option<Loaded>,
}

/// What the process said when it last read its files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Loaded {
    release: Option<ReleaseNumber>,
    /// None where the log's own clock is not known.
    time: Option<SystemTime>,
}

impl<'a> Process<'a> {
    fn find(server: &'a Server, question: &Question<'_>, state: &UnitState) -> Option<Self> {
        let pid = state.main_pid.filter(|_| state.is_running())?;
        let now = SystemTime::now();
        let uptime = uptime(&server.read(Path::new("/proc/uptime")).ok()??)?;
        let started = now.checked_sub(uptime.checked_sub(state.main_started)?)?;
        let loaded = match question.logfile {
            Some(path) => loaded_by_file(server, question.layout, path, pid),
            None => loaded_by_journal(server, question.layout, pid, started),
        };
        Some(Self { server, started, now, loaded })
    }

    /// A process that was started after `current` moved runs what that names; else its
    /// log tells what it read.
    fn release(&self, question: &Question<'_>) -> Option<ReleaseNumber> {
        if let Some(Loaded { release: Some(release), .. }) = self.loaded {
            return Some(release);
        }
        let moved = self.modified(&question.layout.current())?;
        match question.current {
            Some(RunningFrom::Release(current)) if self.started >= moved => Some(*current),
            _ => None,
        }
    }

    fn is_older_than_unit(&self, question: &Question<'_>) -> bool {
        let files = [question.layout.unit(), question.layout.unit_drop_in()];
        files.iter().any(|path| self.is_newer(path, self.started))
    }

    /// Only what the process said tells whether it was reloaded since it was started.
    fn is_older_than_conf(&self, question: &Question<'_>) -> bool {
        let Some(Loaded { time: Some(time), .. }) = &self.loaded else { return false };
        let conf = question.layout.current().join("odoo.conf");
        self.is_newer(&conf, self.started.max(*time))
    }

    /// A file from the future tells of a clock that was set back, and of nothing else.
    fn is_newer(&self, path: &Path, than: SystemTime) -> bool {
        let Some(modified) = self.modified(path) else { return false };
        modified > than + SLACK && modified <= self.now
    }

    /// Tells when a file, or a link itself, was last written.
    fn modified(&self, path: &Path) -> Option<SystemTime> {
        fs::symlink_metadata(self.server.path(path)).ok()?.modified().ok()
    }
}

/// Reads the time since boot: `12345.67 23456.78`.
fn uptime(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.split(' ').next()?.parse().ok()?).ok()
}

/// Looks through what the main process itself wrote to the journal.
fn loaded_by_journal(
    server: &Server,
    layout: &Layout,
    pid: u32,
    started: SystemTime,
) -> Option<Loaded> {
    let since = started.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs().saturating_sub(1);
    let mut command = server.command("journalctl");
    command
        .args(["--quiet", "--no-pager", "--reverse", "--lines=1", "--output=json"])
        .arg(format!("--grep={LOADED}"))
        .arg(format!("--since=@{since}"))
        .arg(format!("_SYSTEMD_UNIT={}", layout.unit_name()))
        .arg(format!("_PID={pid}"));
    // A journal that finds nothing ends with 1.
    loaded_in_entry(layout, server.output(&mut command).ok()?.stdout.lines().next()?)
}

fn loaded_in_entry(layout: &Layout, entry: &str) -> Option<Loaded> {
    let entry: serde_json::Value = serde_json::from_str(entry).ok()?;
    let time = entry["__REALTIME_TIMESTAMP"].as_str()?.parse().ok()?;
    Some(Loaded {
        release: named_release(layout, entry["MESSAGE"].as_str()?),
        time: SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(time)),
    })
}

fn loaded_by_file(server: &Server, layout: &Layout, path: &Path, pid: u32) -> Option<Loaded> {
    let mut file = File::open(server.path(path)).ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(LARGEST_LOG))).ok()?;
    let mut bytes = Vec::new();
    file.take(LARGEST_LOG).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().find(|line| line.contains(LOADED) && is_from(line, pid))?;
    Some(Loaded { release: named_release(layout, line), time: None })
}

/// `2026-11-22 09:40:00,000 195 INFO ? odoo: addons paths: […]`
fn is_from(line: &str, pid: u32) -> bool {
    line.split(' ').nth(2).and_then(|word| word.parse().ok()) == Some(pid)
}

/// Finds the release whose code is on the addons path.
fn named_release(layout: &Layout, line: &str) -> Option<ReleaseNumber> {
    let releases = format!("{}/", layout.releases().display());
    let rest = line.split_once(&releases)?.1;
    ReleaseNumber::from_directory_name(rest.split(['/', '\'', '"']).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;

    const LINE: &str = "2026-11-22 09:40:00,000 195 INFO ? odoo: addons paths: \
                        ['/usr/lib/odoo/addons', '/opt/odoo/a.example/releases/0042/code/x']";

    fn layout() -> Layout {
        Layout::new(HostName::parse("a.example").unwrap())
    }

    #[test]
    fn a_process_names_the_release_it_has_read() {
        assert_eq!(named_release(&layout(), LINE), Some(ReleaseNumber(42)));
        assert_eq!(named_release(&layout(), "odoo: addons paths: ['/usr/lib/odoo']"), None);
        assert!(is_from(LINE, 195) && !is_from(LINE, 19));
        assert_eq!(uptime("12.50 99.1\n"), Some(Duration::from_millis(12_500)));
        let entry = serde_json::json!({ "__REALTIME_TIMESTAMP": "1500000", "MESSAGE": LINE });
        let loaded = loaded_in_entry(&layout(), &entry.to_string()).unwrap();
        assert_eq!(loaded.release, Some(ReleaseNumber(42)));
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
        assert_eq!(loaded.time, Some(time));
    }

    #[test]
    fn a_log_file_is_asked_for_the_process_that_runs() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let other = LINE.replace(" 195 ", " 9 ").replace("0042", "0041");
        std::fs::write(root.path().join("odoo.log"), format!("{LINE}\n{other}\n")).unwrap();
        let loaded = loaded_by_file(&server, &layout(), Path::new("/odoo.log"), 195).unwrap();
        assert_eq!(loaded, Loaded { release: Some(ReleaseNumber(42)), time: None });
    }

    #[test]
    fn drop_ins_of_others_are_named() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let own = layout().unit_drop_in();
        let directory = own.parent().unwrap();
        std::fs::create_dir_all(server.path(directory)).unwrap();
        for name in ["odoo-deploy.conf", "override.conf", ".hidden"] {
            std::fs::write(server.path(&directory.join(name)), "").unwrap();
        }
        let read = ["/usr/lib/systemd/system/service.d/10-all.conf", "/run/systemd/x.conf"];
        let found = foreign_drop_ins(&server, &layout(), read.map(PathBuf::from).to_vec());
        assert_eq!(found, [directory.join("override.conf"), "/run/systemd/x.conf".into()]);
    }
}
