//! The main job: brings one host to a commit, all or nothing.

mod admin;
mod certify;
mod draft;
mod notes;
mod python;
mod records;
mod send;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    Project, WorkflowError,
    certificate::CertificateWish,
    desire::{CodeWish, Target},
    dns::Records,
    files::{Options, Renderer},
    follow::Following,
    modules::{self, Live},
    origin::Issued,
    outside::Public,
    saved::SavedPlan,
};
use crate::{
    host::{HostName, KEPT, ModuleName},
    layout::ReleaseNumber,
    plan::{
        AdminPassword, DatabaseAccess, Desired, Event, Files, Holder, ModuleDiffs, Network,
        Observed, OnDrift, Plan, Policy, PythonEnvironment, Service, TransactionId, UpdateChoice,
        WantedCertificate, adopted_live, live_record,
    },
    render,
    secret::{Redactor, is_sensitive_key},
    settings::{Environment, Settings},
    source::{Addon, CommitLog},
    transport::Agent,
    wire::{FileInputs, ObserveRequest, Order, Reply, Request},
};

pub(super) use self::draft::{Compared, Draft};
pub use super::desire::{ConfigFrom, Revision, Tips};

/// How long a wait for the lock lasts between two looks.
const LOCK_INTERVAL: Duration = Duration::from_secs(2);

/// What the operator asks for.
#[derive(Debug, Clone)]
pub struct DeployRequest {
    /// The host.
    pub host: HostName,
    /// Which code.
    pub revision: Revision,
    /// Which configuration.
    pub config_from: ConfigFrom,
    /// Which modules are upgraded.
    pub update: UpdateChoice,
    /// Which modules are installed.
    pub install: Vec<ModuleName>,
    /// What becomes of a file that was edited on the server.
    pub on_drift: OnDrift,
    /// Where branches stand, where they were fetched before.
    pub tips: Option<Arc<Tips>>,
    /// The plan that has to come out; none where any may.
    pub saved: Option<Box<SavedPlan>>,
    /// What the operator says about it.
    pub message: Option<String>,
    /// How long to wait for a lock that is held.
    pub wait_lock: Duration,
    /// A unique id, its time first.
    pub id: TransactionId,
    /// Seconds since the epoch.
    pub now: i64,
    /// A random key under which secrets are compared.
    pub mask_key: [u8; 32],
}

/// Something worth a line while a deploy goes on.
#[derive(Debug, Clone)]
pub enum Notice {
    /// The remote is asked for the branch.
    Fetching,
    /// The server is connected to and observed.
    Observing,
    /// Somebody else's deploy is waited for.
    WaitingForLock(Option<Holder>),
    /// Code is sent.
    Sending {
        /// Objects of Git.
        objects: usize,
        /// Bytes.
        bytes: u64,
    },
    /// The transaction tells something.
    Event(Event),
}

/// Hears what goes on.
pub type Listener<'a> = &'a mut dyn FnMut(Notice);

/// A plan that was made and can be carried out.
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// The commits it brings or takes back.
    pub log: CommitLog,
    /// What becomes of the host's records in the DNS.
    pub records: Records,
    /// The certificate that was issued for it.
    issued: Option<Issued>,
    /// Its host's policy.
    pub environment: Environment,
    /// Settings at the tip of the environment's branch.
    pub settings: Settings,
    /// What was seen on the server.
    pub observed: Observed,
    /// What was wanted.
    pub desired: Desired,
    /// What should be said before anything is done.
    pub notes: Vec<String>,
    /// Knows every secret that was resolved.
    pub redactor: Redactor,
    inputs: FileInputs,
    target: Target,
    agent: Agent,
    /// Whether the agent has still to say that it has the code.
    is_code_underway: bool,
}

