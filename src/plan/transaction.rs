//! What the agent is asked to carry out, all or nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{
    HealthCheck, Step, TransactionId, access::DatabaseAccess, adopted::AdoptedService,
    observed::Holder,
};
use crate::{
    host::{DatabaseName, HostName, ModuleName},
    layout::ReleaseNumber,
    odoo::Series,
};

/// What the agent is asked to carry out, all or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its id: the time and a random part; also the end of its unit's name.
    pub id: TransactionId,
    /// The host.
    pub host: HostName,
    /// Who asked for it.
    pub holder: Holder,
    /// The release that is made or moved to; none where only the vhost changes.
    pub number: Option<ReleaseNumber>,
    /// The release before; none on a first deploy.
    pub previous: Option<ReleaseNumber>,
    /// How Odoo is run.
    pub service: Service,
    /// How its databases are reached.
    pub access: DatabaseAccess,
    /// The options whose values are secret.
    pub sensitive_keys: BTreeSet<String>,
    /// Options that stay at the server's own value.
    pub keep: Vec<String>,
    /// Steps that users notice nothing of, and that leave nothing behind where they fail.
    pub prepare: Vec<Step>,
    /// Steps that change what is live; a failure reverts them.
    pub carry_out: Vec<Step>,
    /// Steps after the commit point; a failure is told and changes nothing.
    pub finish: Vec<Step>,
    /// What the release before must answer when the transaction is taken back.
    pub previous_health: Option<HealthCheck>,
    /// The service of release 0, where the transaction leaves it or comes back to it.
    #[serde(default)]
    pub adopted: Option<AdoptedService>,
    /// What the line in the history says besides the outcome.
    pub summary: Summary,
}

impl Transaction {
    /// Returns what may lie on the server's disk: no password, and none of the steps
    /// that bring files along.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let access = DatabaseAccess { password: None, ..self.access.clone() };
        Self { access, prepare: Vec::new(), carry_out: Vec::new(), ..self.clone() }
    }

    /// Returns the checks that may begin before their turn: what they look at is there, or what
    /// they are made with. A unit names a user and an interpreter, which check the code as
    /// well, a vhost a certificate; where a step makes one of those, it comes first.
    pub fn checks_ahead(&self) -> impl Iterator<Item = &Step> {
        let is_check = |step: &&Step| {
            matches!(
                step,
                Step::CheckCode { .. } | Step::CheckUnit { .. } | Step::CheckVhost { .. }
            )
        };
        let makes_nothing_of_theirs =
            move |step: &&Step| is_check(step) || matches!(step, Step::CheckOut(_));
        self.prepare.iter().take_while(makes_nothing_of_theirs).filter(is_check)
    }

    /// Returns the place of the step, from 1, that begins when users are let in for good:
    /// the pruning, which comes last; none where nothing is pruned.
    #[must_use]
    pub fn public_from(&self) -> Option<usize> {
        let place = self.finish.iter().position(|step| matches!(step, Step::Prune(_)))?;
        Some(self.prepare.len() + self.carry_out.len() + place + 1)
    }

    /// Returns the place of the step, from 1, that asks whether the release is healthy: the
    /// vhost is in place then; none where nothing is asked, or a vhost of before comes later.
    #[must_use]
    pub fn checked_from(&self) -> Option<usize> {
        let is_check = |step: &Step| matches!(step, Step::CheckHealth(_));
        let comes_later = |step: &Step| matches!(step, Step::ReturnVhosts { .. });
        let place = self.carry_out.iter().position(is_check)?;
        let is_last = !self.finish.iter().any(comes_later);
        is_last.then_some(self.prepare.len() + place + 1)
    }
}

/// What the history keeps of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// The environment.
    pub environment: String,
    /// The branch or commit that was asked for.
    pub branch: Option<String>,
    /// The commit.
    pub commit: String,
    /// The subject of the commit.
    pub subject: String,
    /// Modules upgraded or installed, by database.
    pub modules: BTreeMap<DatabaseName, Vec<ModuleName>>,
    /// How the host was switched.
    pub switch: String,
    /// What was gone back to; none for a deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RolledBack>,
}

/// What the history keeps of a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The release whose code is live again.
    pub to: ReleaseNumber,
    /// The databases that went back with it.
    pub databases: Vec<DatabaseName>,
}

/// How Odoo is run on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The system user.
    pub user: String,
    /// Its group.
    pub group: String,
    /// Odoo's program.
    pub odoo_bin: PathBuf,
    /// The server's interpreter that Odoo is installed for.
    pub python: PathBuf,
    /// The host's own environment on top of it.
    #[serde(default)]
    pub python_environment: Option<PathBuf>,
    /// Odoo's series.
    pub series: Series,
    /// Whether the service runs worker processes.
    pub has_workers: bool,
    /// `logfile` of odoo.conf; none where Odoo logs to the journal.
    pub logfile: Option<PathBuf>,
    /// `data_dir`.
    pub data_dir: PathBuf,
}

impl Service {
    /// Returns the interpreter that runs Odoo.
    #[must_use]
    pub fn interpreter(&self) -> PathBuf {
        self.python_environment
            .as_ref()
            .map_or_else(|| self.python.clone(), |own| own.join("bin/python3"))
    }
}
