//! Reads how an Odoo is run: its unit, its process, its odoo.conf, its addons.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{checkout, process, vhosts};
use crate::{
    agent::{
        Account, observe,
        postgres::Postgres,
        server::{FileError, Server},
        with_causes,
    },
    host::{DatabaseName, HostFile},
    odoo::CommandLine,
    plan::{CodePlace, DatabaseAccess},
    secret::{has_url_password, is_sensitive_key},
    wire::{FoundValue, Instance},
};

/// Where an odoo.conf usually is, where nothing names it.
const USUAL: [&str; 6] = [
    "/etc/odoo/odoo.conf",
    "/etc/odoo.conf",
    "/etc/odoo-server.conf",
    "config/odoo.conf",
    "conf/odoo.conf",
    "etc/odoo.conf",
];

/// Sections of an odoo.conf, values and secrets as they are.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// An Odoo with its secrets: they do not leave the server.
pub(super) struct Found {
    instance: Instance,
    sections: Sections,
    account: Account,
}

/// A unit that cannot be adopted.
#[derive(Debug, thiserror::Error)]
pub(in crate::agent) enum InstanceError {
    /// It does not run, so nothing tells how it is run.
    #[error("`{0}` does not run Odoo now")]
    NotRunning(String),
    /// Its user has no account here.
    #[error("`{0}` runs as a user that has no account")]
    NoAccount(String),
    /// Its odoo.conf cannot be read.
    #[error("`{path}` is no odoo.conf: {why}")]
    Conf {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// systemd.
    #[error(transparent)]
    Program(#[from] crate::agent::server::ProgramError),
}

/// What systemd says of a unit.
struct Unit {
    main_pid: Option<u32>,
    enabled: bool,
    is_script: bool,
    file: Option<PathBuf>,
    directory: Option<PathBuf>,
    environment: String,
}

impl Unit {
    fn read(server: &Server, unit: &str) -> Result<Self, InstanceError> {
        let mut command = server.command("systemctl");
        let properties = "MainPID,UnitFileState,FragmentPath,SourcePath,WorkingDirectory,Environment,EnvironmentFiles";
        let text = server.run(command.args(["show", "--property", properties, "--", unit]))?;
        let values: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let value = |key: &str| values.get(key).copied().unwrap_or_default();
        let path = |key: &str| Some(value(key)).filter(|path| path.starts_with('/'));
        let is_script = value("SourcePath").starts_with("/etc/init.d/");
        Ok(Self {
            main_pid: value("MainPID").parse().ok().filter(|pid| *pid != 0),
            // What is made of an init script says `generated`, and is enabled by its links.
            enabled: value("UnitFileState") == "enabled",
            is_script,
            file: path("FragmentPath").filter(|_| !is_script).map(PathBuf::from),
            directory: path("WorkingDirectory").map(PathBuf::from),
            environment: format!("{} {}", value("Environment"), value("EnvironmentFiles")),
        })
    }
}

impl Found {
    /// Reads the Odoo that a unit runs.
    pub(super) fn read(server: &Server, name: &str) -> Result<Self, InstanceError> {
        let unit = Unit::read(server, name)?;
        let main = unit.main_pid.and_then(|pid| process::read(server, pid));
        let of_unit = || {
            let all = process::find(server).into_iter();
            all.into_iter().find(|process| process.unit.as_deref() == Some(name))
        };
        let process = main.or_else(of_unit);
        let process = process.ok_or_else(|| InstanceError::NotRunning(name.to_owned()))?;
        let account = account_of(server, process.pid)?
            .ok_or_else(|| InstanceError::NoAccount(name.to_owned()))?;
        let line = CommandLine::parse(&process.arguments);
        let environment = environment(server, process.pid);
        let directory = unit.directory.clone().unwrap_or_else(|| account.home.clone());
        let named = line.conf.clone().or_else(|| environment.get("ODOO_RC").map(PathBuf::from));
        let conf = named.map(|path| directory.join(path));
        let conf = conf.or_else(|| usual_conf(server, name, &account.home, &directory));
        let sections = sections(server, conf.as_deref(), &line)?;
        let group = group_name(server, account.gid)?;
        let mut found = Self {
            instance: Instance {
                unit: name.to_owned(),
                enabled: unit.enabled,
                is_script: unit.is_script,
                unit_file: unit.file.clone(),
                user: account.name.clone(),
                group: group.clone(),
                version: observe::odoo_version(
                    server,
                    &directory.join(&process.program),
                    (&account.name, &group),
                ),
                odoo_bin: directory.join(&process.program),
                python: process.python.clone().filter(|path| path.is_absolute()),
                conf,
                sections: shown(&sections),
                from_command_line: line.options.keys().cloned().collect(),
                data_dir: PathBuf::new(),
                code: Vec::new(),
                databases: Ok(Vec::new()),
                vhosts: Vec::new(),
                notes: notes(&unit),
            },
            sections,
            account,
        };
        found.look_around(server, &directory);
        Ok(found)
    }

    /// Finds data, addons, databases and vhosts.
    fn look_around(&mut self, server: &Server, directory: &Path) {
        self.instance.data_dir = match self.option("data_dir") {
            Some(path) => expanded(path, &self.account.home, directory),
            None => self.account.home.join(".local/share/Odoo"),
        };
        let addons = self.option("addons_path").unwrap_or_default();
        let places = addons.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let places: Vec<_> =
            places.map(|entry| expanded(entry, &self.account.home, directory)).collect();
        let place = |path: PathBuf| CodePlace {
            checkout: checkout::look(server, &path),
            path,
            in_repository: None,
        };
        self.instance.code = places.into_iter().map(place).collect();
        self.instance.vhosts = vhosts::find(server, &self.ports());
        self.instance.databases = self.databases(server);
    }

    /// Returns an option of `[options]` that is set.
    fn option(&self, key: &str) -> Option<&str> {
        let value = self.sections.get("options")?.get(key)?.as_str();
        Some(value).filter(|value| !matches!(*value, "" | "False" | "false" | "None"))
    }

    fn ports(&self) -> Vec<u16> {
        let port = |keys: &[&str], default| {
            let set = keys.iter().find_map(|key| self.option(key)?.parse().ok());
            set.unwrap_or(default)
        };
        let http = port(&["http_port", "xmlrpc_port"], 8069);
        vec![http, port(&["gevent_port", "longpolling_port"], 8072)]
    }

    fn databases(&self, server: &Server) -> Result<Vec<String>, String> {
        let text = |key: &str| self.option(key).unwrap_or_default().to_owned();
        let access = DatabaseAccess {
            system_user: self.account.name.clone(),
            host: text("db_host"),
            port: self.option("db_port").and_then(|port| port.parse().ok()),
            user: text("db_user"),
            password: self.option("db_password").map(str::to_owned),
        };
        let listed = Postgres::new(server, &access, "odoo-deploy-adopt").and_then(|postgres| {
            let overview = postgres.overview()?;
            let mut names = Vec::new();
            for entry in overview.databases.iter().filter(|entry| entry.name != "postgres") {
                let Ok(name) = DatabaseName::parse(&entry.name) else { continue };
                // One that lets nobody in, or not this role, is none of this Odoo's.
                let facts = postgres.facts(&name).ok().flatten();
                if facts.is_some_and(|facts| !facts.modules.is_empty()) {
                    names.push(entry.name.clone());
                }
            }
            Ok(names)
        });
        listed.map_err(|error| with_causes(&error))
    }

    /// Returns what may leave the server.
    pub(super) fn into_instance(self) -> Instance {
        self.instance
    }

    /// Writes the options as one odoo.conf, secrets and the command line's among them.
    pub(super) fn odoo_conf(&self) -> String {
        let mut text = String::new();
        for (section, values) in &self.sections {
            text.push_str(&format!("[{section}]\n"));
            for (key, value) in values {
                text.push_str(&format!("{key} = {}\n", value.replace('\n', "\n    ")));
            }
        }
        text
    }
}

fn account_of(server: &Server, pid: u32) -> Result<Option<Account>, FileError> {
    let status = server.read(Path::new(&format!("/proc/{pid}/status")))?.unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next());
    let passwd = server.read(Path::new("/etc/passwd"))?.unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == uid).then(|| name.to_owned())
    });
    match name {
        Some(name) => Account::find(server, &name),
        None => Ok(None),
    }
}

