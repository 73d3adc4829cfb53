//! What differs on the server from what was last deployed there.

mod options;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::options::Options;
use super::{
    adopted,
    desired::{Desired, OnDrift},
    diff::{FileDiff, unified},
    observed::HostFacts,
    obstacle::Obstacle,
    release::RunningFrom,
};
use crate::host::shown_line;

/// One thing on the server that is not as it was last deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// What it is.
    pub subject: DriftSubject,
    /// What became of it.
    pub kind: DriftKind,
    /// The same in a sentence.
    pub text: String,
    /// Of odoo.conf, the options that differ; of a checkout, the files.
    pub options: Vec<String>,
    /// From what was deployed to what is there, secrets masked; none where there is no
    /// text to compare. Of odoo.conf, options are compared: one a line, defaults left out.
    pub diff: Option<FileDiff>,
}

/// What can drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftSubject {
    /// odoo.conf.
    OdooConf,
    /// The unit.
    Unit,
    /// The unit's drop-in.
    UnitDropIn,
    /// Drop-ins of the unit that somebody else put there.
    ForeignDropIns,
    /// The vhost.
    Vhost,
    /// The process that runs.
    Service,
    /// The checkout that an adopted host runs from.
    Checkout,
}

impl fmt::Display for DriftSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OdooConf => "odoo.conf",
            Self::Unit => "the unit",
            Self::UnitDropIn => "the unit's drop-in",
            Self::ForeignDropIns => "the unit's drop-ins",
            Self::Vhost => "the vhost",
            Self::Service => "the service",
            Self::Checkout => "the checkout",
        })
    }
}

/// What became of a thing that was deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// Its text is another one.
    Edited,
    /// It is not there any more.
    Removed,
    /// It is there and was not deployed.
    Added,
    /// It runs from something older than what is there.
    Outdated,
}

/// Finds what is not as it was last deployed. Of files nothing can be told where the
/// agent that deployed them kept no copies.
#[must_use]
pub fn drift(host: &HostFacts) -> Vec<Drift> {
    let mut found: Vec<_> = File::all(host).iter().filter_map(|file| file.drift(host)).collect();
    if !host.foreign_drop_ins.is_empty() {
        let names: Vec<_> =
            host.foreign_drop_ins.iter().map(|path| format!("`{}`", path.display())).collect();
        found.push(Drift {
            subject: DriftSubject::ForeignDropIns,
            kind: DriftKind::Added,
            text: format!("the unit is also changed by {}", names.join(", ")),
            options: Vec::new(),
            diff: None,
        });
    }
    found.extend(checkout(host));
    found.extend(outdated(host).into_iter().map(|outdated| Drift {
        subject: DriftSubject::Service,
        kind: DriftKind::Outdated,
        text: outdated.to_string(),
        options: Vec::new(),
        diff: None,
    }));
    found
}

fn checkout(host: &HostFacts) -> Option<Drift> {
    let facts = host.adopted.as_ref().filter(|facts| facts.is_live && !facts.dirty.is_empty())?;
    Some(Drift {
        subject: DriftSubject::Checkout,
        kind: DriftKind::Edited,
        text: adopted::dirty(&facts.dirty),
        options: facts.dirty.iter().map(|path| path.display().to_string()).collect(),
        diff: None,
    })
}

/// In which way a running service is older than its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outdated {
    /// It runs another release than the live one.
    Release(crate::layout::ReleaseNumber),
    /// It was started before its unit was last written, or systemd has not read it since.
    Unit,
    /// It read its odoo.conf before that was last written.
    OdooConf,
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(number) => write!(f, "the service still runs release {number}"),
            Self::Unit => f.write_str("the service was started before its unit changed"),
            Self::OdooConf => f.write_str("the service was started before odoo.conf changed"),
        }
    }
}

/// Finds in which ways the running service is older than its files.
pub(super) fn outdated(host: &HostFacts) -> Vec<Outdated> {
    let Some(RunningFrom::Release(live)) = host.current else { return Vec::new() };
    let service = &host.service;
    if service.active != "active" {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some(number) = service.release.filter(|number| *number != live) {
        found.push(Outdated::Release(number));
    }
    if service.older_than_unit || service.needs_daemon_reload {
        found.push(Outdated::Unit);
    }
    // One that runs another release reads that one's.
    if service.older_than_conf && found.is_empty() {
        found.push(Outdated::OdooConf);
    }
    found
}

/// Finds the ways in which a restart is owed: a service that somebody's edit is still to
/// take effect in is theirs to restart.
pub(super) fn owed(host: &HostFacts) -> Vec<Outdated> {
    let drifted = |subject: DriftSubject| {
        host.as_deployed.is_none()
            || drift(host)
                .iter()
                .any(|drift| drift.subject == subject && drift.kind != DriftKind::Outdated)
    };
    let unit_is_ours = || {
        use DriftSubject::{ForeignDropIns, Unit, UnitDropIn};
        ![Unit, UnitDropIn, ForeignDropIns].into_iter().any(drifted)
    };
    let is_owed = |outdated: &Outdated| match outdated {
        Outdated::Release(_) => true,
        Outdated::Unit => unit_is_ours(),
        Outdated::OdooConf => !drifted(DriftSubject::OdooConf),
    };
    outdated(host).into_iter().filter(is_owed).collect()
}

/// A file as it was deployed and as it is.
#[derive(Debug, Clone, Copy)]
struct File<'a> {
    subject: DriftSubject,
    /// As it was deployed (none: not at all); none where that is not known.
    deployed: Option<Option<&'a str>>,
    server: Option<&'a str>,
}

