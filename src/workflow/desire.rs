//! Works out what is wanted: which commit, which configuration, which files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{
    Project, WorkflowError,
    files::{Options, Renderer, Templates},
};
use crate::{
    causes::with_causes,
    host::{AddonsDirectory, Host, HostName, lint},
    layout::ReleaseNumber,
    plan::{Obstacle, ReleaseRecord},
    settings::{Environment, Server, Settings},
    source::{Branch, Cache, CommitId, CommitSummary, SourceError, SourceTree, WorkingState},
};

/// What the operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// The tip of the environment's own branch.
    EnvironmentBranch,
    /// The tip of a branch.
    Branch(Branch),
    /// A commit of the environment's branch.
    Commit(String),
    /// The commit of a saved plan, wherever its branch is by now.
    Pinned {
        /// The branch that was planned; none for a plan by commit.
        branch: Option<Branch>,
        /// The commit.
        commit: CommitId,
    },
}

impl Revision {
    /// Returns the branch that is named; none where the environment's own is meant.
    const fn branch(&self) -> Option<&Branch> {
        match self {
            Self::Branch(branch) | Self::Pinned { branch: Some(branch), .. } => Some(branch),
            Self::EnvironmentBranch | Self::Commit(_) | Self::Pinned { branch: None, .. } => None,
        }
    }
}

/// Which configuration counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigFrom {
    /// That of the commit: a record's commit then says everything.
    Commit,
    /// That of the working tree: for trying an edit.
    WorkingTree,
    /// That of the working tree, settings included, whatever the environment says: for
    /// showing what would be done, never for doing it.
    Preview,
}

/// Where branches stood at one moment: a run over many hosts deploys one commit to all of
/// those that have a branch in common, wherever that goes meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tips(BTreeMap<Branch, CommitId>);

impl Tips {
    /// Fetches branches, all at once.
    ///
    /// # Errors
    /// Fails where the remote cannot be reached, or has no such branch.
    pub fn fetch(project: &Project, branches: BTreeSet<Branch>) -> Result<Self, WorkflowError> {
        let remote = project.remote()?;
        let branches: Vec<_> = branches.into_iter().collect();
        let cache = Cache::fetch(&project.cache, &remote, &branches)?;
        let tips = branches.into_iter().map(|branch| {
            let commit = cache.tip(&branch)?;
            Ok::<_, SourceError>((branch, commit))
        });
        Ok(Self(tips.collect::<Result<_, _>>()?))
    }

    /// Makes sure that what the branches were at is there, and on them still.
    ///
    /// # Errors
    /// Fails where the remote cannot be reached, or a branch left its commit behind.
    pub fn verify(&self, project: &Project) -> Result<(), WorkflowError> {
        let remote = project.remote()?;
        let branches: Vec<_> = self.0.keys().cloned().collect();
        let cache = Cache::fetch(&project.cache, &remote, &branches)?;
        self.0.iter().try_for_each(|(branch, commit)| pinned(&cache, *commit, branch).map(drop))
    }

    fn of(&self, branch: &Branch) -> Option<CommitId> {
        self.0.get(branch).copied()
    }
}

/// Which code and configuration are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeWish<'a> {
    pub(super) revision: &'a Revision,
    pub(super) config_from: ConfigFrom,
    /// Where branches stand that were fetched before; none to fetch them now.
    pub(super) tips: Option<&'a Tips>,
}

/// The code and configuration to deploy, checked as far as it can be without
/// the server.
pub(super) struct Target {
    pub(super) host: Host,
    /// Policy and servers: from the tip of the environment's own branch.
    pub(super) settings: Settings,
    pub(super) branch: Option<Branch>,
    pub(super) commit: CommitSummary,
    pub(super) cache: Cache,
    pub(super) tree: SourceTree,
    pub(super) working_state: WorkingState,
    pub(super) warnings: Vec<lint::Finding>,
}

