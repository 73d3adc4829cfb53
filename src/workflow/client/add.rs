//! Adds a client: a file for each of its hosts, its page, and its lines in the map.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    FileChange,
    base::{Base, Overlay, every_host, head_error, is_among, text},
    pages::{BranchWish, pages, save},
};
use crate::{
    client::{
        Candidate, Choice, ClientName, Placeholders, Ports, Wanted, choose_server, fill, hostname,
        template_path,
    },
    host::{
        DatabaseName, EnvironmentName, Host, HostFile, HostName, ServerName, UserName,
        host_file_path,
        lint::{Finding, Severity, lint, lint_fleet},
    },
    layout::ReleaseNumber,
    odoo::Series,
    secret::{Part, split_secrets},
    settings::Server,
    source::{Branch, CommitId},
    workflow::{
        Project, WorkflowError,
        files::{Renderer, Templates},
    },
};

mod servers;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AddRequest {
    /// The client's name, as it was typed.
    pub name: String,
    /// The environments that it gets a host in.
    pub environments: Vec<EnvironmentName>,
    /// The client's own domain.
    pub domain: Option<HostName>,
    /// The server, instead of the one with the fewest hosts.
    pub server: Option<ServerName>,
    /// Odoo's series, instead of the one that most hosts have.
    pub odoo: Option<Series>,
    /// Whether a branch is made, and the working tree left alone.
    pub branch: bool,
    /// Whether no server is asked.
    pub offline: bool,
    /// The time.
    pub at: jiff::Timestamp,
}

/// What was added.
#[derive(Debug)]
pub struct Added {
    /// The client.
    pub client: ClientName,
    /// Its new hosts.
    pub hosts: Vec<AddedHost>,
    /// The files that were written.
    pub files: Vec<FileChange>,
    /// The branch that was made, where one was wanted.
    pub branch: Option<(Branch, CommitId)>,
    /// Secrets that its hosts need and that have no value here.
    pub missing_secrets: BTreeSet<String>,
    /// What the linter has to say about its hosts: warnings only.
    pub findings: Vec<Finding>,
    /// What should be known.
    pub notes: Vec<String>,
}

/// A new host.
#[derive(Debug)]
pub struct AddedHost {
    /// The host.
    pub host: Host,
    /// Why it is on its server.
    pub why: String,
    /// The branch that is deployed to it.
    pub branch: Branch,
}

/// A host that is being made.
struct Draft {
    environment: EnvironmentName,
    name: HostName,
    choice: Choice,
    /// The template: its path and its text.
    template: (PathBuf, String),
    ports: Ports,
}

/// A client that is being added.
struct Adding<'a> {
    project: &'a Project,
    request: &'a AddRequest,
    client: ClientName,
    base: Base,
    /// Every host that is there, those of the working tree among them.
    known: Vec<Host>,
    odoo: Series,
}

/// Adds the client. Every refusal comes before the first file is touched.
///
/// # Errors
/// Refuses a name that cannot be, anything that is there already or that the configuration
/// does not allow, and findings of the linter.
pub async fn add(project: &Project, request: &AddRequest) -> Result<Added, WorkflowError> {
    let settings = &project.settings;
    let environments = settings.environments.keys();
    let client = ClientName::new(&request.name, &settings.clients.reserved, environments)
        .map_err(|error| WorkflowError::usage(error.to_string(), error.hint()))?;
    let base = Base::open(project, request.branch)?;
    let wish = wish(&client, request, &base)?;
    let mut all = every_host(&base)?;
    let known = with_others(&all, project)?;
    let odoo = request.odoo.unwrap_or_else(|| usual_series(&known));
    let adding = Adding { project, request, client, base, known, odoo };
    let mut drafts = adding.drafts()?;
    let hosts = adding.load(&drafts)?;
    let notes = adding.ask_servers(&hosts, &mut drafts).await?;
    let hosts = adding.load(&drafts)?;
    let findings = adding.check(&hosts)?;
    all.extend(hosts.iter().cloned());
    let mut files = adding.host_files(&drafts)?;
    files.extend(pages(&adding.base, settings, &adding.client, &all)?);
    let missing_secrets = missing_secrets(project, &hosts, &files)?;
    let branch = save(project, &adding.base, &files, wish)?;
    let added = drafts.into_iter().zip(hosts).map(|(draft, host)| {
        let branch = settings.environment(&host.environment)?.branch.clone();
        Ok(AddedHost { why: draft.choice.why, branch, host })
    });
    let hosts = added.collect::<Result<_, WorkflowError>>()?;
    let client = adding.client;
    Ok(Added { client, hosts, files, branch, missing_secrets, findings, notes })
}

/// Checks that the branch can be made before anything else is done.
fn wish(
    client: &ClientName,
    request: &AddRequest,
    base: &Base,
) -> Result<Option<BranchWish>, WorkflowError> {
    let Base::LastCommit(head) = base else { return Ok(None) };
    let branch = Branch::parse(&format!("client/{client}")).expect("a label is part of a branch");
    head.expect_room_for(&branch).map_err(head_error)?;
    let message = format!("Add client {client}\n");
    Ok(Some(BranchWish { branch, message, at: request.at }))
}

