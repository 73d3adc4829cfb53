//! A host's records in the DNS, around a deploy: looked at before the plan is shown,
//! written before the transaction begins, taken back where it comes to nothing.
//!
//! Everything here runs on the controller: what may change a zone never reaches a server.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{Project, WorkflowError};
use crate::{
    causes::with_causes,
    dns::{
        self, Address, Change, DnsError, DnsPlan, Found, Provider, Wanted, answers_publicly,
        make_dns_plan, make_dns_removal, wanted,
    },
    host::{Host, HostName},
    plan::Outcome,
    secret::{Redactor, Secrets},
    settings::Settings,
};

/// How long the name servers of a zone may take to hand a change out.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait between two looks at them.
const INTERVAL: Duration = Duration::from_millis(500);
/// After how many failures a name server is one that cannot be asked from here.
const DEAF: u32 = 3;

/// Zones that were opened, by name.
type Zones = BTreeMap<HostName, Arc<dyn Provider>>;

/// A host's records: what is planned, and what was written of it.
#[derive(Default)]
pub struct Records {
    host: Option<HostName>,
    zones: Zones,
    plan: DnsPlan,
    written: Vec<Change>,
    /// Where the host's own name leads, where that is not somewhere at Cloudflare.
    leads_to: Vec<Address>,
}

/// What became of the records when a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// What was changed now: removed, or taken back.
    pub changes: Vec<Change>,
    /// Whether that took back what was written before.
    pub taken_back: bool,
    /// What could not be done, with the next move.
    pub problems: Vec<String>,
}

/// What of a host decides how closely its records are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Footing {
    /// It is live, and neither its names nor anything else of its vhost change.
    Unchanged,
    /// It is live.
    Live,
    /// It was never deployed.
    New,
    /// It goes back to an earlier release, which nothing in the DNS may stop.
    WayBack,
}

impl Records {
    /// Looks at the records of a host. Nobody is asked where the resolver of this machine
    /// leads an unchanged host's names to the right addresses already; where a live host's
    /// provider cannot be asked, that is a note and no error.
    ///
    /// # Errors
    /// Returns what stands in the way.
    pub(super) async fn look(
        host: &Host,
        settings: &Settings,
        secrets: &Secrets,
        footing: Footing,
        redactor: &mut Redactor,
    ) -> Result<Self, WorkflowError> {
        let wanted = wanted(host, settings).or_else(|message| {
            if footing == Footing::WayBack {
                return Ok(Vec::new());
            }
            let section = format!("[servers.{}]", host.server);
            Err(WorkflowError::usage(
                message,
                format!(
                    "add `public_addresses = [\"…\"]` to {section} of config/deploy.toml, or write \
                     `manage = False` in [deploy.dns] of the host"
                ),
            ))
        })?;
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        let name = host.name.clone();
        if matches!(footing, Footing::Unchanged | Footing::WayBack) {
            let names = wanted.clone();
            let right = |one: &Wanted| answers_publicly(&one.name, &one.addresses);
            if blocking(move || names.iter().all(right)).await {
                return Ok(Self::default());
            }
        }
        let looked = async {
            let zones = open(&wanted, settings, secrets, redactor)?;
            let found = find(&zones, &name, &wanted).await?;
            Ok::<_, DnsError>((zones, found))
        };
        let (zones, found) = match looked.await {
            Ok(looked) => looked,
            Err(error) if footing == Footing::New => return Err(error.into()),
            Err(error) => {
                let note = format!(
                    "the DNS records of {name} were not looked at: {}",
                    with_causes(&error)
                );
                let plan = DnsPlan { changes: Vec::new(), notes: vec![note] };
                return Ok(Self { plan, ..Self::default() });
            }
        };
        let mut plan = match make_dns_plan(&name, &wanted, &found) {
            Ok(plan) => plan,
            Err(obstacles) if footing == Footing::WayBack => DnsPlan {
                notes: obstacles.into_iter().map(|obstacle| obstacle.message).collect(),
                ..DnsPlan::default()
            },
            Err(obstacles) => return Err(WorkflowError::Obstacles(obstacles)),
        };
        if footing == Footing::Unchanged {
            // What stays as it is was said when the host came.
            plan.notes.clear();
        }
        let own = wanted.iter().find(|one| one.name == name).map(|one| one.addresses.clone());
        let leads_to = own.filter(|own| own.iter().all(|address| !address.proxied));
        let leads_to = leads_to.unwrap_or_default();
        Ok(Self { host: Some(name), zones, plan, written: Vec::new(), leads_to })
    }

