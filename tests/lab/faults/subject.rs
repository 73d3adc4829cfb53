//! The host that faults strike, and the verdict on what they left.

use std::{
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    editions::{self, Edition, Editions},
    pause,
    standing::{self, Sequences, Standing},
    writer::{self, Writer},
};
use crate::{
    lab::{Disk, Server},
    load::Load,
    world::{DATABASE, HOST, Run, World},
};

/// How long `deploy` may take to end.
const PATIENCE: Duration = Duration::from_secs(240);

/// What is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A deploy that upgrades a module.
    Upgrade,
    /// A deploy of code and configuration, which Odoo reloads.
    CodeOnly,
    /// A rollback that takes the database back, too.
    Rollback,
}

/// On which of its two states a host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As before the deploy.
    Old,
    /// As after it.
    New,
}

/// A host that is deployed to again and again.
pub(super) struct Subject {
    pub(super) world: World,
    editions: Editions,
    pub(super) kind: Kind,
    live: Side,
    offered: Edition,
    /// What a rollback goes back to.
    earlier: Option<Side>,
    /// The newest journal before the deploy.
    journal: Option<String>,
    written: u32,
}

/// A state of the host, whole.
struct Side {
    edition: Edition,
    standing: Standing,
    /// The writer's rows that its database must have: those that were acknowledged.
    rows: Vec<u32>,
}

/// A deploy under way, with those who use the host meanwhile.
pub(super) struct Underway {
    pub(super) deploy: Child,
    writer: Writer,
    visitors: Load,
}

impl Kind {
    pub(super) const ALL: &[Self] = &[Self::Upgrade, Self::CodeOnly, Self::Rollback];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::CodeOnly => "code-only",
            Self::Rollback => "rollback",
        }
    }
}

impl Subject {
    /// A host that was deployed, with an order of its own, on a disk of that kind.
    pub(super) fn new(name: &str, kind: Kind, disk: Disk) -> Self {
        let world = World::deployed_on(&format!("{name}-{}", kind.name()), disk);
        world.server().psql(
            DATABASE,
            "INSERT INTO taller_repair_order
               (name, active, company_id, partner_id, device, serial_number, problem, received_on, state)
             VALUES ('TR/1', true, 1, 1, 'Radio', 'SN-1', 'It hums', '2026-01-02', 'received')",
        );
        let edition = Edition { code: 0, database: 0 };
        let mut subject = Self {
            editions: Editions::of(&world),
            kind,
            live: Side::look(world.server(), edition),
            offered: edition,
            earlier: None,
            journal: None,
            written: 0,
            world,
        };
        if kind == Kind::Rollback {
            subject.leave_something_behind();
        }
        subject
    }

    /// Deploys an upgrade, so that there is something to go back to.
    fn leave_something_behind(&mut self) {
        let edition = Edition { code: 1, database: 1 };
        self.editions.commit(&self.world, edition);
        self.world.deploy_ok(&[]);
        let live = Side::look(self.world.server(), edition);
        self.offered = self.live.edition;
        self.earlier = Some(std::mem::replace(&mut self.live, live));
    }

    pub(super) fn server(&self) -> &Server {
        self.world.server()
    }

    /// Starts a deploy of something new, while the host is in use.
    pub(super) fn begin(&mut self) -> Underway {
        self.offer();
        self.journal = pause::newest_journal(self.server());
        let server = self.world.server();
        let visitors = Load::start_light(server, "/taller/estado");
        let writer = Writer::start(server, self.written);
        let mut deploy = match self.kind {
            Kind::Upgrade | Kind::CodeOnly => self.world.deploy_command(&[]),
            Kind::Rollback => {
                self.world.command(&["rollback", "--host", HOST, "--with-database", "--yes"])
            }
        };
        let deploy = deploy.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Underway { deploy, writer, visitors }
    }

    /// Waits for the end of a deploy and of those who used the host.
    pub(super) fn end(&mut self, mut underway: Underway) -> Run {
        let begun = Instant::now();
        while underway.deploy.try_wait().unwrap().is_none() {
            if begun.elapsed() > PATIENCE {
                underway.deploy.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(50));
        }
        let run = Run::of(&underway.deploy.wait_with_output().unwrap());
        underway.visitors.stop();
        let acknowledged = underway.writer.stop();
        // One more may have been written without an answer.
        self.written = acknowledged.last().map_or(self.written, |last| last + 1) + 1;
        self.live.rows.extend(acknowledged);
        run
    }

