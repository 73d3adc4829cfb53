//! Chooses what a server cannot say by itself: name, environment, databases. Pure.

use crate::{
    host::{DatabaseName, EnvironmentName, HostName},
    plan::Obstacle,
    settings::Settings,
    wire::{Candidate, FoundValue, Instance, Survey},
};

/// What the operator said.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    pub(super) host: Option<HostName>,
    pub(super) environment: Option<EnvironmentName>,
    pub(super) databases: Vec<DatabaseName>,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) host: HostName,
    pub(super) aliases: Vec<HostName>,
    pub(super) environment: EnvironmentName,
    pub(super) databases: Vec<DatabaseName>,
    pub(super) http_port: u16,
    pub(super) gevent_port: Option<u16>,
    pub(super) interface: String,
}

impl Choice {
    /// Chooses; what was said counts, else what is plain.
    ///
    /// # Errors
    /// Returns what is not plain, and which option says it.
    pub(super) fn make(
        wishes: &Wishes,
        instance: &Instance,
        settings: &Settings,
    ) -> Result<Self, Vec<Obstacle>> {
        let mut found = Vec::new();
        let mut keep = |obstacle| found.push(obstacle);
        let host = host(wishes, instance).map_err(&mut keep).ok();
        let environment = environment(wishes, instance, settings).map_err(&mut keep).ok();
        let databases = databases(wishes, instance).map_err(&mut keep).ok();
        let (Some((host, aliases)), Some(environment), Some(databases)) =
            (host, environment, databases)
        else {
            return Err(found);
        };
        let workers: i32 = number(instance, &["workers"]).unwrap_or(0);
        let gevent = number(instance, &["gevent_port", "longpolling_port"]).unwrap_or(8072);
        Ok(Self {
            host,
            aliases,
            environment,
            databases,
            http_port: number(instance, &["http_port", "xmlrpc_port"]).unwrap_or(8069),
            gevent_port: (workers > 0).then_some(gevent),
            interface: plain(instance, "http_interface").unwrap_or_default().to_owned(),
        })
    }
}

/// Says why no Odoo of a server is the one that is meant.
pub(super) fn no_instance(survey: &Survey) -> Obstacle {
    let said = |candidate: &Candidate| {
        let runs = if candidate.is_running { "runs" } else { "does not run" };
        let host = candidate.host.as_ref().map(|host| format!(", adopted as {host}"));
        format!("{}: {runs}{}", candidate.unit, host.unwrap_or_default())
    };
    let details = survey.candidates.iter().map(said).chain(survey.others.iter().cloned()).collect();
    let running = survey.candidates.iter().filter(|candidate| candidate.is_running).count();
    let (message, hint) = match (running, survey.others.is_empty()) {
        (0, true) => (
            "no Odoo runs on the server".to_owned(),
            "start it: what runs tells how it is run; a service is named by `--unit`",
        ),
        (0, false) => (
            "Odoo runs on the server, but not as a service of systemd".to_owned(),
            "start it by a unit: containers and processes started by hand cannot be adopted",
        ),
        (count, _) => {
            (format!("{count} services of the server run Odoo"), "name the one by `--unit`")
        }
    };
    Obstacle { message, hint: Some(hint.to_owned()), details }
}

fn host(wishes: &Wishes, instance: &Instance) -> Result<(HostName, Vec<HostName>), Obstacle> {
    let mut names: Vec<HostName> = Vec::new();
    let served = instance.vhosts.iter().flat_map(|vhost| &vhost.names);
    for name in served.filter_map(|name| HostName::parse(name).ok()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let Some(host) = wishes.host.clone().or_else(|| names.first().cloned()) else {
        return Err(Obstacle {
            message: "no vhost of nginx passes requests on to this Odoo".to_owned(),
            hint: Some("say under which name it is known: `--host HOSTNAME`".to_owned()),
            details: Vec::new(),
        });
    };
    names.retain(|name| *name != host);
    Ok((host, names))
}

fn environment(
    wishes: &Wishes,
    instance: &Instance,
    settings: &Settings,
) -> Result<EnvironmentName, Obstacle> {
    if let Some(name) = &wishes.environment {
        return match settings.environment(name) {
            Ok(_) => Ok(name.clone()),
            Err(error) => Err(Obstacle {
                message: error.to_string(),
                hint: Some(error.hint()),
                details: Vec::new(),
            }),
        };
    }
    let checkouts = instance.code.iter().filter_map(|place| place.checkout.as_ref());
    let branches: Vec<_> = checkouts.filter_map(|checkout| checkout.branch.as_deref()).collect();
    let by_branch = settings
        .environments
        .iter()
        .find(|(_, environment)| branches.contains(&environment.branch.as_str()));
    let only = || settings.environments.first().filter(|_| settings.environments.len() == 1);
    let production =
        || settings.environments.iter().find(|(name, _)| name.as_str() == "production");
    let found = by_branch.or_else(only).or_else(production);
    found.map(|(name, _)| name.clone()).ok_or_else(|| {
        let names: Vec<_> = settings.environments.keys().map(ToString::to_string).collect();
        Obstacle {
            message: "which environment it is cannot be told from its branch".to_owned(),
            hint: Some(format!("say it: `--environment {}`", names.join("|"))),
            details: Vec::new(),
        }
    })
}

fn databases(wishes: &Wishes, instance: &Instance) -> Result<Vec<DatabaseName>, Obstacle> {
    if !wishes.databases.is_empty() {
        return Ok(wishes.databases.clone());
    }
    let obstacle = |message: String, hint: &str, details| Obstacle {
        message,
        hint: Some(hint.to_owned()),
        details,
    };
    if let Some(text) = plain(instance, "db_name") {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names: Result<Vec<_>, _> = names.map(DatabaseName::parse).collect();
        return names.map_err(|error| {
            obstacle(error.to_string(), "say which: `--database NAME`", Vec::new())
        });
    }
    let hint = "say which it serves: `--database NAME`, more than one with commas between";
    match &instance.databases {
        Err(why) => Err(obstacle(format!("its databases cannot be listed: {why}"), hint, vec![])),
        Ok(names) => match names.as_slice() {
            [] => Err(obstacle("its role sees no database of Odoo".to_owned(), hint, vec![])),
            [name] => DatabaseName::parse(name)
                .map(|name| vec![name])
                .map_err(|error| obstacle(error.to_string(), hint, vec![])),
            names => Err(obstacle(
                format!(
                    "its role sees {} databases of Odoo, and none is named by `db_name`",
                    names.len()
                ),
                hint,
                names.to_vec(),
            )),
        },
    }
}

/// Returns an option of `[options]` that is set and no secret.
fn plain<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    let FoundValue::Plain(value) = instance.sections.get("options")?.get(key)? else { return None };
    Some(value.as_str()).filter(|value| !matches!(*value, "" | "False" | "false" | "None"))
}

fn number<T: std::str::FromStr>(instance: &Instance, keys: &[&str]) -> Option<T> {
    keys.iter().find_map(|key| plain(instance, key)?.parse().ok())
}
