//! What Odoo's own command line sets: it takes precedence over odoo.conf. Pure.

use std::{collections::BTreeMap, path::PathBuf};

use super::options::{OptionKind, option};

/// What the arguments of a running Odoo say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// The odoo.conf that is named.
    pub conf: Option<PathBuf>,
    /// Options as they would stand in odoo.conf.
    pub options: BTreeMap<String, String>,
}

/// Long options that stand under another name in odoo.conf.
const RENAMED: [(&str, &str); 7] = [
    ("database", "db_name"),
    ("db_filter", "dbfilter"),
    ("load", "server_wide_modules"),
    ("log_request", "log_handler"),
    ("dev", "dev_mode"),
    ("load_language", ""),
    ("i18n_overwrite", ""),
];

/// Short options and the long ones they stand for.
const SHORT: [(char, &str); 11] = [
    ('c', "config"),
    ('d', "database"),
    ('D', "data_dir"),
    ('r', "db_user"),
    ('w', "db_password"),
    ('p', "http_port"),
    ('i', "init"),
    ('u', "update"),
    ('s', "save"),
    ('l', "load_language"),
    ('P', "import_partial"),
];

/// Options of a single run: they belong into no file.
const OF_ONE_RUN: [&str; 9] = [
    "init",
    "update",
    "save",
    "stop_after_init",
    "test_enable",
    "test_tags",
    "test_file",
    "shell_interface",
    "import_partial",
];

impl CommandLine {
    /// Reads the arguments behind Odoo's program.
    #[must_use]
    pub fn parse(arguments: &[String]) -> Self {
        let mut line = Self::default();
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            let Some((name, value)) = split(argument) else { continue };
            let is_flag = is_flag(&name);
            let value = value.or_else(|| {
                if is_flag { None } else { rest.next_if(|next| !next.starts_with('-')).cloned() }
            });
            line.take(&name, value);
        }
        line
    }

    fn take(&mut self, name: &str, value: Option<String>) {
        match (name, value) {
            ("config", Some(value)) => self.conf = Some(value.into()),
            ("no_database_list", _) => self.set("list_db", "False"),
            ("no_http" | "no_xmlrpc", _) => self.set("http_enable", "False"),
            (name, value) if !OF_ONE_RUN.contains(&name) => {
                let renamed = RENAMED.iter().find(|(long, _)| *long == name);
                let key = renamed.map_or(name, |(_, key)| *key);
                if !key.is_empty() {
                    self.set(key, value.as_deref().unwrap_or("True"));
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        self.options.insert(key.to_owned(), value.to_owned());
    }
}

/// Splits `--name=value`, `--name`, `-nvalue` and `-n`; none for a word that is no option.
fn split(argument: &str) -> Option<(String, Option<String>)> {
    if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        return (!name.is_empty()).then(|| (name.replace('-', "_"), value));
    }
    let mut letters = argument.strip_prefix('-')?.chars();
    let letter = letters.next()?;
    let (_, name) = SHORT.iter().find(|(short, _)| *short == letter)?;
    let value = letters.as_str();
    Some(((*name).to_owned(), (!value.is_empty()).then(|| value.to_owned())))
}

fn is_flag(name: &str) -> bool {
    let known = ["no_database_list", "no_http", "no_xmlrpc", "stop_after_init", "save"];
    known.contains(&name) || option(name).is_some_and(|spec| spec.kind == OptionKind::Bool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> CommandLine {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        CommandLine::parse(&words)
    }

    #[test]
    fn debians_unit_names_conf_and_log() {
        let line = parse("--config /etc/odoo/odoo.conf --logfile /var/log/odoo/odoo-server.log");
        assert_eq!(line.conf, Some("/etc/odoo/odoo.conf".into()));
        assert_eq!(line.options["logfile"], "/var/log/odoo/odoo-server.log");
    }

    #[test]
    fn every_spelling_of_an_option_is_read() {
        let line = parse("-c/etc/o.conf -d shop --db-filter=^shop$ --http-port 8070 --workers=2");
        assert_eq!(line.conf, Some("/etc/o.conf".into()));
        let expected =
            [("db_name", "shop"), ("dbfilter", "^shop$"), ("http_port", "8070"), ("workers", "2")];
        assert_eq!(
            line.options,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        );
    }

    #[test]
    fn a_flag_takes_no_value_and_a_single_run_leaves_nothing() {
        let line = parse("server --proxy-mode --no-database-list -u all --stop-after-init x");
        let expected = [("list_db", "False"), ("proxy_mode", "True")];
        assert_eq!(
            line.options,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        );
        assert_eq!(line.conf, None);
    }
}
