//! What `--json` prints of a plan. Pure.

use serde_json::{Value, json};

use crate::{
    plan::{DatabaseUpgrade, Restoration, RollbackPlan},
    workflow::deploy::Prepared,
};

/// The version of the objects that `--json` prints.
pub(super) const SCHEMA: u32 = 1;

/// Describes a plan.
pub(super) fn plan(prepared: &Prepared) -> Value {
    let plan = &prepared.plan;
    let desired = &prepared.desired;
    json!({
        "schema": SCHEMA,
        "event": "plan",
        "host": desired.host,
        "environment": desired.environment,
        "branch": desired.branch,
        "commit": desired.commit,
        "live": desired.live,
        "release": plan.transaction.number,
        "previous": plan.transaction.previous,
        "switch": plan.switch.to_string(),
        "reasons": plan.reasons,
        "certificate": plan.certificate,
        "interruption": plan.interruption,
        "commits": prepared.log,
        "databases": plan.upgrades.iter().map(database).collect::<Vec<_>>(),
        "rollback": plan.rollback.as_ref().map(rollback),
        "diffs": plan.diffs,
        "drift": plan.drift,
        "dns": prepared.records.changes(),
        "warnings": plan.warnings,
    })
}

fn database(upgrade: &DatabaseUpgrade) -> Value {
    json!({
        "database": upgrade.database,
        "create": upgrade.create,
        "install": upgrade.install,
        "upgrade": upgrade.update,
        "reached": upgrade.reached,
        "process": upgrade.process,
        "left_out": upgrade.left_out,
    })
}

fn rollback(rollback: &RollbackPlan) -> Value {
    let database = |one: &Restoration| {
        json!({
            "database": one.restore.database,
            "snapshot": one.restore.snapshot,
            "before": one.before,
            "taken": one.taken,
            "kept": one.restore.kept,
            "reasons": one.reasons,
            "lost": one.lost,
        })
    };
    json!({
        "to": rollback.to,
        "class": rollback.class(),
        "databases": rollback.databases.iter().map(database).collect::<Vec<_>>(),
    })
}
