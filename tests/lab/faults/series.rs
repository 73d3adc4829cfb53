//! Faults one after the other, on one host.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    pause::{self, Process},
    standing::{self, Sequences},
    subject::{End, Kind, Subject, Underway},
    tally::{Chance, Fault, Tally},
};
use crate::{
    lab::{Disk, Server, drop_checkpoint},
    world::World,
};

/// How long a recovery may take to its next entry; one that was killed waits a minute.
const PATIENCE: Duration = Duration::from_secs(240);

/// How many power cuts one deploy takes at random moments.
const CUTS_OF_A_DEPLOY: u32 = 4;

/// After how many power cuts a copy is deployed to, too.
const DEPLOYED_TO: u32 = 6;

/// At which entries faults strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    /// Each step once: killed when its entry is written and nothing of it is done,
    /// cut when it is done and nothing else has synced it yet. What comes before the
    /// first change of something live is the same in every deploy, so that the power
    /// is cut there in upgrades only.
    EachStep,
    /// Every entry.
    EachEntry,
}

impl Selection {
    /// Tells whether to kill at the last of these entries.
    fn kills(self, entries: &[Value]) -> bool {
        self == Self::EachEntry || matches!(last_kind(entries), "begin" | "before" | "commit")
    }

    /// Tells whether to cut the power at the last of these entries.
    fn cuts(self, deploy: Kind, entries: &[Value]) -> bool {
        let is_alike =
            deploy != Kind::Upgrade && !entries.iter().any(|entry| entry["entry"] == "carry-out");
        match self {
            Self::EachEntry => true,
            Self::EachStep => {
                !is_alike && matches!(last_kind(entries), "begin" | "after" | "commit")
            }
        }
    }
}

/// Kills the transaction at each entry in turn, `times` times at least or, without
/// a number, until a deploy has come to its end.
pub(super) fn kills(kind: Kind, selection: Selection, times: Option<u32>, tally: &Tally) {
    let mut subject = Subject::new("killed", kind, Disk::Folder);
    let mut entry = 0;
    let mut left = times;
    while left != Some(0) {
        let mut underway = start(&mut subject, entry + 1);
        let reached =
            pause::advance(subject.server(), &mut underway.deploy, entry + 1, |entries| {
                selection.kills(entries)
            });
        let Some(reached) = reached else {
            completed(&mut subject, underway);
            if left.is_none() {
                return;
            }
            entry = 0;
            continue;
        };
        entry = reached;
        let moment = moment(&subject, entry);
        let struck = Instant::now();
        kill(&subject);
        pause::forget(subject.server());
        let fault = (kind, Fault::KillAtEntry);
        let took = after_a_kill(&mut subject, underway, struck, &moment);
        tally.count(fault, &moment, took);
        left = left.map(|left| left - 1);
    }
}

/// Kills the transaction at random moments.
pub(super) fn kills_at_random(kind: Kind, times: u32, mut chance: Chance, tally: &Tally) {
    let mut subject = Subject::new("killed-any", kind, Disk::Folder);
    let length = length(&mut subject);
    for _ in 0..times {
        let mut underway = start(&mut subject, 0);
        let delay = wait_for_begin(&subject, &mut underway).map(|()| chance.moment(length));
        let Some(delay) = delay else { panic!("{}: it did not begin", kind.name()) };
        thread::sleep(delay);
        let struck = Instant::now();
        kill(&subject);
        let moment = format!("after {delay:?}");
        let took = after_a_kill(&mut subject, underway, struck, &moment);
        tally.count((kind, Fault::KillAtRandom), &moment, took);
    }
}

/// Cuts the power at each entry in turn: the deploy stands still while what the disk
/// holds is copied, and goes on. What was written is not given the time to reach the
/// disk by itself: the copies boot and are judged when the deploy has ended.
pub(super) fn cuts(kind: Kind, selection: Selection, times: Option<u32>, tally: &Tally) {
    let mut subject = Subject::new("cut", kind, Disk::Image);
    let mut done = 0;
    while times.is_none_or(|times| done < times) {
        let mut underway = start(&mut subject, 1);
        let mut cuts = Vec::new();
        let mut entry = 0;
        while times.is_none_or(|times| done + count(&cuts) < times) {
            let wanted = |entries: &[Value]| selection.cuts(kind, entries);
            let Some(reached) =
                pause::advance(subject.server(), &mut underway.deploy, entry + 1, wanted)
            else {
                break;
            };
            entry = reached;
            let moment = moment(&subject, entry);
            cuts.push(Cut::now(&subject, &underway, done + count(&cuts), moment));
        }
        pause::forget(subject.server());
        let run = subject.end(underway).expect_code(0);
        done += count(&cuts);
        judge_all(cuts, &subject, (kind, Fault::CutAtEntry), tally);
        ended_well(&mut subject, &run.stderr);
        if times.is_none() {
            return;
        }
    }
}

