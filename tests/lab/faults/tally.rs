//! What came of the faults, for the record, and the chance that picks moments.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::subject::{End, Kind};

/// What strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    KillAtEntry,
    CutAtEntry,
    KillAtRandom,
    CutAtRandom,
    KillOfRecovery,
    CutOfRecovery,
}

/// Counts how hosts ended; shared by all who let faults strike.
#[derive(Default)]
pub(super) struct Tally {
    rows: Mutex<BTreeMap<(Kind, Fault), Row>>,
}

#[derive(Default)]
struct Row {
    old: u32,
    new: u32,
    otherwise: u32,
    longest: Duration,
}

impl Fault {
    pub(super) const ALL: &[Self] = &[
        Self::KillAtEntry,
        Self::CutAtEntry,
        Self::KillAtRandom,
        Self::CutAtRandom,
        Self::KillOfRecovery,
        Self::CutOfRecovery,
    ];

    /// Tells whether a word of the command line means this fault, too.
    pub(super) fn is_meant_by(self, word: &str) -> bool {
        match word {
            "kill" => matches!(self, Self::KillAtEntry | Self::KillOfRecovery),
            "cut" => matches!(self, Self::CutAtEntry | Self::CutOfRecovery),
            "random" => matches!(self, Self::KillAtRandom | Self::CutAtRandom),
            "all" => true,
            _ => panic!("no such kind of fault: {word}"),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::KillAtEntry => "killed at a step",
            Self::CutAtEntry => "power cut at a step",
            Self::KillAtRandom => "killed at a random moment",
            Self::CutAtRandom => "power cut at a random moment",
            Self::KillOfRecovery => "killed, and the recovery at each of its steps",
            Self::CutOfRecovery => "killed, then power cut at a step of the recovery",
        }
    }
}

impl Tally {
    /// Counts one, and says so to those who watch.
    #[expect(clippy::print_stderr, reason = "a run for the record takes hours")]
    pub(super) fn count(&self, what: (Kind, Fault), moment: &str, (end, took): (End, Duration)) {
        let (kind, fault) = (what.0.name(), what.1.words());
        eprintln!("{kind}, {fault}, {moment}: {end:?} after {:.1} s", took.as_secs_f64());
        let mut rows = self.rows();
        let row = rows.entry(what).or_default();
        match end {
            End::Old => row.old += 1,
            End::New => row.new += 1,
        }
        row.longest = row.longest.max(took);
    }

    /// Counts a host that ended neither as before nor as after.
    pub(super) fn count_otherwise(&self, what: (Kind, Fault)) {
        self.rows().entry(what).or_default().otherwise += 1;
    }

    /// Tells whether every host ended as before or as after.
    pub(super) fn is_as_promised(&self) -> bool {
        self.rows().values().all(|row| row.otherwise == 0)
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<(Kind, Fault), Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a table in Markdown.
    pub(super) fn table(&self) -> String {
        let mut table =
            "| Deploy | Fault | Times | Ended old | Ended new | Ended otherwise | Longest until served |\n\
                         |---|---|---|---|---|---|---|\n"
                .to_owned();
        for ((kind, fault), Row { old, new, otherwise, longest }) in self.rows().iter() {
            writeln!(
                table,
                "| {} | {} | {} | {old} | {new} | {otherwise} | {:.0} s |",
                kind.name(),
                fault.words(),
                old + new + otherwise,
                longest.as_secs_f64()
            )
            .expect("a text takes everything");
        }
        table
    }
}

/// Picks moments; the same seed picks the same ones.
pub(super) struct Chance {
    seed: u64,
    drawn: u64,
}

impl Chance {
    pub(super) const fn of(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Picks a moment within a length of time.
    pub(super) fn moment(&mut self, length: Duration) -> Duration {
        self.drawn += 1;
        let bytes = [self.seed.to_le_bytes(), self.drawn.to_le_bytes()].concat();
        let digest = blake3::hash(&bytes);
        let part = u16::from_le_bytes([digest.as_bytes()[0], digest.as_bytes()[1]]);
        length.mul_f64(f64::from(part) / f64::from(u16::MAX))
    }
}