/// Makes the plan: fetches, reads, observes, compares. Nothing is changed.
///
/// # Errors
/// Returns whatever stands in the way.
pub async fn prepare(
    project: &Project,
    request: &DeployRequest,
    listen: Listener<'_>,
) -> Result<Prepared, WorkflowError> {
    listen(Notice::Fetching);
    let wish = CodeWish {
        revision: &request.revision,
        config_from: request.config_from,
        tips: request.tips.as_deref(),
    };
    let target = Target::find(project, &request.host, &wish)?;
    let wanted = Wanted::of(project, &target)?;
    listen(Notice::Observing);
    let (mut agent, observed) = observe(project, request, &target, &wanted, listen).await?;
    let scene = Scene { project, request, target: &target, observed: &observed };
    let compared = scene.compare(wanted, &mut agent).await?;
    let is_same = |saved: &SavedPlan| saved.verify(&compared.desired, &observed);
    let saved = request.saved.as_deref().map_or(Ok(()), is_same);
    if let Err(error) = saved {
        agent.close().await;
        return Err(error);
    }
    let prepared = Draft { target, observed, compared }.plan(project, agent).await?;
    let saved = request.saved.as_ref().map_or(Ok(()), |saved| saved.verify_records(&prepared));
    if let Err(error) = saved {
        prepared.leave().await;
        return Err(error);
    }
    Ok(prepared)
}

/// What a wish is compared with.
pub(super) struct Scene<'a> {
    pub(super) project: &'a Project,
    pub(super) request: &'a DeployRequest,
    pub(super) target: &'a Target,
    pub(super) observed: &'a Observed,
}

impl Scene<'_> {
    /// Says exactly what is wanted, and which secrets are in it.
    pub(super) async fn compare(
        &self,
        wanted: Wanted,
        agent: &mut Agent,
    ) -> Result<Compared, WorkflowError> {
        let Scene { project, request, target, observed } = *self;
        let live = live_code(project, target, observed)?;
        let comparison = modules::Comparison {
            host: &request.host,
            tree: &target.tree,
            cache: &target.cache,
            readings: &project.readings,
            directories: &wanted.directories,
            addons: &wanted.addons,
            live: live.as_ref(),
            observed,
            service: &wanted.service,
        };
        let diffs = modules::diffs(&comparison, agent).await?;
        let mut renderer = target.renderer(project)?;
        let python = python::environment(target, observed)?;
        renderer.python_environment = python.as_ref().map(|python| python.directory.clone());
        let sensitive_keys = &wanted.options.sensitive_keys;
        let files = both_files(&renderer, observed, sensitive_keys, &request.mask_key)?;
        let mut redactor = Redactor::default();
        wanted.options.secrets.iter().for_each(|secret| redactor.add(secret));
        let admin_password = admin::password(project, target, observed, &mut redactor)?;
        let mut wanted = wanted;
        let wish = wanted.certificate.take();
        let certificate = wish.map(|wish| wish.on(observed, &mut redactor)).transpose()?;
        let inputs = renderer.inputs(observed.server.has_ipv6)?;
        let findings = Findings { wanted, live, diffs, files, certificate, admin_password, python };
        let desired = desire(project, request, target, findings, observed);
        Ok(Compared { desired, inputs, redactor })
    }
}

/// What is wanted as far as it can be told without the server.
pub(super) struct Wanted {
    options: Options,
    service: Service,
    pub(super) access: DatabaseAccess,
    certificate: Option<CertificateWish>,
    directories: Vec<PathBuf>,
    addons: Vec<Addon>,
    asks_python: bool,
}

impl Wanted {
    pub(super) fn of(project: &Project, target: &Target) -> Result<Self, WorkflowError> {
        let renderer = target.renderer(project)?;
        let options = target.options(&renderer)?;
        let directories = target.addons_directories();
        Ok(Self {
            service: renderer.service(&options),
            access: renderer.access(&options),
            certificate: CertificateWish::of(target, renderer.secrets)?,
            addons: project.readings.addons(&target.tree, &directories)?,
            asks_python: python::may_be_asked(target)?,
            directories,
            options,
        })
    }

    /// Asks what is there.
    pub(super) fn question(&self, target: &Target, request: &DeployRequest) -> Request {
        Request::Observe(Box::new(ObserveRequest {
            host: target.host.name.clone(),
            service: self.service.clone(),
            access: self.access.clone(),
            keep: target.host.deploy.keep.clone(),
            databases: target.host.databases.clone(),
            sensitive_keys: self.options.sensitive_keys.clone(),
            mask_key: request.mask_key,
            asks_python: self.asks_python,
            transaction: Some(request.id.clone()),
        }))
    }
}

