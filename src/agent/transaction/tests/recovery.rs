//! What is left when a transaction dies, and how it is ended.

use super::*;
use crate::agent::recover;

/// Makes the machine what it was when the transaction died behind so many entries.
fn cut_off(machine: &Machine, entries: usize) {
    let journal = machine.path(&machine.layout.journal().join("t1/journal"));
    let text = fs::read_to_string(&journal).unwrap();
    let lines: Vec<_> = text.lines().take(entries).collect();
    fs::write(journal, lines.join("\n") + "\n").unwrap();
}

#[test]
fn wherever_a_transaction_dies_it_is_ended_old_or_new() {
    let whole = transaction(
        vec![],
        vec![
            Step::ShowMaintenance,
            Step::Hold,
            Step::StopService,
            Step::Switch { number: ReleaseNumber(2), follow: Follow::Later },
            Step::InstallUnit { unit: "a new unit".to_owned(), drop_in: "new".to_owned() },
        ],
        vec![Step::LiftHold, Step::HideMaintenance],
    );
    let reference = Machine::new();
    assert_eq!(reference.execute(&whole), Outcome::Deployed);
    let commit = entries(&reference).iter().position(|entry| *entry == Entry::Commit).unwrap();
    let total = entries(&reference).len();
    assert!(total > 15);
    // Where the journal ends with a step that was begun, it may be done as well as not.
    for cut in 1..total {
        let machine = Machine::new();
        let steps = entries(&reference)[..cut]
            .iter()
            .filter(|entry| matches!(entry, Entry::Before { .. }))
            .count();
        let carry_out = whole.carry_out.iter().take(steps).cloned().collect();
        let partly = transaction(vec![], carry_out, vec![]);
        machine.execute(&partly);
        // Its own journal gives way to the one of the whole, as far as it came.
        let journal = Path::new("/opt/odoo/a.test/journal/t1/journal");
        let text = reference.text(journal).unwrap();
        machine.write(journal, &text);
        cut_off(&machine, cut);
        fs::remove_file(machine.path(&machine.layout.history())).unwrap();
        let outcome = recover::recover(&machine.server, &whole.host).unwrap();
        if cut > commit {
            assert_eq!(outcome, Some(Outcome::Deployed), "cut behind entry {cut}");
            assert!(machine.root.path().join("running").exists(), "cut behind entry {cut}");
            assert!(!machine.path(&machine.layout.hold()).exists(), "cut behind entry {cut}");
        } else {
            assert!(
                matches!(outcome, Some(Outcome::Reverted { .. } | Outcome::Refused { .. })),
                "cut behind entry {cut}: {outcome:?}"
            );
            machine.is_as_before();
        }
        assert_eq!(recover::recover(&machine.server, &whole.host).unwrap(), None);
        let history = machine.text(&machine.layout.history()).unwrap();
        assert_eq!(history.lines().count(), 1, "{history}");
        assert!(history.contains("\"recovered\":true"), "{history}");
    }
}

#[test]
fn a_recovery_says_what_the_transaction_died_of() {
    let machine = Machine::new();
    machine.execute(&transaction(vec![], stop_and_install(), vec![]));
    cut_off(&machine, 9);
    let outcome = recover::recover(&machine.server, &machine.host()).unwrap();
    let Some(Outcome::Reverted { failure, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.step, "move to release 2");
    assert_eq!(failure.message, "the transaction was killed in the middle of it");
    assert!(machine.events().contains("\"recovering\""), "{}", machine.events());
}

#[test]
fn a_way_back_that_was_cut_off_keeps_its_reason() {
    let machine = Machine::new();
    machine.refuse("enable");
    machine.execute(&transaction(vec![], stop_and_install(), vec![]));
    let reverting =
        entries(&machine).iter().position(|entry| matches!(entry, Entry::Revert { .. })).unwrap();
    cut_off(&machine, reverting + 2);
    let outcome = recover::recover(&machine.server, &machine.host()).unwrap();
    let Some(Outcome::Reverted { failure, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.step, "install the unit");
    assert!(failure.message.contains("enable: refused"), "{}", failure.message);
    machine.is_as_before();
}

#[test]
fn a_host_that_could_not_be_recovered_is_tried_again() {
    let machine = Machine::new();
    machine.refuse("enable");
    machine.refuse("start");
    machine.execute(&transaction(vec![], stop_and_install(), vec![]));
    let again = recover::recover(&machine.server, &machine.host()).unwrap();
    assert!(matches!(again, Some(Outcome::Broken { .. })), "{again:?}");
    let text = machine.text(&machine.layout.history()).unwrap();
    assert_eq!(text.lines().count(), 1, "said once: {text}");
    fs::remove_file(machine.root.path().join("refuses-start")).unwrap();
    let mended = recover::recover(&machine.server, &machine.host()).unwrap();
    assert!(matches!(mended, Some(Outcome::Reverted { .. })), "{mended:?}");
    machine.is_as_before();
}

#[test]
fn a_host_that_a_person_took_over_is_left_alone() {
    let machine = Machine::new();
    machine.refuse("enable");
    machine.refuse("start");
    machine.execute(&transaction(vec![], stop_and_install(), vec![]));
    fs::remove_file(machine.path(&machine.layout.hold())).unwrap();
    let calls = machine.calls();
    let outcome = recover::recover(&machine.server, &machine.host()).unwrap();
    let Some(Outcome::Broken { revert, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(revert.message.contains("removed by hand"), "{}", revert.message);
    assert_eq!(
        machine.calls()[calls.len()..],
        ["kill", "stop"],
        "leftovers of the dead process only"
    );
    assert_eq!(machine.unfinished(), None);
}

#[test]
fn a_host_whose_transaction_ended_is_left_alone() {
    let machine = Machine::new();
    machine.execute(&transaction(vec![], stop_and_install(), vec![]));
    let calls = machine.calls();
    assert_eq!(recover::recover(&machine.server, &machine.host()).unwrap(), None);
    assert_eq!(machine.calls(), calls);
}
