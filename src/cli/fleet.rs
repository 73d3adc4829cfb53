//! Runs over many hosts: `deploy --environment …`, `deploy plan --all`, `deploy resume`.

mod file;
mod show;

use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use tokio::{select, sync::watch};

use self::{
    file::Runs,
    show::{Board, Finished, conclude, plan_table},
};
use super::{
    ExitCode,
    arguments::{
        ConfigSource, DeployArguments, FleetArguments, PlanArguments, ResumeArguments,
        TargetArguments,
    },
    around::{request_object, tell_others},
    deploy::{request, request_for},
    hosts, json,
    surroundings::surroundings,
    terminal::Terminal,
};
use crate::{
    fleet::{Course, FleetHost, Run, Turn},
    host::{HostName, ServerName},
    notify::Action,
    secret::Redactor,
    settings::Server,
    transport::Links,
    workflow::{
        Project, WorkflowError,
        announce::{FleetEnded, News},
        deploy::{DeployRequest, Revision, Tips},
        fleet::{
            Drive, FleetHooks, FleetNotice, FleetWish, HostReport, Kept, Surveyed, Wish, carry_out,
            names, survey,
        },
        hooks::Hooks,
    },
};

/// Looks at many hosts and leaves.
#[tokio::main]
pub(super) async fn plan(
    directory: &Path,
    arguments: &PlanArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    if arguments.out.is_some() {
        return Err(WorkflowError::Usage {
            message: "a plan that is saved is one host's".to_owned(),
            hint: Some("give `--host`, or leave `--out` out".to_owned()),
        });
    }
    let project = open(directory)?;
    let target = &arguments.target;
    let chosen = choose(&project, target)?;
    let wish = wish(&project, target, None, &chosen, false)?;
    let requests = requests(target, &wish, &chosen)?;
    let surveyed = look(&project, requests, None, &Kept::none(), terminal).await;
    project.machine.links.close().await;
    plan_table(&surveyed, terminal);
    let changes = surveyed.iter().any(|one| one.found.as_ref().is_ok_and(|found| !found.is_empty));
    let hindered = show::hindered(&surveyed);
    Ok(match hindered {
        Some(code) => code,
        None if changes && arguments.exit_code => ExitCode::Changes,
        None => ExitCode::Success,
    })
}

/// Deploys to many hosts.
#[tokio::main]
pub(super) async fn run(
    directory: &Path,
    target: &TargetArguments,
    arguments: &DeployArguments,
    fleet: &FleetArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = open(directory)?;
    let chosen = choose(&project, target)?;
    let message = arguments.message.as_deref();
    let wish = wish(&project, target, message, &chosen, fleet.with_database)?;
    let mut requests = requests(target, &wish, &chosen)?;
    for (request, _) in &mut requests {
        request.wait_lock = arguments.wait_lock.unwrap_or_default();
    }
    let id = requests.first().map(|(request, _)| request.id.to_string()).unwrap_or_default();
    let hosts = chosen.iter().map(|host| (host.host.clone(), host.server.clone()));
    let root = project.repository.root().to_owned();
    let run = Run::new(id, root, wish, fleet.rules(), hosts);
    let DeployArguments { dry_run, yes, notify, .. } = *arguments;
    let choices = Choices { dry_run, yes, notify, hooks: !arguments.no_hooks };
    let ended = deploy(&project, run, requests, choices, terminal).await;
    project.machine.links.close().await;
    ended
}