/// Connects to the server and looks at it: one connection, one channel, and
/// one round trip for hello and observation together.
async fn observe(
    project: &Project,
    request: &DeployRequest,
    target: &Target,
    wanted: &Wanted,
    listen: Listener<'_>,
) -> Result<(Agent, Observed), WorkflowError> {
    let question = wanted.question(target, request);
    let name = &target.host.server;
    let (mut agent, reply) =
        Agent::connect(name, target.server()?, &project.machine, &question).await?;
    match free_of_lock(reply, &question, request.wait_lock, &mut agent, listen).await {
        Ok(observed) => Ok((agent, observed)),
        Err(error) => {
            agent.close().await;
            Err(error)
        }
    }
}

/// What was found out on the way to a plan.
struct Findings {
    wanted: Wanted,
    live: Option<Live>,
    diffs: ModuleDiffs,
    files: BothFiles,
    certificate: Option<WantedCertificate>,
    admin_password: Option<AdminPassword>,
    python: Option<PythonEnvironment>,
}

fn desire(
    project: &Project,
    request: &DeployRequest,
    target: &Target,
    findings: Findings,
    observed: &Observed,
) -> Desired {
    let Findings { mut wanted, live, diffs, files, certificate, admin_password, python } = findings;
    wanted.service.python_environment = python.as_ref().map(|python| python.directory.clone());
    let changes = |tree| target.tree.changes(tree, target.tree.id()).ok();
    Desired {
        id: request.id.clone(),
        holder: holder(project, request),
        host: target.host.name.clone(),
        environment: target.host.environment.clone(),
        branch: target.branch.clone(),
        commit: target.commit.clone(),
        tree: target.tree.id(),
        addons: wanted.addons,
        live: live.as_ref().map(|live| live.commit),
        live_addons: live.map(|live| live.addons).unwrap_or_default(),
        changes: live_record(observed).and_then(|live| changes(live.tree)),
        service: wanted.service,
        access: wanted.access,
        certificate,
        databases: target.host.databases.clone(),
        network: network(target, files.marker),
        policy: policy(target),
        admin_password,
        python,
        compared: files.compared,
        files: files.new,
        sensitive_keys: wanted.options.sensitive_keys,
        diffs,
        update: request.update.clone(),
        install: request.install.clone(),
        on_drift: request.on_drift,
        rollback: None,
    }
}

impl Prepared {
    /// Ends the conversation without doing anything.
    pub async fn leave(self) {
        self.agent.close().await;
    }

    /// Begins to carry the plan out. Where its code is still under way, the server begins
    /// once it has it, and not at all where it cannot have it.
    ///
    /// # Errors
    /// Fails where the transaction could not be begun.
    pub async fn begin(mut self) -> Result<Following, WorkflowError> {
        let host = self.desired.host.clone();
        let transaction = self.plan.transaction.clone();
        let order = Order { transaction, inputs: self.inputs.clone() };
        let sent = self.agent.send(&Request::Execute(Box::new(order))).await;
        // An agent that does not take the code says why, and may hang up.
        let has_code = self.await_code().await;
        has_code.and(sent.map_err(WorkflowError::from)).map_err(|error| match error {
            WorkflowError::Transport(source) => {
                WorkflowError::LostSight { host: host.clone(), source }
            }
            error => error,
        })?;
        let public = Public::of(&self.target.host, &self.target.settings);
        let fresh = self.records.fresh().to_vec();
        let public = public.map(|public| public.named_just_now(fresh));
        Ok(Following::new(self.agent, host, public)
            .through(&self.plan.transaction)
            .with_records(self.records)
            .with_issued(self.issued))
    }
}

