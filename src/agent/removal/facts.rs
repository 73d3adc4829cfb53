//! What is on the server of a host. Writes nothing.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    agent::{
        Account, Nginx, Systemd,
        certbot::Lineage,
        history, journal, lock,
        observe::{self, every_host, option_of, releases_of_host, space},
        postgres::{Postgres, PostgresError},
        server::{FileError, Server},
        step::provision::provisioned,
        with_causes,
    },
    host::{DatabaseName, HostName},
    layout::Layout,
    plan::{
        CopyName, DatabaseAccess, HostDatabase, KnownRelease, MeasuredFiles, Neighbour,
        ReleaseState, RemovalFacts, RemovalNeighbour, RemovalQuestion, RoleBelongings,
    },
};

/// Where archives are kept.
pub(super) const ARCHIVES: &str = "/var/backups/odoo-deploy";

/// Says that a host was archived and that its removal began: a file in its directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// The archive.
    pub(super) archive: PathBuf,
    /// The newest transaction of its history then: a later one makes the archive old.
    pub(super) newest: Option<String>,
}

/// Looks what there is.
///
/// # Errors
/// Fails when the host's own files cannot be read.
pub(in crate::agent) fn facts(
    server: &Server,
    question: &RemovalQuestion,
) -> Result<RemovalFacts, FileError> {
    let layout = Layout::new(question.host.clone());
    let there = |path: &Path| server.path(path).symlink_metadata().is_ok();
    let releases = releases_of_host(server, &layout)?;
    let was_live = |one: &&KnownRelease| {
        let state = one.facts.state;
        Some(one.facts.record.number) == releases.live
            || matches!(state, ReleaseState::Live | ReleaseState::Verified | ReleaseState::Reverted)
    };
    let once_live = releases.releases.iter().filter(was_live);
    let mut recorded: Vec<_> =
        once_live.flat_map(|one| one.facts.record.databases.clone()).collect();
    recorded.sort();
    recorded.dedup();
    let records = releases.releases.iter().map(|one| &one.facts.record);
    let live = records.clone().find(|record| Some(record.number) == releases.live);
    let names = names(question, &recorded);
    let cluster = cluster(server, &access(server, &layout, question)?, question, &names);
    let (databases, copies, role) = match cluster {
        Ok((databases, copies, role)) => (Ok(databases), copies, role),
        Err(error) => (Err(with_causes(&error)), Vec::new(), None),
    };
    let filestores = filestores(server, &question.data_dir, &names);
    let state = Systemd::new(server).state(&layout.unit_name()).ok();
    let drop_ins = layout.unit_drop_in().parent().map(Path::to_owned).unwrap_or_default();
    let nginx = server.path(Path::new("/etc/nginx/nginx.conf")).exists();
    Ok(RemovalFacts {
        time: observe::now(),
        lock: lock::holder(server, &layout)?,
        unfinished: journal::unfinished(server, &layout.journal())?.map(|id| id.to_string()),
        live: releases.live,
        live_databases: live.map(|record| record.databases.clone()),
        live_data_dir: live.map(|record| record.data_dir.clone()),
        recorded,
        directory: there(&layout.base()).then(|| measured(&server.path(&layout.base()))),
        has_unit: there(&layout.unit())
            || there(&drop_ins)
            || state.as_ref().is_some_and(super::super::UnitState::exists),
        is_running: state.is_some_and(|state| state.main_pid.is_some()),
        has_vhost: there(&layout.vhost()),
        nginx_fault: Nginx::new(server).test().err().filter(|_| nginx).map(|e| with_causes(&e)),
        has_conf_link: there(&layout.conf_link()),
        databases,
        copies,
        role,
        data: there(&question.data_dir).then(|| data(server, &question.data_dir, &filestores)),
        filestores,
        home: Account::find(server, &question.user)?.map(|account| account.home),
        logs: question.logfile.as_deref().map(|path| logs(server, path)).unwrap_or_default(),
        certificate: Lineage::new(server, &question.host).obtained_by()?,
        certificate_files: layout.certificate_files().into_iter().filter(|p| there(p)).collect(),
        certificate_users: certificate_users(server, &layout)?,
        // What cannot be read says nothing: then all of it stays.
        provisioned: provisioned(server, &layout)?.unwrap_or_default(),
        neighbours: neighbours(server, &question.host)?,
        free_for_archive: space(server, Path::new(ARCHIVES)).bytes,
        archived: begun(server, &layout)?.map(|begun| begun.archive),
    })
}

