//! Removes a client: its hosts from their servers, each archived first, then their records in
//! the DNS, then their files.

use tokio::select;

use super::{
    FileChange,
    base::{Base, every_host, head_error, text},
    pages::{BranchWish, pages, save},
};
use crate::{
    client::{ClientName, client_page_path, hosts_of},
    dns::Change,
    host::{EnvironmentName, FileSource as _, Host, HostName, host_file_path},
    layout::ReleaseNumber,
    plan::{
        Holder, Removal, RemovalFacts, RemovalOrder, RemovalOutcome, RemovalQuestion, RemovalTold,
        TransactionId, make_removal,
    },
    secret::Secrets,
    source::{Branch, CommitId},
    transport::Agent,
    wire::{Reply, Request},
    workflow::{
        Project, WorkflowError, contact,
        dns::{RecordsRemoval, remove_records},
        files::{Renderer, Templates},
    },
};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RemoveRequest {
    /// The client's name, as it was typed.
    pub name: String,
    /// Only its hosts of these environments; empty is all.
    pub environments: Vec<EnvironmentName>,
    /// Only this host.
    pub host: Option<HostName>,
    /// Whether a branch is made, and the working tree left alone.
    pub branch: bool,
    /// The time.
    pub at: jiff::Timestamp,
}

/// The hosts that are meant.
pub struct Targets {
    /// The client.
    pub client: ClientName,
    /// Its hosts, by name.
    pub hosts: Vec<Host>,
    /// Whether one of their environments asks for confirmation.
    pub confirm: bool,
    base: Base,
    wish: Option<BranchWish>,
}

/// A host that is about to be removed.
pub struct HostRemoval {
    /// The host.
    pub host: Host,
    /// What there is of it.
    pub facts: RemovalFacts,
    /// What is to be done.
    pub removal: Removal,
    /// What becomes of its records in the DNS.
    pub records: RecordsRemoval,
    question: RemovalQuestion,
}

/// How the removal of a host ended.
pub struct HostEnd {
    /// How it went on the server; none where nothing of the host was there.
    pub outcome: Option<RemovalOutcome>,
    /// The records that went after it, or why they did not; none while the server has
    /// something of the host.
    pub records: Option<Result<Vec<Change>, WorkflowError>>,
}

/// What became of the files of the repository.
pub struct Forgotten {
    /// The files.
    pub files: Vec<FileChange>,
    /// The branch that was made, where one was wanted.
    pub branch: Option<(Branch, CommitId)>,
}

impl Targets {
    /// Finds the client's hosts in the working tree.
    ///
    /// # Errors
    /// Fails where there are none, or the branch cannot be made.
    pub fn find(project: &Project, request: &RemoveRequest) -> Result<Self, WorkflowError> {
        let client = ClientName::parse(&request.name)
            .map_err(|error| WorkflowError::usage(error.to_string(), error.hint()))?;
        let base = Base::open(project, request.branch)?;
        let wish = wish(&client, request, &base)?;
        let page = text(&project.files, &client_page_path(&client))?;
        let all = every_host(&project.files)?;
        let named = all.iter().map(|host| (&host.name, &host.environment));
        let own = hosts_of(&client, page.as_deref(), named);
        if own.is_empty() {
            let page = client_page_path(&client);
            return Err(WorkflowError::usage(
                format!("there is no client `{client}`"),
                format!(
                    "no host is called after it, and no `{}` lists one; `deploy hosts` lists all",
                    page.display()
                ),
            ));
        }
        let is_meant = |host: &Host| {
            own.contains(&host.name)
                && request.host.as_ref().is_none_or(|only| *only == host.name)
                && (request.environments.is_empty()
                    || request.environments.contains(&host.environment))
        };
        let hosts: Vec<_> = all.into_iter().filter(is_meant).collect();
        if hosts.is_empty() {
            let own: Vec<_> = own.iter().map(HostName::as_str).collect();
            return Err(WorkflowError::usage(
                format!("client `{client}` has no such host"),
                format!("it has {}", own.join(", ")),
            ));
        }
        let mut confirm = false;
        for host in &hosts {
            confirm |= project.settings.environment(&host.environment)?.confirm;
        }
        Ok(Self { client, hosts, confirm, base, wish })
    }
}

fn wish(
    client: &ClientName,
    request: &RemoveRequest,
    base: &Base,
) -> Result<Option<BranchWish>, WorkflowError> {
    let Base::LastCommit(head) = base else { return Ok(None) };
    let branch = Branch::parse(&format!("client/remove-{client}")).expect("a label is a branch");
    head.expect_room_for(&branch).map_err(head_error)?;
    let message = format!("Remove client {client}\n");
    Ok(Some(BranchWish { branch, message, at: request.at }))
}

/// Asks the servers what there is of the hosts, and the DNS. Changes nothing.
///
/// # Errors
/// Fails where a server or a provider cannot be asked, a host's lock is held, or something
/// stands in the way.
pub async fn look(project: &Project, targets: &Targets) -> Result<Vec<HostRemoval>, WorkflowError> {
    let (mut removals, mut obstacles) = (Vec::new(), Vec::new());
    for host in &targets.hosts {
        let question = question(project, host)?;
        let reply =
            contact::ask(project, &host.name, &Request::Removal(Box::new(question.clone())))
                .await?;
        let Reply::Removal(facts) = reply else { return Err(WorkflowError::OutOfTurn) };
        if facts.lock.is_some() {
            return Err(WorkflowError::Locked(facts.lock));
        }
        let removal = make_removal(&question, &facts);
        obstacles.extend(removal.obstacles.clone());
        let records = RecordsRemoval::look(project, &host.name).await?;
        let host = host.clone();
        removals.push(HostRemoval { host, facts: *facts, removal, records, question });
    }
    if obstacles.is_empty() { Ok(removals) } else { Err(WorkflowError::Obstacles(obstacles)) }
}

