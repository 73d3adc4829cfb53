//! What is wrong with a server, and how it is mended.

use serde::Serialize;

use super::{
    facts::{Disk, Examination},
    plan::plan_setup,
    wish::Wish,
};
use crate::layout;

/// Free space below which a deploy may fail, and below which one will.
const LITTLE_SPACE: u64 = 2 << 30;
const NO_SPACE: u64 = 512 << 20;
/// A deploy's smallest share of inodes, in percent.
const FEW_INODES: u8 = 5;
/// Memory that a worker of Odoo needs.
const LITTLE_MEMORY: u64 = 256 << 20;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// What it is about: `nginx`, `disk`, …
    pub about: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// How it is mended.
    pub remedy: String,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Users or deploys suffer.
    Error,
    /// They may later.
    Warning,
}

/// Finds what is wrong, the worst first.
#[must_use]
pub fn diagnose(wish: &Wish, found: &Examination) -> Vec<Diagnosis> {
    let mut all = Findings::default();
    all.programs(found);
    all.hosts(found);
    all.machine(found);
    for disk in &found.disks {
        all.disk(disk);
    }
    all.configuration(wish, found);
    all.0.sort_by_key(|diagnosis| diagnosis.severity);
    all.0
}

#[derive(Default)]
struct Findings(Vec<Diagnosis>);

impl Findings {
    fn error(&mut self, about: &'static str, message: impl Into<String>, remedy: &str) {
        self.add(about, Severity::Error, message.into(), remedy);
    }

    fn warning(&mut self, about: &'static str, message: impl Into<String>, remedy: &str) {
        self.add(about, Severity::Warning, message.into(), remedy);
    }

    fn add(&mut self, about: &'static str, severity: Severity, message: String, remedy: &str) {
        // Two paths of one disk are one finding.
        if !self.0.iter().any(|other| other.message == message) {
            self.0.push(Diagnosis { about, severity, message, remedy: remedy.to_owned() });
        }
    }

    fn programs(&mut self, found: &Examination) {
        if let Some(Err(said)) = &found.nginx {
            self.error(
                "nginx",
                format!("nginx rejects its configuration: {said}"),
                "correct the file it names on the server, then `nginx -t && systemctl reload nginx`; until then no deploy changes a vhost",
            );
        }
        for port in [80, 443] {
            if let Some(unit) =
                found.web.get(&port).filter(|unit| unit.as_deref() != Some("nginx.service"))
            {
                let who = unit.as_deref().unwrap_or("a program of unknown unit");
                self.error(
                    "ports",
                    format!("port {port} is taken by {who}, not by nginx"),
                    "stop it and disable its unit, or move it to another port",
                );
            }
        }
        if let Some(Err(said)) = &found.postgres {
            self.error(
                "postgresql",
                format!("PostgreSQL does not answer: {said}"),
                "`systemctl restart postgresql`; `pg_lsclusters` and /var/log/postgresql say why it went down",
            );
        }
        for unit in &found.failed_units {
            self.error(
                "units",
                format!("`{unit}` failed"),
                &format!(
                    "`journalctl -u {unit} -n 50` says why; `systemctl restart {unit}` tries again"
                ),
            );
        }
    }

    fn hosts(&mut self, found: &Examination) {
        for service in &found.services {
            let host = &service.host;
            if service.hold {
                self.error(
                    "hosts",
                    format!("{host} is held between two states"),
                    &format!("`deploy status --host {host}` says why; `deploy attach --host {host}` shows a deploy that runs"),
                );
            } else if !service.unit.active {
                self.error(
                    "hosts",
                    format!("the service of {host} does not run"),
                    &format!("`deploy logs --host {host}` says why; `systemctl start odoo-{host}` starts it"),
                );
            } else if !service.unit.enabled {
                self.warning(
                    "hosts",
                    format!("the service of {host} would not start at a boot"),
                    &format!("`systemctl enable odoo-{host}`"),
                );
            }
        }
    }

    fn machine(&mut self, found: &Examination) {
        if found.memory_available < LITTLE_MEMORY {
            self.error(
                "memory",
                format!("only {} MB of memory are left", found.memory_available >> 20),
                "lower `workers` of a host, or take a larger machine; `systemctl status` shows who uses it",
            );
        }
        if found.clock == Some(false) && !found.machine.container {
            self.warning(
                "clock",
                "the clock is not kept right",
                "`timedatectl set-ntp true`; the firewall has to let UDP port 123 out",
            );
        }
        if let Some(pending) = &found.reboot {
            let packages = match pending.packages.as_slice() {
                [] => String::new(),
                some => format!(" (for {})", some.join(", ")),
            };
            self.warning(
                "reboot",
                format!("updates wait for a reboot{packages}"),
                "`systemctl reboot` at a quiet hour; hosts start again by themselves",
            );
        }
    }

