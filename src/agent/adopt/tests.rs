use super::*;
use crate::plan::{Holder, Summary};

fn line(release: u32, outcome: &str) -> HistoryLine {
    HistoryLine {
        schema: 1,
        holder: Holder {
            who: "ana".into(),
            from: "laptop".into(),
            url: None,
            message: None,
            transaction: format!("t{release}{outcome}"),
            since: 0,
        },
        release: Some(release),
        previous: None,
        summary: Summary::default(),
        outcome: outcome.into(),
        message: None,
        interruption: None,
        recovered: false,
    }
}

#[test]
fn releases_up_to_the_last_way_back_are_of_an_earlier_time() {
    let since = |lines: &[HistoryLine]| highest(&lines[..last_live(lines)]);
    assert_eq!(since(&[]), 0);
    let mut lines = vec![line(0, "adopted"), line(1, "reverted"), line(2, "deployed")];
    assert_eq!(since(&lines), 0);
    lines.push(line(0, "reverted"));
    assert_eq!(since(&lines), 0);
    lines.push(line(0, "deployed"));
    assert_eq!(since(&lines), 2);
    lines.push(line(3, "deployed"));
    assert_eq!(since(&lines), 2);
}

#[test]
fn the_history_knows_which_deploy_first_changed_a_database() {
    let shop = DatabaseName::parse("shop").unwrap();
    let upgrade = |release, outcome| {
        let mut line = line(release, outcome);
        line.summary.modules.insert(shop.clone(), Vec::new());
        line
    };
    let first = |lines: &[HistoryLine]| first_changes(lines).get(&shop).map(|number| number.0);
    assert_eq!(first(&[line(0, "adopted"), line(1, "deployed")]), None);
    let lines = [
        line(0, "adopted"),
        upgrade(1, "reverted"),
        line(2, "deployed"),
        upgrade(3, "deployed"),
        upgrade(4, "deployed"),
    ];
    assert_eq!(first(&lines), Some(3));
}

#[test]
fn the_only_one_that_runs_is_meant() {
    let candidate = |unit: &str, is_running| Candidate {
        unit: unit.into(),
        is_running,
        host: None,
        is_left: false,
    };
    let mut all = vec![candidate("odoo.service", true), candidate("odoo-old.service", false)];
    assert_eq!(the_only(&all).as_deref(), Some("odoo.service"));
    all.push(candidate("odoo18.service", true));
    assert_eq!(the_only(&all), None);
    assert_eq!(with_ending("odoo18"), "odoo18.service");
}
