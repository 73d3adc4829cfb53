//! What a plan was made for and what it does, as far as it can be told apart again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    adopted::adopted_live,
    desired::{Desired, Files},
    make::Plan,
    observed::{AsDeployed, Holder, Observed},
    step::Step,
    transaction::Transaction,
};

/// Hashes of everything that a plan builds on and of what it does, by what they are about.
/// Secrets are masked before, so no hash is one of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint {
    parts: BTreeMap<String, String>,
}

impl Fingerprint {
    /// Takes the fingerprint; there is no plan where something stands in its way.
    #[must_use]
    pub fn of(desired: &Desired, observed: &Observed, plan: Option<&Plan>) -> Self {
        let host = &observed.host;
        let service = &host.service;
        let mut parts = BTreeMap::new();
        let mut add = |what: &str, value: &Value| {
            parts.insert(what.to_owned(), hash(&value.to_string()));
        };
        add("the live release", &json!([host.current, host.last_number]));
        add("the files on the server", &files_on_server(observed));
        let outdated =
            [service.needs_daemon_reload, service.older_than_unit, service.older_than_conf];
        if let Some(adopted) = adopted_live(observed) {
            add("what was adopted", &json!([adopted.record, adopted.changed, adopted.dirty]));
        }
        add("the service", &json!([service.active, service.release, outdated]));
        add("the configuration", &configuration(desired));
        for name in &desired.databases {
            add(&format!("database {name}"), &database(observed, name));
        }
        if let Some(plan) = plan {
            add("what is to be done", &doings(desired, plan));
        }
        Self { parts }
    }

    /// Names what is not the same any more; where a plan cannot be made, what it would
    /// do is not compared.
    #[must_use]
    pub fn changed_to(&self, now: &Self) -> Vec<String> {
        let is_same = |what: &&String| self.parts.get(*what) == now.parts.get(*what);
        let mut all: Vec<_> = self.parts.keys().chain(now.parts.keys()).collect();
        all.sort();
        all.dedup();
        let has_plan = now.parts.contains_key(DOINGS);
        let counts = |what: &&String| has_plan || what.as_str() != DOINGS;
        let changed: Vec<_> =
            all.into_iter().filter(|what| !is_same(what)).filter(counts).collect();
        // What follows from another change says nothing by itself.
        let is_news = |what: &&String| changed.len() == 1 || what.as_str() != DOINGS;
        changed.iter().copied().filter(is_news).cloned().collect()
    }
}

/// The part that follows from the others.
const DOINGS: &str = "what is to be done";

fn files_on_server(observed: &Observed) -> Value {
    let host = &observed.host;
    let kept = host
        .as_deployed
        .as_ref()
        .map(|kept| AsDeployed { odoo_conf: kept.odoo_conf.as_deref().map(blunt), ..kept.clone() });
    json!([
        host.odoo_conf.as_deref().map(blunt),
        host.unit,
        host.unit_drop_in,
        host.vhost,
        host.maintenance_page,
        host.foreign_drop_ins,
        kept,
    ])
}

fn database(observed: &Observed, name: &crate::host::DatabaseName) -> Value {
    let Some(facts) = observed.databases.get(name) else { return Value::Null };
    json!([
        facts.oid,
        facts.uuid,
        facts.deployed_by,
        facts.modules,
        facts.languages,
        facts.partially_updated,
        facts.signatures,
    ])
}

fn configuration(desired: &Desired) -> Value {
    // The live release may be another one: `compared` is rendered for it.
    let Files { odoo_conf, unit, unit_drop_in, vhost, maintenance_page } = &desired.compared;
    json!([
        blunt(odoo_conf),
        unit,
        unit_drop_in,
        vhost,
        maintenance_page,
        format!("{:?}", (&desired.policy, &desired.network, &desired.service)),
        desired.databases,
        desired.environment,
    ])
}

