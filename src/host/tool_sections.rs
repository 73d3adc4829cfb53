//! `[deploy]` and `[deploy.nginx]`.

use std::{path::PathBuf, time::Duration};

use super::{
    DeployOptions, HostName, ModuleName, NginxOptions, UserName,
    reader::{Reader, parse_bool, parse_duration, parse_port, parse_server_path},
    requirements,
    resolve::{Settings, list},
    tls::read_tls,
};
use crate::secret::{Part, split_secrets};

const DEPLOY_KEYS: [&str; 19] = [
    "extends",
    "unset",
    "keep",
    "environment",
    "server",
    "odoo",
    "user",
    "group",
    "odoo_bin",
    "python",
    "requirements",
    "install",
    "admin_password",
    "upgrade_timeout",
    "health_timeout",
    "health_settle",
    "load_check",
    "keep_releases",
    "keep_snapshots",
];
const NGINX_KEYS: [&str; 9] = [
    "enabled",
    "aliases",
    "port",
    "tls",
    "certificate",
    "certificate_key",
    "client_max_body_size",
    "database_manager",
    "cloudflare",
];

/// Options that decide where a host runs: they are never left to the server.
const NEVER_KEPT: [&str; 7] =
    ["db_name", "data_dir", "addons_path", "http_port", "gevent_port", "http_interface", "workers"];

/// How long a release must have run before it counts as well. Odoo's main process looks
/// after its workers every 4 s (`PreforkServer.beat`), and what a module begins at its start
/// (a thread, a timer, a first connection) fails or gives up after some 5 s: after two
/// rounds it has shown.
pub const SETTLE: Duration = Duration::from_secs(8);

/// Reads how long a release must have run; not at all is a choice, too.
fn parse_settle(text: &str) -> Result<Duration, String> {
    if text == "0s" {
        return Ok(Duration::ZERO);
    }
    parse_duration(text).map_err(|error| format!("{error}, or `0s` for not at all"))
}

/// Reads `[deploy]`.
pub(super) fn read_deploy(reader: &mut Reader<'_>, deploy: &Settings) -> DeployOptions {
    reader.only_known(deploy, "deploy", &DEPLOY_KEYS);
    let user = reader.parsed(deploy, "user", UserName::parse);
    let user = user.unwrap_or_else(|| UserName::parse("odoo").expect("a valid user name"));
    let path = |reader: &mut Reader<'_>, key: &str, default: &str| {
        reader.parsed(deploy, key, parse_server_path).unwrap_or_else(|| PathBuf::from(default))
    };
    let duration = |reader: &mut Reader<'_>, key: &str, default: &str| {
        reader
            .parsed(deploy, key, parse_duration)
            .unwrap_or_else(|| parse_duration(default).expect("a valid duration"))
    };
    let count = |reader: &mut Reader<'_>, key: &str, default: usize| {
        reader.parsed(deploy, key, parse_count).unwrap_or(default)
    };
    DeployOptions {
        group: reader.parsed(deploy, "group", UserName::parse).unwrap_or_else(|| user.clone()),
        user,
        odoo_bin: path(reader, "odoo_bin", "/usr/bin/odoo"),
        python: path(reader, "python", "/usr/bin/python3"),
        requirements: requirements::read(reader, deploy),
        install: reader.names(deploy, "install", ModuleName::parse),
        admin_password: read_admin_password(reader, deploy),
        keep: read_keep(reader, deploy),
        upgrade_timeout: duration(reader, "upgrade_timeout", "1h"),
        health_timeout: duration(reader, "health_timeout", "2m"),
        health_settle: reader.parsed(deploy, "health_settle", parse_settle).unwrap_or(SETTLE),
        load_check: reader.parsed(deploy, "load_check", parse_bool).unwrap_or(true),
        keep_releases: count(reader, "keep_releases", 5),
        keep_snapshots: count(reader, "keep_snapshots", 2),
    }
}

/// Reads the name of a secret: the value itself belongs in no file.
fn read_admin_password(reader: &mut Reader<'_>, deploy: &Settings) -> Option<String> {
    let setting = deploy.get("admin_password").filter(|setting| !setting.value.is_empty())?;
    match split_secrets(&setting.value).as_slice() {
        [Part::Secret(name)] => Some(name.clone()),
        _ => {
            reader.fault(
                &setting.origin,
                "`admin_password` has to be the name of a secret, and nothing besides".to_owned(),
                Some("write `admin_password = ${NAME}` and set NAME where `deploy` runs"),
            );
            None
        }
    }
}

fn read_keep(reader: &mut Reader<'_>, deploy: &Settings) -> Vec<String> {
    let text = reader.text(deploy, "keep").unwrap_or_default();
    let keep = list(&text).map(str::to_lowercase).collect::<Vec<_>>();
    for key in keep.iter().filter(|key| NEVER_KEPT.contains(&key.as_str())) {
        reader.fault(
            &deploy["keep"].origin,
            format!("`{key}` cannot be left at the server's own value"),
            Some("write it in `[options]`: the tool has to know it before it connects"),
        );
    }
    keep
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count @ 0..=1000) if !text.starts_with('+') => Ok(count),
        _ => Err(format!("`{text}` is no number from 0 to 1000")),
    }
}

/// Reads `[deploy.nginx]`; none where it is not enabled.
pub(super) fn read_nginx(reader: &mut Reader<'_>, nginx: &Settings) -> Option<NginxOptions> {
    reader.only_known(nginx, "deploy.nginx", &NGINX_KEYS);
    let enabled = reader.parsed(nginx, "enabled", parse_bool).unwrap_or(true);
    let size = reader.parsed(nginx, "client_max_body_size", |text| {
        let number = text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']).unwrap_or(text);
        match !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            true => Ok(text.to_owned()),
            false => Err(format!("`{text}` is no size: write `128m` or `1g`")),
        }
    });
    let options = NginxOptions {
        aliases: reader.names(nginx, "aliases", HostName::parse),
        port: reader.parsed(nginx, "port", parse_port).unwrap_or(80),
        tls: read_tls(reader, nginx, enabled),
        client_max_body_size: size.unwrap_or_else(|| "128m".to_owned()),
        database_manager: reader.parsed(nginx, "database_manager", parse_bool).unwrap_or(false),
        cloudflare: reader.parsed(nginx, "cloudflare", parse_bool).unwrap_or(false),
    };
    enabled.then_some(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented() {
        let page = include_str!("../../docs/reference/configuration.md");
        for key in DEPLOY_KEYS.iter().chain(&NGINX_KEYS) {
            assert!(
                page.contains(&format!("| `{key}`")) || page.contains(&format!(", `{key}` |")),
                "{key}"
            );
        }
    }
}