fn group_name(server: &Server, gid: u32) -> Result<String, FileError> {
    let groups = server.read(Path::new("/etc/group"))?.unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    });
    Ok(name.unwrap_or_else(|| gid.to_string()))
}

/// Reads the variables that a process was started with.
fn environment(server: &Server, pid: u32) -> BTreeMap<String, String> {
    let text = server.read(Path::new(&format!("/proc/{pid}/environ"))).ok().flatten();
    let text = text.unwrap_or_default();
    let pairs = text.split('\0').filter_map(|entry| entry.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn usual_conf(server: &Server, unit: &str, home: &Path, directory: &Path) -> Option<PathBuf> {
    let unit = unit.trim_end_matches(".service");
    let mut places = vec![home.join(".odoorc"), home.join(".openerp_serverrc")];
    places.extend(USUAL.map(|path| directory.join(path)));
    places.push(Path::new("/etc").join(format!("{unit}.conf")));
    places.push(Path::new("/etc/odoo").join(format!("{unit}.conf")));
    places.into_iter().find(|path| server.path(path).is_file())
}

fn sections(
    server: &Server,
    conf: Option<&Path>,
    line: &CommandLine,
) -> Result<Sections, InstanceError> {
    let mut sections = Sections::new();
    if let Some(path) = conf {
        let unreadable = |why: String| InstanceError::Conf { path: path.to_owned(), why };
        let text = server.read(path)?.ok_or_else(|| unreadable("it does not exist".into()))?;
        let file = HostFile::parse(path, text.as_bytes())
            .map_err(|error| unreadable(with_causes(&error)))?;
        for name in file.sections.keys() {
            let values = file.effective(name).unwrap_or_default().into_iter();
            let values = values.map(|(key, setting)| (key, setting.value));
            sections.insert(name.clone(), values.collect());
        }
        sections.remove("DEFAULT");
    }
    let options = sections.entry("options".to_owned()).or_default();
    options.extend(line.options.iter().map(|(key, value)| (key.clone(), value.clone())));
    Ok(sections)
}

/// Leaves out the values of secrets.
fn shown(sections: &Sections) -> BTreeMap<String, BTreeMap<String, FoundValue>> {
    let value = |(key, value): (&String, &String)| {
        let is_set = !matches!(value.as_str(), "" | "False" | "false" | "None");
        let is_secret = (is_sensitive_key(key) && is_set) || has_url_password(value);
        let found = if is_secret { FoundValue::Secret } else { FoundValue::Plain(value.clone()) };
        (key.clone(), found)
    };
    let section = |(name, values): (&String, &BTreeMap<String, String>)| {
        (name.clone(), values.iter().map(value).collect())
    };
    sections.iter().map(section).collect()
}

/// Expands a path as Odoo does, as far as adopted files use that.
fn expanded(path: &str, home: &Path, directory: &Path) -> PathBuf {
    match path.strip_prefix("~") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => directory.join(path),
    }
}

fn notes(unit: &Unit) -> Vec<String> {
    let words = unit.environment.split_whitespace();
    let names: Vec<_> = words
        .map(|word| word.split('=').next().unwrap_or(word).to_owned())
        .filter(|name| name != "ODOO_RC" && !name.starts_with('('))
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "the unit has an environment of its own ({}): what Odoo needs of it belongs into \
         deployment/templates/odoo.service.hbs",
        names.join(", ")
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_leaves_the_server() {
        let options = [
            ("admin_passwd", "hunter2"),
            ("db_password", "False"),
            ("redis", "redis://:hunter2@cache/0"),
            ("workers", "4"),
        ];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let sections = shown(&Sections::from([("options".to_owned(), options)]));
        let options = &sections["options"];
        assert_eq!(options["admin_passwd"], FoundValue::Secret);
        assert_eq!(options["redis"], FoundValue::Secret);
        assert_eq!(options["db_password"], FoundValue::Plain("False".to_owned()));
        assert!(!format!("{sections:?}").contains("hunter2"));
    }

    #[test]
    fn a_path_is_expanded_as_odoo_does() {
        let expand = |path| expanded(path, Path::new("/home/odoo"), Path::new("/srv"));
        assert_eq!(expand("~/addons"), Path::new("/home/odoo/addons"));
        assert_eq!(expand("addons"), Path::new("/srv/addons"));
        assert_eq!(expand("/opt/a"), Path::new("/opt/a"));
    }
}
