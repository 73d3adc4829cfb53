//! The order of a transaction's steps: a list without its checks, or without its way back to
//! users, is none that a plan has. Pure.

use super::Refusal;
use crate::plan::{Step, Transaction};

/// The parts of a transaction that a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Prepare,
    CarryOut,
    Finish,
    CarryOutOrFinish,
}

/// Checks that every step stands where it belongs, and that none is missing which makes
/// another one safe.
pub(super) fn check(transaction: &Transaction) -> Result<(), Refusal> {
    let Transaction { prepare, carry_out, finish, .. } = transaction;
    for (steps, part, name) in [
        (prepare, Part::Prepare, "among the preparations"),
        (carry_out, Part::CarryOut, "in the switch"),
        (finish, Part::Finish, "behind the commit point"),
    ] {
        let is_here = |step: &&Step| {
            let of = part_of(step);
            of == part || (of == Part::CarryOutOrFinish && part != Part::Prepare)
        };
        if let Some(step) = steps.iter().find(|step| !is_here(step)) {
            return Err(Refusal::forged(format!("`{}` stands {name}", step.title())));
        }
    }
    releases(transaction)?;
    checks(transaction)?;
    databases(transaction)?;
    ends(transaction)
}

fn part_of(step: &Step) -> Part {
    match step {
        Step::CheckOut(_)
        | Step::CheckCode { .. }
        | Step::CheckUnit { .. }
        | Step::CheckVhost { .. }
        | Step::ServeChallenges { .. }
        | Step::ObtainCertificate(_)
        | Step::InstallCertificate(_)
        | Step::ImportModules { .. }
        | Step::LoadRelease { .. }
        | Step::WaitForUpgrades { .. }
        | Step::CopyFiles(_)
        | Step::CopySnapshot(_) => Part::Prepare,
        Step::ShowMaintenance
        | Step::Hold
        | Step::StopService
        | Step::Snapshot(_)
        | Step::RestoreDatabase(_)
        | Step::CreateDatabase { .. }
        | Step::Switch { .. }
        | Step::CatchUp(_)
        | Step::InstallUnit { .. }
        | Step::UpgradeModules(_)
        | Step::StartService { .. }
        | Step::InstallVhost { .. }
        | Step::RemoveVhost
        | Step::HoldAdopted(_)
        | Step::StopAdopted(_)
        | Step::ReplaceVhosts(_)
        | Step::RemoveUnit
        | Step::StartAdopted { .. }
        | Step::LeaveReleases
        | Step::CheckHealth(_) => Part::CarryOut,
        Step::RecordSeen { .. } => Part::CarryOutOrFinish,
        Step::LiftHold
        | Step::HideMaintenance
        | Step::ReturnVhosts { .. }
        | Step::ReleaseAdopted(_)
        | Step::Prune(_) => Part::Finish,
    }
}

/// A release is written and checked once, and then moved to.
fn releases(transaction: &Transaction) -> Result<(), Refusal> {
    let writes = |step: &Step| matches!(step, Step::CheckOut(_));
    let first = transaction.prepare.first().is_some_and(writes);
    let count = transaction.prepare.iter().filter(|step| writes(step)).count();
    let is_checked = transaction.prepare.iter().any(|s| matches!(s, Step::CheckCode { .. }));
    let switches =
        transaction.carry_out.iter().filter(|step| matches!(step, Step::Switch { .. })).count();
    let expected = usize::from(transaction.number.is_some());
    if count != expected || switches != expected || (expected == 1 && !(first && is_checked)) {
        return Err(Refusal::forged("the release is not written, checked and moved to, once each"));
    }
    Ok(())
}

/// What is put in place was checked before.
fn checks(transaction: &Transaction) -> Result<(), Refusal> {
    let is_prepared = |check: &dyn Fn(&Step) -> bool| transaction.prepare.iter().any(check);
    let unit = transaction.carry_out.iter().any(|s| matches!(s, Step::InstallUnit { .. }));
    if unit && !is_prepared(&|step| matches!(step, Step::CheckUnit { .. })) {
        return Err(Refusal::forged("the unit is not checked before it is installed"));
    }
    let vhost = transaction.carry_out.iter().any(|s| matches!(s, Step::InstallVhost { .. }));
    if vhost && !is_prepared(&|step| matches!(step, Step::CheckVhost { .. })) {
        return Err(Refusal::forged("the vhost is not checked before it is installed"));
    }
    let only_vhost = transaction
        .carry_out
        .iter()
        .all(|step| matches!(step, Step::InstallVhost { .. } | Step::RemoveVhost));
    let healthy = matches!(transaction.carry_out.last(), Some(Step::CheckHealth(_)));
    if transaction.carry_out.is_empty() || !(only_vhost || healthy) {
        return Err(Refusal::forged(
            "the switch does not end with a look whether the host is well",
        ));
    }
    Ok(())
}

/// A database that changes has a copy to go back to, and Odoo is stopped meanwhile.
fn databases(transaction: &Transaction) -> Result<(), Refusal> {
    let mut stopped = false;
    let mut safe = Vec::new();
    for step in transaction.prepare.iter().chain(&transaction.carry_out) {
        let is_safe = match step {
            Step::StopService => {
                stopped = true;
                true
            }
            Step::CopySnapshot(restore) => {
                safe.push(&restore.copy);
                true
            }
            Step::Snapshot(snapshot) => {
                safe.push(&snapshot.copy);
                stopped
            }
            Step::RestoreDatabase(restore) => stopped && safe.contains(&&restore.copy),
            Step::UpgradeModules(step) => match &step.snapshot {
                Some(snapshot) => stopped && safe.contains(&&snapshot.copy),
                None => {
                    let created = |step_before: &Step| {
                        matches!(step_before, Step::CreateDatabase { database }
                            if *database == step.database)
                    };
                    stopped && transaction.carry_out.iter().any(created)
                }
            },
            _ => true,
        };
        if !is_safe {
            return Err(Refusal::forged(format!(
                "`{}` has no stopped service and no copy before it",
                step.title()
            )));
        }
    }
    Ok(())
}

/// What is closed is opened again.
fn ends(transaction: &Transaction) -> Result<(), Refusal> {
    let does = |steps: &[Step], one: &Step| steps.contains(one);
    let Transaction { carry_out, finish, .. } = transaction;
    let starts = carry_out.iter().any(|step| matches!(step, Step::StartService { .. }));
    let stops = does(carry_out, &Step::StopService);
    let holds = does(carry_out, &Step::Hold);
    let ok = stops == starts
        && (holds || !stops)
        && holds == does(finish, &Step::LiftHold)
        && does(carry_out, &Step::ShowMaintenance) == does(finish, &Step::HideMaintenance);
    if ok { Ok(()) } else { Err(Refusal::forged("the service is not let go on at the end")) }
}
