//! The other hosts of the server.

use std::{fs, io, path::Path};

use crate::{
    agent::{
        adopt,
        server::{FileError, Server},
        step::{release, switch},
    },
    host::HostName,
    layout::{Layout, ReleaseNumber},
    plan::{Adopted, Neighbour},
};

/// Lists what every other host's live release uses.
pub(super) fn others(server: &Server, host: &HostName) -> Result<Vec<Neighbour>, FileError> {
    let mut hosts = all(server)?;
    hosts.retain(|neighbour| neighbour.host != *host);
    Ok(hosts)
}

/// Lists what every host's live release uses.
pub(in crate::agent) fn all(server: &Server) -> Result<Vec<Neighbour>, FileError> {
    let directory = Path::new("/opt/odoo");
    let entries = match fs::read_dir(server.path(directory)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::at("list", directory)(error)),
    };
    let mut others = Vec::new();
    for entry in entries {
        let entry = entry.map_err(FileError::at("list", directory))?;
        let name = entry.file_name().to_str().and_then(|name| HostName::parse(name).ok());
        let Some(name) = name else { continue };
        others.extend(live(server, name)?);
    }
    Ok(others)
}

fn live(server: &Server, host: HostName) -> Result<Option<Neighbour>, FileError> {
    let layout = Layout::new(host.clone());
    let Some(target) = switch::target(server, &layout)? else {
        return Ok(adopt::read(server, &layout)?.map(adopted));
    };
    let number = target.file_name().and_then(|name| name.to_str());
    let Some(number) = number.and_then(ReleaseNumber::from_directory_name) else { return Ok(None) };
    let Some((record, _)) = release::read_record(server, &layout, number) else { return Ok(None) };
    Ok(Some(Neighbour {
        host,
        databases: record.databases,
        data_dir: record.data_dir,
        ports: record.ports,
        aliases: record.aliases,
    }))
}

/// Describes a host that runs what was adopted.
fn adopted(record: Adopted) -> Neighbour {
    let health = &record.service.health;
    let ports = std::iter::once(health.http_port).chain(health.gevent_port);
    Neighbour {
        host: record.host,
        databases: health.databases.clone(),
        data_dir: record.data_dir,
        ports: ports.collect(),
        aliases: record.aliases,
    }
}
