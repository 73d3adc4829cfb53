use super::*;
use crate::plan::{
    ReleaseState, Switch,
    sample::{DATABASE, Sample, database, module, titles},
};

const HOUR: i64 = 3600;

/// A release on the server with other content than the live one.
fn known(number: u32, state: ReleaseState) -> KnownRelease {
    let sample = Sample::matching();
    let mut facts = sample.observed.host.releases[0].clone();
    facts.record.number = ReleaseNumber(number);
    facts.state = state;
    KnownRelease { facts, is_like_live: false }
}

fn chosen(releases: &[KnownRelease], wanted: Option<u32>) -> Result<u32, String> {
    choose_release(releases, Some(ReleaseNumber(4)), wanted.map(ReleaseNumber))
        .map(|record| record.number.0)
        .map_err(|obstacle| format!("{}; {}", obstacle.message, obstacle.hint.unwrap_or_default()))
}

/// A host whose release 4 is live and whose release 2 is wanted again. What
/// `change` makes of the sample is how release 2 differs from what runs.
fn back_to_2(change: impl FnOnce(Sample) -> Sample) -> Sample {
    let mut sample = change(Sample::matching());
    let releases = &mut sample.observed.host.releases;
    for number in [3, 2] {
        let mut earlier = releases[0].clone();
        earlier.record.number = ReleaseNumber(number);
        releases.insert(0, earlier);
    }
    sample.desired.update = crate::plan::UpdateChoice::None;
    sample.desired.rollback =
        Some(Rollback { to: ReleaseNumber(2), with_database: false, lost: BTreeMap::new() });
    sample
}

/// The same, where release 3 upgraded the database.
fn needs_database() -> Sample {
    let mut sample = back_to_2(|sample| sample.with_upgrade_of("taller"));
    sample.observed.host.releases[1].record.changed = Some([database(DATABASE)].into());
    let taken = sample.observed.server.time - 50 * HOUR;
    sample.facts().copies = vec![CopyFacts {
        name: CopyName::snapshot(&database(DATABASE), ReleaseNumber(3)),
        oid: 17_000,
        bytes: 300 << 20,
        created: Some(taken),
    }];
    let lost = vec![
        RowCount { model: "sale.order".into(), rows: COUNTED_ROWS },
        RowCount { model: "res.partner".into(), rows: 12 },
    ];
    sample.wish().lost.insert(database(DATABASE), lost);
    sample
}

fn with_database() -> Sample {
    let mut sample = needs_database();
    sample.wish().with_database = true;
    sample
}

impl Sample {
    fn wish(&mut self) -> &mut Rollback {
        self.desired.rollback.as_mut().expect("it is a rollback")
    }
}

#[test]
fn the_newest_verified_release_with_other_content_is_gone_back_to() {
    let verified = |number| known(number, ReleaseState::Verified);
    let alike = KnownRelease { is_like_live: true, ..verified(3) };
    let live = verified(4);
    assert_eq!(chosen(&[verified(1), verified(2), alike, live.clone()], None), Ok(2));
    let failed = known(3, ReleaseState::Failed);
    assert_eq!(chosen(&[verified(1), failed, live.clone()], None), Ok(1));
    let none = chosen(&[known(3, ReleaseState::Reverted), live], None).unwrap_err();
    assert!(none.starts_with("there is no earlier verified release"), "{none}");
    assert!(none.ends_with("none is offered: to take a change back, revert its commit and deploy"));
}

#[test]
fn only_verified_releases_are_offered() {
    let releases = [
        known(1, ReleaseState::Verified),
        known(2, ReleaseState::Failed),
        known(4, ReleaseState::Verified),
        known(5, ReleaseState::Prepared),
    ];
    assert_eq!(chosen(&releases, Some(1)), Ok(1));
    let offered = "; offered with `--to`: 1 (main @ 0707070707)";
    for (number, why) in [
        (2, "release 2 is failed, not verified"),
        (3, "release 3 is not on the server"),
        (4, "release 4 is the live one"),
        (5, "release 5 is prepared, not verified"),
    ] {
        assert_eq!(chosen(&releases, Some(number)), Err(format!("{why}{offered}")));
    }
    let nothing = choose_release(&releases, None, None).unwrap_err();
    assert!(nothing.message.contains("no live release"), "{nothing:?}");
}