/// The databases that are looked for: those of the file, and those of earlier releases.
fn names(question: &RemovalQuestion, recorded: &[DatabaseName]) -> Vec<DatabaseName> {
    let mut names = [question.databases.as_slice(), recorded].concat();
    names.sort();
    names.dedup();
    names
}

/// Says how the host's databases are reached: as its live odoo.conf does.
pub(super) fn access(
    server: &Server,
    layout: &Layout,
    question: &RemovalQuestion,
) -> Result<DatabaseAccess, FileError> {
    let path = layout.current().join("odoo.conf");
    if server.read(&path)?.is_none() {
        return Ok(question.access.clone());
    }
    let option = |key: &str| {
        let value = option_of(server, &path, key)?;
        Ok::<_, FileError>(value.filter(|value| !matches!(value.as_str(), "" | "False")))
    };
    Ok(DatabaseAccess {
        system_user: question.access.system_user.clone(),
        host: option("db_host")?.unwrap_or_default(),
        port: option("db_port")?.and_then(|port| port.parse().ok()),
        user: option("db_user")?.unwrap_or_default(),
        password: option("db_password")?,
    })
}

type Cluster = (Vec<HostDatabase>, Vec<(CopyName, u64)>, Option<RoleBelongings>);

fn cluster(
    server: &Server,
    access: &DatabaseAccess,
    question: &RemovalQuestion,
    names: &[DatabaseName],
) -> Result<Cluster, PostgresError> {
    let postgres = Postgres::for_removal(server, access, "odoo-deploy-observe")?;
    // A role elsewhere may serve hosts that this server knows nothing of.
    let role = if access.is_local() {
        let name = if access.user.is_empty() { &question.user } else { &access.user };
        postgres.role_belongings(name)?
    } else {
        None
    };
    Ok((postgres.host_databases(names)?, postgres.copies_of_all(names)?, role))
}

/// Lists which of the databases, and of the copies of them, have files.
fn filestores(server: &Server, data_dir: &Path, names: &[DatabaseName]) -> Vec<String> {
    let entries = fs::read_dir(server.path(&data_dir.join("filestore")));
    let entries = entries.into_iter().flatten().flatten();
    let is_ours = |text: &String| {
        let copy = CopyName::parse(text).ok();
        names
            .iter()
            .any(|name| name.as_str() == text || copy.as_ref().is_some_and(|copy| copy.is_of(name)))
    };
    let mut found: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(is_ours).collect();
    found.sort();
    found
}

/// Measures the files of the databases; those of copies are links to them.
fn data(server: &Server, data_dir: &Path, filestores: &[String]) -> MeasuredFiles {
    let own = filestores.iter().filter(|name| CopyName::parse(name).is_err());
    let measured = own.map(|name| measured(&server.path(&data_dir.join("filestore").join(name))));
    measured.fold(MeasuredFiles::default(), |sum, one| MeasuredFiles {
        files: sum.files + one.files,
        bytes: sum.bytes + one.bytes,
    })
}

/// Counts files and their bytes; what vanishes or cannot be read meanwhile is left out.
fn measured(directory: &Path) -> MeasuredFiles {
    let mut total = MeasuredFiles::default();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let one = if metadata.is_dir() {
            measured(&entry.path())
        } else {
            MeasuredFiles { files: 1, bytes: metadata.len() }
        };
        total = MeasuredFiles { files: total.files + one.files, bytes: total.bytes + one.bytes };
    }
    total
}

/// Lists a log and what logrotate made of it: `x.log.1`, `x.log.2.gz`, `x.log-20260101`.
fn logs(server: &Server, logfile: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (logfile.parent(), logfile.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let is_rotated = |other: &OsStr| {
        let other = other.to_string_lossy();
        let Some(rest) = other.strip_prefix(&*name) else { return false };
        let number = rest.strip_prefix(['.', '-']).map(|rest| rest.trim_end_matches(".gz"));
        rest.is_empty()
            || number.is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'-')
            })
    };
    let entries = fs::read_dir(server.path(directory)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name()).filter(|name| is_rotated(name));
    let mut logs: Vec<_> = names.map(|name| directory.join(name)).collect();
    logs.sort();
    logs
}

/// Finds the files of nginx, but for the host's own, that name a certificate of the host.
fn certificate_users(server: &Server, layout: &Layout) -> Result<Vec<PathBuf>, FileError> {
    let places = [layout.acme_certificate(), layout.origin_certificates()];
    let places = places.map(|place| format!("{}/", place.display()));
    let mut users = Vec::new();
    for path in Nginx::new(server).sites() {
        let text = server.read(&path)?.unwrap_or_default();
        if path != layout.vhost() && places.iter().any(|place| text.contains(place)) {
            users.push(path);
        }
    }
    Ok(users)
}