/// Waits until nobody holds the lock, as long as the operator wants.
pub(super) async fn free_of_lock(
    reply: Reply,
    observe: &Request,
    wait: Duration,
    agent: &mut Agent,
    listen: Listener<'_>,
) -> Result<Observed, WorkflowError> {
    let mut reply = reply;
    let mut waited = Duration::ZERO;
    loop {
        let observed = match reply {
            Reply::Observed(observed) => *observed,
            Reply::Fault(fault) => return Err(fault.into()),
            _ => return Err(WorkflowError::OutOfTurn),
        };
        let Some(holder) = observed.host.lock.clone() else { return Ok(observed) };
        if waited >= wait {
            return Err(WorkflowError::Locked(Some(holder)));
        }
        if waited.is_zero() {
            listen(Notice::WaitingForLock(Some(holder)));
        }
        sleep(LOCK_INTERVAL).await;
        waited += LOCK_INTERVAL;
        agent.send(observe).await?;
        reply = agent.receive().await?;
    }
}

/// Reads the live release's addons from Git; none where there is no live
/// release, or its commit cannot be had any more.
fn live_code(
    project: &Project,
    target: &Target,
    observed: &Observed,
) -> Result<Option<Live>, WorkflowError> {
    let adopted = || adopted_live(observed)?.record.commit;
    let commit = live_record(observed).map(|record| record.commit).or_else(adopted);
    let Some(commit) = commit else { return Ok(None) };
    let Ok(commit) = target.cache.commit(&commit.to_string()) else { return Ok(None) };
    let tree = project.readings.tree(&target.cache, commit)?;
    let addons = project.readings.addons(&tree, &target.addons_directories())?;
    Ok(Some(Live { commit, addons }))
}

/// A host's files as they are compared, and as they are written.
struct BothFiles {
    compared: Files,
    new: Files,
    marker: Option<String>,
}

/// A release's paths hold its number. What is compared is rendered for the
/// live one, so that the number alone is no difference.
fn both_files(
    renderer: &Renderer<'_>,
    observed: &Observed,
    sensitive_keys: &BTreeSet<String>,
    mask_key: &[u8; 32],
) -> Result<BothFiles, WorkflowError> {
    let new = ReleaseNumber(observed.host.last_number).next();
    let live = live_record(observed).map_or(new, |live| live.number);
    let has_ipv6 = observed.server.has_ipv6;
    let (mut compared, _) = renderer.files(live, has_ipv6)?;
    let keep = &renderer.host.deploy.keep;
    let sensitive = |key: &str| {
        is_sensitive_key(key) || sensitive_keys.contains(key) || keep.iter().any(|kept| kept == key)
    };
    compared.odoo_conf = render::mask_conf(&compared.odoo_conf, &sensitive, &|key, value| {
        if keep.iter().any(|kept| kept == key) {
            KEPT.to_owned()
        } else {
            render::keyed_mask(mask_key, key, value)
        }
    });
    let (files, marker) = renderer.files(new, has_ipv6)?;
    Ok(BothFiles { compared, new: files, marker })
}

fn network(target: &Target, marker: Option<String>) -> Network {
    let host = &target.host;
    let nginx = host.nginx.as_ref();
    Network {
        interface: host.http_interface.clone(),
        http_port: host.http_port,
        gevent_port: (host.workers > 0).then_some(host.gevent_port),
        aliases: nginx.map(|nginx| nginx.aliases.clone()).unwrap_or_default(),
        marker: nginx
            .zip(marker)
            .map(|(nginx, text)| crate::plan::Marker { port: nginx.port, text }),
    }
}

fn policy(target: &Target) -> Policy {
    let deploy = &target.host.deploy;
    Policy {
        install: deploy.install.clone(),
        keep: deploy.keep.clone(),
        upgrade_timeout: deploy.upgrade_timeout,
        health_timeout: deploy.health_timeout,
        health_settle: deploy.health_settle,
        load_check: deploy.load_check,
        keep_releases: deploy.keep_releases,
        keep_snapshots: deploy.keep_snapshots,
        upgrades_at_once: target.settings.upgrades_at_once.get(),
    }
}

fn holder(project: &Project, request: &DeployRequest) -> Holder {
    Holder {
        who: project.operator.who.clone(),
        from: project.operator.from.clone(),
        url: project.operator.url.clone(),
        message: request.message.clone(),
        transaction: request.id.to_string(),
        since: request.now,
    }
}