/// Cuts the power at random moments.
pub(super) fn cuts_at_random(kind: Kind, times: u32, mut chance: Chance, tally: &Tally) {
    let mut subject = Subject::new("cut-any", kind, Disk::Image);
    let length = length(&mut subject);
    let mut done = 0;
    while done < times {
        let mut underway = start(&mut subject, 0);
        let begun = wait_for_begin(&subject, &mut underway).map(|()| Instant::now());
        let begun = begun.unwrap_or_else(|| panic!("{}: it did not begin", kind.name()));
        let at_once = CUTS_OF_A_DEPLOY.min(times - done);
        let mut moments: Vec<_> = (0..at_once).map(|_| chance.moment(length)).collect();
        moments.sort();
        let mut cuts = Vec::new();
        for moment in moments {
            thread::sleep(moment.saturating_sub(begun.elapsed()));
            let moment = format!("after {:.1} s", begun.elapsed().as_secs_f64());
            cuts.push(Cut::now(&subject, &underway, done + count(&cuts), moment));
        }
        let run = subject.end(underway).expect_code(0);
        done += count(&cuts);
        judge_all(cuts, &subject, (kind, Fault::CutAtRandom), tally);
        ended_well(&mut subject, &run.stderr);
    }
}

fn count(cuts: &[Cut]) -> u32 {
    u32::try_from(cuts.len()).expect("a deploy has few entries")
}

/// What strikes the recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// It is killed at each of its entries; another one goes on.
    Kill,
    /// The power is cut at each of its entries; it goes on itself.
    Cut,
}

/// Kills a transaction, and strikes the recovery that takes it back at each entry
/// that it writes: once from the end of the way there, then from behind the commit
/// point.
pub(super) fn blows_to_recovery(kind: Kind, blow: Blow, times: Option<u32>, tally: &Tally) {
    let (name, disk, fault) = match blow {
        Blow::Kill => ("killed-back", Disk::Folder, Fault::KillOfRecovery),
        Blow::Cut => ("cut-back", Disk::Image, Fault::CutOfRecovery),
    };
    let mut subject = Subject::new(name, kind, disk);
    let mut struck = 0;
    loop {
        for last in [is_last_of_way, is_commit] {
            let mut underway = start(&mut subject, 1);
            pause::advance(subject.server(), &mut underway.deploy, 1, last)
                .expect("every deploy comes that far");
            pause::ask_also(subject.server(), Process::Recovery, 1);
            let mut written = pause::journal(subject.server()).len();
            let begun = Instant::now();
            kill(&subject);
            let mut cuts = Vec::new();
            let mut entry = 1;
            while let Some(moment) = recovery_stands_still(&subject, written + entry) {
                match blow {
                    Blow::Kill => {
                        kill_recovery(&subject);
                        // The next one counts its own.
                        written = pause::journal(subject.server()).len();
                    }
                    Blow::Cut => cuts.push(Cut::now(&subject, &underway, struck, moment)),
                }
                struck += 1;
                entry += 1;
                pause::ask(subject.server(), Process::Recovery, entry);
            }
            assert!(entry > 1, "the recovery was never struck");
            pause::forget(subject.server());
            judge_all(cuts, &subject, (kind, fault), tally);
            let moment = format!("{} entries of the recovery", entry - 1);
            let took = after_a_kill(&mut subject, underway, begun, &moment);
            if blow == Blow::Kill {
                tally.count((kind, fault), &moment, took);
            }
        }
        if times.is_none_or(|times| struck >= times) {
            return;
        }
    }
}

fn is_last_of_way(entries: &[Value]) -> bool {
    let is_last = |entry: &Value| entry["entry"] == "before" && entry["step"] == "check health";
    entries.last().is_some_and(is_last)
}

fn is_commit(entries: &[Value]) -> bool {
    last_kind(entries) == "commit"
}

/// Waits until the recovery stands still behind so many entries of the journal, and
/// says where; none where it has ended.
fn recovery_stands_still(subject: &Subject, written: usize) -> Option<String> {
    let server = subject.server();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "{}: the recovery: never", server.name());
        let entries = pause::journal(server);
        let last = entries.last().expect("it has begun");
        if entries.len() >= written && pause::is_reached(server) {
            return Some(format!("recovery, {}", pause::describe(last)));
        }
        // It cannot stand still behind the end.
        if last_kind(&entries) == "end" && !pause::is_reached(server) {
            return None;
        }
        thread::sleep(Duration::from_millis(30));
    }
}

/// Kills the process that ends what the transaction left.
fn kill_recovery(subject: &Subject) {
    let server = subject.server();
    let id = pause::newest_journal(server).expect("it has begun");
    let unit = format!("deployrc-{id}.service");
    server.shell(&["systemctl", "kill", "--kill-whom=main", "--signal=KILL", &unit]).ok();
}