impl Target {
    /// Reads the host from the branch, which is fetched where its tip is not given.
    pub(super) fn find(
        project: &Project,
        name: &HostName,
        wish: &CodeWish<'_>,
    ) -> Result<Self, WorkflowError> {
        let CodeWish { revision, config_from, tips } = *wish;
        let local = Host::load(&project.files, name)?;
        let own_branch = project.settings.environment(&local.environment)?.branch.clone();
        let branch = revision.branch().unwrap_or(&own_branch).clone();
        // Said at once where it is plain from here; what counts is checked below.
        project.settings.branch_policy(&local.environment, &branch)?;
        project.connect_ahead(&local.server);
        let remote = project.remote()?;
        let mut branches = vec![branch.clone()];
        if branch != own_branch {
            branches.push(own_branch.clone());
        }
        let cache = Cache::fetch(&project.cache, &remote, tips.map_or(&branches[..], |_| &[]))?;
        let tip = |branch: &Branch| match tips.and_then(|tips| tips.of(branch)) {
            Some(commit) => Ok(commit),
            None => cache.tip(branch),
        };
        let settings = match config_from {
            ConfigFrom::Preview => project.settings.clone(),
            _ => project.readings.settings(&cache, tip(&own_branch)?)?,
        };
        settings.branch_policy(&local.environment, &branch)?;
        let commit = match revision {
            Revision::EnvironmentBranch | Revision::Branch(_) => tip(&branch)?,
            Revision::Pinned { commit, .. } => pinned(&cache, *commit, &branch)?,
            Revision::Commit(text) => named(&cache, text, &branch)?,
        };
        let tree = project.readings.tree(&cache, commit)?;
        let host = match config_from {
            ConfigFrom::Commit => Host::load(&tree, name)?,
            ConfigFrom::WorkingTree => {
                refuse_where_confirmed(settings.environment(&local.environment)?, &local)?;
                local.clone()
            }
            ConfigFrom::Preview => local.clone(),
        };
        let place = format!("on branch `{branch}`");
        agree(&local, &host, &place, "commit and push the host's file, or pull the branch")?;
        let warnings = lint(&host)?;
        let summary = cache.log(None, commit, 1)?.commits.into_iter().next();
        let at = (&branch, tip(&branch)?);
        let working_state = project.readings.working_state(&project.repository, at, &cache)?;
        Ok(Self {
            host,
            settings,
            branch: match revision {
                Revision::Commit(_) | Revision::Pinned { branch: None, .. } => None,
                _ => Some(branch),
            },
            commit: summary.ok_or(WorkflowError::OutOfTurn)?,
            cache,
            tree,
            working_state,
            warnings,
        })
    }

    /// Reads the host as an earlier release of it was deployed. That was verified
    /// on the host itself, so it may go live again whatever `allow` and the linter say now.
    pub(super) fn of_release(
        project: &Project,
        footing: Footing,
        record: &ReleaseRecord,
    ) -> Result<Self, WorkflowError> {
        let Footing { local, settings, cache } = footing;
        let had = |error: SourceError| lost(record, &error);
        let commit = cache.commit(&record.commit.to_string()).map_err(had)?;
        let tree = project.readings.tree(&cache, commit).map_err(had)?;
        let host = Host::load(&tree, &local.name)?;
        let place = format!("in release {}", record.number);
        agree(&local, &host, &place, "a host that moved since does not go back by a rollback")?;
        let summary = cache.log(None, commit, 1)?.commits.into_iter().next();
        Ok(Self {
            warnings: lint::lint(&host),
            host,
            settings,
            branch: record.branch.clone(),
            commit: summary.ok_or(WorkflowError::OutOfTurn)?,
            cache,
            tree,
            working_state: WorkingState { dirty: Vec::new(), unpushed: Vec::new() },
        })
    }

    /// Returns the server that carries the host.
    pub(super) fn server(&self) -> Result<&Server, WorkflowError> {
        server(&self.settings, &self.host)
    }

    /// Returns the host's policy.
    pub(super) fn environment(&self) -> Result<&Environment, WorkflowError> {
        Ok(self.settings.environment(&self.host.environment)?)
    }

    /// Returns the directories of the repository that the host's addons are in.
    pub(super) fn addons_directories(&self) -> Vec<PathBuf> {
        let in_release = self.host.addons_path.iter().filter_map(|directory| match directory {
            AddonsDirectory::InRelease(path) => Some(path.clone()),
            AddonsDirectory::OnServer(_) => None,
        });
        in_release.collect()
    }

    /// Prepares the rendering of the host's files.
    pub(super) fn renderer<'a>(
        &'a self,
        project: &'a Project,
    ) -> Result<Renderer<'a>, WorkflowError> {
        Ok(Renderer {
            host: &self.host,
            settings: &self.settings,
            secrets: &project.secrets,
            templates: Templates::load(|path| self.tree.read(path))?,
            python_environment: None,
        })
    }

    /// Resolves the options as far as a server has to know them to be observed.
    pub(super) fn options(&self, renderer: &Renderer<'_>) -> Result<Options, WorkflowError> {
        renderer.options(ReleaseNumber(0))
    }
}

/// Where a host stands in the repository, before it is known which commit is meant.
pub(super) struct Footing {
    /// The host as the working tree has it.
    pub(super) local: Host,
    /// Policy and servers: from the tip of the environment's own branch.
    pub(super) settings: Settings,
    pub(super) cache: Cache,
}