/// Adds the hosts that are in the working tree only: what they use is not free either.
fn with_others(present: &[Host], project: &Project) -> Result<Vec<Host>, WorkflowError> {
    let mut known = present.to_vec();
    let others = every_host(&project.files)?;
    known.extend(others.into_iter().filter(|host| !is_among(&host.name, present)));
    Ok(known)
}

/// Returns the series that most hosts have, the newest of several.
fn usual_series(hosts: &[Host]) -> Series {
    let mut counts = BTreeMap::<Series, usize>::new();
    for host in hosts {
        *counts.entry(host.odoo).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(series, count)| (*count, *series)).map_or(Series::V19, |m| m.0)
}

impl Adding<'_> {
    /// Names the new hosts, and finds a server and ports for each.
    fn drafts(&self) -> Result<Vec<Draft>, WorkflowError> {
        let settings = &self.project.settings;
        let (platform, own) = (settings.clients.domain.as_ref(), self.request.domain.as_ref());
        let mut drafts = Vec::<Draft>::new();
        for environment in &self.request.environments {
            settings.environment(environment)?;
            let name = hostname(&self.client, environment, platform, own)
                .map_err(|error| WorkflowError::usage(error.to_string(), error.hint()))?;
            refuse_reserved(&name, self.project)?;
            refuse_present(&name, &self.known, &drafts)?;
            let template = template(&self.base, environment)?;
            let host = Wanted { environment, odoo: self.odoo };
            let candidates = candidates(self.project, &self.known, &drafts);
            let choice = choose_server(host, &candidates, self.request.server.as_ref())
                .map_err(|error| WorkflowError::usage(error.to_string(), error.hint()))?;
            let taken = servers::taken(&self.known, &drafts, &choice.server);
            let ports = servers::free(&choice.server, &taken)?;
            drafts.push(Draft { environment: environment.clone(), name, choice, template, ports });
        }
        Ok(drafts)
    }

    /// Fills the templates.
    fn host_files(&self, drafts: &[Draft]) -> Result<Vec<FileChange>, WorkflowError> {
        let file = |draft: &Draft| {
            let values = Placeholders {
                client: self.client.clone(),
                hostname: draft.name.clone(),
                server: draft.choice.server.clone(),
                odoo: self.odoo,
                ports: draft.ports,
            };
            let (path, template) = &draft.template;
            let text = fill(path, template, &values)?;
            let path = host_file_path(&draft.name);
            Ok(FileChange { path, before: None, after: Some(text.into_bytes()) })
        };
        drafts.iter().map(file).collect()
    }

    /// Reads the new hosts as they will be.
    fn load(&self, drafts: &[Draft]) -> Result<Vec<Host>, WorkflowError> {
        let files = self.host_files(drafts)?;
        for file in &files {
            check_names(&self.client, file)?;
        }
        let new = files.into_iter().filter_map(|file| Some((file.path, file.after?))).collect();
        let overlay = Overlay { base: &self.base, new };
        let load = |draft: &Draft| {
            let host = Host::load(&overlay, &draft.name)?;
            draft.expect(&host)?;
            Ok(host)
        };
        drafts.iter().map(load).collect()
    }

    /// Refuses what the linter calls an error, and returns its warnings.
    fn check(&self, hosts: &[Host]) -> Result<Vec<Finding>, WorkflowError> {
        for host in hosts {
            refuse_shared_user(&self.client, host, &self.known)?;
        }
        let mut findings: Vec<_> = hosts.iter().flat_map(lint).collect();
        let all: Vec<_> = self.known.iter().chain(hosts).cloned().collect();
        let concerns = |finding: &Finding| {
            hosts.iter().any(|host| finding.origin.file == host_file_path(&host.name))
        };
        findings.extend(lint_fleet(&all).into_iter().filter(concerns));
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            findings.retain(|finding| finding.severity == Severity::Error);
            return Err(WorkflowError::Lint(findings));
        }
        Ok(findings)
    }
}

impl Draft {
    /// Checks that the template makes the host that was asked for.
    fn expect(&self, host: &Host) -> Result<(), WorkflowError> {
        if host.environment == self.environment && host.server == self.choice.server {
            return Ok(());
        }
        let path = self.template.0.display();
        Err(WorkflowError::usage(
            format!("`{path}` makes a host of {} on {}", host.environment, host.server),
            format!("write `environment = {}` and `server = <server>` in it", self.environment),
        ))
    }
}

fn refuse_shared_user(
    client: &ClientName,
    host: &Host,
    known: &[Host],
) -> Result<(), WorkflowError> {
    let user = &host.deploy.user;
    // A user that the template names, whoever the client is, is meant to be shared.
    let is_derived = user.as_str().starts_with(client.as_str());
    let runs = |other: &&Host| other.server == host.server && other.deploy.user == *user;
    match known.iter().find(runs) {
        Some(other) if is_derived => Err(WorkflowError::usage(
            format!("{} runs as system user `{user}` on {} already", other.name, host.server),
            "choose another name",
        )),
        _ => Ok(()),
    }
}

