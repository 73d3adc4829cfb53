//! Adopts an Odoo that somebody set up by hand: reads it, writes the host's file, and has
//! its server record it as release 0. What runs is not touched.

mod choice;
mod environments;
mod host_file;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use self::{
    choice::{Choice, Wishes},
    environments::{Proposed, environments_text, propose, server_text},
    host_file::Parts,
};
use super::{Project, WorkflowError, contact};
use crate::{
    host::{
        DatabaseName, EnvironmentName, Host, HostName, SETTLE, ServerName, host_file_path,
        lint::{self, Finding},
    },
    odoo::Series,
    plan::{
        ADOPTED, ADOPTED_SCHEMA, Adopted, AdoptedKind, AdoptedService, AdoptedVhost, CodePlace,
        HealthCheck, Holder, Obstacle, ReleaseState,
    },
    settings::Settings,
    source::CommitId,
    transport::Agent,
    wire::{AdoptRequest, Adoption, FoundValue, Instance, Reply, Request, Survey, SurveyRequest},
};

pub use self::host_file::Secrets;

/// The file of environments and servers.
const SETTINGS: &str = "config/deploy.toml";

/// How long release 0 may take to answer when it comes back, in seconds.
const PATIENCE: u64 = 120;

/// What the operator asks for.
#[derive(Debug, Clone)]
pub struct AdoptionRequest {
    /// The server.
    pub server: ServerName,
    /// Where it is, `[USER@]ADDRESS[:PORT]`, where `deploy.toml` does not know it.
    pub address: Option<String>,
    /// The unit; none for the only one that runs Odoo.
    pub unit: Option<String>,
    /// The hostname; none for the one that nginx serves it by.
    pub host: Option<HostName>,
    /// The environment; none for the one of its branch.
    pub environment: Option<EnvironmentName>,
    /// The databases; none for those it says.
    pub databases: Vec<DatabaseName>,
    /// Where secrets go.
    pub secrets: Secrets,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// A unique id for the history.
    pub id: String,
    /// Seconds since the epoch.
    pub now: i64,
}

/// What was adopted.
#[derive(Debug, Clone)]
pub struct AdoptionReport {
    /// What was recorded, or would be.
    pub record: Adopted,
    /// The server.
    pub server: ServerName,
    /// The environment.
    pub environment: EnvironmentName,
    /// What became of the record; none for a dry run.
    pub adoption: Option<Adoption>,
    /// The text of the host's file.
    pub text: String,
    /// Files that were written, relative to the repository; those that would be.
    pub written: Vec<PathBuf>,
    /// Whether the host's file was there, with another text, and stays as it is.
    pub left: Option<PathBuf>,
    /// Options that stay at the server's own value.
    pub keep: Vec<String>,
    /// Names of secrets that have to be set.
    pub names: Vec<String>,
    /// What the operator should know.
    pub notes: Vec<String>,
    /// What the linter says of the host's file.
    pub findings: Vec<Finding>,
}

/// How an adoption ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// It is recorded, or would be.
    Adopted(Box<AdoptionReport>),
    /// It was adopted before, and a release of the tool's is live by now.
    Left {
        /// The host.
        host: HostName,
        /// The unit it was adopted from.
        unit: String,
    },
}

/// Adopts what runs.
///
/// # Errors
/// Returns whatever stands in the way; then nothing was written.
pub async fn adopt(project: &Project, request: &AdoptionRequest) -> Result<Ending, WorkflowError> {
    let draft = Draft::new(project, request)?;
    let server = contact::server(&draft.settings, &request.server)?;
    let question = Request::Survey(SurveyRequest { unit: request.unit.clone() });
    let (mut agent, reply) =
        Agent::connect(&request.server, server, &project.machine, &question).await?;
    let ended = draft.end(reply, &mut agent).await;
    agent.close().await;
    ended
}

/// An adoption under way.
struct Draft<'a> {
    project: &'a Project,
    request: &'a AdoptionRequest,
    /// Settings as they will be.
    settings: Settings,
    /// The text of `deploy.toml`, where something is added to it.
    settings_text: Option<String>,
    notes: Vec<String>,
}

