//! The plan itself.

use std::path::Path;

use super::{ArchiveStep, HostDatabase, ObtainedBy, RemovalFacts, RemovalQuestion, RemovalStep};
use crate::{
    host::DatabaseName,
    plan::{Obstacle, megabytes},
};

/// Roles and system users that are nobody's own.
const SHARED: [&str; 3] = ["odoo", "postgres", "root"];

/// Bytes that an archive needs besides what goes into it.
const ROOM: u64 = 64 << 20;

/// What is to be done so that nothing of a host is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The steps; none where nothing is there.
    pub steps: Vec<RemovalStep>,
    /// What stays, and why, in sentences.
    pub kept: Vec<String>,
    /// What stands in the way.
    pub obstacles: Vec<Obstacle>,
}

/// Makes the plan.
#[must_use]
pub fn make_removal(question: &RemovalQuestion, facts: &RemovalFacts) -> Removal {
    let mut making = Making { question, facts, kept: Vec::new() };
    let dropped = making.dropped_databases();
    let mut steps = Vec::new();
    if facts.is_running {
        steps.push(RemovalStep::StopService);
    }
    let data = making.data();
    steps.extend(making.archive(&dropped, !data.is_empty()).map(RemovalStep::Archive));
    if facts.has_unit {
        steps.push(RemovalStep::RemoveUnit);
    }
    if facts.has_vhost {
        steps.push(RemovalStep::RemoveVhost);
    }
    let copies = facts.copies.iter().map(|(copy, _)| copy.clone());
    let copies = copies.filter(|copy| making.owned().any(|name| copy.is_of(name)));
    steps.extend(copies.map(|copy| RemovalStep::DropCopy { copy }));
    steps.extend(dropped.iter().cloned().map(|database| RemovalStep::DropDatabase { database }));
    steps.extend(data);
    steps.extend(making.logs());
    steps.extend(making.certificates());
    steps.extend(making.role(&dropped));
    steps.extend(making.user());
    if facts.has_conf_link {
        steps.push(RemovalStep::RemoveConfLink);
    }
    if facts.directory.is_some() {
        steps.push(RemovalStep::RemoveDirectory);
    }
    let obstacles = making.obstacles(&dropped, &steps);
    Removal { steps, kept: making.kept, obstacles }
}

struct Making<'a> {
    question: &'a RemovalQuestion,
    facts: &'a RemovalFacts,
    kept: Vec<String>,
}