fn doings(desired: &Desired, plan: &Plan) -> Value {
    let diffs: Vec<_> = plan.diffs.iter().map(|diff| (&diff.name, blunt(&diff.hunks))).collect();
    json!([
        plan.switch.to_string(),
        plan.reasons,
        format!("{:?}", plan.upgrades),
        diffs,
        without_secrets(&plan.transaction, &blunt(&desired.compared.odoo_conf)),
    ])
}

/// Leaves out who asks, when and with which secrets.
fn without_secrets(transaction: &Transaction, odoo_conf: &str) -> Transaction {
    let mut transaction = transaction.clone();
    transaction.holder = Holder {
        who: String::new(),
        from: String::new(),
        url: None,
        message: None,
        transaction: String::new(),
        since: 0,
    };
    transaction.access.password = None;
    transaction.forget_step_secrets();
    for step in &mut transaction.prepare {
        if let Step::CheckOut(step) = step {
            step.odoo_conf = odoo_conf.to_owned();
        }
    }
    transaction
}

/// Masks are keyed by a random key for each run: what is left of `******** (1f2e3d4c)`
/// is the same for all.
fn blunt(text: &str) -> String {
    let mut parts = text.split("******** (");
    let mut blunted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        blunted.push_str("********");
        blunted.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    blunted
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        layout::ReleaseNumber,
        plan::{RunningFrom, TransactionId, sample::Sample},
    };

    fn of(sample: &Sample) -> Fingerprint {
        Fingerprint::of(&sample.desired, &sample.observed, Some(&sample.plan()))
    }

    #[test]
    fn the_same_plan_has_the_same_fingerprint_whoever_makes_it_and_when() {
        let before = Sample::matching().with_upgrade_of("taller");
        let mut now = Sample::matching().with_upgrade_of("taller");
        now.desired.holder.who = "Bea".into();
        now.desired.access.password = Some("geheim".into());
        now.observed.server.time += 60;
        now.observed.host.service.main_pid = 99;
        now.facts().size += 1 << 20;
        assert_eq!(of(&before).changed_to(&of(&now)), Vec::<String>::new());
    }

    #[test]
    fn what_changed_is_named() {
        let before = of(&Sample::matching().with_upgrade_of("taller"));
        let changed = |change: &dyn Fn(&mut Sample)| {
            let mut sample = Sample::matching().with_upgrade_of("taller");
            change(&mut sample);
            before.changed_to(&of(&sample))
        };
        let deployed = changed(&|sample| sample.observed.host.last_number = 9);
        assert_eq!(deployed, ["the live release"]);
        let renamed = changed(&|sample| sample.facts().oid = 1);
        assert_eq!(renamed, ["database acme-prod"]);
        let edited = changed(&|sample| sample.observed.host.vhost = Some("# mine".into()));
        assert_eq!(edited, ["the files on the server"]);
        let stopped = changed(&|sample| sample.observed.host.service.active = "failed".into());
        assert_eq!(stopped, ["the service"]);
        let policy = changed(&|sample| sample.desired.policy.keep_releases = 9);
        assert_eq!(policy, ["the configuration"]);
        let other = changed(&|sample| sample.desired.id = TransactionId::parse("t2").unwrap());
        assert_eq!(other, ["what is to be done"]);
    }

    #[test]
    fn without_a_plan_what_it_builds_on_is_compared() {
        let before = of(&Sample::matching());
        let mut sample = Sample::matching();
        let now = |sample: &Sample| Fingerprint::of(&sample.desired, &sample.observed, None);
        assert_eq!(before.changed_to(&now(&sample)), Vec::<String>::new());
        sample.observed.host.current = Some(RunningFrom::Release(ReleaseNumber(3)));
        assert_eq!(before.changed_to(&now(&sample)), ["the live release"]);
    }

    #[test]
    fn no_mask_is_part_of_it() {
        let text = "admin_passwd = ******** (1f2e3d4c)\nworkers = 2\n";
        assert_eq!(blunt(text), "admin_passwd = ********\nworkers = 2\n");
        assert_eq!(blunt("nothing"), "nothing");
    }
}
