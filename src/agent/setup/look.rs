//! Looks what a machine is and has; changes nothing.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    thread,
};

use super::{odoo, parse, postgres, runs};
use crate::{
    agent::{Nginx, account::Account, observe::odoo_version, server::Server},
    host::{HostName, UserName},
    layout::{self, Layout},
    setup::{Firewall, MachineFacts, MachineRequest, OsRelease, SourceFacts, UnitFacts},
};

const UNIT_PROPERTIES: &str = "LoadState,ActiveState,UnitFileState,FragmentPath";

/// Looks at everything that a plan is made from. What cannot be found out is left out.
pub(super) fn machine(server: &Server, request: &MachineRequest) -> MachineFacts {
    let read = |path: &str| server.read(Path::new(path)).ok().flatten().unwrap_or_default();
    let memory = read("/proc/meminfo");
    let all = packages(server);
    let odoo = odoo_version(server, Path::new(odoo::PROGRAM), ("odoo", "odoo")).ok();
    let clusters = clusters(server);
    let mut units = request.units.clone();
    units.extend(clusters.iter().map(|version| format!("postgresql@{version}-main.service")));
    MachineFacts {
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        os: OsRelease::parse(&read("/etc/os-release")),
        login: login(),
        memory: parse::memory(&memory, "MemTotal"),
        cpus: thread::available_parallelism()
            .map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX)),
        ipv6: !read("/proc/net/if_inet6").trim().is_empty(),
        container: says_yes(server, "systemd-detect-virt", &["--container", "--quiet"]),
        ssh_ports: ssh_ports(server),
        packages: all
            .into_iter()
            .filter(|(name, _)| name.starts_with("odoo") || request.packages.contains(name))
            .collect(),
        files: texts(server, &request.files),
        units: self::units(server, &units),
        directories: directories(server, &request.directories),
        user: Account::find(server, "odoo").is_ok_and(|found| found.is_some()),
        role: if clusters.is_empty() { None } else { role(server) },
        postgres_waits: !clusters.is_empty() && postgres::waits(server) == Some(true),
        clusters,
        firewall: firewall(server),
        nginx: nginx(server),
        odoo: odoo.map(|version| version.trim_start_matches("Odoo ").to_owned()),
        sources: request
            .sources
            .iter()
            .map(|series| {
                let (code, environment) = odoo::is_there(server, *series);
                (*series, SourceFacts { code, environment })
            })
            .collect(),
        hosts: hosts(server),
        setup_runs: runs(server),
    }
}

/// Returns what a program prints, whatever its status; nothing where it does not start.
fn said(server: &Server, program: &str, arguments: &[&str]) -> String {
    let output = server.output(server.command(program).args(arguments));
    output.map(|output| output.stdout).unwrap_or_default()
}

fn says_yes(server: &Server, program: &str, arguments: &[&str]) -> bool {
    let output = server.output(server.command(program).args(arguments));
    output.is_ok_and(|output| output.status.success())
}

/// The login that sudo made root. A name that sudo would need to be told in another way is
/// as good as none.
fn login() -> Option<String> {
    let name = env::var("SUDO_USER").ok()?;
    (name != "root" && UserName::parse(&name).is_ok()).then_some(name)
}

fn packages(server: &Server) -> BTreeMap<String, String> {
    let format = "${Package}\t${db:Status-Abbrev}\t${Version}\n";
    parse::packages(&said(server, "dpkg-query", &["-W", "-f", format]))
}

fn texts(server: &Server, paths: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    let found = paths.iter().filter_map(|path| {
        let text = server.read(path).ok().flatten()?;
        Some((path.clone(), text))
    });
    found.collect()
}

/// Asks how units are.
pub(super) fn units(server: &Server, names: &[String]) -> BTreeMap<String, UnitFacts> {
    let mut command = server.command("systemctl");
    command.args(["show", "--property", UNIT_PROPERTIES, "--"]).args(names);
    match server.output(&mut command) {
        Ok(output) => parse::units(names, &output.stdout),
        Err(_) => BTreeMap::new(),
    }
}

fn directories(server: &Server, paths: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    use std::os::unix::fs::MetadataExt as _;
    let passwd = server.read(Path::new("/etc/passwd")).ok().flatten().unwrap_or_default();
    let name_of = |uid: u32| {
        let found = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
        });
        found.unwrap_or_else(|| uid.to_string())
    };
    let found = paths.iter().filter_map(|path| {
        let metadata = fs::metadata(server.path(path)).ok().filter(fs::Metadata::is_dir)?;
        Some((path.clone(), name_of(metadata.uid())))
    });
    found.collect()
}

/// Lists the versions of PostgreSQL that have a cluster as Debian makes it.
fn clusters(server: &Server) -> Vec<u32> {
    let entries = fs::read_dir(server.path(Path::new("/etc/postgresql"))).into_iter().flatten();
    let mut versions: Vec<u32> = entries
        .flatten()
        .filter(|entry| entry.path().join("main/postgresql.conf").exists())
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable();
    versions
}

fn role(server: &Server) -> Option<bool> {
    let sql = "SELECT rolcreatedb AND rolcanlogin FROM pg_roles WHERE rolname = 'odoo'";
    let output = postgres::psql(server, sql).ok()?;
    output.status.success().then(|| output.stdout.trim() == "t")
}

/// Asks how ufw is; none where it is not installed.
pub(super) fn firewall(server: &Server) -> Option<Firewall> {
    let output = server.output(server.command("ufw").args(["status", "verbose"])).ok()?;
    output.status.success().then(|| parse::firewall(&output.stdout))
}

/// Finds every port that sshd may be reached by: those it listens on, those it is told to,
/// and those that systemd listens on for it.
fn ssh_ports(server: &Server) -> Vec<u16> {
    let mut ports = parse::ssh_listeners(&said(server, "ss", &["-H", "-l", "-t", "-n", "-p"]));
    let socket = ["show", "--property", "ActiveState,Listen", "--", "ssh.socket"];
    let socket = said(server, "systemctl", &socket);
    if socket.contains("ActiveState=active") {
        ports.extend(parse::socket_ports(&socket));
    }
    if !ports.is_empty() || says_yes(server, "systemctl", &["is-active", "--quiet", "ssh.service"])
    {
        ports.extend(parse::ssh_ports(&said(server, "sshd", &["-T"])));
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn nginx(server: &Server) -> BTreeMap<PathBuf, String> {
    let mut paths = vec![PathBuf::from("/etc/nginx/nginx.conf")];
    paths.extend(Nginx::new(server).sites());
    texts(server, &paths)
}

/// Lists the hosts with a live release.
pub(super) fn hosts(server: &Server) -> Vec<HostName> {
    let entries = fs::read_dir(server.path(Path::new(layout::HOSTS))).into_iter().flatten();
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut hosts: Vec<_> = names
        .filter_map(|name| HostName::parse(&name).ok())
        .filter(|host| server.path(&Layout::new(host.clone()).current()).exists())
        .collect();
    hosts.sort();
    hosts
}
