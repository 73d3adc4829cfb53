//! `[clients]`, and what servers say about new hosts.

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

use super::{Check, WrittenServer};
use crate::{
    host::{EnvironmentName, HostName, ServerName, did_you_mean},
    settings::{Clients, Environment, Placement},
};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenClients {
    domain: Option<Spanned<String>>,
    #[serde(default)]
    reserved: Vec<Spanned<String>>,
}

impl Check<'_> {
    pub(super) fn clients(&mut self, written: &WrittenClients) -> Clients {
        let label = |text: &String| match HostName::parse(text) {
            Ok(name) if !text.contains('.') => Ok(name.to_string()),
            _ => Err(format!("`{}` is no name that a client could have", text.escape_debug())),
        };
        Clients {
            domain: written.domain.as_ref().and_then(|domain| {
                self.value(domain, |text| HostName::parse(text).map_err(|error| error.to_string()))
            }),
            reserved: written.reserved.iter().filter_map(|name| self.value(name, label)).collect(),
        }
    }

    pub(super) fn placement(
        &mut self,
        servers: &IndexMap<Spanned<String>, Spanned<WrittenServer>>,
        known: &IndexMap<EnvironmentName, Environment>,
    ) -> IndexMap<ServerName, Placement> {
        let mut placement = IndexMap::new();
        for (name, server) in servers {
            // A bad name is told elsewhere.
            let Ok(name) = ServerName::parse(name.get_ref()) else { continue };
            let server = server.get_ref();
            let environments = server.environments.as_ref().map(|names| {
                names.iter().filter_map(|name| self.known_environment(name, known)).collect()
            });
            placement.insert(name, Placement { environments, max_hosts: server.max_hosts });
        }
        placement
    }

    fn known_environment(
        &mut self,
        written: &Spanned<String>,
        known: &IndexMap<EnvironmentName, Environment>,
    ) -> Option<EnvironmentName> {
        let text = written.get_ref();
        let found = known.keys().find(|name| name.as_str() == text).cloned();
        if found.is_none() {
            let hint = did_you_mean(text, known.keys().map(EnvironmentName::as_str));
            self.fault(written, format!("there is no environment `{text}`"), hint.as_deref());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::Settings;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, Path::new("deploy.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_says_which_new_hosts_it_takes() {
        let text = "[servers.a]\naddress = \"a\"\nenvironments = [\"test\"]\nmax_hosts = 3\n\
                    [servers.b]\nlocal = true\nmax_hosts = 1\n\
                    [clients]\ndomain = \"acme.example\"\nreserved = [\"intranet\"]\n";
        let settings = parse(text).unwrap();
        let a = &settings.placement[0];
        assert_eq!(a.environments.as_ref().unwrap()[0].as_str(), "test");
        assert_eq!((a.max_hosts, settings.placement[1].max_hosts), (Some(3), Some(1)));
        assert_eq!(settings.placement[1].environments, None);
        assert_eq!(settings.clients.domain.unwrap().as_str(), "acme.example");
        assert_eq!(settings.clients.reserved, ["intranet"]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        for (bad, line) in [
            ("[servers.a]\naddress = \"a\"\nenvironments = [\"tset\"]\n", 3),
            ("[clients]\ndomain = \"Acme\"\n", 2),
            ("[clients]\nreserved = [\"a.b\"]\n", 2),
            ("[servers.a]\naddress = \"a\"\nmax_hosts = -1\n", 3),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.starts_with(&format!("deploy.toml:{line}: ")), "{error}");
        }
    }
}
