//! Tells what of a new host's is on the server already. Writes nothing.

use super::{
    Account,
    observe::{every_host, listeners},
    postgres::Postgres,
    server::{FileError, Server},
    with_causes,
};
use crate::{
    layout::Layout,
    plan::DatabaseAccess,
    wire::{Occupancy, OccupancyRequest},
};

/// Looks for what a new host would use. A PostgreSQL that cannot be asked has no databases:
/// the deploy asks again.
///
/// # Errors
/// Fails when the server's files cannot be read.
pub(super) fn occupancy(
    server: &Server,
    request: &OccupancyRequest,
) -> Result<Occupancy, FileError> {
    let neighbours = every_host(server)?;
    let listening = listeners(server).into_iter().map(|listener| listener.port);
    let released = neighbours.iter().flat_map(|neighbour| neighbour.ports.clone());
    let users: Result<Vec<_>, _> = request
        .users
        .iter()
        .map(|user| Ok(Account::find(server, user)?.map(|_| user.clone())))
        .collect();
    let is_there = |path: &std::path::Path| server.path(path).symlink_metadata().is_ok();
    let hosts = request.hosts.iter();
    let data_dirs = request.data_dirs.iter();
    Ok(Occupancy {
        ports: listening.chain(released).collect(),
        hosts: hosts
            .filter(|host| is_there(&Layout::new((*host).clone()).current()))
            .cloned()
            .collect(),
        databases: databases(server, request),
        data_dirs: data_dirs.filter(|path| is_there(path)).cloned().collect(),
        users: users?.into_iter().flatten().collect(),
        neighbours,
    })
}

fn databases(server: &Server, request: &OccupancyRequest) -> Vec<crate::host::DatabaseName> {
    let access = DatabaseAccess {
        system_user: "postgres".to_owned(),
        host: String::new(),
        port: None,
        user: String::new(),
        password: None,
    };
    let listed = Postgres::new(server, &access, "odoo-deploy-observe")
        .and_then(|postgres| postgres.databases())
        .inspect_err(|error| tracing::warn!(error = with_causes(error), "no databases listed"))
        .unwrap_or_default();
    let is_there =
        |name: &&crate::host::DatabaseName| listed.iter().any(|entry| entry.name == name.as_str());
    request.databases.iter().filter(is_there).cloned().collect()
}
