//! What is to be known of the machine.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    agent::server::Server,
    host::UserName,
    plan::{Listener, Space},
};

/// Returns seconds since the epoch by the server's clock.
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Tells what version of Odoo is installed. Its `release.py` is read where it
/// is found; only else Odoo is started, which takes a second: as its own user and group,
/// who may be the ones that own the program.
pub(in crate::agent) fn odoo_version(
    server: &Server,
    odoo_bin: &Path,
    (user, group): (&str, &str),
) -> Result<String, String> {
    if !server.path(odoo_bin).exists() {
        return Err(format!("`{}` does not exist", odoo_bin.display()));
    }
    for path in release_files(odoo_bin) {
        let text = server.read(&path).ok().flatten();
        if let Some(version) = text.as_deref().and_then(version_info) {
            return Ok(format!("Odoo {version}"));
        }
    }
    let name = |text: &str| UserName::parse(text).map_err(|error| error.to_string());
    let mut command = server.command_as(&name(user)?, &name(group)?, odoo_bin);
    let output = server.output(command.arg("--version"));
    let output = output.map_err(|error| super::super::with_causes(&error))?;
    if !output.status.success() {
        return Err(output.message());
    }
    Ok(output.stdout.trim().to_owned())
}

/// Beside `odoo-bin` of a source checkout, or in Debian's package.
fn release_files(odoo_bin: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Some(directory) = odoo_bin.parent() {
        files.push(directory.join("odoo/release.py"));
    }
    if odoo_bin.starts_with("/usr/bin") {
        files.push("/usr/lib/python3/dist-packages/odoo/release.py".into());
    }
    files
}

/// Reads `version_info = (19, 0, 0, FINAL, 0, '')`.
fn version_info(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("version_info"))?;
    let numbers = line.split_once('(')?.1;
    let mut numbers = numbers.split(',').map(str::trim);
    let major: u32 = numbers.next()?.parse().ok()?;
    let minor: u32 = numbers.next()?.parse().ok()?;
    Some(format!("{major}.{minor}"))
}

/// Measures the filesystem that a path is, or would be, on.
pub(in crate::agent) fn space(server: &Server, path: &Path) -> Space {
    let mut existing = path;
    while !server.path(existing).exists() {
        let Some(parent) = existing.parent() else { break };
        existing = parent;
    }
    let path = server.path(existing);
    let device = fs::metadata(&path).map_or(0, |data| std::os::unix::fs::MetadataExt::dev(&data));
    match rustix::fs::statvfs(&path) {
        // Some filesystems have no fixed number of inodes and say 0 of 0.
        Ok(stat) => Space {
            bytes: stat.f_bavail * stat.f_frsize,
            inodes: if stat.f_files == 0 { u64::MAX } else { stat.f_favail },
            device,
        },
        Err(_) => Space { bytes: 0, inodes: 0, device },
    }
}

/// Lists what listens on TCP ports, with its unit.
pub(in crate::agent) fn listeners(server: &Server) -> Vec<Listener> {
    let output = server.run(server.command("ss").args(["-H", "-l", "-t", "-n", "-p"]));
    let mut ports: BTreeMap<u16, Option<String>> = BTreeMap::new();
    for line in output.unwrap_or_default().lines() {
        let Some(port) = local_port(line) else { continue };
        let unit = process(line).and_then(|pid| unit_of(server, pid));
        let known = ports.entry(port).or_default();
        if known.is_none() {
            *known = unit;
        }
    }
    ports.into_iter().map(|(port, unit)| Listener { port, unit }).collect()
}

/// `LISTEN 0 128 0.0.0.0:8069 0.0.0.0:* users:(("odoo",pid=12,fd=5))`
fn local_port(line: &str) -> Option<u16> {
    line.split_whitespace().nth(3)?.rsplit(':').next()?.parse().ok()
}

fn process(line: &str) -> Option<u32> {
    let rest = line.split_once("pid=")?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Reads the unit out of `/proc/<pid>/cgroup`: `0::/system.slice/nginx.service`.
pub(in crate::agent) fn unit_of(server: &Server, pid: u32) -> Option<String> {
    let text = server.read(Path::new(&format!("/proc/{pid}/cgroup"))).ok()??;
    let parts = text.lines().flat_map(|line| line.rsplit('/'));
    parts.map(str::trim).find(|part| part.ends_with(".service")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_line_names_port_and_process() {
        let line = r#"LISTEN 0      128          [::]:8069         [::]:*    users:(("odoo",pid=812,fd=5))"#;
        assert_eq!(local_port(line), Some(8069));
        assert_eq!(process(line), Some(812));
    }

    #[test]
    fn the_version_is_read_from_release_py() {
        let text = "RELEASE_LEVELS = [1]\nversion_info = (19, 0, 0, FINAL, 0, '')\n";
        assert_eq!(version_info(text).as_deref(), Some("19.0"));
        assert_eq!(version_info("version = '19'"), None);
    }
}
