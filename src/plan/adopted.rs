//! Release 0: what ran on a server before the tool. What is recorded of it, and what
//! stands in the way of leaving it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    desired::{Desired, OnDrift},
    observed::Observed,
    obstacle::Obstacle,
    release::ReleaseState,
    step::{HealthCheck, Marker},
};
use crate::{
    host::{DatabaseName, HostName},
    layout::ReleaseNumber,
    odoo::Series,
    source::CommitId,
};

/// The number of what was adopted.
pub const ADOPTED: ReleaseNumber = ReleaseNumber(0);

/// The version of [`Adopted`] that this tool writes.
pub const ADOPTED_SCHEMA: u32 = 1;

/// Puts a vhost in the place of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceVhosts {
    /// The vhost's text.
    pub vhost: String,
    /// Where its marker is fetched.
    pub marker: Marker,
    /// Those that are set aside.
    pub aside: Vec<PathBuf>,
}

/// What was adopted (`release.json` of release 0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// The version of this format.
    pub schema: u32,
    /// Tells it apart from a release that the tool made.
    pub kind: AdoptedKind,
    /// It ran when it was recorded.
    pub state: ReleaseState,
    /// Always 0.
    pub number: ReleaseNumber,
    /// The host.
    pub host: HostName,
    /// Its service, and what that must answer.
    pub service: AdoptedService,
    /// Whether the unit only starts an init script, whose processes systemd does not know.
    pub is_script: bool,
    /// The unit's own file; none where systemd made it of an init script.
    pub unit_file: Option<PathBuf>,
    /// The system user that runs it.
    pub user: String,
    /// Odoo's series.
    pub series: Series,
    /// Its odoo.conf; none where it is run by options alone.
    pub conf: Option<PathBuf>,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// The vhosts that serve it.
    pub vhosts: Vec<AdoptedVhost>,
    /// Further hostnames it answers.
    pub aliases: Vec<HostName>,
    /// Where its addons are.
    pub code: Vec<CodePlace>,
    /// The commit of the platform repository that it runs; none where its addons are
    /// no checkout of that.
    pub commit: Option<CommitId>,
}

/// Says that a release was adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdoptedKind {
    /// It was.
    Adopted,
}

/// A service that the tool did not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedService {
    /// The unit, such as `odoo.service`.
    pub unit: String,
    /// Whether it is started at boot.
    pub enabled: bool,
    /// The file it logs to; none where that is the journal.
    pub logfile: Option<PathBuf>,
    /// What it must answer to be healthy.
    pub health: HealthCheck,
}

/// A vhost's file that the tool did not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedVhost {
    /// Where nginx reads it.
    pub path: PathBuf,
    /// What it links to; none where it is a file itself.
    pub link: Option<PathBuf>,
    /// Names that the same file serves from elsewhere.
    pub others: Vec<String>,
}

/// A directory of addons that an Odoo runs from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodePlace {
    /// The directory.
    pub path: PathBuf,
    /// The checkout it is in; none where it is in none.
    pub checkout: Option<Checkout>,
    /// Where the platform repository has it; none where that does not.
    pub in_repository: Option<PathBuf>,
}

/// A checkout of Git on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// Its root.
    pub root: PathBuf,
    /// The directory of addons, relative to the root.
    pub below: PathBuf,
    /// Its remote, reduced to host and path: no credentials.
    pub remote: Option<String>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// The commit that is checked out.
    pub head: CommitId,
    /// Files that differ from it, new ones included.
    pub dirty: Vec<PathBuf>,
}

