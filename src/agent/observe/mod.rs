//! Looks at a host and its server. Writes nothing.

mod machine;
mod neighbours;

use std::{collections::BTreeMap, fs, path::Path, thread};

use super::{
    Account, history, journal, lock,
    postgres::{Postgres, PostgresError},
    server::{FileError, Server},
    step::{release, switch},
};
use crate::{
    host::{DatabaseName, HostFile, KEPT},
    layout::{Layout, ReleaseNumber},
    plan::{
        ClusterFacts, CopyName, DatabaseAccess, DatabaseFacts, HostFacts, Observed, Recovered,
        ReleaseFacts, RunningFrom, ServerFacts,
    },
    render,
    secret::is_sensitive_key,
    wire::ObserveRequest,
};

/// Observes the host. What cannot be known is said in the facts; only what
/// makes every plan impossible is an error.
///
/// # Errors
/// Fails when the host's own files cannot be read.
pub(super) fn observe(server: &Server, request: &ObserveRequest) -> Result<Observed, FileError> {
    let layout = Layout::new(request.host.clone());
    thread::scope(|scope| {
        let databases = scope.spawn(|| databases(server, request, &layout));
        let machine = scope.spawn(|| server_facts(server, request));
        let mut host = host_facts(server, request, &layout)?;
        let neighbours = neighbours::others(server, &request.host)?;
        let (cluster, databases, newest_copy) =
            databases.join().expect("observing databases does not panic");
        host.last_number = host.last_number.max(newest_copy).max(newest_files(server, request));
        let server = machine.join().expect("observing the machine does not panic");
        Ok(Observed { server: server?, host, cluster, databases, neighbours })
    })
}

fn server_facts(server: &Server, request: &ObserveRequest) -> Result<ServerFacts, FileError> {
    let service = &request.service;
    Ok(ServerFacts {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        time: machine::now(),
        odoo_version: machine::odoo_version(server, &service.odoo_bin),
        code_space: machine::space(server, &Layout::new(request.host.clone()).base()),
        data_space: machine::space(server, &service.data_dir),
        database_space: machine::space(server, "/var/lib/postgresql".as_ref()),
        has_nginx: server.path("/etc/nginx/nginx.conf".as_ref()).exists(),
        has_ipv6: server.path("/proc/net/if_inet6".as_ref()).exists(),
        has_user: Account::find(server, &service.user)?.is_some(),
        listeners: machine::listeners(server),
    })
}

fn host_facts(
    server: &Server,
    request: &ObserveRequest,
    layout: &Layout,
) -> Result<HostFacts, FileError> {
    let releases = releases(server, layout)?;
    let current = switch::target(server, layout)?.map(|target| {
        let number = target.file_name().and_then(|name| name.to_str());
        match number.and_then(ReleaseNumber::from_directory_name) {
            Some(number) if target.starts_with("releases") => RunningFrom::Release(number),
            _ => RunningFrom::Elsewhere(target),
        }
    });
    let highest = highest_directory(server, layout)?;
    Ok(HostFacts {
        current,
        last_number: highest.max(history::highest_release(server, layout)?),
        odoo_conf: odoo_conf(server, request, layout, &releases)?,
        unit: server.read(&layout.unit())?,
        unit_drop_in: server.read(&layout.unit_drop_in())?,
        vhost: server.read(&layout.vhost())?,
        maintenance_page: server.read(&layout.current().join("maintenance.html"))?,
        service: machine::service(server, &layout.unit_name()),
        lock: lock::holder(server, layout)?,
        unfinished: journal::unfinished(server, &layout.journal())?.map(|id| id.to_string()),
        recovered: recovered(server, layout)?,
        releases,
    })
}

/// Says how the last transaction was ended, where it could not do so itself.
fn recovered(server: &Server, layout: &Layout) -> Result<Option<Recovered>, FileError> {
    let last = history::read(server, layout)?.pop().filter(|line| line.recovered);
    Ok(last.map(|line| Recovered {
        holder: line.holder,
        outcome: line.outcome,
        message: line.message,
    }))
}

fn releases(server: &Server, layout: &Layout) -> Result<Vec<ReleaseFacts>, FileError> {
    let directory = layout.releases();
    let mut releases = Vec::new();
    let Ok(entries) = fs::read_dir(server.path(&directory)) else { return Ok(releases) };
    for entry in entries {
        let entry = entry.map_err(FileError::at("list", &directory))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(ReleaseNumber::from_directory_name);
        let Some(number) = number else { continue };
        if let Some((record, state)) = release::read_record(server, layout, number) {
            releases.push(ReleaseFacts { record, state });
        }
    }
    releases.sort_by_key(|release| release.record.number);
    Ok(releases)
}

/// Returns the highest number of a release's directory, whether it was completed
/// or not; 0 where there is none.
fn highest_directory(server: &Server, layout: &Layout) -> Result<u32, FileError> {
    let directory = layout.releases();
    let Ok(entries) = fs::read_dir(server.path(&directory)) else { return Ok(0) };
    let mut highest = 0;
    for entry in entries {
        let name = entry.map_err(FileError::at("list", &directory))?.file_name();
        let number = name.to_str().and_then(ReleaseNumber::from_directory_name);
        highest = highest.max(number.map_or(0, |number| number.0));
    }
    Ok(highest)
}