impl Making<'_> {
    /// The names whose databases are this host's: a release that was live had them.
    fn owned(&self) -> impl Iterator<Item = &DatabaseName> {
        let is_neighbours = |name: &DatabaseName| {
            self.facts.neighbours.iter().any(|other| other.databases.contains(name))
        };
        self.facts.recorded.iter().filter(move |name| !is_neighbours(name))
    }

    fn dropped_databases(&mut self) -> Vec<DatabaseName> {
        let host = &self.question.host;
        let databases = self.facts.databases.as_deref().unwrap_or_default();
        let (mut dropped, mut kept) = (Vec::new(), Vec::new());
        for HostDatabase { name, deployed_by, .. } in databases {
            let sharing = self.facts.neighbours.iter().find(|other| other.databases.contains(name));
            match (sharing, deployed_by) {
                (Some(other), _) => {
                    kept.push(format!("database {name}: {} has it, too", other.host));
                }
                (None, Some(other)) if other != host.as_str() => {
                    kept.push(format!("database {name}: it belongs to {other}"));
                }
                (None, Some(_)) => dropped.push(name.clone()),
                (None, None) if self.facts.recorded.contains(name) => dropped.push(name.clone()),
                (None, None) => {
                    kept.push(format!("database {name}: nothing says that it is this host's"));
                }
            }
        }
        self.kept.extend(kept);
        dropped
    }

    fn archive(&self, dropped: &[DatabaseName], has_data: bool) -> Option<ArchiveStep> {
        let facts = self.facts;
        let filestores: Vec<_> = facts
            .filestores
            .iter()
            .filter(|name| has_data && self.owned().any(|own| own.as_str() == name.as_str()))
            .cloned()
            .collect();
        let is_worth = !dropped.is_empty() || !filestores.is_empty() || facts.live.is_some();
        let is_wanted = is_worth && facts.archived.is_none();
        let data_dir = self.question.data_dir.clone();
        is_wanted.then(|| ArchiveStep { databases: dropped.to_vec(), data_dir, filestores })
    }

    /// Removes the data directory where it is the host's own, else what is the host's in it.
    fn data(&mut self) -> Vec<RemovalStep> {
        let facts = self.facts;
        if facts.data.is_none() {
            return Vec::new();
        }
        let data_dir = &self.question.data_dir;
        let shown = data_dir.display();
        if facts.recorded.is_empty() {
            self.kept.push(format!("{shown}: nothing says that it is this host's"));
            return Vec::new();
        }
        let Some(why) = self.why_data_dir_stays() else {
            return vec![RemovalStep::RemoveData { data_dir: data_dir.clone() }];
        };
        self.kept.push(format!("{shown}, but for the files of the databases: {why}"));
        let is_owned = |name: &&String| {
            self.owned().any(|own| {
                own.as_str() == name.as_str()
                    || facts.copies_of(own).any(|copy| copy.as_str() == name.as_str())
            })
        };
        let names: Vec<_> = facts.filestores.iter().filter(is_owned).cloned().collect();
        if names.is_empty() {
            return Vec::new();
        }
        vec![RemovalStep::RemoveFilestores { data_dir: data_dir.clone(), names }]
    }

    fn why_data_dir_stays(&self) -> Option<String> {
        let data_dir = self.question.data_dir.as_path();
        let meets = |other: &Path| other.starts_with(data_dir) || data_dir.starts_with(other);
        let others = &self.facts.neighbours;
        if let Some(other) = others.iter().find(|other| meets(&other.data_dir)) {
            return Some(if other.data_dir == data_dir {
                format!("{} uses it, too", other.host)
            } else {
                format!("the data of {} is below or above it", other.host)
            });
        }
        if self.facts.home.as_deref() == Some(data_dir) && self.removed_user().is_err() {
            return Some(format!("it is the home of system user {}", self.question.user));
        }
        // `/var/lib/acme` is the shortest that could be a host's own.
        if data_dir.components().count() < 4 {
            return Some("it is a directory of the system".to_owned());
        }
        None
    }

    fn logs(&mut self) -> Vec<RemovalStep> {
        let Some(logfile) = &self.question.logfile else { return Vec::new() };
        let others = &self.facts.neighbours;
        let sharing = others.iter().find(|other| other.logfile.as_ref() == Some(logfile));
        if let Some(other) = sharing {
            self.kept.push(format!("{}: {} logs there, too", logfile.display(), other.host));
            return Vec::new();
        }
        if self.facts.recorded.is_empty() {
            return Vec::new();
        }
        let logs = self.facts.logs.iter().cloned();
        logs.map(|path| RemovalStep::RemoveLog { path }).collect()
    }

    /// Removes the host's certificates with their keys, unless nginx needs them for others.
    fn certificates(&mut self) -> Vec<RemovalStep> {
        let facts = self.facts;
        if facts.certificate.is_none() && facts.certificate_files.is_empty() {
            return Vec::new();
        }
        if let Some(user) = facts.certificate_users.first() {
            let kept = format!("the certificate of its name: {} names it, too", user.display());
            self.kept.push(kept);
            return Vec::new();
        }
        let mut steps = Vec::new();
        match facts.certificate {
            Some(ObtainedBy::Tool) => steps.push(RemovalStep::RemoveCertificate),
            Some(ObtainedBy::Somebody) => {
                self.kept.push("the certificate of its name: the tool did not get it".to_owned());
            }
            None => {}
        }
        let paths = facts.certificate_files.clone();
        if !paths.is_empty() {
            steps.push(RemovalStep::RemoveCertificateFiles { paths });
        }
        steps
    }

    fn role(&mut self, dropped: &[DatabaseName]) -> Option<RemovalStep> {
        let role = self.facts.role.as_ref()?;
        let name = &role.name;
        let is_dropped = |owned: &&String| {
            dropped.iter().any(|database| database.as_str() == owned.as_str())
                || self.owned().any(|own| {
                    self.facts.copies_of(own).any(|copy| copy.as_str() == owned.as_str())
                })
        };
        let others = &self.facts.neighbours;
        let user_of = |other: &'_ super::RemovalNeighbour| {
            other.role.clone().or_else(|| other.user.clone()).is_some_and(|role| role == *name)
        };
        let why = if SHARED.contains(&name.as_str()) {
            "it is not this host's alone".to_owned()
        } else if !self.facts.provisioned.role {
            "the tool did not make it".to_owned()
        } else if let Some(other) = others.iter().find(|other| user_of(other)) {
            format!("{} connects as it, too", other.host)
        } else if let Some(owned) = role.owns.iter().find(|owned| !is_dropped(owned)) {
            format!("it owns database {owned}")
        } else {
            return Some(RemovalStep::DropRole { role: name.clone() });
        };
        self.kept.push(format!("role {name}: {why}"));
        None
    }

    fn user(&mut self) -> Option<RemovalStep> {
        self.facts.home.as_ref()?;
        let user = &self.question.user;
        match self.removed_user() {
            Ok(()) => Some(RemovalStep::RemoveUser { user: user.clone() }),
            Err(why) => {
                self.kept.push(format!("system user {user}: {why}"));
                None
            }
        }
    }

    /// Tells whether the system user is removed, or why it stays.
    fn removed_user(&self) -> Result<(), String> {
        let user = &self.question.user;
        let others = &self.facts.neighbours;
        if SHARED.contains(&user.as_str()) {
            return Err("it is not this host's alone".to_owned());
        }
        if !self.facts.provisioned.user {
            return Err("the tool did not make it".to_owned());
        }
        match others.iter().find(|other| other.user.as_ref() == Some(user)) {
            Some(other) => Err(format!("{} runs as it, too", other.host)),
            None => Ok(()),
        }
    }

    fn obstacles(&self, dropped: &[DatabaseName], steps: &[RemovalStep]) -> Vec<Obstacle> {
        let (facts, question) = (self.facts, self.question);
        let mut found = Vec::new();
        if let Some(transaction) = &facts.unfinished {
            let message = format!("transaction {transaction} did not end on {}", question.host);
            let hint =
                format!("`deploy attach --host {}` shows what stands in the way", question.host);
            found.push(Obstacle::new(message).hint(hint));
        }
        let is_known = !facts.recorded.is_empty();
        if let (Err(why), true) = (&facts.databases, is_known) {
            let message = format!("PostgreSQL cannot be reached: {why}");
            found.push(Obstacle::new(message).hint("start it: databases are archived and dropped"));
        }
        let differs = facts.live_databases.as_ref().is_some_and(|live| *live != question.databases)
            || facts.live_data_dir.as_ref().is_some_and(|live| *live != question.data_dir);
        if differs {
            let message = format!(
                "{} runs with another database or data directory than its file says",
                question.host
            );
            found.push(Obstacle::new(message).hint("undo the change of the file"));
        }
        if let (Some(why), true) = (&facts.nginx_fault, steps.contains(&RemovalStep::RemoveVhost)) {
            let message = format!("nginx does not take its configuration: {why}");
            found.push(
                Obstacle::new(message).hint("mend it: nginx has to reload without the vhost"),
            );
        }
        if steps.iter().any(|step| matches!(step, RemovalStep::Archive(_))) {
            found.extend(self.lack_of_room(dropped));
        }
        found
    }

    fn lack_of_room(&self, dropped: &[DatabaseName]) -> Option<Obstacle> {
        let facts = self.facts;
        let databases = facts.databases.as_deref().unwrap_or_default();
        let databases = databases.iter().filter(|one| dropped.contains(&one.name));
        let needed: u64 = databases.map(|one| one.bytes).sum::<u64>()
            + facts.data.map_or(0, |data| data.bytes)
            + ROOM;
        (facts.free_for_archive < needed).then(|| {
            Obstacle::new(format!(
                "the archive may need {}, and there are {} free for it",
                megabytes(needed),
                megabytes(facts.free_for_archive)
            ))
            .hint("free some space below /var/backups on the server")
        })
    }
}

impl RemovalFacts {
    /// Returns the copies of a database.
    fn copies_of<'a>(
        &'a self,
        name: &'a DatabaseName,
    ) -> impl Iterator<Item = &'a crate::plan::CopyName> {
        self.copies.iter().map(|(copy, _)| copy).filter(move |copy| copy.is_of(name))
    }
}
