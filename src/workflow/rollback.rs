//! The way back: brings one host to a release that was verified on it before.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Project, WorkflowError,
    deploy::{DeployRequest, Draft, Listener, Notice, Prepared, Scene, Wanted, free_of_lock},
    desire::{Footing, Target},
};
use crate::{
    host::DatabaseName,
    layout::ReleaseNumber,
    plan::{
        ADOPTED, Obstacle, ReleaseRecord, Rollback, RowCount, RunningFrom, UpdateChoice,
        choose_release, restorations,
    },
    transport::Agent,
    wire::{CountRequest, Releases, Reply, Request},
};

/// What the operator wants to go back to.
#[derive(Debug, Clone)]
pub struct RollbackRequest {
    /// Who asks, and for which host; what it says of code and modules does not count.
    pub deploy: DeployRequest,
    /// The release; none for the newest verified one with other content than the live one.
    pub to: Option<ReleaseNumber>,
    /// Whether databases may go back, too.
    pub with_database: bool,
}

/// Makes the plan of a rollback. Nothing is changed.
///
/// # Errors
/// Returns whatever stands in the way.
pub async fn prepare(
    project: &Project,
    request: &RollbackRequest,
    listen: Listener<'_>,
) -> Result<Prepared, WorkflowError> {
    listen(Notice::Fetching);
    let host = &request.deploy.host;
    let footing = Footing::fetch(project, host)?;
    listen(Notice::Observing);
    let question = Request::Releases { host: host.clone() };
    let name = footing.local.server.clone();
    let (mut agent, reply) =
        Agent::connect(&name, footing.server()?, &project.machine, &question).await?;
    let rollback = Journey { project, request, agent: &mut agent };
    match rollback.draft(footing, reply, listen).await {
        Ok(draft) => draft.plan(project, agent).await,
        Err(error) => {
            agent.close().await;
            Err(error)
        }
    }
}

/// A rollback whose server is connected.
struct Journey<'a> {
    project: &'a Project,
    request: &'a RollbackRequest,
    agent: &'a mut Agent,
}

impl Journey<'_> {
    /// Chooses the release, reads it from Git and compares it with what is there.
    async fn draft(
        mut self,
        footing: Footing,
        reply: Reply,
        listen: Listener<'_>,
    ) -> Result<Draft, WorkflowError> {
        let releases = match reply {
            Reply::Releases(releases) => *releases,
            Reply::Fault(fault) => return Err(fault.into()),
            _ => return Err(WorkflowError::OutOfTurn),
        };
        let live = releases.live;
        let (to, record) = choose(&releases, self.request.to)
            .map_err(|one| WorkflowError::Obstacles(vec![one]))?;
        let (project, request) = (self.project, &self.request.deploy);
        let target = Target::of_release(project, footing, record)?;
        let wanted = Wanted::of(project, &target)?;
        let access = wanted.access.clone();
        let question = wanted.question(&target, request);
        let reply = self.ask(&question).await?;
        let wait: Duration = request.wait_lock;
        let observed = free_of_lock(reply, &question, wait, self.agent, listen).await?;
        if observed.host.current != live.map(RunningFrom::Release) {
            return Err(overtaken());
        }
        let scene = Scene { project, request, target: &target, observed: &observed };
        let mut compared = scene.compare(wanted, self.agent).await?;
        let desired = &mut compared.desired;
        desired.update = UpdateChoice::None;
        desired.install = Vec::new();
        let mut rollback =
            Rollback { to, with_database: self.request.with_database, lost: BTreeMap::new() };
        desired.rollback = Some(rollback.clone());
        // Why a database cannot go back, the plan says.
        let back = restorations(desired, &observed).unwrap_or_default();
        if !back.is_empty() {
            let since = back.iter().map(|one| (one.restore.database.clone(), one.taken));
            let question = CountRequest {
                host: request.host.clone(),
                access,
                keep: target.host.deploy.keep.clone(),
                since: since.collect(),
            };
            rollback.lost = self.count(question).await?;
            desired.rollback = Some(rollback);
        }
        Ok(Draft { target, observed, compared })
    }

    /// Asks what was created since the snapshots were taken.
    async fn count(
        &mut self,
        question: CountRequest,
    ) -> Result<BTreeMap<DatabaseName, Vec<RowCount>>, WorkflowError> {
        match self.ask(&Request::CountRows(Box::new(question))).await? {
            Reply::Counted(rows) => Ok(rows),
            Reply::Fault(fault) => Err(fault.into()),
            _ => Err(WorkflowError::OutOfTurn),
        }
    }

    async fn ask(&mut self, question: &Request) -> Result<Reply, WorkflowError> {
        self.agent.send(question).await?;
        Ok(self.agent.receive().await?)
    }
}

/// Chooses what is gone back to, and the release whose code and configuration say how:
/// of release 0, which has neither, those of the live one.
fn choose(
    releases: &Releases,
    wanted: Option<ReleaseNumber>,
) -> Result<(ReleaseNumber, &ReleaseRecord), Obstacle> {
    let Releases { live, releases: known, adopted, since } = releases;
    if let Some(early) = wanted.filter(|number| *number != ADOPTED && number <= since) {
        return Err(Obstacle {
            message: format!("release {early} is of the time before the host went back to 0"),
            hint: Some("deploy its commit instead".to_owned()),
            details: Vec::new(),
        });
    }
    if wanted != Some(ADOPTED) {
        let record = choose_release(known, *live, wanted).map_err(|obstacle| Obstacle {
            hint: obstacle.hint.map(|hint| match adopted {
                Some(unit) if live.is_some() => format!("{hint}; and 0 (adopted: {unit})"),
                _ => hint,
            }),
            ..obstacle
        })?;
        return Ok((record.number, record));
    }
    let obstacle = |message: &str, hint: &str| Obstacle {
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
        details: Vec::new(),
    };
    if adopted.is_none() {
        return Err(obstacle(
            "there is no release 0: the host was not adopted",
            "see `deploy status`",
        ));
    }
    let record = known.iter().map(|known| &known.facts.record);
    let record = record.into_iter().find(|record| Some(record.number) == *live);
    let record = record.ok_or_else(|| obstacle("release 0 is what the host runs", "deploy it"))?;
    Ok((ADOPTED, record))
}

/// Says that another release went live while this one waited for the lock.
fn overtaken() -> WorkflowError {
    WorkflowError::Obstacles(vec![Obstacle {
        message: "the host was deployed to while this waited".to_owned(),
        hint: Some("look at what is live now, and roll back again".to_owned()),
        details: Vec::new(),
    }])
}
