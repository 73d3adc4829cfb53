//! Looks closer, for whoever wonders what is wrong.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{look, parse, postgres};
use crate::{
    agent::{nginx::Nginx, observe, server::Server, with_causes},
    layout::Layout,
    setup::{Disk, Examination, HostService, MachineRequest, Pending},
};

/// Where a server's data is.
const DISKS: &[&str] =
    &["/", "/opt/odoo", "/var/lib/odoo", "/var/lib/postgresql", "/var/log", "/tmp"];

/// Looks at the machine as a plan would, and at how it fares.
pub(super) fn examine(server: &Server, request: &MachineRequest) -> Examination {
    let machine = look::machine(server, request);
    let read = |path: &str| server.read(Path::new(path)).ok().flatten();
    let memory = read("/proc/meminfo").unwrap_or_default();
    let has = |name: &str| machine.packages.contains_key(name);
    Examination {
        disks: disks(server),
        memory_available: parse::memory(&memory, "MemAvailable"),
        nginx: has("nginx").then(|| {
            Nginx::new(server).test().map(drop).map_err(|error| one_line(&with_causes(&error)))
        }),
        postgres: (!machine.clusters.is_empty()).then(|| postgres_answers(server)),
        clock: clock(server),
        reboot: read("/run/reboot-required").map(|_| {
            let packages = read("/run/reboot-required.pkgs").unwrap_or_default();
            let packages: BTreeSet<_> = packages.lines().map(str::to_owned).collect();
            Pending { packages: packages.into_iter().collect() }
        }),
        failed_units: failed_units(server),
        services: services(server, &machine.hosts),
        web: observe::listeners(server)
            .into_iter()
            .filter(|listener| matches!(listener.port, 80 | 443))
            .map(|listener| (listener.port, listener.unit))
            .collect(),
        machine,
    }
}

fn postgres_answers(server: &Server) -> Result<(), String> {
    let output = postgres::psql(server, "SELECT 1").map_err(|error| with_causes(&error))?;
    if output.status.success() { Ok(()) } else { Err(one_line(&output.message())) }
}

/// Measures each filesystem once, by the first of its paths.
fn disks(server: &Server) -> Vec<Disk> {
    use std::os::unix::fs::MetadataExt as _;
    let mut seen = BTreeSet::new();
    let mut disks = Vec::new();
    for path in DISKS.iter().map(PathBuf::from) {
        let Ok(metadata) = fs::metadata(server.path(&path)) else { continue };
        if !seen.insert(metadata.dev()) {
            continue;
        }
        let Ok(stat) = rustix::fs::statvfs(server.path(&path)) else { continue };
        // Some filesystems have no fixed number of inodes and say 0 of 0.
        let inodes = (stat.f_files > 0)
            .then(|| u8::try_from(stat.f_favail * 100 / stat.f_files).unwrap_or(100));
        disks.push(Disk {
            path,
            size: stat.f_blocks * stat.f_frsize,
            free: stat.f_bavail * stat.f_frsize,
            inodes,
        });
    }
    disks
}

fn clock(server: &Server) -> Option<bool> {
    let mut command = server.command("timedatectl");
    let output = server.output(command.args(["show", "--property=NTPSynchronized", "--value"]));
    match output.ok()?.stdout.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Lists failed units, but for those of hosts, which are looked at by themselves.
fn failed_units(server: &Server) -> Vec<String> {
    let mut command = server.command("systemctl");
    command.args(["list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"]);
    let output = server.output(&mut command).map(|output| output.stdout).unwrap_or_default();
    let names = output.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| !name.starts_with("odoo-")).map(str::to_owned).collect()
}

fn services(server: &Server, hosts: &[crate::host::HostName]) -> Vec<HostService> {
    let layouts: Vec<_> = hosts.iter().cloned().map(Layout::new).collect();
    let names: Vec<_> = layouts.iter().map(Layout::unit_name).collect();
    let units = look::units(server, &names);
    let services = hosts.iter().zip(&layouts).map(|(host, layout)| HostService {
        host: host.clone(),
        unit: units.get(&layout.unit_name()).cloned().unwrap_or_default(),
        hold: server.path(&layout.hold()).exists(),
    });
    services.collect()
}

fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}