    /// Returns the changes that are planned.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.plan.changes
    }

    /// Returns what the operator should know.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.plan.notes
    }

    /// Tells whether nothing is to be changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.plan.changes.is_empty()
    }

    /// Returns where the host's own name leads since just now; nowhere where it was not changed.
    pub(super) fn fresh(&self) -> &[Address] {
        let is_own = |change: &Change| Some(&change.name) == self.host.as_ref();
        if self.written.iter().any(is_own) { &self.leads_to } else { &[] }
    }

    /// Writes what a host needs before its transaction begins; what goes stays until it is
    /// live. Everything is taken back where something cannot be written.
    ///
    /// # Errors
    /// Returns why that was.
    pub(super) async fn write(&mut self) -> Result<(), WorkflowError> {
        let changes = self.plan.changes.clone();
        for change in changes.into_iter().filter(|change| !change.removes()) {
            if let Err(error) = self.make(&change).await {
                let settled = self.take_back().await;
                return Err(WorkflowError::Dns { error, left: settled.problems });
            }
            self.written.push(change);
        }
        Ok(())
    }

    /// Waits until the name servers of the zones hand out what was written. Returns what
    /// did not come about in time.
    pub(super) async fn wait(&self) -> Vec<String> {
        let mut late = Vec::new();
        for change in self.written.clone() {
            let Some(zone) = self.zones.get(&change.zone).map(Arc::clone) else { continue };
            late.extend(blocking(move || wait_for(zone.as_ref(), &change)).await);
        }
        late
    }

    /// Ends what was begun, as the transaction ended: what is not needed any more goes with
    /// a success; what was written is taken back where the host is as it was before.
    pub(super) async fn settle(&mut self, outcome: &Outcome) -> Settled {
        match outcome {
            Outcome::Deployed => self.remove().await,
            Outcome::Reverted { .. } | Outcome::Refused { .. } | Outcome::Locked { .. } => {
                self.take_back().await
            }
            // Whoever mends the host by hand needs it in the DNS.
            Outcome::Broken { .. } => Settled::default(),
        }
    }

    /// Removes the names that are not the host's any more.
    pub(super) async fn remove(&mut self) -> Settled {
        let changes = self.plan.changes.clone();
        let gone = changes.into_iter().filter(Change::removes).collect();
        self.make_all(gone).await
    }

    /// Takes back what was written, last first.
    pub(super) async fn take_back(&mut self) -> Settled {
        let written = std::mem::take(&mut self.written);
        let back = written.iter().rev().map(Change::reversed).collect();
        Settled { taken_back: true, ..self.make_all(back).await }
    }

    async fn make_all(&self, changes: Vec<Change>) -> Settled {
        let mut settled = Settled::default();
        for change in changes {
            match self.make(&change).await {
                Ok(()) => settled.changes.push(change),
                Err(error) => settled.problems.push(left_over(&change, &error)),
            }
        }
        settled
    }

    async fn make(&self, change: &Change) -> Result<(), DnsError> {
        let zone = self.zones.get(&change.zone).map(Arc::clone);
        let (zone, host) = zone.zip(self.host.clone()).expect("a change lies in an open zone");
        let change = change.clone();
        blocking(move || zone.change(&host, &change)).await
    }
}

fn left_over(change: &Change, error: &DnsError) -> String {
    let wish = change.lines().join(", ");
    format!(
        "the DNS records of {} are not as they should be: {}; what is missing: {wish}",
        change.name,
        with_causes(error)
    )
}

/// What a host has in the DNS, and what it should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The names that are wanted.
    pub wanted: Vec<Wanted>,
    /// The names that are there.
    pub found: Vec<Found>,
    /// What a deploy would change; obstacles as text where it would refuse.
    pub plan: Result<DnsPlan, Vec<crate::plan::Obstacle>>,
}

/// Looks at the records of a host, by the working tree. Nothing is changed.
///
/// # Errors
/// Fails where the configuration or a provider cannot be read.
pub async fn look(project: &Project, name: &HostName) -> Result<Standing, WorkflowError> {
    let host = Host::load(&project.files, name)?;
    let wanted = wanted(&host, &project.settings).map_err(|message| WorkflowError::Usage {
        message,
        hint: Some(format!("add it to [servers.{}] of config/deploy.toml", host.server)),
    })?;
    let mut redactor = Redactor::default();
    let zones = open(&wanted, &project.settings, &project.secrets, &mut redactor)?;
    let found = find(&zones, name, &wanted).await?;
    let plan = make_dns_plan(name, &wanted, &found);
    Ok(Standing { wanted, found, plan })
}

