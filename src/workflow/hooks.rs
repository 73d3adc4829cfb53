//! Runs the hooks of the operator's working tree around the deploy of a host.

use std::{
    collections::BTreeSet,
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::{Project, WorkflowError};
use crate::{
    causes::with_causes,
    hooks::{Hook, HookError, HookRun, RESULT_VARIABLE, find, visible},
    host::{FileSource as _, Host, HostName},
    plan::Obstacle,
    secret::{Redactor, SECRETS_FILE, Secrets, split_secrets},
    settings::SETTINGS_FILE,
};

/// Where files of the configuration are that may name secrets.
const CONFIGURATION: [&str; 2] = ["config", "config/hosts"];

/// The hooks around the deploy of a host.
///
/// They are taken from the working tree and from nowhere else: a branch that was fetched
/// cannot run anything on the operator's machine.
#[derive(Debug, Clone)]
pub struct Hooks {
    root: PathBuf,
    limit: Duration,
    variables: Vec<(String, String)>,
    secret_names: BTreeSet<String>,
    redactor: Redactor,
}

impl Hooks {
    /// Tells whether the working tree has a hook, or something in the place of one.
    #[must_use]
    pub fn are_any(project: &Project) -> bool {
        let root = project.repository.root();
        Hook::ALL.iter().any(|hook| !matches!(find(root, *hook), Ok(None)))
    }

    /// Gets ready to run hooks, which see no value that the configuration takes for a secret.
    #[must_use]
    pub fn of<'h>(project: &Project, hosts: impl IntoIterator<Item = &'h HostName>) -> Self {
        let secret_names = secret_names(project, hosts);
        let mut redactor = Redactor::default();
        let secrets = secret_names.iter().filter_map(|name| project.secrets.get(name));
        secrets.for_each(|secret| redactor.add(secret));
        Self {
            root: project.repository.root().to_owned(),
            limit: project.settings.hook_timeout,
            variables: project.variables.clone(),
            secret_names,
            redactor,
        }
    }

    /// Learns of secrets that turned up on the way.
    pub fn know(&mut self, redactor: &Redactor) {
        self.redactor.extend(redactor);
    }

    /// Runs a hook, where there is one, with an object on stdin. Hands over what it writes,
    /// line by line and without secrets.
    ///
    /// # Errors
    /// Fails where the hook cannot be run, fails, takes too long or has to stop.
    pub async fn run(
        &self,
        hook: Hook,
        context: &HookContext<'_>,
        stop: impl Future<Output = ()>,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), HookError> {
        let Some(program) = find(&self.root, hook)? else { return Ok(()) };
        let mut input = context.input.clone();
        self.redactor.redact_json(&mut input);
        let mut environment = visible(&self.variables, &self.secret_names, &self.redactor);
        if let Some(result) = context.result {
            environment.push((RESULT_VARIABLE.to_owned(), result.to_owned()));
        }
        let run = HookRun {
            hook,
            program,
            directory: self.root.clone(),
            environment,
            input: format!("{input}\n"),
            limit: self.limit,
        };
        run.run(stop, &mut |line| tell(&self.redactor.redact(line))).await
    }
}

/// Returns the error of a deploy that a hook keeps from being made: nothing was touched.
#[must_use]
pub fn refusal(error: &HookError) -> WorkflowError {
    if matches!(error, HookError::Interrupted(_)) {
        return WorkflowError::Declined;
    }
    let (message, hint) = (with_causes(error), Some(error.hint()));
    WorkflowError::Obstacles(vec![Obstacle { message, hint, details: Vec::new() }])
}

/// What a hook is told.
#[derive(Debug)]
pub struct HookContext<'a> {
    /// The plan; before there is one, what was asked for.
    pub input: &'a Value,
    /// What the deploy came to, after it.
    pub result: Option<&'a str>,
}

/// Names the secrets of the configuration: those of `config/secrets.env`, those that files
/// of the configuration name, and those that hosts inherit from elsewhere.
fn secret_names<'h>(
    project: &Project,
    hosts: impl IntoIterator<Item = &'h HostName>,
) -> BTreeSet<String> {
    let read = |path: &Path| project.files.read(path).ok().flatten().unwrap_or_default();
    let text = |path: &Path| String::from_utf8_lossy(&read(path)).into_owned();
    let mut texts = vec![text(Path::new(SETTINGS_FILE))];
    for directory in CONFIGURATION.map(Path::new) {
        let files = project.files.list(directory).unwrap_or_default();
        let files = files.iter().filter(|name| name.ends_with(".conf"));
        texts.extend(files.map(|name| text(&directory.join(name))));
    }
    for host in hosts.into_iter().filter_map(|host| Host::load(&project.files, host).ok()) {
        let settings = host.options.values().chain(host.foreign.values().flat_map(|s| s.values()));
        texts.extend(settings.map(|setting| setting.value.clone()));
    }
    let parts = texts.iter().flat_map(|text| split_secrets(text));
    let mut names =
        parts.filter_map(|part| part.secret().map(str::to_owned)).collect::<BTreeSet<_>>();
    let file = Path::new(SECRETS_FILE);
    if let Ok(own) = Secrets::default().with_file(file, &text(file)) {
        names.extend(own.names().map(str::to_owned));
    }
    names
}