impl<'a> Draft<'a> {
    /// Adds to the settings what they lack: environments and the server.
    fn new(project: &'a Project, request: &'a AdoptionRequest) -> Result<Self, WorkflowError> {
        let path = Path::new(SETTINGS);
        let bytes = project.repository.read(path)?.unwrap_or_default();
        let present = String::from_utf8_lossy(&bytes).into_owned();
        let mut text = present.clone();
        let mut notes = Vec::new();
        let table: toml::Table = toml::from_str(&present).unwrap_or_default();
        if !table.contains_key("environments") {
            let proposed = propose(&project.repository.branches()?);
            text.push_str(&environments_text(&proposed));
            notes.extend((!proposed.is_empty()).then(|| proposal(&proposed)));
        }
        if !project.settings.servers.contains_key(&request.server)
            && let Some(address) = &request.address
        {
            let section = server_text(&request.server, address).ok_or_else(|| {
                WorkflowError::usage(
                    format!("`{address}` is no address of a server"),
                    "write it as ssh takes it: `user@server.example.net`, or with `:port`",
                )
            })?;
            text.push_str(&section);
        }
        let settings = Settings::parse(&text, path)?;
        if !settings.servers.contains_key(&request.server) {
            return Err(WorkflowError::usage(
                format!("there is no server `{}` in config/deploy.toml", request.server),
                "say where it is: `--address user@server.example.net`",
            ));
        }
        let settings_text = (text != present).then_some(text);
        Ok(Self { project, request, settings, settings_text, notes })
    }

    async fn end(mut self, reply: Reply, agent: &mut Agent) -> Result<Ending, WorkflowError> {
        let survey = match reply {
            Reply::Survey(survey) => *survey,
            Reply::Fault(fault) => return Err(refusal(fault.message, fault.hint)),
            _ => return Err(WorkflowError::OutOfTurn),
        };
        if let Some(ending) = self.left(&survey) {
            return Ok(ending);
        }
        let Some(instance) = survey.instance.as_deref() else {
            return Err(WorkflowError::Obstacles(vec![choice::no_instance(&survey)]));
        };
        let series = series(instance)?;
        let request = self.request;
        let wishes = Wishes {
            host: request.host.clone(),
            environment: request.environment.clone(),
            databases: request.databases.clone(),
        };
        let choice =
            Choice::make(&wishes, instance, &self.settings).map_err(WorkflowError::Obstacles)?;
        refuse_other_host(&survey, instance, &choice)?;
        let code = self.mapped(&instance.code)?;
        let report = self.report(instance, &choice, series, code)?;
        if request.dry_run {
            return Ok(Ending::Adopted(Box::new(report)));
        }
        let adoption = self.record(&report, agent).await?;
        self.write(&report)?;
        Ok(Ending::Adopted(Box::new(AdoptionReport { adoption: Some(adoption), ..report })))
    }

    /// Tells whether what is meant was adopted before and is left by now.
    fn left(&self, survey: &Survey) -> Option<Ending> {
        let is_meant = |unit: &str| {
            let wish = self.request.unit.as_deref().map(|unit| unit.trim_end_matches(".service"));
            wish.is_none_or(|wish| unit.trim_end_matches(".service") == wish)
        };
        if survey.instance.is_some() || survey.candidates.iter().any(|one| one.is_running) {
            return None;
        }
        let mut left = survey.candidates.iter().filter(|one| one.is_left && is_meant(&one.unit));
        let found = left.next()?;
        Some(Ending::Left { host: found.host.clone()?, unit: found.unit.clone() })
    }

