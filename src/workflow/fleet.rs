//! A run over many hosts: all are looked at before the first is touched, and then each is
//! deployed to as if it were the only one.

mod drive;
mod end;
mod kept;
mod one;
mod survey;

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    WorkflowError,
    deploy::{ConfigFrom, DeployRequest, Notice, Prepared, Tips},
    hooks::{HookContext, Hooks, refusal},
    saved::SavedPlan,
};
use crate::{
    fleet::Stop,
    hooks::{Hook, HookError},
    host::{EnvironmentName, HostName, ModuleName, ServerName},
    layout::ReleaseNumber,
    plan::{OnDrift, UpdateChoice},
    secret::Redactor,
    source::Branch,
};

pub use self::{
    drive::{Drive, carry_out},
    end::{HostReport, summary},
    kept::Kept,
    survey::survey,
};

/// How many hosts are looked at, at once.
const LOOKS: usize = 24;
/// How many of them on one server: sshd takes ten conversations over one connection
/// (`MaxSessions 10`).
const LOOKS_PER_SERVER: usize = 4;

/// What every host of a run is asked for, as its file keeps it. It has no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetWish {
    /// The branch that was named; none for each environment's own.
    pub branch: Option<Branch>,
    /// Where branches stood when the run began: one commit for all hosts of a branch.
    pub tips: Tips,
    /// Which configuration.
    pub config_from: ConfigFrom,
    /// Which modules are upgraded.
    pub update: UpdateChoice,
    /// Which modules are installed.
    pub install: Vec<ModuleName>,
    /// What becomes of a file that was edited on a server.
    pub on_drift: OnDrift,
    /// What the operator says about it.
    pub message: Option<String>,
    /// Whether a run that takes hosts back may take their databases back, too.
    pub with_database: bool,
}

/// A host of a run, looked at.
pub struct Surveyed {
    /// The request that was made for it.
    pub request: DeployRequest,
    /// The server that carries it.
    pub server: ServerName,
    /// What is to be done; else what stands in the way.
    pub found: Result<Digest, HostReport>,
}

/// What is kept of a plan until its turn comes: little, whatever its diffs are.
#[derive(Debug, Clone)]
pub struct Digest {
    /// By which the plan that is carried out is told to be this one.
    pub saved: Box<SavedPlan>,
    /// The environment.
    pub environment: EnvironmentName,
    /// Whether there is nothing to do.
    pub is_empty: bool,
    /// Whether its environment asks for consent.
    pub confirm: bool,
    /// The commit, short, and its subject.
    pub commit: (String, String),
    /// The live release.
    pub live: Option<ReleaseNumber>,
    /// The plan's word for the way.
    pub switch: String,
    /// How long users will wait, in words.
    pub interruption: String,
    /// How many modules are installed or upgraded.
    pub modules: usize,
}

/// The hooks of a run, which run for each of its hosts, and what they read.
pub struct FleetHooks<'a> {
    /// The hooks.
    pub hooks: Hooks,
    /// Describes what a host is asked for.
    pub request: &'a dyn Fn(&DeployRequest) -> Value,
    /// Describes a plan.
    pub plan: &'a dyn Fn(&Prepared) -> Value,
}

/// Something worth a line while a run goes on. A place is a host's in the run.
pub enum FleetNotice<'a> {
    /// A host was looked at.
    Planned {
        /// The host's place.
        place: usize,
        /// The whole plan, which few are kept of.
        prepared: &'a Prepared,
        /// What is kept of it.
        digest: &'a Digest,
    },
    /// Something stands in a host's way.
    Hindered {
        /// The host's place.
        place: usize,
        /// Why.
        report: &'a HostReport,
    },
    /// Secrets that must not be shown from now on.
    Secrets(&'a Redactor),
    /// A host's turn begins.
    Began {
        /// The host's place.
        place: usize,
    },
    /// What happens on a host.
    Host {
        /// The host's place.
        place: usize,
        /// What.
        notice: &'a Notice,
    },
    /// What a hook writes.
    Hook {
        /// The host's place.
        place: usize,
        /// The hook.
        hook: Hook,
        /// A line.
        line: &'a str,
    },
    /// What should be known of a host, and changes nothing.
    Warned {
        /// The host's place.
        place: usize,
        /// What.
        text: String,
    },
    /// A host's turn ended.
    Ended {
        /// The host's place.
        place: usize,
        /// How.
        report: &'a HostReport,
    },
    /// No further host begins.
    Stopped(Stop),
    /// A host is taken back to where it was before the run.
    RollingBack {
        /// The host's place.
        place: usize,
    },
}

/// Hears what goes on. Hosts are worked on side by side in one thread.
pub type Hearing<'a> = RefCell<&'a mut dyn FnMut(FleetNotice<'_>)>;

impl FleetHooks<'_> {
    /// Runs a hook that can refuse.
    async fn before(
        &self,
        hook: Hook,
        input: &Value,
        to: (usize, &Hearing<'_>),
        wish: watch::Receiver<Wish>,
    ) -> Result<(), WorkflowError> {
        let context = HookContext { input, result: None };
        self.run(hook, &context, to, wish).await.map_err(|error| refusal(&error))
    }

    async fn run(
        &self,
        hook: Hook,
        context: &HookContext<'_>,
        (place, hearing): (usize, &Hearing<'_>),
        mut wish: watch::Receiver<Wish>,
    ) -> Result<(), HookError> {
        let mut tell = |line: &str| hear(hearing, FleetNotice::Hook { place, hook, line });
        self.hooks.run(hook, context, left(&mut wish), &mut tell).await
    }
}

/// Waits until the operator wants to wait no longer.
async fn left(wish: &mut watch::Receiver<Wish>) {
    if wish.wait_for(|wish| *wish == Wish::Leave).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn hear(hearing: &Hearing<'_>, notice: FleetNotice<'_>) {
    (hearing.borrow_mut())(notice);
}

/// What an operator wishes of a run that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// It goes on.
    GoOn,
    /// No further host is begun; those that are begun come to their end.
    BeginNoMore,
    /// Nothing is waited for; what runs on a server goes on there.
    Leave,
}

/// Returns the names of the hosts of some surveys.
#[must_use]
pub fn names(surveyed: &[Surveyed]) -> Vec<(HostName, ServerName)> {
    surveyed.iter().map(|one| (one.request.host.clone(), one.server.clone())).collect()
}