/// Reads the live odoo.conf. Secrets do not leave the server: their values are
/// replaced by hashes under the controller's key, which tell whether they are
/// the ones it has.
fn odoo_conf(
    server: &Server,
    request: &ObserveRequest,
    layout: &Layout,
    releases: &[ReleaseFacts],
) -> Result<Option<String>, FileError> {
    let Some(text) = server.read(&layout.current().join("odoo.conf"))? else { return Ok(None) };
    let sensitive = |key: &str| {
        is_sensitive_key(key)
            || request.sensitive_keys.contains(key)
            || request.keep.iter().any(|kept| kept == key)
            || releases.iter().any(|release| release.record.sensitive_keys.contains(key))
    };
    let mask = |key: &str, value: &str| {
        if request.keep.iter().any(|kept| kept == key) {
            KEPT.to_owned()
        } else {
            render::keyed_mask(&request.mask_key, key, value)
        }
    };
    Ok(Some(render::mask_conf(&text, &sensitive, &mask)))
}

/// Returns seconds since the epoch by the server's clock.
pub(super) fn now() -> i64 {
    machine::now()
}

/// Completes the access by a password that stays on the server.
pub(super) fn complete_access(
    server: &Server,
    layout: &Layout,
    access: &DatabaseAccess,
    keep: &[String],
) -> Result<DatabaseAccess, FileError> {
    let mut access = access.clone();
    if keep.iter().any(|key| key == "db_password") && access.password.is_none() {
        access.password = kept_option(server, layout, "db_password")?;
    }
    Ok(access)
}

/// Reads one option of the server's own odoo.conf.
pub(super) fn kept_option(
    server: &Server,
    layout: &Layout,
    key: &str,
) -> Result<Option<String>, FileError> {
    option_of(server, &layout.conf_link(), key)
}

/// Reads one option of an odoo.conf.
pub(super) fn option_of(
    server: &Server,
    path: &Path,
    key: &str,
) -> Result<Option<String>, FileError> {
    let Some(text) = server.read(path)? else { return Ok(None) };
    let Ok(file) = HostFile::parse(path, text.as_bytes()) else { return Ok(None) };
    let options = file.effective("options").unwrap_or_default();
    Ok(options.get(key).map(|setting| setting.value.clone()))
}

/// Returns the highest number that a kept copy of files has; 0 where there is none.
fn newest_files(server: &Server, request: &ObserveRequest) -> u32 {
    let directory = server.path(&request.service.data_dir.join("filestore"));
    let names = fs::read_dir(directory).into_iter().flatten().flatten();
    let copies = names.filter_map(|entry| CopyName::parse(entry.file_name().to_str()?).ok());
    newest(copies, &request.databases)
}

/// Copies outlive a host that was set up anew: a name that is taken would fail
/// a snapshot, or worse, a way back.
fn newest(copies: impl Iterator<Item = CopyName>, databases: &[DatabaseName]) -> u32 {
    copies
        .filter(|copy| databases.iter().any(|database| copy.is_of(database)))
        .map(|copy| copy.release().0)
        .max()
        .unwrap_or(0)
}

/// The cluster, the host's databases in it, and the highest number that a kept
/// copy of one has.
type SeenDatabases = (ClusterFacts, BTreeMap<DatabaseName, DatabaseFacts>, u32);

fn databases(server: &Server, request: &ObserveRequest, layout: &Layout) -> SeenDatabases {
    let unreachable = |why: String| {
        let facts = ClusterFacts { version: Err(why), may_create: false, names: Vec::new() };
        (facts, BTreeMap::new(), 0)
    };
    let access = match complete_access(server, layout, &request.access, &request.keep) {
        Ok(access) => access,
        Err(error) => return unreachable(super::with_causes(&error)),
    };
    let postgres = match Postgres::new(server, &access, "odoo-deploy-observe") {
        Ok(postgres) => postgres,
        Err(error) => return unreachable(super::with_causes(&error)),
    };
    cluster(&postgres, request).unwrap_or_else(|error| unreachable(super::with_causes(&error)))
}

/// Asks PostgreSQL in as few runs of its client as the answers allow: each
/// takes some 50 ms.
fn cluster(postgres: &Postgres, request: &ObserveRequest) -> Result<SeenDatabases, PostgresError> {
    let overview = postgres.overview()?;
    let is_there = |name: &&DatabaseName| overview.names.iter().any(|other| other == name.as_str());
    let facts = thread::scope(|scope| {
        let asked: Vec<_> = request
            .databases
            .iter()
            .filter(is_there)
            .map(|name| (name, scope.spawn(|| database(postgres, name))))
            .collect();
        let answered = asked.into_iter().map(|(name, answer)| {
            let facts = answer.join().expect("observing a database does not panic")?;
            Ok(facts.map(|facts| (name.clone(), facts)))
        });
        answered.filter_map(Result::transpose).collect::<Result<_, PostgresError>>()
    })?;
    let copies = overview.names.iter().filter_map(|name| CopyName::parse(name).ok());
    let newest_copy = newest(copies, &request.databases);
    let is_users = |name: &String| !name.contains('~') && name != "postgres";
    let version = overview.version;
    let cluster = ClusterFacts {
        version: Ok(format!("{}.{}", version / 10_000, version % 10_000)),
        may_create: overview.may_create,
        names: overview.names.into_iter().filter(is_users).collect(),
    };
    Ok((cluster, facts, newest_copy))
}

fn database(
    postgres: &Postgres,
    name: &DatabaseName,
) -> Result<Option<DatabaseFacts>, PostgresError> {
    thread::scope(|scope| {
        let obstacles = scope.spawn(|| postgres.snapshot_obstacles(name));
        let facts = postgres.facts(name)?;
        let obstacles = obstacles.join().expect("observing a database does not panic")?;
        Ok(facts.map(|facts| DatabaseFacts { snapshot_obstacles: obstacles, ..facts }))
    })
}