/// Refuses a domain of the client's that is a name of the platform's.
fn refuse_reserved(name: &HostName, project: &Project) -> Result<(), WorkflowError> {
    let clients = &project.settings.clients;
    let Some(platform) = &clients.domain else { return Ok(()) };
    let label = name.as_str().strip_suffix(platform.as_str());
    let Some(label) = label.and_then(|label| label.strip_suffix('.')) else { return Ok(()) };
    let known = project.settings.environments.keys();
    match ClientName::new(label, &clients.reserved, known) {
        Err(error @ crate::client::ClientNameError::Reserved { .. }) => {
            Err(WorkflowError::usage(error.to_string(), error.hint()))
        }
        _ => Ok(()),
    }
}

fn refuse_present(name: &HostName, known: &[Host], drafts: &[Draft]) -> Result<(), WorkflowError> {
    let aliases = |host: &Host| host.nginx.iter().any(|nginx| nginx.aliases.contains(name));
    if let Some(host) = known.iter().find(|host| host.name == *name || aliases(host)) {
        let what = if host.name == *name { "there is a host" } else { "a host answers as" };
        return Err(WorkflowError::usage(
            format!("{what} `{name}` already: {}", host_file_path(&host.name).display()),
            "choose another name, or give the environments that are missing by `--environment`",
        ));
    }
    if drafts.iter().any(|draft| draft.name == *name) {
        return Err(WorkflowError::usage(
            format!("two environments would have the host `{name}`"),
            "name each environment once",
        ));
    }
    Ok(())
}

fn template(
    base: &Base,
    environment: &EnvironmentName,
) -> Result<(PathBuf, String), WorkflowError> {
    let path = template_path(environment);
    let Some(template) = text(base, &path)? else {
        return Err(WorkflowError::usage(
            format!("there is no template for hosts of {environment}"),
            format!(
                "write `{}`: a host's file in which <client>, <hostname>, <server>, <odoo>, \
                 <http_port> and <gevent_port> are replaced",
                path.display()
            ),
        ));
    };
    Ok((path, template))
}

fn candidates(project: &Project, known: &[Host], drafts: &[Draft]) -> Vec<Candidate> {
    let count = |name: &ServerName| {
        known.iter().filter(|host| host.server == *name).count()
            + drafts.iter().filter(|draft| draft.choice.server == *name).count()
    };
    let servers = project.settings.servers.iter();
    let candidate = |(name, server): (&ServerName, &Server)| Candidate {
        name: name.clone(),
        hosts: count(name),
        placement: project.settings.placement.get(name).cloned().unwrap_or_default(),
        series: project.settings.wanted_odoo.get(name).cloned().unwrap_or_default(),
        is_local: matches!(server, Server::Local),
    };
    servers.map(candidate).collect()
}

/// Says of names that come of the client's what is wrong with them, before the file does.
fn check_names(client: &ClientName, file: &FileChange) -> Result<(), WorkflowError> {
    let content = file.after.as_deref().unwrap_or_default();
    let parsed = HostFile::parse(&file.path, content)?;
    let value = |section: &str, key: &str| {
        parsed.effective(section).and_then(|all| all.get(key).map(|found| found.value.clone()))
    };
    let user = value("deploy", "user").map(|user| UserName::parse(&user).map(drop));
    let databases = value("options", "db_name").unwrap_or_default();
    let databases = databases.split(',').map(str::trim).filter(|name| !name.is_empty());
    let databases = databases.map(|name| DatabaseName::parse(name).map(drop));
    match user.into_iter().chain(databases).collect::<Result<(), _>>() {
        Err(error) if error.value.contains(client.as_str()) => Err(WorkflowError::usage(
            format!("`{client}` makes a name that cannot be: {error}"),
            "choose a shorter name for the client, one that begins with a letter",
        )),
        _ => Ok(()),
    }
}

/// Finds the secrets that the new hosts name and nobody gave a value.
fn missing_secrets(
    project: &Project,
    hosts: &[Host],
    files: &[FileChange],
) -> Result<BTreeSet<String>, WorkflowError> {
    let mut names = BTreeSet::new();
    for host in hosts {
        let renderer = Renderer {
            host,
            settings: &project.settings,
            secrets: &project.secrets,
            templates: Templates::default(),
        };
        names.extend(renderer.secret_names(ReleaseNumber(1))?);
        let path = host_file_path(&host.name);
        let content = files.iter().find(|file| file.path == path);
        let content = content.and_then(|file| file.after.as_deref()).unwrap_or_default();
        // The tool's own sections may name some, too.
        for section in HostFile::parse(&path, content)?.sections.values() {
            let values = section.settings.values().flat_map(|one| split_secrets(&one.value));
            names.extend(values.filter_map(|part| match part {
                Part::Secret(name) => Some(name),
                Part::Text(_) => None,
            }));
        }
    }
    names.retain(|name| project.secrets.get(name).is_none());
    Ok(names)
}