#[test]
fn code_that_the_database_does_not_notice_goes_back_alone() {
    let plan = back_to_2(|sample| sample.with_changed_body("taller")).plan();
    assert_eq!(plan.switch, Switch::Reload);
    assert_eq!(plan.rollback.as_ref().map(RollbackPlan::class), Some("code-only"));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    assert_eq!(
        plan.transaction.summary.rollback,
        Some(crate::plan::RolledBack { to: ReleaseNumber(2), databases: Vec::new() })
    );
    assert_eq!(plan.transaction.number, Some(ReleaseNumber(5)));
    insta::assert_snapshot!(titles(&plan), @r"
    write release 5
    check Python, XML and manifests
    load release 5 beside the running one
    --
    move to release 5 and reload Odoo
    check health
    --
    record in acme-prod what it has seen
    prune old releases and snapshots
    ");
}

#[test]
fn a_database_that_has_to_go_back_does_so_only_where_that_was_asked_for() {
    assert_eq!(
        needs_database().refusal(),
        "release 2 needs database acme-prod as it was before release 3 \
         (2025-12-29 22:00 UTC, 2 d 2 h ago): taller: views/order.xml changed; created since \
         then, and missing afterwards: 1000 or more sale.order, 12 res.partner\n  \
         hint: `deploy rollback --host acme.example.com --to 2 --with-database` puts it back and \
         keeps the present one as acme-prod~snap-5; to go on with what users entered, revert \
         the commits and deploy instead"
    );
}

#[test]
fn a_database_goes_back_by_a_copy_that_is_made_while_users_work() {
    let plan = with_database().plan();
    assert_eq!(plan.switch, Switch::Stop);
    assert_eq!(plan.rollback.as_ref().map(RollbackPlan::class), Some("with-database"));
    insta::assert_snapshot!(titles(&plan), @r"
    write release 5
    check Python, XML and manifests
    import the modules
    copy the snapshot acme-prod~snap-3
    --
    show the maintenance page
    hold the service
    stop Odoo
    put database acme-prod back to acme-prod~snap-3
    move to release 5
    start Odoo
    check health
    --
    release the service
    hide the maintenance page
    prune old releases and snapshots
    ");
    let restore = plan.transaction.carry_out.iter().find_map(|step| match step {
        crate::plan::Step::RestoreDatabase(restore) => Some(restore.clone()),
        _ => None,
    });
    let name = database(DATABASE);
    assert_eq!(
        restore,
        Some(Restore {
            oid: 16_384,
            snapshot: CopyName::snapshot(&name, ReleaseNumber(3)),
            snapshot_oid: 17_000,
            copy: CopyName::failed(&name, ReleaseNumber(5)),
            kept: CopyName::snapshot(&name, ReleaseNumber(5)),
            database: name,
        })
    );
}

#[test]
fn the_release_notes_which_databases_it_changed() {
    let changed = |sample: &Sample| {
        let steps = sample.plan().transaction.prepare;
        let record = steps.into_iter().find_map(|step| match step {
            crate::plan::Step::CheckOut(step) => Some(step.record),
            _ => None,
        });
        record.expect("a release is written").changed.expect("it is noted")
    };
    assert_eq!(changed(&with_database()), [database(DATABASE)].into());
    assert_eq!(changed(&Sample::matching().with_upgrade_of("taller")), [database(DATABASE)].into());
    assert!(changed(&Sample::matching().with_changed_body("taller")).is_empty());
}

#[test]
fn files_are_linked_from_the_release_that_is_gone_back_to() {
    let plan = with_database().plan();
    let base = plan.transaction.prepare.iter().find_map(|step| match step {
        crate::plan::Step::CheckOut(step) => step.base,
        _ => None,
    });
    assert_eq!(base.map(|(number, _)| number), Some(ReleaseNumber(2)));
}

#[test]
fn the_first_snapshot_after_the_release_is_the_one() {
    let mut sample = with_database();
    let releases = &mut sample.observed.host.releases;
    releases[2].record.changed = Some([database(DATABASE)].into());
    // Release 3 took its database back: what it had done to it does not count.
    releases[1].state = ReleaseState::Failed;
    let later = CopyFacts {
        name: CopyName::snapshot(&database(DATABASE), ReleaseNumber(4)),
        ..sample.facts().copies[0].clone()
    };
    sample.facts().copies.push(later);
    let plan = sample.plan();
    assert_eq!(plan.rollback.unwrap().databases[0].before, ReleaseNumber(4));
}

#[test]
fn what_cannot_go_back_is_said_with_the_reason() {
    let impossible = |change: fn(&mut Sample)| {
        let mut sample = with_database();
        change(&mut sample);
        let refusal = sample.refusal();
        let (_, cause) = refusal.split_once("which is impossible: ").expect("it is impossible");
        cause.split('\n').next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        impossible(|sample| sample.facts().copies.clear()),
        "its snapshot acme-prod~snap-3 was pruned or dropped"
    );
    assert_eq!(
        impossible(|sample| sample.facts().copies[0].created = None),
        "the files of its snapshot acme-prod~snap-3 are gone"
    );
    assert_eq!(
        impossible(|sample| {
            sample.observed.host.releases[1].record.changed = Some(Default::default());
        }),
        "it was changed by hand, not by a deploy, so there is no snapshot"
    );
    // What an older version of the tool did not note may have been a change.
    assert_eq!(
        impossible(|sample| {
            sample.facts().copies.clear();
            sample.observed.host.releases[1].record.changed = None;
        }),
        "its snapshot acme-prod~snap-3 was pruned or dropped"
    );
}

#[test]
fn a_module_that_the_release_does_not_have_takes_the_database_back() {
    let mut sample = with_database();
    sample.desired.addons.retain(|addon| addon.name != module("taller_portal"));
    let plan = sample.plan();
    assert!(plan.rollback.unwrap().databases[0].why().contains("release 2 does not have it"));
}

#[test]
fn a_half_done_upgrade_can_be_gone_back_from() {
    let mut sample = with_database();
    sample.facts().partially_updated = true;
    assert!(!sample.plan().is_empty());
}

#[test]
fn a_copy_needs_room_and_the_right_to_rename() {
    let mut sample = with_database();
    sample.observed.server.database_space.bytes = 400 << 20;
    assert!(sample.refusal().contains("400 MB is free, 556 MB is needed"), "{}", sample.refusal());
    let mut sample = with_database();
    sample.facts().snapshot_obstacles = vec!["role `odoo` may not create databases".into()];
    assert_eq!(
        sample.refusal(),
        "database acme-prod cannot go back: role `odoo` may not create databases"
    );
}

#[test]
fn only_the_database_that_notices_goes_back() {
    let mut sample = with_database().with_database("acme-shop");
    let other = sample.observed.databases.get_mut(&database("acme-shop")).unwrap();
    other.modules.retain(|name, _| *name == module("base"));
    other.signatures = Some(BTreeMap::new());
    let back = sample.plan().rollback.unwrap().databases;
    let names: Vec<_> = back.iter().map(|one| one.restore.database.as_str()).collect();
    assert_eq!(names, [DATABASE]);
}

#[test]
fn consent_that_is_not_needed_is_said() {
    let mut sample = back_to_2(|sample| sample.with_changed_body("taller"));
    sample.wish().with_database = true;
    assert_eq!(sample.plan().warnings, ["no database has to go back: all keep what they have"]);
}

#[test]
fn times_are_written_by_their_greatest_units() {
    assert_eq!(span(59), "less than a minute");
    assert_eq!(span(61), "1 min");
    assert_eq!(span(2 * HOUR + 300), "2 h 5 min");
    assert_eq!(span(50 * HOUR), "2 d 2 h");
    assert_eq!(span(-5), "less than a minute");
}
