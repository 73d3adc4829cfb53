//! One host's turn: the plan that was looked at, or made anew the same one, carried out to
//! its end.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::{select, sync::watch, time::sleep};

use super::{Digest, FleetHooks, FleetNotice, Hearing, HostReport, Wish, end::ending, hear, left};
use crate::{
    causes::with_causes,
    dns::Change,
    fleet::End,
    hooks::Hook,
    layout::ReleaseNumber,
    plan::{Event, Switch},
    workflow::{
        Project, WorkflowError,
        deploy::{DeployRequest, Notice, Prepared, prepare},
        dns::Settled,
        follow::{Following, Report, Told},
        hooks::HookContext,
        rollback::{self, RollbackRequest},
    },
};

/// How often a server is looked for again that was lost from sight.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// For how long.
const SEARCH: Duration = Duration::from_secs(180);

/// A host in its turn.
pub(super) struct Turn<'a> {
    pub(super) project: &'a Project,
    pub(super) place: usize,
    pub(super) hearing: &'a Hearing<'a>,
    pub(super) wish: watch::Receiver<Wish>,
    pub(super) hooks: Option<&'a FleetHooks<'a>>,
}

impl Turn<'_> {
    /// Deploys what was looked at.
    pub(super) async fn deploy(
        self,
        request: &DeployRequest,
        digest: &Digest,
        kept: Option<Prepared>,
    ) -> HostReport {
        let began = Instant::now();
        if digest.is_empty {
            return HostReport::of_end(End::Unchanged, digest.live);
        }
        let request = digest.saved.request(request.clone());
        let prepared = match kept {
            Some(prepared) => Ok(prepared),
            None => prepare(self.project, &request, &mut self.listener()).await,
        };
        let asked = self.hooks.map(|hooks| (hooks.request)(&request));
        self.carry_out(prepared, asked.unwrap_or_default(), began).await
    }

    /// Takes the host back to the release that it had before the run.
    pub(super) async fn roll_back(
        self,
        request: DeployRequest,
        to: ReleaseNumber,
        with_database: bool,
    ) -> HostReport {
        let began = Instant::now();
        let request = RollbackRequest { deploy: request, to: Some(to), with_database };
        let prepared = rollback::prepare(self.project, &request, &mut self.listener()).await;
        let asked = self.hooks.map(|hooks| (hooks.request)(&request.deploy));
        let mut report = self.carry_out(prepared, asked.unwrap_or_default(), began).await;
        if report.end.is_success() {
            report.end = End::RolledBack;
        }
        report
    }

    async fn carry_out(
        mut self,
        prepared: Result<Prepared, WorkflowError>,
        mut input: Value,
        began: Instant,
    ) -> HostReport {
        let (before, after) = match &prepared {
            Ok(prepared) => {
                let transaction = &prepared.plan.transaction;
                (transaction.previous, transaction.number.or(transaction.previous))
            }
            Err(_) => (None, None),
        };
        let done = match prepared {
            Ok(prepared) => {
                if let Some(hooks) = self.hooks {
                    input = (hooks.plan)(&prepared);
                }
                self.execute(prepared, &input).await
            }
            Err(error) => Err(error),
        };
        let report = match done {
            Ok(Some(report)) => HostReport::of_report(&report, before, after),
            Ok(None) => HostReport::of_end(End::Deployed, before),
            Err(error) => HostReport { release: before, ..HostReport::of_error(&error) },
        };
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let report = HostReport { milliseconds, ..report };
        self.after(&report, &input).await;
        report
    }

    /// Runs the hook after the turn, which changes nothing any more.
    async fn after(&self, report: &HostReport, input: &Value) {
        let hook = match report.end {
            End::Unchanged => return,
            end if end.is_live() => Hook::AfterDeploy,
            _ => Hook::AfterFailure,
        };
        let context = HookContext { input, result: Some(ending(Some(report.end)).as_str()) };
        let Some(hooks) = self.hooks else { return };
        let to = (self.place, self.hearing);
        if let Err(error) = hooks.run(hook, &context, to, self.wish.clone()).await {
            self.warn(with_causes(&error));
        }
    }

    /// Does what the plan says; there is no report where it says nothing of the server.
    async fn execute(
        &mut self,
        mut prepared: Prepared,
        input: &Value,
    ) -> Result<Option<Report>, WorkflowError> {
        hear(self.hearing, FleetNotice::Secrets(&prepared.redactor));
        if let Some(hooks) = self.hooks {
            let to = (self.place, self.hearing);
            let before = hooks.before(Hook::BeforeDeploy, input, to, self.wish.clone()).await;
            if let Err(error) = before {
                prepared.leave().await;
                return Err(error);
            }
        }
        prepared.send_code(&mut self.listener()).await?;
        prepared.certify().await?;
        if let Err(error) = prepared.write_records().await {
            prepared.take_certificate_back().await;
            return Err(error);
        }
        let late = prepared.await_records().await;
        late.into_iter().for_each(|text| self.warn(text));
        if prepared.plan.switch == Switch::Nothing {
            let settled = prepared.finish_records().await;
            self.settled(&settled);
            prepared.leave().await;
            return Ok(None);
        }
        let id = prepared.plan.transaction.id.to_string();
        let following = prepared.begin().await?;
        self.watch(following, &id).await.map(Some)
    }

    /// Follows the transaction to its end. One that is lost from sight is looked for: it goes
    /// on by itself, and its end counts.
    async fn watch(&mut self, mut following: Following, id: &str) -> Result<Report, WorkflowError> {
        let mut seen = 0;
        let mut again = 0;
        loop {
            let told = select! {
                told = following.next() => told,
                () = left(&mut self.wish) => {
                    let host = following.host().clone();
                    following.leave().await;
                    return Err(WorkflowError::LeftRunning { host });
                }
            };
            match told {
                Ok(Told::Event(event)) if again < seen => {
                    drop(event);
                    again += 1;
                }
                Ok(Told::Event(event)) => {
                    seen += 1;
                    again += 1;
                    self.tell(event);
                }
                Ok(Told::Finished { outcome, interruption }) => {
                    let settled = following.settle(&outcome).await;
                    self.settled(&settled);
                    return Ok(following.finish(outcome, interruption).await);
                }
                Err(error @ WorkflowError::LostSight { .. }) => {
                    self.warn("the connection was lost; the server goes on by itself".to_owned());
                    self.find(&mut following, id, error).await?;
                    again = 0;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn find(
        &mut self,
        following: &mut Following,
        id: &str,
        lost: WorkflowError,
    ) -> Result<(), WorkflowError> {
        let began = Instant::now();
        while began.elapsed() < SEARCH {
            let found = select! {
                found = following.attach_again(self.project, id) => found,
                () = left(&mut self.wish) => return Err(lost),
            };
            if matches!(found, Ok(true)) {
                return Ok(());
            }
            select! {
                () = sleep(LOOK_AGAIN) => {}
                () = left(&mut self.wish) => return Err(lost),
            }
        }
        Err(lost)
    }

    fn listener(&self) -> impl FnMut(Notice) {
        |notice| hear(self.hearing, FleetNotice::Host { place: self.place, notice: &notice })
    }

    fn tell(&self, event: Event) {
        let notice = Notice::Event(event);
        hear(self.hearing, FleetNotice::Host { place: self.place, notice: &notice });
    }

    fn warn(&self, text: String) {
        hear(self.hearing, FleetNotice::Warned { place: self.place, text });
    }

    fn settled(&self, settled: &Settled) {
        let lines = settled.changes.iter().flat_map(Change::lines);
        let what = if settled.taken_back { "taken back" } else { "removed" };
        let lines = lines.map(|line| format!("dns  {line} ({what})"));
        lines.chain(settled.problems.iter().cloned()).for_each(|text| self.warn(text));
    }
}