/// Release 0 as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedFacts {
    /// What was recorded of it.
    pub record: Adopted,
    /// Whether it is what the host runs: no release of the tool's is live.
    pub is_live: bool,
    /// Whether its service runs.
    pub is_running: bool,
    /// The highest number that a release had when it last went live: those up to here
    /// are of an earlier time.
    pub since: ReleaseNumber,
    /// The first release since then whose deploy changed a database, by database.
    pub first_changes: BTreeMap<DatabaseName, ReleaseNumber>,
    /// Its options, masked as [`HostFacts::odoo_conf`](super::HostFacts) is.
    pub odoo_conf: Option<String>,
    /// Files that are not as they were recorded, and checkouts at another commit.
    pub changed: Vec<PathBuf>,
    /// Of checkouts of the platform repository, files that differ from their commit.
    pub dirty: Vec<PathBuf>,
    /// What it needs and is not there any more.
    pub missing: Vec<PathBuf>,
    /// The text of all vhosts that serve it; none where they do not.
    #[serde(default)]
    pub vhost: Option<String>,
}

/// Returns release 0 where it is what the host runs.
#[must_use]
pub fn adopted_live(observed: &Observed) -> Option<&AdoptedFacts> {
    observed.host.adopted.as_deref().filter(|adopted| adopted.is_live)
}

/// Finds what stands in the way of leaving release 0.
pub(super) fn obstacles(desired: &Desired, observed: &Observed) -> Vec<Obstacle> {
    let Some(facts) = adopted_live(observed) else { return Vec::new() };
    let record = &facts.record;
    let mut found = identity(desired, record);
    if record.is_script {
        let unit = &record.service.unit;
        found.push(
            Obstacle::new(format!(
                "`{unit}` only starts an init script, so the way back to it could not be verified"
            ))
            .hint("give that Odoo a systemd unit, restart it by that and adopt it again"),
        );
    }
    found.extend(facts.changed.iter().map(|path| {
        Obstacle::new(format!("`{}` changed since the host was adopted", path.display())).hint(
            format!("adopt it again, as it is now: `deploy adopt --unit {}`", record.service.unit),
        )
    }));
    if desired.files.vhost.is_some() {
        found.extend(record.vhosts.iter().filter(|vhost| !vhost.others.is_empty()).map(shared));
    }
    if desired.on_drift == OnDrift::Refuse && !facts.dirty.is_empty() {
        found.push(Obstacle {
            details: facts.dirty.iter().map(|path| path.display().to_string()).collect(),
            ..Obstacle::new(format!("{}, and would not run any more", dirty(&facts.dirty))).hint(
                "commit and push them, or leave them behind by `--overwrite-drift`: they stay \
                 where they are",
            )
        });
    }
    found
}

fn shared(vhost: &AdoptedVhost) -> Obstacle {
    Obstacle::new(format!(
        "`{}` also serves {}, so it cannot be set aside",
        vhost.path.display(),
        vhost.others.join(", ")
    ))
    .hint("move what is not of this host into a file of its own, and adopt the host again")
}

/// Says how many files of checkouts are not in Git.
pub(super) fn dirty(files: &[PathBuf]) -> String {
    match files {
        [file] => format!("`{}` was edited on the server and is not in Git", file.display()),
        files => format!("{} files were edited on the server and are not in Git", files.len()),
    }
}

/// What a host is does not change by its first deploy.
fn identity(desired: &Desired, record: &Adopted) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let mut differs = |what: &str, there: String, here: String| {
        if there != here {
            found.push(
                Obstacle::new(format!("{what} is {there}, the host's file says {here}"))
                    .hint("the first deploy takes over what runs: undo the change"),
            );
        }
    };
    let list = |names: &[DatabaseName]| {
        names.iter().map(DatabaseName::as_str).collect::<Vec<_>>().join(", ")
    };
    let adopted = format!("of the adopted `{}`", record.service.unit);
    let databases = list(&record.service.health.databases);
    differs(&format!("the database {adopted}"), databases, list(&desired.databases));
    let here = desired.service.data_dir.display().to_string();
    differs(&format!("the data directory {adopted}"), record.data_dir.display().to_string(), here);
    let user = desired.service.user.clone();
    differs(&format!("the system user {adopted}"), record.user.clone(), user);
    found
}
