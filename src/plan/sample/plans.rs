//! One plan of each kind for a host that is live.

use std::collections::BTreeMap;

use super::{DATABASE, Sample, database};
use crate::{
    layout::ReleaseNumber,
    plan::{CopyFacts, CopyName, Desired, Observed, Rollback, Transaction},
};

/// A plan, and what it was made of.
pub(crate) struct SamplePlan {
    /// What is special about it.
    pub(crate) about: &'static str,
    /// What was wanted.
    pub(crate) desired: Desired,
    /// What was there.
    pub(crate) observed: Observed,
    /// What the agent is asked to do.
    pub(crate) transaction: Transaction,
}

/// Makes the plans; `prepare` is called before anything is special about a host.
pub(crate) fn sample_plans(prepare: &dyn Fn(&mut Desired, &mut Observed)) -> Vec<SamplePlan> {
    let host = || {
        let mut sample = Sample::matching();
        prepare(&mut sample.desired, &mut sample.observed);
        sample
    };
    let plan = |about, sample: Sample| {
        let transaction = sample.plan().transaction;
        let Sample { desired, observed } = sample;
        SamplePlan { about, desired, observed, transaction }
    };
    vec![
        plan("a changed file", host().with_changed_file("custom-addons/taller/readme.py")),
        plan("an upgrade", host().with_upgrade_of("taller")),
        plan("an upgrade of two", host().with_database("acme-two").with_upgrade_of("taller")),
        plan("a new unit", with_other_unit(host())),
        plan("a new vhost", with_other_vhost(host())),
        plan("a service that is behind", behind(host())),
        plan("a rollback with its database", rollback(host().with_upgrade_of("taller"))),
    ]
}

fn with_other_unit(mut sample: Sample) -> Sample {
    let host = &mut sample.observed.host;
    host.unit = Some("the unit before".into());
    host.as_deployed.as_mut().expect("there are copies").unit.clone_from(&host.unit);
    sample
}

fn with_other_vhost(mut sample: Sample) -> Sample {
    let host = &mut sample.observed.host;
    host.vhost = Some("the vhost before".into());
    host.as_deployed.as_mut().expect("there are copies").vhost.clone_from(&host.vhost);
    sample
}

fn behind(mut sample: Sample) -> Sample {
    sample.observed.host.service.older_than_conf = true;
    sample
}

fn rollback(mut sample: Sample) -> Sample {
    let releases = &mut sample.observed.host.releases;
    for number in [3, 2] {
        let mut earlier = releases[0].clone();
        earlier.record.number = ReleaseNumber(number);
        releases.insert(0, earlier);
    }
    releases[1].record.changed = Some([database(DATABASE)].into());
    let taken = sample.observed.server.time - 7200;
    let name = CopyName::snapshot(&database(DATABASE), ReleaseNumber(3));
    let copy = CopyFacts { name, oid: 17_000, bytes: 1 << 20, created: Some(taken) };
    sample.facts().copies = vec![copy];
    sample.desired.update = crate::plan::UpdateChoice::None;
    sample.desired.rollback =
        Some(Rollback { to: ReleaseNumber(2), with_database: true, lost: BTreeMap::new() });
    sample
}
