//! Sets a server up: looks at it, plans, and has the server carry the plan out by itself.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Project, WorkflowError, contact};
use crate::{
    host::{EnvironmentName, ServerName},
    plan::Holder,
    settings::{OdooOrigin, Server, Settings},
    setup::{
        Diagnosis, MachineFacts, OdooPackage, SetupOrder, SetupPlan, SetupStep, SetupTold, Wish,
        diagnose, plan_setup,
    },
    transport::{Agent, TransportError},
    wire::{Reply, Request, ServerReply, ServerRequest},
};

/// The environment whose logs are kept longer.
const PRODUCTION: &str = "production";
/// How many days logs are kept on a server that may have production hosts.
const DAYS_OF_PRODUCTION: u32 = 30;
/// How many days they are kept on a server for other hosts only.
const DAYS_OF_OTHERS: u32 = 7;

/// What was found on a server.
pub enum Found {
    /// A setup that runs already.
    Running(Box<SetupFollowing>),
    /// What has to be done.
    Planned(Box<PreparedSetup>),
}

/// A plan that can be carried out over the connection it was made on.
pub struct PreparedSetup {
    /// The server.
    pub server: ServerName,
    /// What it is.
    pub facts: MachineFacts,
    /// What has to be done.
    pub plan: SetupPlan,
    package: Option<PathBuf>,
    agent: Agent,
}

/// A setup whose events arrive.
pub struct SetupFollowing {
    server: ServerName,
    agent: Agent,
}

/// Looks at a server and plans.
///
/// # Errors
/// Fails where the configuration does or the server cannot be asked.
pub async fn prepare(project: &Project, name: &ServerName) -> Result<Found, WorkflowError> {
    let server = contact::server(&project.settings, name)?;
    let wish = wish(project, name);
    let question = Request::Server(ServerRequest::Look(Box::new(wish.request())));
    let (agent, reply) = Agent::connect(name, server, &project.machine, &question).await?;
    let facts = match reply {
        Reply::Server(ServerReply::Machine(facts)) => reached(server, *facts),
        other => return Err(unexpected(agent, other).await),
    };
    if facts.setup_runs {
        let mut following = SetupFollowing { server: name.clone(), agent };
        following.ask(ServerRequest::Follow).await?;
        return Ok(Found::Running(Box::new(following)));
    }
    let mut plan = plan_setup(&wish, &facts);
    if wish.odoo.is_empty() {
        plan.warnings
            .push(format!("no Odoo is installed: `odoo` of [servers.{name}] names no series"));
    }
    let package = sent_package(&plan);
    let server = name.clone();
    Ok(Found::Planned(Box::new(PreparedSetup { server, facts, plan, package, agent })))
}

impl PreparedSetup {
    /// Hangs up; nothing was done.
    pub async fn leave(self) {
        self.agent.close().await;
    }

    /// Has the server carry the plan out.
    ///
    /// # Errors
    /// Fails where a package of the repository cannot be read, or the connection is lost.
    pub async fn carry_out(
        mut self,
        project: &Project,
        now: i64,
    ) -> Result<SetupFollowing, WorkflowError> {
        if let Some(package) = self.package.take() {
            self.send(project, &package).await?;
        }
        let holder = Holder {
            who: project.operator.who.clone(),
            from: project.operator.from.clone(),
            url: project.operator.url.clone(),
            message: None,
            transaction: "setup".to_owned(),
            since: now,
        };
        let order = SetupOrder { holder, steps: self.plan.steps };
        let mut following = SetupFollowing { server: self.server, agent: self.agent };
        following.ask(ServerRequest::SetUp(Box::new(order))).await?;
        Ok(following)
    }

    async fn send(
        &mut self,
        project: &Project,
        package: &std::path::Path,
    ) -> Result<(), WorkflowError> {
        let bytes = project.repository.read(package)?.ok_or_else(|| {
            WorkflowError::usage(
                format!("`{}` is not in the repository's directory", package.display()),
                "put the package there, or correct `package` of [odoo.…] in config/deploy.toml",
            )
        })?;
        let size = bytes.len() as u64;
        let announced = Request::Server(ServerRequest::File { bytes: size });
        contact::send_payload(&mut self.agent, &announced, &mut bytes.as_slice(), size).await
    }
}