impl Footing {
    /// Fetches the environment's own branch. Where the remote cannot be reached,
    /// what was fetched last counts: the way back must not depend on it.
    pub(super) fn fetch(project: &Project, name: &HostName) -> Result<Self, WorkflowError> {
        let local = Host::load(&project.files, name)?;
        let own_branch = &project.settings.environment(&local.environment)?.branch;
        let remote = project.remote()?;
        let fetched = Cache::fetch(&project.cache, &remote, std::slice::from_ref(own_branch));
        let cache = fetched.or_else(|error| {
            let cache = Cache::fetch(&project.cache, &remote, &[])?;
            let is_there =
                matches!(error, SourceError::Git { .. }) && cache.tip(own_branch).is_ok();
            if !is_there {
                return Err(error);
            }
            tracing::warn!("policy and servers are as they were fetched last: {error}");
            Ok(cache)
        })?;
        let settings = project.readings.settings(&cache, cache.tip(own_branch)?)?;
        Ok(Self { local, settings, cache })
    }

    /// Returns the server that carries the host.
    pub(super) fn server(&self) -> Result<&Server, WorkflowError> {
        server(&self.settings, &self.local)
    }
}

fn server<'a>(settings: &'a Settings, host: &Host) -> Result<&'a Server, WorkflowError> {
    let name = &host.server;
    settings.servers.get(name).ok_or_else(|| {
        let branch = settings.environment(&host.environment).map(|e| e.branch.clone());
        let on = branch.map_or_else(|_| String::new(), |branch| format!(" on branch `{branch}`"));
        WorkflowError::usage(
            format!("there is no server `{name}` in config/deploy.toml{on}"),
            format!("add a section [servers.{name}] with its `address`, commit and push it"),
        )
    })
}

/// Describes a release whose code cannot be had from Git any more.
fn lost(record: &ReleaseRecord, error: &SourceError) -> WorkflowError {
    WorkflowError::Obstacles(vec![Obstacle {
        message: format!(
            "the way back to release {} is impossible: its commit {} cannot be had: {}",
            record.number,
            record.commit.short(),
            with_causes(error)
        ),
        hint: Some("whoever still has the commit can push it, to any branch".to_owned()),
        details: Vec::new(),
    }])
}

fn named(cache: &Cache, text: &str, branch: &Branch) -> Result<CommitId, WorkflowError> {
    let commit = cache.commit(text)?;
    if cache.is_on(branch, commit)? {
        return Ok(commit);
    }
    Err(WorkflowError::usage(
        format!("commit {} is not on branch `{branch}`", commit.short()),
        "name a commit of the environment's own branch",
    ))
}

/// The branch may have moved on, and may not have left the commit behind.
fn pinned(cache: &Cache, commit: CommitId, branch: &Branch) -> Result<CommitId, WorkflowError> {
    let is_there = cache.commit(&commit.to_string()).is_ok();
    if is_there && cache.is_on(branch, commit)? {
        return Ok(commit);
    }
    let what = format!("branch `{branch}`, which commit {} is not on any more,", commit.short());
    Err(WorkflowError::Stale(vec![what]))
}

fn refuse_where_confirmed(environment: &Environment, host: &Host) -> Result<(), WorkflowError> {
    if !environment.confirm {
        return Ok(());
    }
    Err(WorkflowError::usage(
        format!("`--config-from working-tree` is not for {}", host.environment),
        "commit the configuration and push it",
    ))
}

/// What a host is must be the same in the commit as in the working tree: the
/// branch was chosen by the one, and is deployed by the other.
fn agree(local: &Host, committed: &Host, place: &str, hint: &str) -> Result<(), WorkflowError> {
    let differ = |what: &str, here: &dyn std::fmt::Display, there: &dyn std::fmt::Display| {
        Err(WorkflowError::usage(
            format!("{what} of the host is `{here}` here and `{there}` {place}"),
            hint,
        ))
    };
    let list = |host: &Host| {
        let names: Vec<_> = host.databases.iter().map(ToString::to_string).collect();
        names.join(",")
    };
    if local.environment != committed.environment {
        return differ("the environment", &local.environment, &committed.environment);
    }
    if local.server != committed.server {
        return differ("the server", &local.server, &committed.server);
    }
    if local.databases != committed.databases {
        return differ("the database", &list(local), &list(committed));
    }
    if local.data_dir != committed.data_dir {
        let (here, there) = (local.data_dir.display(), committed.data_dir.display());
        return differ("the data directory", &here, &there);
    }
    Ok(())
}

/// Lints the host; an error refuses the deploy.
fn lint(host: &Host) -> Result<Vec<lint::Finding>, WorkflowError> {
    let findings = lint::lint(host);
    if findings.iter().any(|finding| finding.severity == lint::Severity::Error) {
        return Err(WorkflowError::Lint(findings));
    }
    Ok(findings)
}