    /// Says of each directory of addons where the platform repository has it.
    fn mapped(&self, places: &[CodePlace]) -> Result<Vec<CodePlace>, WorkflowError> {
        let repository = &self.project.repository;
        let own = repository.remote()?.plain_address();
        let map = |place: &CodePlace| {
            let checkout = place.checkout.as_ref().filter(|checkout| {
                checkout.remote.as_deref() == Some(&own) || repository.knows(checkout.head)
            });
            let in_repository = checkout.map(|checkout| checkout.below.clone());
            CodePlace { in_repository, ..place.clone() }
        };
        Ok(places.iter().map(map).collect())
    }

    fn report(
        &mut self,
        instance: &Instance,
        choice: &Choice,
        series: Series,
        code: Vec<CodePlace>,
    ) -> Result<AdoptionReport, WorkflowError> {
        let directory = Path::new("custom-addons");
        let has_addons = !self.project.repository.files(directory)?.is_empty();
        let parts = Parts {
            instance,
            choice,
            server: &self.request.server,
            series,
            code: &code,
            addons_directory: has_addons.then(|| directory.to_owned()),
            secrets: self.request.secrets,
        };
        let written = parts.write();
        let path = host_file_path(&choice.host);
        let files = BTreeMap::from([(path.clone(), written.text.clone().into_bytes())]);
        let host = Host::load(&files, &choice.host)?;
        let present = self.project.repository.read(&path)?;
        let is_other = present.as_ref().is_some_and(|text| *text != written.text.as_bytes());
        let mut files: Vec<_> = self.settings_text.iter().map(|_| SETTINGS.into()).collect();
        files.extend(present.is_none().then(|| path.clone()));
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(instance.notes.iter().cloned());
        notes.extend(code_notes(&code));
        Ok(AdoptionReport {
            record: record(instance, choice, series, code),
            server: self.request.server.clone(),
            environment: choice.environment.clone(),
            adoption: None,
            text: written.text,
            written: files,
            left: is_other.then_some(path),
            keep: written.keep,
            names: written.names,
            notes,
            findings: lint::lint(&host),
        })
    }

    async fn record(
        &self,
        report: &AdoptionReport,
        agent: &mut Agent,
    ) -> Result<Adoption, WorkflowError> {
        let operator = &self.project.operator;
        let request = AdoptRequest {
            record: report.record.clone(),
            environment: report.environment.to_string(),
            holder: Holder {
                who: operator.who.clone(),
                from: operator.from.clone(),
                url: operator.url.clone(),
                message: None,
                transaction: self.request.id.clone(),
                since: self.request.now,
            },
        };
        agent.send(&Request::Adopt(Box::new(request))).await?;
        match agent.receive().await? {
            Reply::Adopted(adoption) => Ok(adoption),
            Reply::Fault(fault) => Err(refusal(fault.message, fault.hint)),
            _ => Err(WorkflowError::OutOfTurn),
        }
    }

