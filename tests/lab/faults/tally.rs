//! What came of the faults, for the record, and the chance that picks moments.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
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
    longest: Duration,
}

impl Fault {
    const fn words(self) -> &'static str {
        match self {
            Self::KillAtEntry => "killed at a step",
            Self::CutAtEntry => "power cut at a step",
            Self::KillAtRandom => "killed at a random moment",
            Self::CutAtRandom => "power cut at a random moment",
        }
    }
}

impl Tally {
    pub(super) fn count(&self, what: (Kind, Fault), (end, took): (End, Duration)) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(what).or_default();
        match end {
            End::Old => row.old += 1,
            End::New => row.new += 1,
        }
        row.longest = row.longest.max(took);
    }

    /// Writes a table in Markdown.
    pub(super) fn table(&self) -> String {
        let mut table =
            "| Deploy | Fault | Times | Ended old | Ended new | Longest until served |\n\
                         |---|---|---|---|---|---|\n"
                .to_owned();
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for ((kind, fault), Row { old, new, longest }) in rows.iter() {
            writeln!(
                table,
                "| {} | {} | {} | {old} | {new} | {:.0} s |",
                kind.name(),
                fault.words(),
                old + new,
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
