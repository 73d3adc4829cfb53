//! Where a host runs: its databases, code, ports and data.

use std::path::{Path, PathBuf};

use super::{
    AddonsDirectory, DatabaseName, Origin, Setting, SourceError,
    expression::{Scope, evaluate},
    load::relative_path,
    reader::{Reader, parse_port, parse_server_path},
    resolve::Settings,
};
use crate::{
    odoo::{
        Series,
        options::{option, reads_as},
    },
    secret::Part,
};

/// Where Debian's package keeps Odoo's data; lint asks for a value of one's own.
const DATA_DIR: &str = "/var/lib/odoo";

/// Reads `db_name`.
pub(super) fn read_databases(reader: &mut Reader<'_>, options: &Settings) -> Vec<DatabaseName> {
    let hint = "write `db_name = NAME`: without it Odoo serves every database of its user";
    let unset = |text: &str| ["", "False", "false", "None"].contains(&text);
    let written =
        |(key, setting): &(&String, &Setting)| *key == "db_name" && !unset(&setting.value);
    let written = options.iter().filter(written);
    let written =
        written.map(|(key, setting)| (key.clone(), setting.clone())).collect::<Settings>();
    let names = reader.required(&written, ("db_name", "options"), hint, parse_databases);
    names.unwrap_or_default()
}

fn parse_databases(text: &str) -> Result<Vec<DatabaseName>, String> {
    let mut names = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let name = DatabaseName::parse(name).map_err(|error| error.to_string())?;
        if names.contains(&name) {
            return Err(format!("`{name}` is named twice"));
        }
        names.push(name);
    }
    if names.is_empty() { Err(format!("`{text}` names no database")) } else { Ok(names) }
}

/// Reads `addons_path`.
pub(super) fn read_addons_path(
    reader: &mut Reader<'_>,
    options: &Settings,
) -> Vec<AddonsDirectory> {
    let Some(setting) = options.get("addons_path").filter(|setting| !setting.value.is_empty())
    else {
        let file = reader.file.clone();
        reader.fault(
            &file,
            "`addons_path` is missing in `[options]`".to_owned(),
            Some(
                "write `addons_path = custom-addons`: a relative path is in the repository, an \
                 absolute one on the server",
            ),
        );
        return Vec::new();
    };
    let [first, second] = [0, 1].map(|index| addons_path(setting, &reader.scopes[index]));
    match (first, second) {
        (Ok(first), Ok(second)) if first == second => return first,
        (Ok(_), Ok(_)) => reader.fault(
            &setting.origin,
            "`addons_path` may not depend on what is being deployed".to_owned(),
            Some("for the code of the release write a relative path, or `{{release.code}}/…`"),
        ),
        (Err(fault), _) | (_, Err(fault)) => reader.faults.push(fault),
    }
    Vec::new()
}

fn addons_path(setting: &Setting, scope: &Scope) -> Result<Vec<AddonsDirectory>, SourceError> {
    let mut text = String::new();
    for part in evaluate(setting, scope)? {
        match part {
            Part::Text(plain) => text.push_str(&plain),
            Part::Secret(name) => {
                let message = format!("`addons_path` may not be the secret `{name}`");
                return Err(SourceError::new(&setting.origin, message));
            }
        }
    }
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(|entry| addons_directory(entry, &setting.origin, scope)).collect()
}

fn addons_directory(
    entry: &str,
    origin: &Origin,
    scope: &Scope,
) -> Result<AddonsDirectory, SourceError> {
    let below_code = Path::new(entry).strip_prefix(&scope.release.code).ok();
    if entry.starts_with('/') && below_code.is_none() {
        return match parse_server_path(entry) {
            Ok(path) => Ok(AddonsDirectory::OnServer(path)),
            Err(error) => Err(SourceError::new(origin, format!("`addons_path`: {error}"))),
        };
    }
    let plain = |c: char| c.is_alphanumeric() || "/._-+@".contains(c);
    below_code
        .or(Some(Path::new(entry)))
        .and_then(Path::to_str)
        .filter(|path| path.chars().all(plain))
        .and_then(|path| relative_path(Path::new(""), path))
        .map(AddonsDirectory::InRelease)
        .ok_or_else(|| {
            let message = format!("`addons_path`: `{entry}` is no path inside the repository");
            SourceError::new(origin, message)
                .with_hint("write it relative to the root of the repository, or absolute")
        })
}

/// Where a host runs on its server.
pub(super) struct Place {
    pub(super) data_dir: PathBuf,
    pub(super) http_port: u16,
    pub(super) gevent_port: u16,
    pub(super) http_interface: String,
    pub(super) workers: i32,
}

/// Reads where a host runs; an option that is absent has its default in the series.
pub(super) fn read_place(reader: &mut Reader<'_>, options: &Settings, series: Series) -> Place {
    // Where both names of an option are set, the later one counts in Odoo; lint refuses that.
    let alias = |key: &'static str, old: &'static str| {
        if options.contains_key(old) && reads_as(old, series) && !options.contains_key(key) {
            old
        } else {
            key
        }
    };
    let port = |reader: &mut Reader<'_>, key: &str, default: u16| {
        let parse = |text: &str| parse_port(text).map_err(|error| with_comment(error, text));
        reader.parsed(options, key, parse).unwrap_or(default)
    };
    let http_port = alias("http_port", "xmlrpc_port");
    let gevent_port = alias("gevent_port", "longpolling_port");
    let interface = alias("http_interface", "xmlrpc_interface");
    let default_interface = option("http_interface").map(|spec| spec.default_in(series));
    Place {
        data_dir: reader
            .parsed(options, "data_dir", parse_server_path)
            .unwrap_or_else(|| PathBuf::from(DATA_DIR)),
        http_port: port(reader, http_port, 8069),
        gevent_port: port(reader, gevent_port, 8072),
        http_interface: reader
            .parsed(options, interface, parse_interface)
            .flatten()
            .unwrap_or_else(|| default_interface.unwrap_or_default().to_owned()),
        workers: reader.parsed(options, "workers", parse_workers).unwrap_or(0),
    }
}

/// Reads an address; none where Odoo takes the value for unset.
fn parse_interface(text: &str) -> Result<Option<String>, String> {
    if ["", "False", "false", "None"].contains(&text) {
        return Ok(None);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".:-".contains(&b);
    match text.bytes().all(plain) {
        true => Ok(Some(text.to_owned())),
        false => Err(with_comment(format!("`{text}` is no address"), text)),
    }
}

fn parse_workers(text: &str) -> Result<i32, String> {
    match text.parse::<i32>() {
        Ok(workers @ -1..=512) if !text.starts_with('+') => Ok(workers),
        _ => Err(with_comment(format!("`{text}` is no number from -1 to 512"), text)),
    }
}

/// Adds the usual reason why a number is none.
fn with_comment(error: String, text: &str) -> String {
    match text.contains([';', '#']) {
        true => format!("{error} (a comment has a line of its own in this file)"),
        false => error,
    }
}
