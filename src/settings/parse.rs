//! Reads the text of `config/deploy.toml`.

mod clients;
mod odoo;

use std::{net::IpAddr, num::NonZeroU32, ops::Range, path::Path, time::Duration};

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

use super::{
    Environment, Server, Settings, SshServer,
    acme::WrittenAcme,
    default_environments,
    dns::WrittenZone,
    notify::WrittenChannel,
    values::{host_key, plain_word},
};
use crate::{
    host::{
        ConfigError, EnvironmentName, Origin, ServerName, SourceError, did_you_mean,
        parse_duration, shown_line,
    },
    source::{Branch, BranchPattern},
};

/// How long a hook may take where `hook_timeout` is not written.
pub(super) const HOOK_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSettings {
    environments: Option<IndexMap<Spanned<String>, WrittenEnvironment>>,
    #[serde(default)]
    servers: IndexMap<Spanned<String>, Spanned<WrittenServer>>,
    #[serde(default)]
    dns: IndexMap<Spanned<String>, WrittenZone>,
    #[serde(default)]
    notify: IndexMap<Spanned<String>, WrittenChannel>,
    #[serde(default)]
    acme: WrittenAcme,
    #[serde(default)]
    defaults: WrittenDefaults,
    #[serde(default)]
    clients: clients::WrittenClients,
    #[serde(default)]
    odoo: IndexMap<Spanned<String>, odoo::WrittenOrigin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEnvironment {
    branch: Spanned<String>,
    #[serde(default)]
    allow: Vec<Spanned<String>>,
    #[serde(default)]
    confirm: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenServer {
    #[serde(default)]
    local: bool,
    address: Option<Spanned<String>>,
    user: Option<Spanned<String>>,
    port: Option<Spanned<u16>>,
    identity: Option<Spanned<String>>,
    host_key: Option<Spanned<String>>,
    #[serde(default)]
    jump: Vec<Spanned<String>>,
    ssh_config: Option<Spanned<String>>,
    public_addresses: Option<Vec<Spanned<String>>>,
    environments: Option<Vec<Spanned<String>>>,
    max_hosts: Option<u32>,
    #[serde(default)]
    odoo: Vec<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct WrittenDefaults {
    desktop_notification: Option<bool>,
    upgrades_at_once: Option<NonZeroU32>,
    hook_timeout: Option<Spanned<String>>,
}

impl Settings {
    /// Reads the text of a `deploy.toml`.
    ///
    /// # Errors
    /// Returns the fault where the text is no TOML or has an unknown key, else
    /// every value that is not usable, each with its line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let source = Source { text, path };
        let written =
            toml::from_str::<WrittenSettings>(text).map_err(|error| source.toml_error(&error))?;
        let mut faults = Vec::new();
        let mut check = Check { source, faults: &mut faults };
        let environments = match written.environments {
            Some(environments) => check.environments(environments),
            None => default_environments(),
        };
        let clients = check.clients(&written.clients);
        let placement = check.placement(&written.servers, &environments);
        let odoo = check.origins(&written.odoo);
        let wanted_odoo = check.wanted_odoo(&written.servers, &odoo);
        let (servers, public_addresses) = check.servers(written.servers);
        let dns = check.zones(written.dns);
        let notify = check.channels(written.notify, &environments);
        let acme = check.acme(&written.acme);
        let desktop_notification = written.defaults.desktop_notification.unwrap_or(true);
        let upgrades_at_once = written.defaults.upgrades_at_once.unwrap_or(NonZeroU32::MIN);
        let hook_timeout = written.defaults.hook_timeout.as_ref();
        let hook_timeout =
            hook_timeout.and_then(|text| check.value(text, |text| parse_duration(text)));
        let settings = Self {
            environments,
            servers,
            public_addresses,
            dns,
            notify,
            acme,
            desktop_notification,
            upgrades_at_once,
            hook_timeout: hook_timeout.unwrap_or(HOOK_TIMEOUT),
            clients,
            placement,
            odoo,
            wanted_odoo,
        };
        ConfigError::unless_empty(faults, settings)
    }
}

/// The text that positions refer to.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Source<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count();
        let text = shown_line(self.text.lines().nth(line).unwrap_or_default(), None);
        Origin { file: self.path.to_owned(), line: line + 1, text }
    }

    fn toml_error(&self, error: &toml::de::Error) -> SourceError {
        let origin =
            error.span().map_or_else(|| Origin::whole_file(self.path), |span| self.origin(span));
        // The first line says what is wrong; a list of candidates may follow in the same line.
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        let mut names = message.split('`').skip(1).step_by(2);
        let near = match names.next() {
            Some(unknown) if message.starts_with("unknown field") => {
                did_you_mean(unknown, names).or_else(|| Some(message.clone()))
            }
            _ => None,
        };
        let message = match message.split_once(", expected") {
            Some((unknown, _)) if near.is_some() => unknown.replace("unknown field", "unknown key"),
            _ => message,
        };
        SourceError::new(&origin, message).with_optional_hint(near)
    }
}

/// Turns what is written into types, and collects the faults.
pub(super) struct Check<'a> {
    source: Source<'a>,
    faults: &'a mut Vec<SourceError>,
}