/// What a server's disk holds at a moment, and the rows that it must hold.
struct Cut {
    checkpoint: String,
    number: u32,
    moment: String,
    rows: Vec<u32>,
}

impl Cut {
    fn now(subject: &Subject, underway: &Underway, number: u32, moment: String) -> Self {
        let server = subject.server();
        let checkpoint = format!("{}-{number}", server.name());
        // Before the cut: later ones may be there or not.
        let rows = subject.rows(underway);
        server.lab("cut", &[&checkpoint]).ok();
        Self { checkpoint, number, moment, rows }
    }

    /// Boots what the disk held, on a server beside the one that was cut.
    fn judge(&self, subject: &Subject) -> (End, Duration) {
        let struck = Instant::now();
        let name = format!("{}-copy", subject.server().name());
        let copy = Server::boot(&name, &self.checkpoint, Disk::Image, None);
        // A recovery that was asked to stand still was asked so here, too.
        pause::forget(&copy);
        let judged = standing::settle(&copy).and_then(|()| {
            let took = struck.elapsed();
            let (end, _) = subject.judge(&copy, &self.rows, Sequences::Ahead)?;
            Ok((end, took))
        });
        let (end, took) = judged.unwrap_or_else(|problem| {
            panic!("{}, power cut at {}: {problem}", subject.kind.name(), self.moment)
        });
        if self.number % DEPLOYED_TO == 1 {
            let world = World::beside(&subject.world, copy);
            world.deploy_ok(&[]);
            standing::settle(world.server()).unwrap();
            assert_eq!(standing::leftovers(world.server()), [] as [&str; 0], "{}", self.moment);
        }
        (end, took)
    }
}

fn judge_all(cuts: Vec<Cut>, subject: &Subject, what: (Kind, Fault), tally: &Tally) {
    for cut in cuts {
        tally.count(what, &cut.moment, cut.judge(subject));
        drop_checkpoint(&cut.checkpoint);
    }
}

fn start(subject: &mut Subject, entry: usize) -> Underway {
    pause::forget(subject.server());
    if entry > 0 {
        pause::ask(subject.server(), Process::Transaction, entry);
    }
    subject.begin()
}

fn wait_for_begin(subject: &Subject, underway: &mut Underway) -> Option<()> {
    while !subject.has_begun() {
        if underway.deploy.try_wait().unwrap().is_some() {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Some(())
}

/// Measures how long a transaction takes that nobody disturbs.
fn length(subject: &mut Subject) -> Duration {
    let mut underway = start(subject, 0);
    wait_for_begin(subject, &mut underway).expect("it begins");
    let begun = Instant::now();
    completed(subject, underway);
    begun.elapsed()
}

/// Kills the process that carries the transaction out, if it still lives.
fn kill(subject: &Subject) {
    let server = subject.server();
    let id = pause::newest_journal(server).expect("it has begun");
    let unit = format!("deploytx-{id}.service");
    server.shell(&["systemctl", "kill", "--kill-whom=main", "--signal=KILL", &unit]);
}

fn after_a_kill(
    subject: &mut Subject,
    underway: Underway,
    struck: Instant,
    moment: &str,
) -> (End, Duration) {
    let settled = standing::settle(subject.server());
    let took = struck.elapsed();
    let run = subject.end(underway);
    let rows = subject.rows_of_the_past();
    let judged = settled.and_then(|()| subject.judge(subject.server(), rows, Sequences::Exact));
    let (end, now) = judged.unwrap_or_else(|problem| {
        let kind = subject.kind.name();
        panic!(
            "{kind}, killed at {moment}: {problem}\nthe deploy said ({}):\n{}",
            run.code, run.stderr
        )
    });
    let told = if run.code == 0 { End::New } else { End::Old };
    assert_eq!(told, end, "{moment}: status {}\n{}", run.code, run.stderr);
    subject.go_on(end, now);
    (end, took)
}

/// Waits for a deploy that nothing disturbs any more.
fn completed(subject: &mut Subject, underway: Underway) {
    let run = subject.end(underway).expect_code(0);
    ended_well(subject, &run.stderr);
}

fn ended_well(subject: &mut Subject, said: &str) {
    let judged = standing::settle(subject.server()).and_then(|()| {
        subject.judge(subject.server(), subject.rows_of_the_past(), Sequences::Exact)
    });
    let (end, now) = judged.unwrap_or_else(|problem| panic!("undisturbed: {problem}\n{said}"));
    assert_eq!(end, End::New, "{said}");
    subject.go_on(end, now);
}

fn moment(subject: &Subject, entry: usize) -> String {
    let entries = pause::journal(subject.server());
    format!("entry {entry}, {}", entries.last().map(pause::describe).unwrap_or_default())
}

fn last_kind(entries: &[Value]) -> &str {
    entries.last().and_then(|entry| entry["entry"].as_str()).unwrap_or_default()
}