impl<'a> File<'a> {
    fn all(host: &'a HostFacts) -> [Self; 4] {
        let kept = host.as_deployed.as_ref();
        let file = |subject, deployed, server| Self { subject, deployed, server };
        [
            file(
                DriftSubject::OdooConf,
                kept.map(|kept| kept.odoo_conf.as_deref()),
                host.odoo_conf.as_deref(),
            ),
            file(DriftSubject::Unit, kept.map(|kept| kept.unit.as_deref()), host.unit.as_deref()),
            file(
                DriftSubject::UnitDropIn,
                kept.map(|kept| kept.unit_drop_in.as_deref()),
                host.unit_drop_in.as_deref(),
            ),
            file(
                DriftSubject::Vhost,
                kept.map(|kept| kept.vhost.as_deref()),
                host.vhost.as_deref(),
            ),
        ]
    }

    fn drift(&self, host: &HostFacts) -> Option<Drift> {
        let deployed = self.deployed.filter(|deployed| *deployed != self.server)?;
        let kind = match (deployed, self.server) {
            (_, None) => DriftKind::Removed,
            (None, _) => DriftKind::Added,
            _ => DriftKind::Edited,
        };
        let is_conf = self.subject == DriftSubject::OdooConf;
        if let (true, Some(old), Some(new)) = (is_conf, deployed, self.server)
            && let (Some(old), Some(new)) =
                (Options::read(old, host.series), Options::read(new, host.series))
        {
            return Some(conf_drift(&old, &new));
        }
        let name = self.subject.to_string();
        let text = match kind {
            DriftKind::Removed => format!("{name} was removed from the server"),
            DriftKind::Added => format!("{name} was put on the server by somebody else"),
            _ if self.server.is_some_and(|text| text.contains("managed by Certbot")) => {
                format!("{name} was edited on the server by certbot")
            }
            _ => format!("{name} was edited on the server"),
        };
        let (old, new) = (deployed.map(shown), self.server.map(shown));
        let diff = unified(old.as_deref(), new.as_deref(), name.trim_start_matches("the "));
        let diff = (kind == DriftKind::Edited && !diff.is_empty()).then_some(diff);
        Some(Drift { subject: self.subject, kind, text, options: Vec::new(), diff })
    }

    /// Tells whether the server's text, which somebody edited, says the same to its reader.
    fn server_says(&self, text: Option<&str>, host: &HostFacts) -> bool {
        let (DriftSubject::OdooConf, Some(server), Some(text)) = (self.subject, self.server, text)
        else {
            return false;
        };
        let read = |text| Options::read(text, host.series);
        read(server).is_some_and(|options| read(text) == Some(options))
    }

    fn fate(&self, wanted: Option<&str>, on_drift: OnDrift, host: &HostFacts) -> Fate {
        if self.server == wanted {
            return Fate::Same;
        }
        let Some(deployed) = self.deployed else { return Fate::Written };
        if self.server.is_none() || self.server == deployed {
            return Fate::Written;
        }
        if self.server_says(wanted, host) {
            return Fate::Same;
        }
        if on_drift == OnDrift::Overwrite || self.server_says(deployed, host) {
            return Fate::Written;
        }
        if wanted == deployed { Fate::LeftAlone } else { Fate::Conflict }
    }
}

/// Compares two texts of odoo.conf by their options: one a line, defaults left out.
pub(super) fn options_diff(old: &str, new: &str, series: crate::odoo::Series) -> FileDiff {
    let read = |text| Options::read(text, series).map(|options| options.to_string());
    let (old_options, new_options) = (read(old), read(new));
    match (&old_options, &new_options) {
        (Some(old), Some(new)) => unified(Some(old), Some(new), "odoo.conf"),
        _ => unified(Some(old), Some(new), "odoo.conf"),
    }
}

