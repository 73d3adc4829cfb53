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
    world::{DATABASE, Run, World},
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
    live: Edition,
    offered: Edition,
    before: Standing,
    /// The newest journal before the deploy.
    journal: Option<String>,
    /// Every row of the writer that PostgreSQL ever acknowledged.
    rows: Vec<u32>,
    written: u32,
}

/// A deploy under way, with those who use the host meanwhile.
pub(super) struct Underway {
    pub(super) deploy: Child,
    writer: Writer,
    visitors: Load,
}

impl Kind {
    pub(super) const ALL: &[Self] = &[Self::Upgrade, Self::CodeOnly];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::CodeOnly => "code-only",
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
        let nothing = Edition { code: 0, database: 0 };
        Self {
            editions: Editions::of(&world),
            kind,
            live: nothing,
            offered: nothing,
            before: Standing::look(world.server()),
            journal: None,
            rows: Vec::new(),
            written: 0,
            world,
        }
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
        let mut deploy = self.world.deploy_command(&[]);
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
        self.rows.extend(acknowledged);
        run
    }

    /// Returns every row that was acknowledged in the deploys that ended.
    pub(super) fn rows_of_the_past(&self) -> &[u32] {
        &self.rows
    }

    /// Returns every row that was acknowledged so far.
    pub(super) fn rows(&self, underway: &Underway) -> Vec<u32> {
        [self.rows.clone(), underway.writer.acknowledged()].concat()
    }

    /// Holds what a host at rest holds against what it must: exactly the old state,
    /// or the new one where the journal says so.
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
        match end {
            End::Old => problems.extend(now.differences(&self.before, sequences)),
            End::New => problems.extend(self.differences_from_new(&now)),
        }
        let there = writer::rows(server);
        let lost: Vec<_> = rows.iter().filter(|row| !there.contains(row)).collect();
        if !lost.is_empty() {
            problems.push(format!("rows are lost: {lost:?}"));
        }
        if problems.is_empty() { Ok((end, now)) } else { Err(wrong(end, &problems)) }
    }

    /// Goes on from what the host is now.
    pub(super) fn go_on(&mut self, end: End, now: Standing) {
        if end == End::New {
            self.live = self.offered;
        }
        self.before = now;
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
        if self.offered != self.live {
            return;
        }
        let code = self.live.code + 1;
        let database = match self.kind {
            Kind::Upgrade => code,
            Kind::CodeOnly => self.live.database,
        };
        self.offered = Edition { code, database };
        self.editions.commit(&self.world, self.offered);
    }

    /// Lists where the host is not wholly what is deployed.
    pub(super) fn differences_from_new(&self, now: &Standing) -> Vec<String> {
        let mut differ = now.lost(&self.before);
        let expected = editions::expected_parts(self.offered);
        if now.parts != expected {
            differ.push(format!("{:?} and not {expected:?}", now.parts));
        }
        let (Some(old), Some(new)) = (self.before.release, now.release) else {
            differ.push(format!("release {:?} after {:?}", now.release, self.before.release));
            return differ;
        };
        let conf =
            editions::odoo_conf(&self.before.odoo_conf, (old, self.live), (new, self.offered));
        if new == old || now.odoo_conf != conf {
            differ.push(format!("release {new} after {old}, odoo.conf:\n{}", now.odoo_conf));
        }
        differ
    }
}

fn wrong(end: End, problems: &[String]) -> String {
    format!("it must be {end:?} and is not:\n{}", problems.join("\n"))
}
