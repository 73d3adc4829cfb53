//! How hosts are: what runs, whether it is well, and what waits to be deployed.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Project, WorkflowError, contact,
    files::{Renderer, Templates},
};
use crate::{
    causes::with_causes,
    host::{EnvironmentName, Host, HostName, ServerName, host_names},
    layout::ReleaseNumber,
    plan::live_record,
    secret::Secrets,
    source::{Branch, Cache, CommitId, CommitLog, SourceError},
    transport::Agent,
    wire::{ObserveRequest, Reply, Request, StatusFacts},
};

/// How many commits that wait to be deployed are named.
const NAMED_COMMITS: usize = 5;

/// A host and how it is.
pub struct HostStatus {
    /// The host.
    pub host: HostName,
    /// The server that carries it.
    pub server: ServerName,
    /// Its environment.
    pub environment: EnvironmentName,
    /// What its server told, or why it could not be asked: the same for all hosts of
    /// a server that cannot be reached.
    pub facts: Result<StatusFacts, Arc<WorkflowError>>,
    /// What is on the branch and not live; none where nothing is live.
    pub pending: Option<Result<Pending, String>>,
    /// The environment's own branch.
    own_branch: Branch,
}

/// What lies between the live commit and the tip of its branch.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The branch that the live release came from; the environment's own where it
    /// was deployed by commit.
    pub branch: Branch,
    /// The commits.
    pub log: CommitLog,
}

/// Lists the hosts of the repository.
///
/// # Errors
/// Fails where their directory cannot be read.
pub fn every_host(project: &Project) -> Result<Vec<HostName>, WorkflowError> {
    Ok(host_names(&project.files)?)
}

/// Asks the servers of some hosts how those are, each over one connection.
///
/// # Errors
/// Fails where the configuration does; a server that cannot be reached is in the answer.
pub async fn look(
    project: &Project,
    names: &[HostName],
    mask_key: [u8; 32],
) -> Result<Vec<HostStatus>, WorkflowError> {
    let mut servers: BTreeMap<ServerName, Vec<(Host, Request)>> = BTreeMap::new();
    for name in names {
        let host = Host::load(&project.files, name)?;
        let question = question(project, &host, mask_key)?;
        servers.entry(host.server.clone()).or_default().push((host, question));
    }
    let mut hosts = Vec::new();
    for (server, questions) in servers {
        hosts.extend(ask_server(project, &server, questions).await?);
    }
    hosts.sort_by(|one, other| one.host.cmp(&other.host));
    Ok(hosts)
}

/// What the agent has to know. No secret is among it.
fn question(project: &Project, host: &Host, mask_key: [u8; 32]) -> Result<Request, WorkflowError> {
    let mut renderer = Renderer {
        host,
        settings: &project.settings,
        secrets: &project.secrets,
        templates: Templates::default(),
        python_environment: None,
    };
    let masked = Secrets::masked(renderer.secret_names(ReleaseNumber(0))?);
    renderer.secrets = &masked;
    let options = renderer.options(ReleaseNumber(0))?;
    let mut access = renderer.access(&options);
    access.password = None;
    Ok(Request::Status(Box::new(ObserveRequest {
        host: host.name.clone(),
        service: renderer.service(&options),
        access,
        keep: host.deploy.keep.clone(),
        databases: host.databases.clone(),
        sensitive_keys: options.sensitive_keys.clone(),
        mask_key,
        asks_python: false,
        transaction: None,
    })))
}

async fn ask_server(
    project: &Project,
    name: &ServerName,
    questions: Vec<(Host, Request)>,
) -> Result<Vec<HostStatus>, WorkflowError> {
    let server = contact::server(&project.settings, name)?;
    let mut line = Line::New;
    let mut statuses = Vec::new();
    for (host, question) in questions {
        let facts = match &mut line {
            Line::New => match Agent::connect(name, server, &project.machine, &question).await {
                Ok((agent, reply)) => {
                    line = Line::Open(Box::new(agent));
                    read(reply)
                }
                Err(error) => {
                    let error = Arc::new(error.into());
                    line = Line::Dead(Arc::clone(&error));
                    Err(error)
                }
            },
            Line::Open(agent) => match agent.send(&question).await {
                Ok(()) => {
                    agent.receive().await.map_or_else(|error| Err(Arc::new(error.into())), read)
                }
                Err(error) => Err(Arc::new(error.into())),
            },
            Line::Dead(error) => Err(Arc::clone(error)),
        };
        statuses.push(HostStatus {
            own_branch: project.settings.environment(&host.environment)?.branch.clone(),
            host: host.name,
            server: host.server,
            environment: host.environment,
            facts,
            pending: None,
        });
    }
    if let Line::Open(agent) = line {
        agent.close().await;
    }
    Ok(statuses)
}

/// The connection to a server.
enum Line {
    /// It was not tried yet.
    New,
    /// It is there.
    Open(Box<Agent>),
    /// It cannot be had; it is not tried for every host again.
    Dead(Arc<WorkflowError>),
}

fn read(reply: Reply) -> Result<StatusFacts, Arc<WorkflowError>> {
    match reply {
        Reply::Status(facts) => Ok(*facts),
        Reply::Fault(fault) => Err(Arc::new(fault.into())),
        _ => Err(Arc::new(WorkflowError::OutOfTurn)),
    }
}

/// Fetches the branches of what is live and finds what waits on them.
pub fn find_pending(project: &Project, hosts: &mut [HostStatus]) {
    let mut caches = BTreeMap::new();
    for host in hosts {
        let Some((branch, live)) = host.live_from() else { continue };
        let cache = caches.entry(branch.clone()).or_insert_with(|| {
            let remote = project.remote().map_err(|error| with_causes(&error))?;
            Cache::fetch(&project.cache, &remote, std::slice::from_ref(&branch))
                .map_err(|error| with_causes(&error))
        });
        host.pending = Some(match cache {
            Ok(cache) => pending(cache, branch, live).map_err(|error| with_causes(&error)),
            Err(error) => Err(error.clone()),
        });
    }
}

fn pending(cache: &Cache, branch: Branch, live: CommitId) -> Result<Pending, SourceError> {
    let log = cache.log(Some(live), cache.tip(&branch)?, NAMED_COMMITS)?;
    Ok(Pending { branch, log })
}

impl HostStatus {
    /// Returns the branch and the commit of the live release.
    fn live_from(&self) -> Option<(Branch, CommitId)> {
        let live = live_record(&self.facts.as_ref().ok()?.observed)?;
        Some((live.branch.clone().unwrap_or_else(|| self.own_branch.clone()), live.commit))
    }
}