fn conf_drift(old: &Options, new: &Options) -> Drift {
    let options = old.differing(new);
    let how = if old.has_comments && !new.has_comments {
        "was rewritten on the server, as Odoo itself does"
    } else {
        "was edited on the server"
    };
    let names: Vec<_> = options.iter().map(|name| format!("`{name}`")).collect();
    let what = match names.len() {
        0 => "no option differs".to_owned(),
        1 => format!("{} differs", names[0]),
        _ => format!("{} differ", names.join(", ")),
    };
    let diff = unified(Some(&old.to_string()), Some(&new.to_string()), "odoo.conf");
    Drift {
        subject: DriftSubject::OdooConf,
        kind: DriftKind::Edited,
        text: format!("odoo.conf {how}: {what}"),
        options,
        diff: (!diff.is_empty()).then_some(diff),
    }
}

/// Masks what an edit may have brought into a file that has no secrets of its own.
fn shown(text: &str) -> String {
    text.lines().map(|line| shown_line(line, None) + "\n").collect()
}

/// What a deploy means for a file that may have drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is as it is wanted.
    Same,
    /// It drifted from what is still wanted: it is not ours to touch.
    LeftAlone,
    /// It is written.
    Written,
    /// It would be written, and an edit would be lost.
    Conflict,
}

impl Fate {
    /// Tells whether the file has to change.
    pub(super) const fn changes(self) -> bool {
        matches!(self, Self::Written | Self::Conflict)
    }
}

/// What a deploy means for each file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fates {
    pub(super) odoo_conf: Fate,
    pub(super) unit: Fate,
    pub(super) unit_drop_in: Fate,
    pub(super) vhost: Fate,
}

impl Fates {
    /// Compares what was deployed, what is there and what is wanted.
    pub(super) fn of(desired: &Desired, host: &HostFacts) -> Self {
        let wanted = &desired.compared;
        let [odoo_conf, unit, unit_drop_in, vhost] = File::all(host);
        let fate = |file: File<'_>, wanted| file.fate(wanted, desired.on_drift, host);
        let mut fates = Self {
            odoo_conf: fate(odoo_conf, Some(&wanted.odoo_conf)),
            unit: fate(unit, Some(&wanted.unit)),
            unit_drop_in: fate(unit_drop_in, Some(&wanted.unit_drop_in)),
            vhost: fate(vhost, wanted.vhost.as_deref()),
        };
        // Both are written, or none.
        let pair_changes = fates.unit.changes() || fates.unit_drop_in.changes();
        for fate in [&mut fates.unit, &mut fates.unit_drop_in] {
            if pair_changes && *fate == Fate::LeftAlone {
                *fate = Fate::Conflict;
            }
        }
        fates
    }

    fn get(&self, subject: DriftSubject) -> Option<Fate> {
        match subject {
            DriftSubject::OdooConf => Some(self.odoo_conf),
            DriftSubject::Unit => Some(self.unit),
            DriftSubject::UnitDropIn => Some(self.unit_drop_in),
            DriftSubject::Vhost => Some(self.vhost),
            DriftSubject::ForeignDropIns | DriftSubject::Service | DriftSubject::Checkout => None,
        }
    }

    /// Keeps what is not as it is wanted either.
    pub(super) fn still_drifted(&self, drifts: Vec<Drift>) -> Vec<Drift> {
        let is_solved = |drift: &Drift| self.get(drift.subject) == Some(Fate::Same);
        drifts.into_iter().filter(|drift| !is_solved(drift)).collect()
    }

    /// Names every edit that the deploy would overwrite unseen. A new release always
    /// brings its own odoo.conf.
    pub(super) fn obstacles(&self, drifts: &[Drift], writes_release: bool) -> Vec<Obstacle> {
        let is_lost = |drift: &&Drift| match self.get(drift.subject) {
            Some(Fate::Conflict) => true,
            Some(Fate::LeftAlone) => writes_release && drift.subject == DriftSubject::OdooConf,
            _ => false,
        };
        drifts.iter().filter(is_lost).map(obstacle).collect()
    }

    /// Says of every edit that it is left as it is.
    pub(super) fn warnings(&self, drifts: &[Drift]) -> Vec<String> {
        let is_left = |drift: &&Drift| self.get(drift.subject) == Some(Fate::LeftAlone);
        let said = |drift: &Drift| {
            format!("{}; it is left alone (`--overwrite-drift` puts it back)", drift.text)
        };
        drifts.iter().filter(is_left).map(said).collect()
    }
}

fn obstacle(drift: &Drift) -> Obstacle {
    let hunks = drift.diff.as_ref().map(|diff| diff.hunks.as_str()).unwrap_or_default();
    Obstacle {
        details: hunks.lines().map(str::to_owned).collect(),
        ..Obstacle::new(format!("{}, and this deploy would overwrite it", drift.text)).hint(
            "take the change into the host's file or its template, or overwrite it by `--overwrite-drift`",
        )
    }
}

#[cfg(test)]
mod tests;
