//! Every kind of deploy at random moments; as a long run, for the record:
//! `deployment/lab/faults`.

#![expect(clippy::disallowed_methods, reason = "the script hands over what is wanted")]

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use super::{
    series::{self, Blow, Selection},
    subject::Kind,
    tally::{Chance, Fault, Tally},
};

/// Where a long run says what it wants: how many faults of each kind, which kinds, the
/// seed of the random moments, and the file for the table; a blank between them.
const ORDER: &str = "ODOO_DEPLOY_FAULTS";

/// What is tried without it.
const SHORT: &str = "1 random 1 /dev/null";

/// Lets faults strike every kind of deploy, side by side, and writes down what came
/// of it. A series ends with the first host that is neither old nor new.
#[test]
fn every_kind_of_deploy_ends_old_or_new_at_any_moment() {
    let order = env::var(ORDER).unwrap_or_else(|_| SHORT.to_owned());
    let words: Vec<_> = order.split_whitespace().collect();
    let [times, wanted, seed, table] = words[..] else { panic!("{ORDER} is `{order}`") };
    let (times, seed): (u32, u64) = (times.parse().unwrap(), seed.parse().unwrap());
    let tally = Tally::default();
    let faults: Vec<_> = Fault::ALL.iter().filter(|fault| fault.is_meant_by(wanted)).collect();
    thread::scope(|scope| {
        for kind in Kind::ALL {
            scope.spawn(|| {
                for fault in &faults {
                    let strikes = || strike(*kind, **fault, times, seed, &tally);
                    if catch_unwind(AssertUnwindSafe(strikes)).is_err() {
                        tally.count_otherwise((*kind, **fault));
                    }
                    // Who ends the run early has what there is.
                    fs::write(table, tally.table()).unwrap();
                }
            });
        }
    });
    assert!(tally.is_as_promised(), "a host ended neither old nor new");
}

fn strike(kind: Kind, fault: Fault, times: u32, seed: u64, tally: &Tally) {
    let every = Selection::EachEntry;
    match fault {
        Fault::KillAtEntry => series::kills(kind, every, Some(times), tally),
        Fault::CutAtEntry => series::cuts(kind, every, Some(times), tally),
        Fault::KillAtRandom => series::kills_at_random(kind, times, Chance::of(seed), tally),
        Fault::CutAtRandom => series::cuts_at_random(kind, times, Chance::of(seed), tally),
        Fault::KillOfRecovery => series::blows_to_recovery(kind, Blow::Kill, Some(times), tally),
        Fault::CutOfRecovery => series::blows_to_recovery(kind, Blow::Cut, Some(times), tally),
    }
}
