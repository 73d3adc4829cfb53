//! The files of configuration that a server gets, whole.

use std::path::{Path, PathBuf};

use super::step::ConfigFile;
use crate::{layout, odoo::Series};

pub(super) const FAIL2BAN: &str = "/etc/fail2ban/jail.d/odoo-deploy.local";
pub(super) const LOGROTATE: &str = "/etc/logrotate.d/odoo-deploy";
pub(super) const UPGRADES: &str = "/etc/apt/apt.conf.d/52odoo-deploy";
pub(super) const SUDOERS: &str = "/etc/sudoers.d/odoo-deploy";

/// What is looked at on every server.
pub(super) const PATHS: &[&str] = &[FAIL2BAN, LOGROTATE, UPGRADES, SUDOERS];

/// What packages of Odoo bring for the same logs: logrotate takes no log twice. Packages do not
/// bring back what was removed.
pub(super) const PACKAGE_ROTATIONS: &[&str] = &[
    "/etc/logrotate.d/odoo",
    "/etc/logrotate.d/odoo-17",
    "/etc/logrotate.d/odoo-18",
    "/etc/logrotate.d/odoo-19",
];

const HEAD: &str = "# Written by `deploy server setup`, which puts it back when it was edited.\n";

/// Tells whether a file that rotates Odoo's logs is as a package brings it.
pub(super) fn is_package_rotation(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.all(|word| {
        ["/var/log/odoo/*.log", "{", "}", "copytruncate", "missingok", "notifempty"].contains(&word)
    })
}

/// Bans who tries passwords at sshd.
pub(super) fn fail2ban(ssh_ports: &[u16]) -> ConfigFile {
    let ports = ssh_ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let text = format!(
        "{HEAD}\n[sshd]\nenabled = true\nbackend = systemd\nport = {ports}\n\
         banaction = iptables-multiport\nmaxretry = 5\nfindtime = 10m\nbantime = 1h\n"
    );
    ConfigFile { path: FAIL2BAN.into(), text, mode: 0o644 }
}

/// Rotates what hosts log into files. Odoo opens its log anew by itself when the file is gone.
pub(super) fn logrotate(days: u32) -> ConfigFile {
    let text = format!(
        "{HEAD}/var/log/odoo/*.log {{\n    daily\n    rotate {days}\n    missingok\n    \
         notifempty\n    compress\n    delaycompress\n    su odoo odoo\n}}\n"
    );
    ConfigFile { path: LOGROTATE.into(), text, mode: 0o644 }
}

/// Has security updates installed every day. Which origins count is the distribution's choice.
pub(super) fn upgrades() -> ConfigFile {
    let head = HEAD.replace('#', "//");
    let text = format!(
        "{head}APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \
         \"1\";\nAPT::Periodic::AutocleanInterval \"7\";\n"
    );
    ConfigFile { path: UPGRADES.into(), text, mode: 0o644 }
}

/// Lets a login run the agent as root, and nothing else.
pub(super) fn sudoers(login: &str) -> ConfigFile {
    let text = format!("{HEAD}{login} ALL=(root) NOPASSWD: {} agent\n", layout::AGENT);
    ConfigFile { path: SUDOERS.into(), text, mode: 0o440 }
}

/// Returns where PostgreSQL's settings go.
pub(super) fn postgres_path(version: u32) -> PathBuf {
    format!("/etc/postgresql/{version}/main/conf.d/odoo-deploy.conf").into()
}

/// Returns where the line of a vendor's package source goes.
pub(super) fn apt_source_path(series: Series) -> PathBuf {
    Path::new("/etc/apt/sources.list.d").join(format!("odoo-deploy-{series}.list"))
}

/// Returns where the key of a vendor's package source goes.
pub(super) fn keyring_path(series: Series) -> PathBuf {
    Path::new("/etc/apt/keyrings").join(format!("odoo-deploy-{series}.asc"))
}

/// Writes the line of a vendor's package source.
pub(super) fn apt_source(series: Series, uri: &str, suite: &str) -> ConfigFile {
    let keyring = keyring_path(series);
    let text = format!("{HEAD}deb [signed-by={}] {uri} {suite}\n", keyring.display());
    ConfigFile { path: apt_source_path(series), text, mode: 0o644 }
}

/// Marks a text as written here.
pub(super) const fn head() -> &'static str {
    HEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_rotation_is_told_from_one_that_somebody_wrote() {
        let package = "/var/log/odoo/*.log {\n    copytruncate\n    missingok\n    notifempty\n}\n";
        assert!(is_package_rotation(package));
        assert!(!is_package_rotation(&package.replace("missingok", "rotate 90")));
    }

    #[test]
    fn a_login_may_run_exactly_the_agent() {
        let text = sudoers("deploy").text;
        let line = text.lines().last().unwrap();
        assert_eq!(line, "deploy ALL=(root) NOPASSWD: /usr/local/lib/odoo-deploy/deploy agent");
    }

    #[test]
    fn logs_are_kept_as_many_days_as_was_wished() {
        assert!(logrotate(30).text.contains("daily\n    rotate 30\n"));
    }
}