/// Goes on with a run that ended before its last host.
#[tokio::main]
pub(super) async fn resume(
    directory: &Path,
    arguments: &ResumeArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let project = open(directory)?;
    let run = Runs::of(&project).read(arguments.run.as_deref(), &project)?;
    let left: Vec<_> =
        run.left().into_iter().map(|host| (host.host.clone(), host.server.clone())).collect();
    if left.is_empty() {
        terminal.result(&format!("run {} is complete: nothing is left of it", run.id));
        return Ok(ExitCode::Success);
    }
    terminal.note(&format!("run {}: {} of {} hosts are left", run.id, left.len(), run.hosts.len()));
    run.wish.tips.verify(&project)?;
    let requests = left
        .into_iter()
        .map(|(host, server)| Ok((again(&run.wish, request_for(&host)?), server)))
        .collect::<Result<Vec<_>, WorkflowError>>()?;
    let ResumeArguments { dry_run, yes, notify, .. } = *arguments;
    let choices = Choices { dry_run, yes, notify, hooks: !arguments.no_hooks };
    let ended = deploy(&project, run, requests, choices, terminal).await;
    project.machine.links.close().await;
    ended
}

/// What the operator chose for the run as a whole.
#[derive(Debug, Clone, Copy)]
struct Choices {
    dry_run: bool,
    yes: bool,
    /// Whether the desktop hears of it, also without a terminal.
    notify: bool,
    hooks: bool,
}

/// Opens the repository; the hosts of a server share one connection.
fn open(directory: &Path) -> Result<Project, WorkflowError> {
    let mut surroundings = surroundings();
    surroundings.machine.links = Links::shared();
    Project::open(directory, surroundings)
}

/// Finds the hosts that are meant.
fn choose(project: &Project, target: &TargetArguments) -> Result<Vec<FleetHost>, WorkflowError> {
    let hosts = hosts::load(project)?;
    let all = hosts.iter().map(|host| hosts::place(host, project));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    let mut chosen = target.selection.selection().choose(&all, &project.settings)?;
    if target.selection.all {
        // A developer's own machine is meant where it is named.
        let is_here =
            |host: &FleetHost| project.settings.servers.get(&host.server) == Some(&Server::Local);
        chosen.retain(|host| !is_here(host));
    }
    if chosen.is_empty() {
        return Err(WorkflowError::Usage {
            message: "no host is meant".to_owned(),
            hint: Some("`deploy hosts` lists all".to_owned()),
        });
    }
    Ok(chosen)
}

/// Fetches every branch that counts, once, and says what each host is asked for.
fn wish(
    project: &Project,
    target: &TargetArguments,
    message: Option<&str>,
    chosen: &[FleetHost],
    with_database: bool,
) -> Result<FleetWish, WorkflowError> {
    if target.commit.is_some() || target.config_from == ConfigSource::WorkingTree {
        let what = if target.commit.is_some() { "--commit" } else { "--config-from working-tree" };
        return Err(WorkflowError::Usage {
            message: format!("`{what}` is for one host"),
            hint: Some("give `--host`".to_owned()),
        });
    }
    chosen.iter().for_each(|host| project.connect_ahead(&host.server));
    let own = chosen.iter().map(|host| host.branch.clone());
    let branches: BTreeSet<_> = own.chain(target.branch.clone()).collect();
    let sample = request(target, &chosen[0].host)?;
    Ok(FleetWish {
        branch: target.branch.clone(),
        tips: Tips::fetch(project, branches)?,
        config_from: sample.config_from,
        update: sample.update,
        install: sample.install,
        on_drift: sample.on_drift,
        message: message.map(str::to_owned),
        with_database,
    })
}

fn requests(
    target: &TargetArguments,
    wish: &FleetWish,
    chosen: &[FleetHost],
) -> Result<Vec<(DeployRequest, ServerName)>, WorkflowError> {
    let of =
        |host: &FleetHost| Ok((again(wish, request(target, &host.host)?), host.server.clone()));
    chosen.iter().map(of).collect()
}

/// Asks for what a run is about.
fn again(wish: &FleetWish, request: DeployRequest) -> DeployRequest {
    DeployRequest {
        revision: wish.branch.clone().map_or(Revision::EnvironmentBranch, Revision::Branch),
        config_from: wish.config_from,
        update: wish.update.clone(),
        install: wish.install.clone(),
        on_drift: wish.on_drift,
        message: wish.message.clone(),
        tips: Some(std::sync::Arc::new(wish.tips.clone())),
        ..request
    }
}

