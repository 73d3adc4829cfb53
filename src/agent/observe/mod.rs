//! Looks at a host and its server. Writes nothing.

mod environments;
mod machine;
mod neighbours;
mod provision;
mod releases;
mod service;

pub(super) use machine::{listeners, odoo_version, space, unit_of};
pub(super) use neighbours::all as every_host;
pub(super) use releases::{highest_directory, releases_of_host};

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path, thread};

use super::{
    Account, adopt, as_deployed, certificate, history, journal, lock,
    postgres::{Look, OverviewEntry, Postgres, PostgresError},
    server::{FileError, Server},
    step::switch,
};
use crate::{
    host::{DatabaseName, HostFile, KEPT},
    layout::{Layout, ReleaseNumber},
    plan::{
        ADOPTED, AsDeployed, ClusterFacts, CopyFacts, CopyName, DatabaseAccess, DatabaseFacts,
        HostFacts, Observed, Recovered, ReleaseFacts, RoleFacts, RowCount, RunningFrom,
        ServerFacts,
    },
    render,
    secret::is_sensitive_key,
    wire::{CountRequest, ObserveRequest},
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
        let environments = scope.spawn(|| environments::facts(server, request, &layout));
        let mut host = host_facts(server, request, &layout)?;
        let neighbours = neighbours::others(server, &request.host)?;
        let ((cluster, mut databases, newest_copy), role) =
            databases.join().expect("observing databases does not panic");
        let files = kept_files(server, request);
        let newest_files = newest(files.keys(), &request.databases);
        host.last_number = host.last_number.max(newest_copy).max(newest_files);
        for copy in databases.values_mut().flat_map(|facts| &mut facts.copies) {
            copy.created = files.get(&copy.name).copied();
        }
        let machine = machine.join().expect("observing the machine does not panic");
        Ok(Observed {
            environments: environments.join().expect("observing environments does not panic"),
            provision: provision::facts(server, request, role),
            server: machine?,
            host,
            cluster,
            databases,
            neighbours,
        })
    })
}

