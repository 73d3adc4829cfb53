//! What the servers have already that a new host would use.

use std::collections::{BTreeMap, BTreeSet};

use super::{Adding, Draft};
use crate::{
    causes::with_causes,
    client::{ClientName, Ports, free_ports},
    host::{Host, ServerName},
    transport::Agent,
    wire::{Occupancy, OccupancyRequest, Reply, Request},
    workflow::{Project, WorkflowError, contact},
};

/// Returns the ports of a server that hosts of the repository, old and new, have.
pub(super) fn taken(known: &[Host], drafts: &[Draft], server: &ServerName) -> BTreeSet<u16> {
    let known = known.iter().filter(|host| host.server == *server).flat_map(|host| {
        let vhost = host.nginx.as_ref().map(|nginx| nginx.port);
        [host.http_port, host.gevent_port].into_iter().chain(vhost)
    });
    let drafts = drafts.iter().filter(|draft| draft.choice.server == *server);
    known.chain(drafts.flat_map(|draft| [draft.ports.http, draft.ports.gevent])).collect()
}

/// Finds free ports.
pub(super) fn free(server: &ServerName, taken: &BTreeSet<u16>) -> Result<Ports, WorkflowError> {
    free_ports(taken).ok_or_else(|| {
        WorkflowError::usage(
            format!("server `{server}` has no free ports"),
            "name another server by `--server`",
        )
    })
}

impl Adding<'_> {
    /// Asks each server once, refuses what is there already, and finds ports that nothing
    /// there uses. A server that cannot be asked is told of: the deploy asks again.
    pub(super) async fn ask_servers(
        &self,
        hosts: &[Host],
        drafts: &mut [Draft],
    ) -> Result<Vec<String>, WorkflowError> {
        if self.request.offline {
            let note = "no server was asked: the deploy looks whether the ports are free";
            return Ok(vec![note.to_owned()]);
        }
        let (mut notes, mut answers) = (Vec::new(), BTreeMap::new());
        for server in hosts.iter().map(|host| &host.server).collect::<BTreeSet<_>>() {
            let here: Vec<_> = hosts.iter().filter(|host| host.server == *server).collect();
            match ask_server(self.project, server, &here).await {
                Ok(occupancy) => {
                    refuse_present(&self.client, server, &here, &occupancy)?;
                    answers.insert(server.clone(), occupancy);
                }
                Err(error) => notes.push(format!(
                    "server {server} could not be asked, and the deploy will look whether the \
                     ports are free: {}",
                    with_causes(&error)
                )),
            }
        }
        for index in 0..drafts.len() {
            let (before, rest) = drafts.split_at_mut(index);
            let Some(draft) = rest.first_mut() else { break };
            let mut taken = taken(&self.known, before, &draft.choice.server);
            if let Some(occupancy) = answers.get(&draft.choice.server) {
                taken.extend(&occupancy.ports);
            }
            draft.ports = free(&draft.choice.server, &taken)?;
        }
        Ok(notes)
    }
}

async fn ask_server(
    project: &Project,
    name: &ServerName,
    hosts: &[&Host],
) -> Result<Occupancy, WorkflowError> {
    let server = contact::server(&project.settings, name)?;
    let question = Request::Occupancy(Box::new(OccupancyRequest {
        hosts: hosts.iter().map(|host| host.name.clone()).collect(),
        databases: hosts.iter().flat_map(|host| host.databases.clone()).collect(),
        data_dirs: hosts.iter().map(|host| host.data_dir.clone()).collect(),
        users: hosts.iter().map(|host| host.deploy.user.to_string()).collect(),
    }));
    let (agent, reply) = Agent::connect(name, server, &project.machine, &question).await?;
    agent.close().await;
    match reply {
        Reply::Occupancy(occupancy) => Ok(*occupancy),
        Reply::Fault(fault) => Err(fault.into()),
        _ => Err(WorkflowError::OutOfTurn),
    }
}

fn refuse_present(
    client: &ClientName,
    server: &ServerName,
    hosts: &[&Host],
    occupancy: &Occupancy,
) -> Result<(), WorkflowError> {
    let mut present: Vec<_> = occupancy.hosts.iter().map(|host| format!("host {host}")).collect();
    present.extend(occupancy.databases.iter().map(|name| format!("database {name}")));
    present.extend(occupancy.data_dirs.iter().map(|path| path.display().to_string()));
    // A user that the template names, whoever the client is, is meant to be there.
    let derived = occupancy.users.iter().filter(|user| user.starts_with(client.as_str()));
    present.extend(derived.map(|user| format!("system user {user}")));
    for host in hosts {
        let of = |other: &&crate::plan::Neighbour| other.aliases.contains(&host.name);
        let answering = occupancy.neighbours.iter().filter(of);
        present
            .extend(answering.map(|other| format!("{} as an alias of {}", host.name, other.host)));
    }
    if present.is_empty() {
        return Ok(());
    }
    present.sort();
    present.dedup();
    Err(WorkflowError::usage(
        format!("server {server} has already: {}", present.join(", ")),
        "choose another name or `--server`, or remove there what nobody needs",
    ))
}