/// The end of a host's records, before anything is done.
pub struct RecordsRemoval {
    records: Records,
    /// The names of the host that lie in no zone of `deploy.toml`: their records are the
    /// business of whoever made them.
    pub elsewhere: Vec<HostName>,
}

impl RecordsRemoval {
    /// Looks for every record that is marked as a host's, in the zones that its name and its
    /// aliases lie in. Nothing is changed.
    ///
    /// # Errors
    /// Fails where a provider cannot be asked.
    pub(super) async fn look(project: &Project, name: &HostName) -> Result<Self, DnsError> {
        let mut names = vec![name.clone()];
        // The file may be gone already: then the marks alone tell of aliases.
        if let Ok(host) = Host::load(&project.files, name) {
            names.extend(host.nginx.into_iter().flat_map(|nginx| nginx.aliases));
        }
        let (mut asked, mut elsewhere) = (Vec::new(), Vec::new());
        for name in names {
            match project.settings.zone_of(&name) {
                Some((zone, _)) => {
                    asked.push(Wanted { zone: zone.clone(), name, addresses: Vec::new() });
                }
                None => elsewhere.push(name),
            }
        }
        let redactor = &mut Redactor::default();
        let zones = open(&asked, &project.settings, &project.secrets, redactor)?;
        let found = find(&zones, name, &asked).await?;
        let plan = make_dns_removal(name, &found);
        let records = Records { host: Some(name.clone()), zones, plan, ..Records::default() };
        Ok(Self { records, elsewhere })
    }

    /// Returns what goes.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        self.records.changes()
    }

    /// Returns what stays of the host's names, and whose it is.
    #[must_use]
    pub fn kept(&self) -> &[String] {
        self.records.notes()
    }
}

/// Removes every record that is marked as a host's, from the zones that its name and its
/// aliases lie in; strangers' records stay. Returns what was removed.
///
/// # Errors
/// Fails where a provider cannot be asked or says no; what was removed until then is gone.
pub async fn remove_records(project: &Project, name: &HostName) -> Result<Vec<Change>, DnsError> {
    let RecordsRemoval { records, .. } = RecordsRemoval::look(project, name).await?;
    for change in records.changes() {
        records.make(change).await?;
    }
    Ok(records.plan.changes)
}

/// Opens each zone once.
fn open(
    wanted: &[Wanted],
    settings: &Settings,
    secrets: &Secrets,
    redactor: &mut Redactor,
) -> Result<Zones, DnsError> {
    let mut zones = Zones::new();
    for Wanted { zone, .. } in wanted {
        if !zones.contains_key(zone) {
            let opened = dns::open(zone, &settings.dns[zone], secrets, redactor)?;
            zones.insert(zone.clone(), Arc::from(opened));
        }
    }
    Ok(zones)
}

/// Looks at names, zone by zone.
async fn find(zones: &Zones, host: &HostName, wanted: &[Wanted]) -> Result<Vec<Found>, DnsError> {
    let mut all = Vec::new();
    for (zone, provider) in zones {
        let names = wanted.iter().filter(|one| one.zone == *zone).map(|one| one.name.clone());
        let (names, provider, host) =
            (names.collect::<Vec<_>>(), Arc::clone(provider), host.clone());
        all.extend(blocking(move || provider.look(&host, &names)).await?);
    }
    Ok(all)
}

/// Asks the name servers of a zone until they hand a change out; one that cannot be asked
/// from here is left out. Returns what did not come about.
fn wait_for(zone: &dyn Provider, change: &Change) -> Option<String> {
    let mut left: Vec<(SocketAddr, u32)> =
        zone.authorities().into_iter().map(|server| (server, 0)).collect();
    let begun = Instant::now();
    loop {
        left.retain_mut(|(server, failures)| {
            match dns::answers(*server, &change.name, &change.after) {
                Ok(answers) => !answers,
                Err(error) => {
                    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                    *failures += if refused { DEAF } else { 1 };
                    *failures < DEAF
                }
            }
        });
        let (first, _) = left.first()?;
        if begun.elapsed() > PATIENCE {
            return Some(format!(
                "name server {} does not hand out the new records of {} yet",
                first.ip(),
                change.name
            ));
        }
        thread::sleep(INTERVAL);
    }
}

/// Does blocking work on a thread of its own: whoever does not want to wait for it may
/// leave it behind.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || tell.send(work()));
    told.await.expect("the work does not panic")
}

#[cfg(test)]
mod tests;