impl Check<'_> {
    fn environments(
        &mut self,
        written: IndexMap<Spanned<String>, WrittenEnvironment>,
    ) -> IndexMap<EnvironmentName, Environment> {
        let mut environments = IndexMap::new();
        for (name, environment) in written {
            let name = self.value(&name, |text| EnvironmentName::parse(text));
            let branch = self.value(&environment.branch, |text| Branch::parse(text));
            let allow = environment.allow.iter();
            let allow = allow
                .filter_map(|pattern| self.value(pattern, |text| BranchPattern::parse(text)))
                .collect();
            if let (Some(name), Some(branch)) = (name, branch) {
                environments.insert(name, Environment::new(branch, allow, environment.confirm));
            }
        }
        environments
    }

    fn servers(
        &mut self,
        written: IndexMap<Spanned<String>, Spanned<WrittenServer>>,
    ) -> (IndexMap<ServerName, Server>, IndexMap<ServerName, Vec<IpAddr>>) {
        let mut servers = IndexMap::new();
        let mut addresses = IndexMap::new();
        for (name, mut server) in written {
            let public = server.get_mut().public_addresses.take();
            let public = public.map(|written| self.addresses(&written));
            let parsed = self.value(&name, |text| ServerName::parse(text));
            let server = self.server(&name, server.into_inner());
            if let (Some(name), Some(server)) = (parsed, server) {
                if let Some(public) = public {
                    addresses.insert(name.clone(), public);
                }
                servers.insert(name, server);
            }
        }
        (servers, addresses)
    }

    fn server(&mut self, name: &Spanned<String>, written: WrittenServer) -> Option<Server> {
        let port = written.port.as_ref().and_then(|port| {
            self.value(port, |port| match port {
                0 => Err("0 is no port"),
                port => Ok(*port),
            })
        });
        let mut word = |value: &Option<Spanned<String>>| {
            value.as_ref().and_then(|value| self.value(value, |text| plain_word(text)))
        };
        let (address, user) = (word(&written.address), word(&written.user));
        let (identity, ssh_config) = (word(&written.identity), word(&written.ssh_config));
        let jump = written.jump.iter().filter_map(|jump| self.value(jump, |text| plain_word(text)));
        let jump = jump.collect::<Vec<_>>();
        let host_key =
            written.host_key.as_ref().and_then(|key| self.value(key, |text| host_key(text)));
        let more = user.is_some() || identity.is_some() || host_key.is_some() || port.is_some();
        match (written.local, written.address) {
            (true, None) if !more && jump.is_empty() && ssh_config.is_none() => Some(Server::Local),
            (true, _) => {
                self.fault(name, "a server that is `local = true` has no keys of SSH", None);
                None
            }
            (false, None) => {
                let hint = "write `address = \"server.example.net\"`, or `local = true`";
                self.fault(name, format!("server `{}` has no address", name.get_ref()), Some(hint));
                None
            }
            (false, Some(_)) => Some(Server::Ssh(SshServer {
                address: address?,
                user,
                port,
                identity: identity.map(Into::into),
                host_key,
                jump,
                ssh_config: ssh_config.map(Into::into),
            })),
        }
    }

    pub(super) fn value<T, U, E: std::fmt::Display>(
        &mut self,
        written: &Spanned<T>,
        parse: impl FnOnce(&T) -> Result<U, E>,
    ) -> Option<U> {
        match parse(written.get_ref()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(written, error.to_string(), None);
                None
            }
        }
    }

    pub(super) fn fault<T>(
        &mut self,
        at: &Spanned<T>,
        message: impl Into<String>,
        hint: Option<&str>,
    ) {
        let origin = self.source.origin(at.span());
        let fault = SourceError::new(&origin, message);
        self.faults.push(fault.with_optional_hint(hint.map(str::to_owned)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn parse(text: &str) -> Result<Settings, ConfigError> {
        Settings::parse(text, Path::new("config/deploy.toml"))
    }

    fn fault(text: &str) -> SourceError {
        parse(text).unwrap_err().faults().next().unwrap().clone()
    }

    #[test]
    fn a_server_is_local_or_has_an_address() {
        let text = format!(
            "[servers.aws-1]\naddress = \"a.example\"\nuser = \"deploy\"\nport = 2222\n\
             identity = \"~/.ssh/id\"\nhost_key = \"{KEY}\"\njump = [\"u@j:22\"]\n\
             [servers.here]\nlocal = true\n"
        );
        let settings = parse(&text).unwrap();
        assert_eq!(settings.servers[1], Server::Local);
        let Server::Ssh(server) = &settings.servers[0] else { panic!("an SSH server") };
        assert_eq!((server.port, server.jump.len()), (Some(2222), 1));
        for bad in [
            "[servers.a]\n",
            "[servers.a]\nlocal = true\naddress = \"x\"\n",
            "[servers.a]\nlocal = true\nuser = \"x\"\n",
            "[servers.a]\naddress = \"-oProxyCommand=x\"\n",
            "[servers.a]\naddress = \"a b\"\n",
            "[servers.a]\naddress = \"a\"\nhost_key = \"AAAA\"\n",
            "[servers.a]\naddress = \"a\"\nport = 0\n",
            "[servers.A]\naddress = \"a\"\n",
        ] {
            assert!(fault(bad).origin.line > 0, "{bad}");
        }
    }

    #[test]
    fn an_unknown_key_is_shown_with_its_line_and_the_near_one() {
        let fault = fault("[environments.test]\nbranch = \"test\"\nalow = []\n");
        assert_eq!(fault.to_string(), "config/deploy.toml:3: unknown key `alow`");
        assert_eq!(fault.origin.text, "alow = []");
        assert_eq!(fault.hint.as_deref(), Some("did you mean `allow`?"));
    }

    #[test]
    fn text_that_is_no_toml_is_refused_with_its_line() {
        assert_eq!(fault("a = 1\n[servers\n").origin.line, 2);
        assert_eq!(fault("[environments.test]\nbranch = 3\n").origin.line, 2);
        assert_eq!(fault("[environments.test]\n").origin.line, 1);
    }
}
