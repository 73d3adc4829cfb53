//! The services that run Odoo, found by their processes and by their names.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    agent::{observe, server::Server},
    host::HostName,
    layout::{HOSTS, Layout},
};

/// Names of Odoo's program.
const PROGRAMS: [&str; 6] =
    ["odoo", "odoo-bin", "odoo.py", "odoo-server", "openerp-server", "odoo-bin.py"];

/// A running process of Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Its service; none where it belongs to none.
    pub(super) unit: Option<String>,
    /// The interpreter, where the command line names one.
    pub(super) python: Option<PathBuf>,
    /// Odoo's program.
    pub(super) program: PathBuf,
    /// What stands behind it.
    pub(super) arguments: Vec<String>,
}

/// Finds the first process of every service that runs Odoo, and those of no service.
pub(super) fn find(server: &Server) -> Vec<Process> {
    let entries = fs::read_dir(server.path(Path::new("/proc"))).into_iter().flatten().flatten();
    let mut pids: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let mut by_unit: BTreeMap<Option<String>, Process> = BTreeMap::new();
    for pid in pids {
        let Some(process) = read(server, pid) else { continue };
        // A worker has the command line of its parent, which has the lower number or
        // is met first.
        by_unit.entry(process.unit.clone()).or_insert(process);
    }
    by_unit.into_values().filter(|process| !is_own(server, process)).collect()
}

/// Reads the process of that number, where it is one of Odoo.
pub(super) fn read(server: &Server, pid: u32) -> Option<Process> {
    let bytes = fs::read(server.path(Path::new(&format!("/proc/{pid}/cmdline")))).ok()?;
    let words: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let (python, program, arguments) = understand(&words)?;
    Some(Process { pid, unit: observe::unit_of(server, pid), python, program, arguments })
}

/// Splits a command line into interpreter, program and arguments; none where it is not
/// Odoo's.
fn understand(words: &[String]) -> Option<(Option<PathBuf>, PathBuf, Vec<String>)> {
    let name = |word: &String| Some(Path::new(word).file_name()?.to_str()?.to_owned());
    let is_odoo = |word: &String| name(word).is_some_and(|name| PROGRAMS.contains(&name.as_str()));
    let is_python = |word: &String| name(word).is_some_and(|name| name.starts_with("python"));
    let (python, rest) = match words {
        [first, rest @ ..] if is_python(first) => (Some(PathBuf::from(first)), rest),
        all => (None, all),
    };
    // Options of the interpreter stand before the program.
    let at = rest.iter().position(|word| !word.starts_with('-'))?;
    let program = rest.get(at).filter(|word| is_odoo(word))?;
    Some((python, program.into(), rest[at + 1..].to_vec()))
}

/// Tells whether a process belongs to a host of the tool's own.
fn is_own(server: &Server, process: &Process) -> bool {
    let Some(unit) = &process.unit else { return false };
    unit.starts_with("deploy") || own_host(server, unit).is_some()
}

/// Returns the host whose own unit this is.
pub(super) fn own_host(server: &Server, unit: &str) -> Option<HostName> {
    let name = unit.strip_prefix("odoo-")?.strip_suffix(".service")?;
    let host = HostName::parse(name).ok()?;
    let layout = Layout::new(host.clone());
    let has_release = fs::symlink_metadata(server.path(&layout.current())).is_ok();
    (layout.base().starts_with(HOSTS) && has_release).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(line: &str) -> Option<(Option<PathBuf>, PathBuf, Vec<String>)> {
        understand(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn odoo_is_known_however_it_is_started() {
        let (python, program, arguments) =
            understood("/usr/bin/python3 /usr/bin/odoo --config /etc/odoo/odoo.conf").unwrap();
        assert_eq!(python, Some("/usr/bin/python3".into()));
        assert_eq!(program, Path::new("/usr/bin/odoo"));
        assert_eq!(arguments, ["--config", "/etc/odoo/odoo.conf"]);
        let venv = "/opt/odoo/venv/bin/python3.11 -u /opt/odoo/odoo/odoo-bin -c x";
        assert_eq!(understood(venv).unwrap().1, Path::new("/opt/odoo/odoo/odoo-bin"));
        assert_eq!(understood("/opt/odoo/odoo-bin -c x").unwrap().0, None);
    }

    #[test]
    fn other_programs_are_none() {
        for line in ["vim /etc/odoo/odoo", "/usr/bin/python3 manage.py odoo", "odoo: worker"] {
            assert_eq!(understood(line), None, "{line}");
        }
        assert_eq!(understand(&[]), None);
    }
}