    /// Writes the files of the working tree; the operator commits them.
    fn write(&self, report: &AdoptionReport) -> Result<(), WorkflowError> {
        for path in &report.written {
            let text = match &self.settings_text {
                Some(text) if path == Path::new(SETTINGS) => text,
                _ => &report.text,
            };
            write_file(self.project.repository.root(), path, text)?;
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the files of the working tree that were asked for")]
fn write_file(root: &Path, path: &Path, text: &str) -> Result<(), WorkflowError> {
    let full = root.join(path);
    let parent = full.parent().expect("a file is in a directory");
    fs::create_dir_all(parent).and_then(|()| fs::write(&full, text)).map_err(|error| {
        WorkflowError::usage(
            format!("failed to write `{}`: {error}", path.display()),
            "what runs is recorded on the server; adopt it again when the file can be written",
        )
    })
}

fn proposal(proposed: &[Proposed]) -> String {
    let each: Vec<_> =
        proposed.iter().map(|one| format!("{} (branch {})", one.name, one.branch)).collect();
    format!("environments are proposed by the repository's branches: {}", each.join(", "))
}

fn refusal(message: String, hint: Option<String>) -> WorkflowError {
    WorkflowError::Obstacles(vec![Obstacle { message, hint, details: Vec::new() }])
}

/// Refuses an Odoo that was adopted under another name.
fn refuse_other_host(
    survey: &Survey,
    instance: &Instance,
    choice: &Choice,
) -> Result<(), WorkflowError> {
    let own = format!("odoo-{}.service", choice.host);
    if instance.unit == own {
        return Err(refusal(
            format!("`{own}` is the name of the unit that the first deploy makes"),
            Some("rename the unit that runs, and adopt it again".to_owned()),
        ));
    }
    let known = survey.candidates.iter().find(|candidate| candidate.unit == instance.unit);
    match known.and_then(|candidate| candidate.host.as_ref()) {
        Some(host) if *host != choice.host => Err(refusal(
            format!("`{}` was adopted as {host}", instance.unit),
            Some(format!("go on with that host, or name it: `--host {host}`")),
        )),
        _ => Ok(()),
    }
}

fn series(instance: &Instance) -> Result<Series, WorkflowError> {
    let version = instance
        .version
        .as_ref()
        .map_err(|why| refusal(format!("Odoo cannot be asked for its version: {why}"), None))?;
    let known = [Series::V19, Series::V18, Series::V17];
    known.into_iter().find(|series| version.contains(series.as_str())).ok_or_else(|| {
        refusal(format!("the server runs {version}; known are 17.0, 18.0 and 19.0"), None)
    })
}

fn code_notes(code: &[CodePlace]) -> Vec<String> {
    let mut notes = Vec::new();
    for place in code {
        let path = place.path.display();
        match (&place.in_repository, &place.checkout) {
            (Some(_), Some(checkout)) if !checkout.dirty.is_empty() => {
                let files: Vec<_> =
                    checkout.dirty.iter().map(|path| path.display().to_string()).collect();
                notes.push(format!("edited on the server, not in Git: {}", files.join(", ")));
            }
            (Some(_), _) => {}
            (None, Some(checkout)) => {
                let remote = checkout.remote.as_deref().unwrap_or("no remote");
                notes.push(format!(
                    "`{path}` is a checkout of another repository ({remote}): it stays where it is"
                ));
            }
            (None, None) if place.path.starts_with("/usr") => {}
            (None, None) => notes.push(format!("`{path}` is in no checkout: it stays where it is")),
        }
    }
    notes
}

fn record(instance: &Instance, choice: &Choice, series: Series, code: Vec<CodePlace>) -> Adopted {
    let option = |key: &str| match instance.sections.get("options")?.get(key)? {
        FoundValue::Plain(value) if !matches!(value.as_str(), "" | "False" | "None") => Some(value),
        _ => None,
    };
    let vhost = |found: &crate::wire::FoundVhost| AdoptedVhost {
        path: found.path.clone(),
        link: found.link.clone(),
        others: found.others.clone(),
    };
    Adopted {
        schema: ADOPTED_SCHEMA,
        kind: AdoptedKind::Adopted,
        state: ReleaseState::Verified,
        number: ADOPTED,
        host: choice.host.clone(),
        service: AdoptedService {
            unit: instance.unit.clone(),
            enabled: instance.enabled,
            logfile: option("logfile").map(PathBuf::from),
            health: HealthCheck {
                number: ADOPTED,
                databases: choice.databases.clone(),
                interface: choice.interface.clone(),
                http_port: choice.http_port,
                gevent_port: choice.gevent_port,
                timeout: PATIENCE,
                settle: SETTLE.as_secs(),
            },
        },
        is_script: instance.is_script,
        unit_file: instance.unit_file.clone(),
        user: instance.user.clone(),
        series,
        conf: instance.conf.clone(),
        data_dir: instance.data_dir.clone(),
        vhosts: instance.vhosts.iter().map(vhost).collect(),
        aliases: choice.aliases.clone(),
        commit: commit(&code),
        code,
    }
}

/// Returns the commit of the platform repository that runs.
fn commit(code: &[CodePlace]) -> Option<CommitId> {
    let own = code.iter().find(|place| place.in_repository.is_some())?;
    Some(own.checkout.as_ref()?.head)
}