fn neighbours(server: &Server, host: &HostName) -> Result<Vec<RemovalNeighbour>, FileError> {
    let mut others = every_host(server)?;
    others.retain(|other| other.host != *host);
    others.into_iter().map(|other| neighbour(server, other)).collect()
}

fn neighbour(server: &Server, other: Neighbour) -> Result<RemovalNeighbour, FileError> {
    let layout = Layout::new(other.host.clone());
    let unit = server.read(&layout.unit())?.unwrap_or_default();
    let user = unit.lines().find_map(|line| line.trim().strip_prefix("User="));
    let conf = layout.current().join("odoo.conf");
    let option = |key: &str| {
        let value = option_of(server, &conf, key)?;
        Ok::<_, FileError>(value.filter(|value| !matches!(value.as_str(), "" | "False")))
    };
    Ok(RemovalNeighbour {
        user: user.map(str::to_owned),
        role: option("db_user")?,
        logfile: option("logfile")?.map(PathBuf::from),
        host: other.host,
        databases: other.databases,
        data_dir: other.data_dir,
    })
}

/// Returns where the marker of a begun removal is.
pub(super) fn marker(layout: &Layout) -> PathBuf {
    layout.base().join("removal.json")
}

/// Reads the marker; none where the archive is gone, or the host was deployed to since.
pub(super) fn begun(server: &Server, layout: &Layout) -> Result<Option<Begun>, FileError> {
    let text = server.read(&marker(layout))?;
    let begun: Option<Begun> = text.and_then(|text| serde_json::from_str(&text).ok());
    let newest = newest(server, layout)?;
    Ok(begun.filter(|begun| begun.newest == newest && server.path(&begun.archive).exists()))
}

/// Returns the newest transaction of the host's history.
pub(super) fn newest(server: &Server, layout: &Layout) -> Result<Option<String>, FileError> {
    let lines = history::newest(server, layout, 1)?;
    Ok(lines.into_iter().next().map(|line| line.holder.transaction))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(server: &Server, path: &str, text: &str) {
        let path = server.path(Path::new(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_log_is_found_with_what_was_rotated_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        for name in [
            "acme.log",
            "acme.log.1",
            "acme.log.2.gz",
            "acme.log-20260101.gz",
            "acme.log.bak",
            "acme.logs",
        ] {
            put(&server, &format!("/var/log/odoo/{name}"), "");
        }
        let found = logs(&server, Path::new("/var/log/odoo/acme.log"));
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, ["acme.log", "acme.log-20260101.gz", "acme.log.1", "acme.log.2.gz"]);
    }

    #[test]
    fn an_archive_counts_as_long_as_nothing_happened_since() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        assert_eq!(begun(&server, &layout).unwrap(), None);
        let archive = PathBuf::from("/var/backups/odoo-deploy/a.tar.gz");
        let written = Begun { archive: archive.clone(), newest: None };
        let text = serde_json::to_string(&written).unwrap();
        put(&server, "/opt/odoo/a.example/removal.json", &text);
        assert_eq!(begun(&server, &layout).unwrap(), None);
        put(&server, "/var/backups/odoo-deploy/a.tar.gz", "");
        assert_eq!(begun(&server, &layout).unwrap(), Some(written));
        let other = Begun { archive, newest: Some("t1".into()) };
        let text = serde_json::to_string(&other).unwrap();
        put(&server, "/opt/odoo/a.example/removal.json", &text);
        assert_eq!(begun(&server, &layout).unwrap(), None);
    }

    #[test]
    fn a_site_that_names_the_certificate_is_found_and_the_hosts_own_is_not() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        let naming = "ssl_certificate /etc/letsencrypt/live/a.example/fullchain.pem;";
        let other = "ssl_certificate /etc/letsencrypt/live/a.example.com/fullchain.pem;";
        put(&server, "/etc/nginx/sites-enabled/a.example", naming);
        put(&server, "/etc/nginx/sites-enabled/other", other);
        assert_eq!(certificate_users(&server, &layout).unwrap(), Vec::<PathBuf>::new());
        let site = "/etc/nginx/conf.d/www.conf";
        put(&server, site, "ssl_certificate /etc/ssl/odoo-deploy/a.example/current/c.pem;");
        assert_eq!(certificate_users(&server, &layout).unwrap(), [PathBuf::from(site)]);
    }
}