async fn look(
    project: &Project,
    requests: Vec<(DeployRequest, ServerName)>,
    hooks: Option<&FleetHooks<'_>>,
    kept: &Kept,
    terminal: &mut Terminal,
) -> Vec<Surveyed> {
    let hosts: Vec<_> = requests.iter().map(|(request, _)| request.host.clone()).collect();
    let mut board = Board::new(&hosts, terminal);
    let mut hear = |notice: FleetNotice<'_>| board.hear(&notice);
    let (_stays, wish) = watch::channel(Wish::GoOn);
    let hooks = hooks.map(|hooks| (hooks, wish));
    let surveyed = survey(project, requests, hooks, kept, &RefCell::new(&mut hear)).await;
    board.terminal.idle();
    surveyed
}

/// Looks at every host, asks for consent, and lets the hosts have their turns.
async fn deploy(
    project: &Project,
    run: Run<FleetWish>,
    requests: Vec<(DeployRequest, ServerName)>,
    choices: Choices,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let interrupts = terminal.interrupts();
    interrupts.gate().close();
    let hosts: Vec<_> = requests.iter().map(|(request, _)| request.host.clone()).collect();
    let request = |request: &DeployRequest| request_object(project, Action::Deploy, request);
    let hooks = (choices.hooks && !choices.dry_run && Hooks::are_any(project)).then(|| {
        FleetHooks { hooks: Hooks::of(project, &hosts), request: &request, plan: &json::plan }
    });
    // Whoever waits for a lock wants a plan of what is there once it is free.
    let waits = requests.iter().any(|(request, _)| !request.wait_lock.is_zero());
    let kept =
        if choices.dry_run || waits { Kept::none() } else { Kept::of(&run.rules, requests.len()) };
    let looked = select! {
        looked = look(project, requests, hooks.as_ref(), &kept, terminal) => Some(looked),
        _ = interrupts.next() => None,
    };
    let Some(surveyed) = looked else { return Err(WorkflowError::Declined) };
    plan_table(&surveyed, terminal);
    let mut course = Course::new(names(&surveyed), run.rules.clone());
    for (place, one) in surveyed.iter().enumerate() {
        if let Err(report) = &one.found {
            course.end(place, report.end);
        }
    }
    let nothing =
        surveyed.iter().all(|one| one.found.as_ref().map_or(true, |found| found.is_empty));
    if course.stop().is_some() || nothing || choices.dry_run {
        kept.leave().await;
        return Ok(show::untouched(&surveyed, choices.dry_run, terminal));
    }
    if !confirmed(&surveyed, choices, terminal).await {
        kept.leave().await;
        return Err(WorkflowError::Declined);
    }
    let notify = choices.notify;
    let hooks = hooks.as_ref();
    let mut attempt = Attempt { project, hooks, notify, run, surveyed, kept, course };
    attempt.carry_out(terminal).await
}

async fn confirmed(surveyed: &[Surveyed], choices: Choices, terminal: &mut Terminal) -> bool {
    let found = surveyed.iter().filter_map(|one| one.found.as_ref().ok());
    let asks = found.clone().any(|digest| digest.confirm && !digest.is_empty);
    if choices.yes || !asks || !terminal.is_interactive() {
        return true;
    }
    let number = found.filter(|digest| !digest.is_empty).count();
    terminal.confirm(&format!("Deploy this to {number} hosts?")).await
}

/// A run that is carried out.
struct Attempt<'a> {
    project: &'a Project,
    hooks: Option<&'a FleetHooks<'a>>,
    notify: bool,
    run: Run<FleetWish>,
    surveyed: Vec<Surveyed>,
    kept: Kept,
    course: Course,
}