    /// Returns every row that was acknowledged in the deploys that ended.
    pub(super) fn rows_of_the_past(&self) -> &[u32] {
        &self.live.rows
    }

    /// Returns every row that was acknowledged so far.
    pub(super) fn rows(&self, underway: &Underway) -> Vec<u32> {
        [self.live.rows.clone(), underway.writer.acknowledged()].concat()
    }

    /// Holds what a host at rest holds against what it must: exactly the old state,
    /// or the new one where the journal says so. `rows` are those that were
    /// acknowledged before the fault.
    ///
    /// # Errors
    /// Returns all that is wrong.
    pub(super) fn judge(
        &self,
        server: &Server,
        rows: &[u32],
        sequences: Sequences,
    ) -> Result<(End, Standing), String> {
        let end = if self.is_committed(server) { End::New } else { End::Old };
        let mut problems = standing::leftovers(server);
        let now = Standing::look(server);
        let (differ, rows) = match (end, &self.earlier) {
            (End::Old, _) => (now.differences(&self.live.standing, sequences), rows),
            (End::New, None) => (self.differences_from_new(&now), rows),
            // What was written since is kept aside, and comes back when rolled back again.
            (End::New, Some(earlier)) => {
                (self.differences_from_earlier(&now, earlier, sequences), earlier.rows.as_slice())
            }
        };
        problems.extend(differ);
        let there = writer::rows(server);
        let lost: Vec<_> = rows.iter().filter(|row| !there.contains(row)).collect();
        if !lost.is_empty() {
            problems.push(format!("rows are lost: {lost:?}"));
        }
        if problems.is_empty() { Ok((end, now)) } else { Err(wrong(end, &problems)) }
    }

    /// Goes on from what the host is now.
    pub(super) fn go_on(&mut self, end: End, standing: Standing) {
        if end == End::Old {
            self.live.standing = standing;
            return;
        }
        let rows = self.earlier.as_ref().unwrap_or(&self.live).rows.clone();
        let left =
            std::mem::replace(&mut self.live, Side { edition: self.offered, standing, rows });
        if self.earlier.is_some() {
            self.offered = left.edition;
            self.earlier = Some(left);
        }
    }

    /// Tells whether the deploy under way has passed its commit point.
    pub(super) fn is_committed(&self, server: &Server) -> bool {
        pause::newest_journal(server) != self.journal
            && pause::journal(server).iter().any(|entry| entry["entry"] == "commit")
    }

    /// Tells whether the deploy under way has begun to write its journal.
    pub(super) fn has_begun(&self) -> bool {
        pause::newest_journal(self.server()) != self.journal
    }

    fn offer(&mut self) {
        if self.offered != self.live.edition {
            return;
        }
        let code = self.live.edition.code + 1;
        let database = match self.kind {
            Kind::Upgrade => code,
            Kind::CodeOnly | Kind::Rollback => self.live.edition.database,
        };
        self.offered = Edition { code, database };
        self.editions.commit(&self.world, self.offered);
    }

    /// Lists where the host is not wholly what is deployed, or users' business is
    /// not what it was.
    fn differences_from_new(&self, now: &Standing) -> Vec<String> {
        let mut differ = now.lost(&self.live.standing);
        let expected = editions::expected_parts(self.offered);
        if now.parts != expected {
            differ.push(format!("{:?} and not {expected:?}", now.parts));
        }
        if !now.has_odoo_conf_of(&self.live.standing, self.live.edition, self.offered) {
            differ.push(format!("release {:?}, odoo.conf:\n{}", now.release, now.odoo_conf));
        }
        differ
    }

    /// Lists where the host is not what it was before: all but the number of the
    /// release is as it was.
    fn differences_from_earlier(
        &self,
        now: &Standing,
        earlier: &Side,
        sequences: Sequences,
    ) -> Vec<String> {
        let mut differ = Vec::new();
        if !now.has_odoo_conf_of(&self.live.standing, self.live.edition, earlier.edition) {
            differ.push(format!("release {:?}, odoo.conf:\n{}", now.release, now.odoo_conf));
        }
        let renumbered = now.clone().renumbered_as(&earlier.standing);
        differ.extend(renumbered.differences(&earlier.standing, sequences));
        differ
    }
}

impl Side {
    fn look(server: &Server, edition: Edition) -> Self {
        Self { edition, standing: Standing::look(server), rows: Vec::new() }
    }
}

fn wrong(end: End, problems: &[String]) -> String {
    format!("it must be {end:?} and is not:\n{}", problems.join("\n"))
}
