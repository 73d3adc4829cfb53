//! The pages about hosts, brought to what the repository is about to hold.

use std::path::{Path, PathBuf};

use super::{
    base::{Base, head_error, text},
    write::write_all,
};
use crate::{
    client::{ClientName, HOST_MAP, HostLine, client_page, client_page_path, host_map, hosts_of},
    host::{EnvironmentName, Host, HostName},
    settings::Settings,
    source::{Branch, CommitId, Draft},
    workflow::{Project, WorkflowError},
};

/// A file that is about to be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file, relative to the root of the repository.
    pub path: PathBuf,
    /// What it held; none where it is new.
    pub before: Option<Vec<u8>>,
    /// What it will hold; none where it is removed.
    pub after: Option<Vec<u8>>,
}

/// Where changes go, besides the working tree.
pub(super) struct BranchWish {
    pub(super) branch: Branch,
    pub(super) message: String,
    pub(super) at: jiff::Timestamp,
}

/// Brings the map and the client's page to these hosts. A page of a client that has none
/// left goes, where it was the tool's alone.
pub(super) fn pages(
    base: &Base,
    settings: &Settings,
    client: &ClientName,
    hosts: &[Host],
) -> Result<Vec<FileChange>, WorkflowError> {
    let mut hosts: Vec<_> = hosts.iter().collect();
    hosts.sort_by(|one, other| one.name.cmp(&other.name));
    let page_path = client_page_path(client);
    let page = text(base, &page_path)?;
    let named = hosts.iter().map(|host| (&host.name, &host.environment));
    let own = hosts_of(client, page.as_deref(), named);
    let lines = |wanted: &dyn Fn(&HostName) -> bool| -> Vec<_> {
        hosts.iter().filter(|host| wanted(&host.name)).map(|host| line(host, settings)).collect()
    };
    let after = client_page(page.as_deref(), client, &lines(&|name| own.contains(name)));
    let is_over = own.is_empty() && after == client_page(None, client, &[]);
    let mut changes = vec![change(&page_path, page, (!is_over).then_some(after))];
    let map_path = Path::new(HOST_MAP);
    let map = text(base, map_path)?;
    let after = host_map(map.as_deref(), &lines(&|_| true));
    changes.push(change(map_path, map, Some(after)));
    changes.retain(|change| change.before != change.after);
    Ok(changes)
}

fn change(path: &Path, before: Option<String>, after: Option<String>) -> FileChange {
    FileChange {
        path: path.to_owned(),
        before: before.map(String::into_bytes),
        after: after.map(String::into_bytes),
    }
}

fn line(host: &Host, settings: &Settings) -> HostLine {
    let branch = |environment: &EnvironmentName| {
        settings.environments.get(environment).map(|found| found.branch.to_string())
    };
    let databases: Vec<_> = host.databases.iter().map(ToString::to_string).collect();
    HostLine {
        host: host.name.clone(),
        environment: host.environment.to_string(),
        branch: branch(&host.environment).unwrap_or_else(|| "—".to_owned()),
        server: host.server.to_string(),
        odoo: host.odoo.to_string(),
        databases: databases.join(", "),
        ports: format!("{}, {}", host.http_port, host.gevent_port),
    }
}

/// Writes the changes into the working tree, all or none; or makes a branch of them.
pub(super) fn save(
    project: &Project,
    base: &Base,
    changes: &[FileChange],
    wish: Option<BranchWish>,
) -> Result<Option<(Branch, CommitId)>, WorkflowError> {
    match (base, wish) {
        (Base::LastCommit(head), Some(wish)) => {
            let files = changes.iter().map(|change| (change.path.clone(), change.after.clone()));
            let draft = Draft {
                branch: wish.branch.clone(),
                message: wish.message,
                at: wish.at,
                files: files.collect(),
            };
            let commit = head.commit(&draft).map_err(head_error)?;
            Ok(Some((wish.branch, commit)))
        }
        _ => {
            write_all(project.repository.root(), changes)?;
            Ok(None)
        }
    }
}