fn server_facts(server: &Server, request: &ObserveRequest) -> Result<ServerFacts, FileError> {
    let service = &request.service;
    Ok(ServerFacts {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        time: machine::now(),
        odoo_version: machine::odoo_version(
            server,
            &service.odoo_bin,
            (&service.user, &service.group),
        ),
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
    let releases = releases::releases(server, layout)?;
    let current = switch::target(server, layout)?.map(|target| {
        let number = target.file_name().and_then(|name| name.to_str());
        match number.and_then(ReleaseNumber::from_directory_name) {
            Some(number) if target.starts_with("releases") => RunningFrom::Release(number),
            _ => RunningFrom::Elsewhere(target),
        }
    });
    let highest = releases::highest_directory(server, layout)?;
    let question = service::Question {
        layout,
        current: current.as_ref(),
        logfile: request.service.logfile.as_deref(),
    };
    let (service, foreign_drop_ins) = service::facts(server, &question);
    let masking = Masking { request, releases: &releases };
    let as_deployed = match current {
        Some(RunningFrom::Release(number)) => as_deployed::read(server, layout, number)?,
        _ => None,
    };
    let mut adopted = adopt::facts(server, layout)?;
    if let Some(adopted) = adopted.as_mut().filter(|adopted| adopted.is_live) {
        let text = server.read(&layout.release(ADOPTED).join("odoo.conf"))?;
        adopted.odoo_conf = text.map(|text| masking.mask(&text));
    }
    Ok(HostFacts {
        as_deployed: as_deployed.map(|files| AsDeployed {
            odoo_conf: files.odoo_conf.map(|text| masking.mask(&text)),
            ..files
        }),
        knows_transaction: match &request.transaction {
            Some(id) => history::knows(server, layout, id)?,
            None => false,
        },
        series: request.service.series,
        foreign_drop_ins,
        certificates: certificate::facts(server, layout)?,
        service,
        current,
        last_number: highest.max(history::highest_release(server, layout)?),
        odoo_conf: server
            .read(&layout.current().join("odoo.conf"))?
            .map(|text| masking.mask(&text)),
        unit: server.read(&layout.unit())?,
        unit_drop_in: server.read(&layout.unit_drop_in())?,
        vhost: server.read(&layout.vhost())?,
        maintenance_page: server.read(&layout.current().join("maintenance.html"))?,
        lock: lock::holder(server, layout)?,
        unfinished: journal::unfinished(server, &layout.journal())?.map(|id| id.to_string()),
        recovered: recovered(server, layout)?,
        releases,
        adopted,
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

/// Secrets do not leave the server: their values are replaced by hashes under the
/// controller's key, which tell whether they are the ones it has.
struct Masking<'a> {
    request: &'a ObserveRequest,
    releases: &'a [ReleaseFacts],
}

impl Masking<'_> {
    /// Masks an odoo.conf.
    fn mask(&self, text: &str) -> String {
        let request = self.request;
        let is_kept = |key: &str| request.keep.iter().any(|kept| kept == key);
        let sensitive = |key: &str| {
            is_sensitive_key(key)
                || request.sensitive_keys.contains(key)
                || is_kept(key)
                || self.releases.iter().any(|release| release.record.sensitive_keys.contains(key))
        };
        let mask = |key: &str, value: &str| {
            if is_kept(key) {
                KEPT.to_owned()
            } else {
                render::keyed_mask(&request.mask_key, key, value)
            }
        };
        render::mask_conf(text, &sensitive, &mask)
    }
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

/// Reads one option of the server's own odoo.conf; before the first release that of what
/// was adopted.
pub(super) fn kept_option(
    server: &Server,
    layout: &Layout,
    key: &str,
) -> Result<Option<String>, FileError> {
    if !server.path(&layout.conf_link()).exists() {
        return adopt::option(server, layout, key);
    }
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

/// Lists the kept copies of files, each with when it was made, in seconds since the epoch.
fn kept_files(server: &Server, request: &ObserveRequest) -> BTreeMap<CopyName, i64> {
    let directory = server.path(&request.service.data_dir.join("filestore"));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let copy = |entry: fs::DirEntry| {
        let name = CopyName::parse(entry.file_name().to_str()?).ok()?;
        Some((name, entry.metadata().ok()?.mtime()))
    };
    entries.filter_map(copy).collect()
}

/// Returns the highest number that a copy of one of the databases has; 0 where
/// there is none. Copies outlive a host that was set up anew: a name that is
/// taken would fail a snapshot, or worse, a way back.
fn newest<'a>(copies: impl Iterator<Item = &'a CopyName>, databases: &[DatabaseName]) -> u32 {
    copies
        .filter(|copy| databases.iter().any(|database| copy.is_of(database)))
        .map(|copy| copy.release().0)
        .max()
        .unwrap_or(0)
}

/// Counts what was created in databases since; a database that cannot be asked is left out.
///
/// # Errors
/// Fails when the host's own files cannot be read.
pub(super) fn new_rows(
    server: &Server,
    request: &CountRequest,
) -> Result<BTreeMap<DatabaseName, Vec<RowCount>>, FileError> {
    let layout = Layout::new(request.host.clone());
    let access = complete_access(server, &layout, &request.access, &request.keep)?;
    let Ok(postgres) = Postgres::new(server, &access, "odoo-deploy-observe") else {
        return Ok(BTreeMap::new());
    };
    let count = |(name, since): (&DatabaseName, &i64)| {
        let counted = postgres.new_rows(name, *since);
        let warned = counted.inspect_err(|error| {
            tracing::warn!(database = %name, error = super::with_causes(error), "not counted");
        });
        Some((name.clone(), warned.ok()?))
    };
    Ok(request.since.iter().filter_map(count).collect())
}

/// The cluster, the host's databases in it, and the highest number that a kept
/// copy of one has.
type SeenDatabases = (ClusterFacts, BTreeMap<DatabaseName, DatabaseFacts>, u32);

fn databases(
    server: &Server,
    request: &ObserveRequest,
    layout: &Layout,
) -> (SeenDatabases, RoleFacts) {
    let unreachable = |why: String| {
        let facts = ClusterFacts { version: Err(why), may_create: false, names: Vec::new() };
        ((facts, BTreeMap::new(), 0), RoleFacts::NotAsked)
    };
    let access = match complete_access(server, layout, &request.access, &request.keep) {
        Ok(access) => access,
        Err(error) => return unreachable(super::with_causes(&error)),
    };
    let own = Postgres::new(server, &access, APPLICATION);
    // What is live has a database, as a rule.
    let through = request.databases.first().filter(|_| server.path(&layout.current()).exists());
    match own.and_then(|postgres| cluster(&postgres, request, through)) {
        Ok(seen) => (seen, RoleFacts::NotAsked),
        Err(error) => provision::seen_by_others(server, request, &access)
            .unwrap_or_else(|| unreachable(super::with_causes(&error))),
    }
}

/// The name of an observation's sessions in PostgreSQL.
const APPLICATION: &str = "odoo-deploy-observe";

/// Asks PostgreSQL in as few runs of its client as the answers allow: one, where the
/// database to look through is there.
fn cluster(
    postgres: &Postgres,
    request: &ObserveRequest,
    through: Option<&DatabaseName>,
) -> Result<SeenDatabases, PostgresError> {
    let databases = &request.databases;
    // One that is not there, or lets nobody in, is told of by a look that does not go through it.
    let looked = through.and_then(|name| postgres.look_through(name, databases).ok());
    let looked = looked.map_or_else(|| postgres.look(databases), Ok)?;
    let Look { overview, mut obstacles, facts } = looked;
    let mut facts: BTreeMap<_, _> = through.cloned().zip(facts).into_iter().collect();
    let is_there =
        |name: &&DatabaseName| overview.databases.iter().any(|other| other.name == name.as_str());
    let copies: Vec<_> = overview.databases.iter().filter_map(copy).collect();
    thread::scope(|scope| {
        let unknown = databases.iter().filter(is_there).filter(|name| !facts.contains_key(*name));
        let asked: Vec<_> =
            unknown.map(|name| (name, scope.spawn(|| postgres.facts_of_present(name)))).collect();
        for (name, answer) in asked {
            let answer = answer.join().expect("observing a database does not panic")?;
            facts.insert(name.clone(), answer);
        }
        Ok::<_, PostgresError>(())
    })?;
    for (name, facts) in &mut facts {
        facts.copies = copies_of(name, &copies);
        facts.snapshot_obstacles = obstacles.remove(name).unwrap_or_default();
    }
    let newest_copy = newest(copies.iter().map(|copy| &copy.name), &request.databases);
    let is_users = |name: &String| !name.contains('~') && name != "postgres";
    let version = overview.version;
    let cluster = ClusterFacts {
        version: Ok(format!("{}.{}", version / 10_000, version % 10_000)),
        may_create: overview.may_create,
        names: overview.databases.into_iter().map(|entry| entry.name).filter(is_users).collect(),
    };
    Ok((cluster, facts, newest_copy))
}

/// Reads a database that the tool made; when, its files say.
fn copy(entry: &OverviewEntry) -> Option<CopyFacts> {
    let name = CopyName::parse(&entry.name).ok()?;
    Some(CopyFacts { name, oid: entry.oid, bytes: entry.bytes.unwrap_or(0), created: None })
}

fn copies_of(database: &DatabaseName, all: &[CopyFacts]) -> Vec<CopyFacts> {
    let mut copies: Vec<_> = all.iter().filter(|copy| copy.name.is_of(database)).cloned().collect();
    copies.sort_by_key(|copy| (copy.name.release(), copy.name.kind()));
    copies
}
