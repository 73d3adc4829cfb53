//! Looks at every host of a run before the first is touched.

use std::{collections::HashMap, rc::Rc};

use futures_util::{StreamExt as _, stream};
use tokio::sync::{Semaphore, watch};

use super::{
    Digest, FleetHooks, FleetNotice, Hearing, HostReport, Kept, LOOKS, LOOKS_PER_SERVER, Surveyed,
    Wish, hear,
};
use crate::{
    hooks::Hook,
    host::ServerName,
    workflow::{
        Project, WorkflowError,
        deploy::{DeployRequest, Notice, Prepared, prepare},
        saved::SavedPlan,
    },
};

/// Makes the plan of every host, many at once, and keeps little of most. Nothing is changed.
/// The hosts' order stays.
pub async fn survey(
    project: &Project,
    requests: Vec<(DeployRequest, ServerName)>,
    hooks: Option<(&FleetHooks<'_>, watch::Receiver<Wish>)>,
    kept: &Kept,
    hearing: &Hearing<'_>,
) -> Vec<Surveyed> {
    let hooks = hooks.as_ref();
    let gates: HashMap<_, _> = requests
        .iter()
        .map(|(_, server)| (server.clone(), Rc::new(Semaphore::new(LOOKS_PER_SERVER))))
        .collect();
    let looks = requests.into_iter().enumerate().map(|(place, (request, server))| {
        let gate = Rc::clone(&gates[&server]);
        async move {
            let _turn = gate.acquire().await.expect("it is never closed");
            let before = async {
                let Some((hooks, wish)) = hooks else { return Ok(()) };
                let input = (hooks.request)(&request);
                hooks.before(Hook::BeforePlan, &input, (place, hearing), wish.clone()).await
            };
            let looked = match before.await {
                Ok(()) => look(project, &request, place, hearing).await,
                Err(error) => Err(hinder(place, &error, hearing)),
            };
            let found = match looked {
                Ok((digest, prepared)) => {
                    if digest.is_empty {
                        prepared.leave().await;
                    } else {
                        kept.keep(place, server.clone(), prepared).await;
                    }
                    Ok(digest)
                }
                Err(report) => Err(report),
            };
            Surveyed { request, server, found }
        }
    });
    stream::iter(looks).buffered(LOOKS).collect().await
}

async fn look(
    project: &Project,
    request: &DeployRequest,
    place: usize,
    hearing: &Hearing<'_>,
) -> Result<(Digest, Prepared), HostReport> {
    let mut listen = |notice| {
        if matches!(notice, Notice::WaitingForLock(_)) {
            hear(hearing, FleetNotice::Host { place, notice: &notice });
        }
    };
    match prepare(project, request, &mut listen).await {
        Ok(prepared) => {
            let digest = Digest::of(&prepared, request);
            hear(hearing, FleetNotice::Secrets(&prepared.redactor));
            let planned = FleetNotice::Planned { place, prepared: &prepared, digest: &digest };
            hear(hearing, planned);
            Ok((digest, prepared))
        }
        Err(error) => Err(hinder(place, &error, hearing)),
    }
}

/// Reports what stands in a host's way.
fn hinder(place: usize, error: &WorkflowError, hearing: &Hearing<'_>) -> HostReport {
    let report = HostReport::of_error(error);
    hear(hearing, FleetNotice::Hindered { place, report: &report });
    report
}

impl Digest {
    /// Keeps what is needed of a plan.
    fn of(prepared: &Prepared, request: &DeployRequest) -> Self {
        let plan = &prepared.plan;
        let commit = &prepared.desired.commit;
        let touched =
            plan.upgrades.iter().map(|upgrade| upgrade.install.len() + upgrade.update.len());
        Self {
            saved: Box::new(SavedPlan::of(prepared, request)),
            environment: prepared.desired.environment.clone(),
            is_empty: prepared.is_empty(),
            confirm: prepared.environment.confirm,
            commit: (commit.id.short(), commit.subject.clone()),
            live: plan.transaction.previous,
            switch: plan.switch.to_string(),
            interruption: plan.interruption.clone(),
            modules: touched.sum(),
        }
    }
}
