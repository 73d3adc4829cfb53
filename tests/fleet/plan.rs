//! Plans of five hundred hosts, and which hosts are meant.

#![expect(clippy::print_stderr, reason = "says how long planning took")]

use std::collections::BTreeMap;

use crate::platform::{Platform, Run};

const HOSTS: usize = 500;

#[test]
fn every_host_is_planned_and_no_diff_is_kept() {
    let platform = Platform::new(HOSTS, 40_000);
    platform.questions_to_git();
    let some = platform.run(&["plan", "--hosts", "h0*", "--json", "--exit-code"]);
    let asked_for_some = platform.questions_to_git();
    let all = platform.run(&["plan", "--environment", "test", "--json", "--exit-code"]);
    assert_eq!((some.code, all.code), (3, 3), "{}", all.stderr);
    eprintln!("100 hosts took {:?}, {HOSTS} took {:?}", some.took, all.took);
    assert_eq!(platform.questions_to_git(), asked_for_some, "Git is asked once for all hosts");
    let plans: BTreeMap<_, _> =
        all.of("plan").into_iter().map(|plan| (plan["host"].as_str().unwrap(), plan)).collect();
    assert_eq!(plans.len(), HOSTS);
    assert!(plans.values().all(|plan| plan["commit"] == plans["h000.example.com"]["commit"]));

    let shown = |run: &Run| run.events.iter().map(|event| event.to_string().len()).sum::<usize>();
    let more = (shown(&all) - shown(&some)) / 1024;
    let kept = usize::try_from(all.peak.saturating_sub(some.peak)).unwrap();
    assert!(
        kept < more / 2,
        "{more} kB of plans more are shown, and {kept} kB more are held ({} and {} kB)",
        some.peak,
        all.peak
    );
}

#[test]
fn who_is_meant_is_said_clearly() {
    let platform = Platform::new(20, 0);
    let some = platform.run(&["plan", "--hosts", "h01*", "--server", "s1", "--json"]);
    assert_eq!(some.code, 0, "{}", some.stderr);
    assert_eq!(some.of("plan").len(), 10);
    for (arguments, code, said) in [
        (&["--hosts", "h9*"][..], 2, "no host matches `h9*`"),
        (&["--environment", "tset"], 2, "did you mean `test`"),
        (&["--server", "s77"], 2, "no server `s77`"),
        (&["--environment", "test", "--commit", "abcdef1"], 2, "is for one host"),
        (&["--all", "--batches", "1,x"], 2, "neither a number of hosts nor a part"),
        (&["--all"], 2, "no host is meant"),
        (&["resume"], 2, "no run of this repository is known here"),
        (&["resume", "../x"], 2, "no run `../x` is known here"),
    ] {
        let run = platform.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
    }
}