impl SetupFollowing {
    /// Returns the server.
    #[must_use]
    pub const fn server(&self) -> &ServerName {
        &self.server
    }

    /// Waits for what comes next. Nothing is lost where the wait is given up.
    ///
    /// # Errors
    /// Fails where the setup is lost from sight, which does not stop it.
    pub async fn next(&mut self) -> Result<SetupTold, WorkflowError> {
        match self.agent.receive().await.map_err(|error| self.lost(error))? {
            Reply::Server(ServerReply::Setup(told)) => Ok(*told),
            Reply::Fault(fault) => Err(fault.into()),
            _ => Err(WorkflowError::OutOfTurn),
        }
    }

    /// Hangs up. A setup that runs goes on by itself.
    pub async fn leave(self) {
        self.agent.close().await;
    }

    async fn ask(&mut self, request: ServerRequest) -> Result<(), WorkflowError> {
        self.agent.send(&Request::Server(request)).await.map_err(|error| self.lost(error))
    }

    fn lost(&self, source: TransportError) -> WorkflowError {
        WorkflowError::SetupLost { server: self.server.clone(), source }
    }
}

/// Finds what is wrong with a server.
///
/// # Errors
/// Fails where the configuration does or the server cannot be asked.
pub async fn examine(
    project: &Project,
    name: &ServerName,
) -> Result<Vec<Diagnosis>, WorkflowError> {
    let server = contact::server(&project.settings, name)?;
    let wish = wish(project, name);
    let question = Request::Server(ServerRequest::Examine(Box::new(wish.request())));
    let (agent, reply) = Agent::connect(name, server, &project.machine, &question).await?;
    match reply {
        Reply::Server(ServerReply::Examined(mut found)) => {
            agent.close().await;
            found.machine = reached(server, found.machine);
            Ok(diagnose(&wish, &found))
        }
        other => Err(unexpected(agent, other).await),
    }
}

/// On this machine the operator's own executable is the agent: there is no login to allow it to.
fn reached(server: &Server, facts: MachineFacts) -> MachineFacts {
    match server {
        Server::Local => MachineFacts { login: None, ..facts },
        Server::Ssh(_) => facts,
    }
}

async fn unexpected(agent: Agent, reply: Reply) -> WorkflowError {
    agent.close().await;
    match reply {
        Reply::Fault(fault) => fault.into(),
        _ => WorkflowError::OutOfTurn,
    }
}

/// Collects what the configuration says about a server.
fn wish(project: &Project, name: &ServerName) -> Wish {
    let settings = &project.settings;
    let series = settings.wanted_odoo.get(name).into_iter().flatten();
    let odoo: BTreeMap<_, OdooOrigin> =
        series.filter_map(|series| Some((*series, settings.odoo.get(series)?.clone()))).collect();
    Wish { odoo, log_days: log_days(settings, name), agent: env!("CARGO_PKG_VERSION").to_owned() }
}

/// Decides by what the server is for, not by the hosts that it has today: a new client is no
/// reason to set a server up again.
fn log_days(settings: &Settings, name: &ServerName) -> u32 {
    let environments =
        settings.placement.get(name).and_then(|placement| placement.environments.as_ref());
    let is_production = |name: &EnvironmentName| name.as_str() == PRODUCTION;
    match environments {
        Some(only) if !only.is_empty() && !only.iter().any(is_production) => DAYS_OF_OTHERS,
        _ => DAYS_OF_PRODUCTION,
    }
}

fn sent_package(plan: &SetupPlan) -> Option<PathBuf> {
    plan.steps.iter().find_map(|step| match step {
        SetupStep::InstallOdoo { package: OdooPackage::Sent { path }, .. } => Some(path.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_kept_as_long_as_the_servers_purpose_asks() {
        let days = |only: &str| {
            let text = format!(
                "[environments.production]\nbranch = \"main\"\n[environments.test]\n\
                 branch = \"test\"\n[servers.a]\naddress = \"a.example\"\n{only}"
            );
            let settings = Settings::parse(&text, std::path::Path::new("deploy.toml")).unwrap();
            log_days(&settings, &ServerName::parse("a").unwrap())
        };
        assert_eq!(days(""), 30);
        assert_eq!(days("environments = [\"test\"]"), 7);
        assert_eq!(days("environments = [\"test\", \"production\"]"), 30);
    }
}