    fn disk(&mut self, disk: &Disk) {
        let free = disk.free >> 20;
        let path = disk.path.display();
        let remedy = "`deploy history` names releases that can go, `journalctl --vacuum-size=200M` and `apt-get clean` give some space back; or enlarge the disk";
        if disk.free < NO_SPACE {
            self.error("disk", format!("the disk of {path} is full: {free} MB are left"), remedy);
        } else if disk.free < LITTLE_SPACE {
            self.warning("disk", format!("the disk of {path} has {free} MB left"), remedy);
        }
        if disk.inodes.is_some_and(|left| left < FEW_INODES) {
            self.error(
                "disk",
                format!("the disk of {path} has hardly any inodes left"),
                "find the directory with the most files (`du --inodes -x / | sort -n | tail`) and clear it",
            );
        }
    }

    fn configuration(&mut self, wish: &Wish, found: &Examination) {
        if found.machine.agent != wish.agent {
            self.warning(
                "agent",
                format!("the agent is version {}, this is {}", found.machine.agent, wish.agent),
                &format!("put this executable there as `{}`, owned by root", layout::AGENT),
            );
        }
        let plan = plan_setup(wish, &found.machine);
        for obstacle in plan.obstacles {
            let hint = obstacle.hint.unwrap_or_default();
            self.error("setup", obstacle.message, &hint);
        }
        for step in plan.steps {
            self.warning(
                "setup",
                format!("`deploy server setup` would {step}"),
                "run `deploy server setup`",
            );
        }
        for warning in plan.warnings {
            self.warning("setup", warning, "look whether that is meant");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::HostName,
        setup::{
            HostService, UnitFacts,
            sample::{matching, wish},
        },
    };

    fn well() -> Examination {
        let up = UnitFacts { known: true, active: true, enabled: true, ..UnitFacts::default() };
        Examination {
            machine: matching(),
            disks: vec![Disk {
                path: "/".into(),
                size: 40 << 30,
                free: 20 << 30,
                inodes: Some(90),
            }],
            memory_available: 2 << 30,
            nginx: Some(Ok(())),
            postgres: Some(Ok(())),
            clock: Some(true),
            services: vec![HostService {
                host: HostName::parse("a.example").unwrap(),
                unit: up,
                hold: false,
            }],
            web: [(80, Some("nginx.service".to_owned()))].into(),
            ..Examination::default()
        }
    }

    #[test]
    fn a_server_that_is_well_has_nothing() {
        assert_eq!(diagnose(&wish(), &well()), []);
    }

    #[test]
    fn each_fault_is_named_with_its_remedy() {
        type Case = (fn(&mut Examination), &'static str, &'static str);
        let cases: [Case; 10] = [
            (
                |it| it.nginx = Some(Err("unknown directive".into())),
                "unknown directive",
                "nginx -t",
            ),
            (|it| it.postgres = Some(Err("refused".into())), "does not answer", "pg_lsclusters"),
            (|it| it.disks[0].free = 100 << 20, "full: 100 MB", "enlarge"),
            (|it| it.disks[0].inodes = Some(1), "inodes", "du --inodes"),
            (|it| it.memory_available = 1 << 20, "1 MB of memory", "workers"),
            (|it| it.clock = Some(false), "clock", "set-ntp"),
            (|it| it.services[0].unit.active = false, "a.example does not run", "deploy logs"),
            (|it| it.failed_units = vec!["x.service".into()], "`x.service` failed", "journalctl"),
            (|it| drop(it.web.insert(80, Some("apache2.service".into()))), "apache2", "stop it"),
            (|it| it.machine.agent = "0.9".into(), "version 0.9", "put this executable"),
        ];
        for (plant, message, remedy) in cases {
            let mut found = well();
            plant(&mut found);
            let [diagnosis] = &diagnose(&wish(), &found)[..] else { panic!("one for `{message}`") };
            assert!(diagnosis.message.contains(message), "{diagnosis:?}");
            assert!(diagnosis.remedy.contains(remedy), "{diagnosis:?}");
        }
    }

    #[test]
    fn what_hurts_now_comes_first() {
        let mut found = well();
        found.reboot = Some(super::super::Pending { packages: vec!["linux-image-amd64".into()] });
        found.postgres = Some(Err("refused".into()));
        let all = diagnose(&wish(), &found);
        assert_eq!(all[0].about, "postgresql");
        assert_eq!(all[1].about, "reboot");
    }
}