impl Attempt<'_> {
    async fn carry_out(&mut self, terminal: &mut Terminal) -> Result<ExitCode, WorkflowError> {
        let began = Instant::now();
        let runs = Runs::of(self.project);
        self.note_all();
        runs.write(&self.run)?;
        let interrupts = terminal.interrupts();
        let (say, wish) = watch::channel(Wish::GoOn);
        let hosts: Vec<HostName> =
            self.surveyed.iter().map(|one| one.request.host.clone()).collect();
        let mut board = Board::new(&hosts, terminal);
        let run = RefCell::new(&mut self.run);
        let mut hear = |notice: FleetNotice<'_>| {
            board.hear(&notice);
            if let FleetNotice::Ended { place, report } = &notice {
                let mut run = run.borrow_mut();
                note(&mut run, &hosts[*place], report);
                // A run that cannot be written goes on: its hosts matter more.
                if let Err(error) = runs.write(&run) {
                    board.terminal.warning(&error.to_string());
                }
            }
        };
        let hearing = RefCell::new(&mut hear as &mut dyn FnMut(FleetNotice<'_>));
        let again = |request: &DeployRequest| DeployRequest {
            id: request_for(&request.host).map_or_else(|_| request.id.clone(), |new| new.id),
            ..request.clone()
        };
        let drive = Drive {
            project: self.project,
            hearing: &hearing,
            wish,
            hooks: self.hooks,
            kept: &self.kept,
            with_database: run.borrow().wish.with_database,
            again: &again,
        };
        let driven = carry_out(drive, &self.surveyed, &mut self.course);
        let reports = select! {
            biased;
            reports = driven => reports,
            () = async {
                loop {
                    interrupts.next().await;
                    let next = if *say.borrow() == Wish::GoOn { Wish::BeginNoMore } else { Wish::Leave };
                    say.send_replace(next);
                }
            } => unreachable!("interrupts are waited for without end"),
        };
        let redactor = std::mem::take(&mut board.redactor);
        terminal.idle();
        self.conclude(&reports, began.elapsed(), redactor, terminal).await
    }

    /// Says how it ended, and tells those who want to hear of it.
    async fn conclude(
        &mut self,
        reports: &[(usize, HostReport)],
        took: Duration,
        redactor: Redactor,
        terminal: &mut Terminal,
    ) -> Result<ExitCode, WorkflowError> {
        self.run.stop = self.course.stop();
        let runs = Runs::of(self.project);
        runs.write(&self.run)?;
        runs.prune();
        let turns: Vec<Turn> = self.course.runners().iter().map(|runner| runner.turn).collect();
        let finished =
            Finished { run: &self.run, surveyed: &self.surveyed, turns: &turns, reports, took };
        let code = conclude(&finished, terminal);
        if let Some(news) = news(self.project, &finished, redactor) {
            tell_others(self.project, &news, self.notify, terminal).await;
        }
        Ok(code)
    }

    /// Notes the ends of hosts whose checks failed.
    fn note_all(&mut self) {
        for one in &self.surveyed {
            if let Err(report) = &one.found {
                note(&mut self.run, &one.request.host, report);
            }
        }
    }
}

/// Says how the run ended to those who want to hear of it.
fn news(project: &Project, finished: &Finished<'_>, redactor: Redactor) -> Option<News> {
    let ended = FleetEnded {
        hosts: finished.summaries(project),
        message: finished.run.wish.message.clone(),
        redactor,
        duration: u64::try_from(finished.took.as_millis()).unwrap_or(u64::MAX),
        time: jiff::Timestamp::now().as_second(),
    };
    News::of_fleet(project, ended)
}

fn note(run: &mut Run<FleetWish>, host: &HostName, report: &HostReport) {
    if let Some(one) = run.hosts.iter_mut().find(|one| one.host == *host) {
        one.end = Some(report.end);
        one.problem.clone_from(&report.problem);
    }
}
