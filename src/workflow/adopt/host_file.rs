//! Writes the file of a host from what its server says. Pure.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::choice::Choice;
use crate::{
    host::{HostName, ServerName},
    odoo::{
        Series,
        options::{OptionSpec, option},
    },
    plan::CodePlace,
    wire::{FoundValue, Instance},
};

/// Options that are written first, from what they mean and not from what they say.
const PLACED: [&str; 6] =
    ["db_name", "addons_path", "data_dir", "http_port", "xmlrpc_port", "config"];

/// Where a secret goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// It stays at the server's own value (`keep`).
    Keep,
    /// It becomes `${NAME}`, to be set by whoever deploys.
    Environment,
}

/// What a host's file is made of.
pub(super) struct Parts<'a> {
    pub(super) instance: &'a Instance,
    pub(super) choice: &'a Choice,
    pub(super) server: &'a ServerName,
    pub(super) series: Series,
    pub(super) code: &'a [CodePlace],
    /// A directory of addons for an Odoo that has none on its path.
    pub(super) addons_directory: Option<PathBuf>,
    pub(super) secrets: Secrets,
}

/// A host's file, and which secrets it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) text: String,
    /// Options that stay at the server's own value.
    pub(super) keep: Vec<String>,
    /// Names that have to be set.
    pub(super) names: Vec<String>,
}

impl Parts<'_> {
    pub(super) fn write(&self) -> Written {
        let mut written = Written { text: String::new(), keep: Vec::new(), names: Vec::new() };
        let options = self.options(&mut written);
        let foreign = self.foreign(&mut written);
        let deploy = self.deploy(&written.keep);
        written.text = format!(
            "# Adopted from {} of {}. `deploy lint` says what could be better.\n\
             {options}{deploy}{}{foreign}",
            self.instance.unit,
            self.server,
            self.nginx()
        );
        written
    }

    fn options(&self, written: &mut Written) -> String {
        let choice = self.choice;
        let names: Vec<_> = choice.databases.iter().map(ToString::to_string).collect();
        let mut text = String::from("[options]\n");
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key} = {}", value.replace('\n', "\n    "));
        };
        line("db_name", &names.join(","));
        line("addons_path", &self.addons_path());
        line("data_dir", &self.instance.data_dir.to_string_lossy());
        line("http_port", &choice.http_port.to_string());
        let empty = BTreeMap::new();
        let options = self.instance.sections.get("options").unwrap_or(&empty);
        for (key, value) in options.iter().filter(|(key, _)| !PLACED.contains(&key.as_str())) {
            match value {
                FoundValue::Plain(value) if self.says_nothing(key, value) => {}
                FoundValue::Plain(value) => line(key, value),
                FoundValue::Secret if self.secrets == Secrets::Keep => {
                    written.keep.push(key.clone());
                }
                FoundValue::Secret => {
                    let name = secret_name(&choice.host, key);
                    line(key, &format!("${{{name}}}"));
                    written.names.push(name);
                }
            }
        }
        // Odoo's default master password is `admin`: nobody may reach what it opens.
        if !options.contains_key("admin_passwd") && !options.contains_key("list_db") {
            line("list_db", "False");
        }
        text
    }

    /// Tells whether a line can be left out: its value is the default, or the series does
    /// not read the option from the file.
    fn says_nothing(&self, key: &str, value: &str) -> bool {
        let known = |spec: &&OptionSpec| spec.exists_in(self.series);
        let Some(spec) = option(key).filter(known) else { return false };
        let plain = |value: &str| match value {
            "False" | "false" | "None" => String::new(),
            "true" => "True".to_owned(),
            other => other.to_owned(),
        };
        !spec.read_from_file(self.series) || plain(value) == plain(spec.default_in(self.series))
    }

    fn addons_path(&self) -> String {
        let entry = |place: &CodePlace| match &place.in_repository {
            Some(path) if path.as_os_str().is_empty() => ".".to_owned(),
            Some(path) => path.display().to_string(),
            None => place.path.display().to_string(),
        };
        let entries: Vec<_> = self.code.iter().map(entry).collect();
        if !entries.is_empty() {
            return entries.join(",");
        }
        let core = Path::new("/usr/lib/python3/dist-packages/odoo/addons");
        self.addons_directory.as_deref().unwrap_or(core).display().to_string()
    }

    fn deploy(&self, keep: &[String]) -> String {
        let Instance { user, group, odoo_bin, python, .. } = self.instance;
        let mut text = format!(
            "\n[deploy]\nenvironment = {}\nserver = {}\nodoo = {}\n",
            self.choice.environment, self.server, self.series
        );
        let mut line = |key: &str, value: &str, default: &str| {
            if value != default {
                let _ = writeln!(text, "{key} = {value}");
            }
        };
        line("user", user, "odoo");
        line("group", group, user);
        line("odoo_bin", &odoo_bin.to_string_lossy(), "/usr/bin/odoo");
        let python = python.as_deref().map(|path| path.to_string_lossy().into_owned());
        line("python", python.as_deref().unwrap_or("/usr/bin/python3"), "/usr/bin/python3");
        line("keep", &keep.join(", "), "");
        text
    }

    fn nginx(&self) -> String {
        let vhosts = &self.instance.vhosts;
        let mut text = String::from("\n[deploy.nginx]\n");
        if vhosts.is_empty() {
            text.push_str("enabled = False\n");
            return text;
        }
        let aliases: Vec<_> = self.choice.aliases.iter().map(ToString::to_string).collect();
        if !aliases.is_empty() {
            let _ = writeln!(text, "aliases = {}", aliases.join(", "));
        }
        let certificate = vhosts.iter().find_map(|vhost| vhost.certificate.as_ref());
        match certificate {
            Some((chain, key)) => {
                let (chain, key) = (chain.display(), key.display());
                let _ =
                    writeln!(text, "tls = files\ncertificate = {chain}\ncertificate_key = {key}");
            }
            None => text.push_str("tls = none\n"),
        }
        let port = vhosts.iter().find_map(|vhost| vhost.port).unwrap_or(80);
        if port != 80 && port != 443 {
            let _ = writeln!(text, "port = {port}");
        }
        let size = vhosts.iter().find_map(|vhost| vhost.body_size.as_deref());
        if let Some(size) = size.filter(|size| is_size(size)) {
            let _ = writeln!(text, "client_max_body_size = {size}");
        }
        text
    }

    /// Passes every other section on. `keep` knows options of `[options]` only.
    fn foreign(&self, written: &mut Written) -> String {
        let mut text = String::new();
        let foreign = self.instance.sections.iter().filter(|(name, _)| *name != "options");
        for (section, values) in foreign {
            let _ = writeln!(text, "\n[{section}]");
            for (key, value) in values {
                let value = match value {
                    FoundValue::Plain(value) => value.replace('\n', "\n    "),
                    FoundValue::Secret => {
                        let name = secret_name(&self.choice.host, key);
                        written.names.push(name.clone());
                        format!("${{{name}}}")
                    }
                };
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        text
    }
}

fn is_size(text: &str) -> bool {
    let digits = text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Names a secret after the host's first label, so that two hosts do not share one.
fn secret_name(host: &HostName, key: &str) -> String {
    let label = host.as_str().split('.').next().unwrap_or_default();
    let name = format!("{label}_{key}").to_uppercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("H_{name}") } else { name }
}

#[cfg(test)]
mod tests;