/// What the server has to know. No secret is among it: the live odoo.conf has what is needed.
fn question(project: &Project, host: &Host) -> Result<RemovalQuestion, WorkflowError> {
    let mut renderer = Renderer {
        python_environment: None,
        host,
        settings: &project.settings,
        secrets: &project.secrets,
        templates: Templates::default(),
    };
    let masked = Secrets::masked(renderer.secret_names(ReleaseNumber(0))?);
    renderer.secrets = &masked;
    let options = renderer.options(ReleaseNumber(0))?;
    let mut access = renderer.access(&options);
    access.password = None;
    let service = renderer.service(&options);
    Ok(RemovalQuestion {
        host: host.name.clone(),
        user: service.user,
        access,
        databases: host.databases.clone(),
        data_dir: service.data_dir,
        logfile: service.logfile,
    })
}

impl HostRemoval {
    /// Returns what stays, and why, on the server and in the DNS.
    pub fn kept(&self) -> impl Iterator<Item = &String> {
        self.removal.kept.iter().chain(self.records.kept())
    }
}

/// Has a host removed as it was shown, and passes on what is told; its records go once
/// nothing of it is left on the server. Whoever leaves meanwhile, leaves the server at work.
///
/// # Errors
/// Fails where the server cannot be reached, or the removal is lost from sight, which does
/// not stop it.
pub async fn remove(
    project: &Project,
    wanted: &HostRemoval,
    id: &TransactionId,
    listen: &mut dyn FnMut(crate::plan::Event),
    left: impl Future<Output = ()>,
) -> Result<HostEnd, WorkflowError> {
    let host = &wanted.host.name;
    let outcome = if wanted.removal.steps.is_empty() {
        None
    } else {
        Some(select! {
            outcome = on_server(project, wanted, id, listen) => outcome?,
            () = left => {
                return Err(WorkflowError::RemovalGoesOn { host: host.clone(), source: None });
            }
        })
    };
    if !matches!(outcome, None | Some(RemovalOutcome::Removed { .. })) {
        return Ok(HostEnd { outcome, records: None });
    }
    let records = remove_records(project, host).await;
    let records =
        records.map_err(|source| WorkflowError::RecordsLeft { host: host.clone(), source });
    Ok(HostEnd { outcome, records: Some(records) })
}

async fn on_server(
    project: &Project,
    wanted: &HostRemoval,
    id: &TransactionId,
    listen: &mut dyn FnMut(crate::plan::Event),
) -> Result<RemovalOutcome, WorkflowError> {
    let name = &wanted.host.server;
    let server = contact::server(&project.settings, name)?;
    let operator = &project.operator;
    let order = Request::Remove(Box::new(RemovalOrder {
        id: id.clone(),
        holder: Holder {
            who: operator.who.clone(),
            from: operator.from.clone(),
            url: operator.url.clone(),
            message: Some("removing the host".to_owned()),
            transaction: id.to_string(),
            since: wanted.facts.time,
        },
        question: wanted.question.clone(),
        steps: wanted.removal.steps.clone(),
    }));
    let (mut agent, mut reply) = Agent::connect(name, server, &project.machine, &order).await?;
    loop {
        match reply {
            Reply::Removing(told) => match *told {
                RemovalTold::Event(event) => listen(event),
                RemovalTold::Finished(outcome) => {
                    agent.close().await;
                    return Ok(outcome);
                }
            },
            Reply::Fault(fault) => return Err(fault.into()),
            _ => return Err(WorkflowError::OutOfTurn),
        }
        reply = agent.receive().await.map_err(|source| WorkflowError::RemovalGoesOn {
            host: wanted.host.name.clone(),
            source: Some(source),
        })?;
    }
}

/// Removes the files of hosts that are gone, and brings the pages to those that are left.
///
/// # Errors
/// Fails where they cannot be changed; then none is.
pub fn forget(
    project: &Project,
    targets: Targets,
    gone: &[HostName],
) -> Result<Forgotten, WorkflowError> {
    let Targets { client, base, wish, .. } = targets;
    let mut files = Vec::new();
    for name in gone {
        let path = host_file_path(name);
        let content = base.read(&path).map_err(|error| WorkflowError::Usage {
            message: format!("failed to read `{}`: {error}", path.display()),
            hint: None,
        })?;
        files.extend(content.map(|content| FileChange {
            path,
            before: Some(content),
            after: None,
        }));
    }
    let mut left = every_host(&base)?;
    left.retain(|host| !gone.contains(&host.name));
    files.extend(pages(&base, &project.settings, &client, &left)?);
    if files.is_empty() {
        return Ok(Forgotten { files, branch: None });
    }
    let branch = save(project, &base, &files, wish)?;
    Ok(Forgotten { files, branch })
}
