use super::*;
use crate::{
    layout::ReleaseNumber,
    notify::{
        Action, Ending, HostSummary,
        run::tests::{host, run},
    },
    secret::Secret,
    settings::NotifyEvent,
};

/// A message of which everything is known.
pub(in crate::notify) fn message(ending: Ending) -> Message {
    told(&run(vec![host(ending)]))
}

pub(in crate::notify) fn told(run: &RunSummary) -> Message {
    let (message, fault) = Message::new(run, &Redactor::default(), None);
    assert!(fault.is_none());
    message
}

fn text(host: HostSummary) -> String {
    told(&run(vec![host])).text
}

#[test]
fn a_deploy_is_told_with_commit_person_times_and_run() {
    insta::assert_snapshot!(text(host(Ending::Deployed)), @r"
    corteperfecto.somosblink.com (production): release 42 is live and verified
    main 1a2b3c4d5e Fix the till
    by alice from laptop in 2 min 14 s, users waited 38.2 s
    https://github.com/blink/odoo/actions/runs/1
    ");
}

#[test]
fn a_failure_is_told_with_its_cause_and_the_next_move() {
    let failed = HostSummary {
        failure: Some("failed to upgrade `sale_extra`:\n  column \"x\" does not exist".to_owned()),
        hint: Some("the failed database is kept as `corteperfecto-prod~failed-42`".to_owned()),
        ..host(Ending::Reverted)
    };
    let message = Some("as agreed with Ana".to_owned());
    let run = RunSummary { message, ..run(vec![failed]) };
    insta::assert_snapshot!(told(&run).text, @r#"
    corteperfecto.somosblink.com (production): release 42 failed, everything is as it was before
    main 1a2b3c4d5e Fix the till
    error: failed to upgrade `sale_extra`: column "x" does not exist
    hint: the failed database is kept as `corteperfecto-prod~failed-42`
    message: as agreed with Ana
    by alice from laptop in 2 min 14 s, users waited 38.2 s
    https://github.com/blink/odoo/actions/runs/1
    "#);
}

const ENDINGS: [Ending; 9] = [
    Ending::Deployed,
    Ending::NotVerified,
    Ending::Unchanged,
    Ending::Refused,
    Ending::Locked,
    Ending::Unreachable,
    Ending::Reverted,
    Ending::Broken,
    Ending::Lost,
];

#[test]
fn every_ending_has_a_title_and_an_event() {
    let told = ENDINGS.map(|ending| {
        let title = message(ending).title;
        let what = title.split_once(": ").unwrap().1.to_owned();
        format!("{:?} {what}", ending.event())
    });
    insta::assert_snapshot!(told.join("\n"), @r"
    Deployed release 42 is live and verified
    Failed release 42 is live, but not verified from outside
    Unchanged nothing to do
    Failed not deployed, nothing was touched
    Failed not deployed, another deploy is running
    Failed not deployed, the server cannot be reached
    Failed release 42 failed, everything is as it was before
    Failed release 42 failed and so did the way back, a person is needed
    Failed release 42 went out of sight, its outcome is not known
    ");
}

#[test]
fn a_rollback_says_so() {
    let told = ENDINGS.map(|ending| {
        let to = Some(ReleaseNumber(0));
        let back = HostSummary { to, release: None, ..host(ending) };
        let title = told(&RunSummary { action: Action::Rollback, ..run(vec![back]) }).title;
        title.split_once(": ").unwrap().1.to_owned()
    });
    insta::assert_snapshot!(told.join("\n"), @r"
    the rollback to release 0 is live and verified
    the rollback to release 0 is live, but not verified from outside
    nothing to do
    not rolled back, nothing was touched
    not rolled back, another deploy is running
    not rolled back, the server cannot be reached
    the rollback to release 0 failed, everything is as it was before
    the rollback to release 0 failed and so did the way back, a person is needed
    the rollback to release 0 went out of sight, its outcome is not known
    ");
}

/// Hosts of one run.
fn fleet(endings: &[Ending]) -> RunSummary {
    let hosts = endings.iter().enumerate().map(|(index, ending)| HostSummary {
        host: crate::host::HostName::parse(&format!("h{index}.example.com")).unwrap(),
        failure: (ending.event() == NotifyEvent::Failed)
            .then(|| format!("failed to upgrade `sale`: {}", "x".repeat(500))),
        ..host(*ending)
    });
    run(hosts.collect())
}

#[test]
fn a_run_of_several_hosts_is_one_message_with_a_line_for_each_that_failed() {
    use Ending::{Deployed, NotVerified, Reverted, Unchanged};
    let mut run = fleet(&[Deployed, Reverted, Unchanged, Deployed, NotVerified]);
    run.hosts[1].failure = Some("failed to upgrade `sale`".to_owned());
    run.hosts[4].failure = None;
    insta::assert_snapshot!(told(&run).text, @r"
    2 of 5 hosts deployed, 2 failed, 1 had nothing to do
    h1.example.com (production): release 42 failed, everything is as it was before: failed to upgrade `sale`
    h4.example.com (production): release 42 is live, but not verified from outside
    by alice from laptop in 2 min 14 s
    https://github.com/blink/odoo/actions/runs/1
    ");
    let back = RunSummary { action: Action::Rollback, ..fleet(&[Deployed, Deployed]) };
    assert_eq!(told(&back).title, "2 of 2 hosts rolled back");
    assert_eq!(told(&fleet(&[Unchanged, Unchanged])).title, "nothing to do on 2 hosts");
}

#[test]
fn a_run_of_many_failures_is_bounded_and_says_how_many_more() {
    let message = told(&fleet(&[Ending::Reverted; 60]));
    assert_eq!(message.title, "0 of 60 hosts deployed, 60 failed");
    assert!(message.text.contains("\nand 45 more\nby alice"), "{}", message.text);
    assert!(message.text.chars().count() < 4000);
    assert_eq!(message.run.hosts.len(), 60, "programs hear of all");
}

#[test]
fn what_is_not_known_is_left_out() {
    let bare = HostSummary {
        release: None,
        branch: None,
        commit: None,
        interruption: None,
        ..host(Ending::Deployed)
    };
    let bare = RunSummary { duration: None, url: None, ..run(vec![bare]) };
    insta::assert_snapshot!(told(&bare).text, @r"
    corteperfecto.somosblink.com (production): the vhost is live and verified
    by alice from laptop, users noticed nothing
    ");
}

#[test]
fn users_are_mentioned_only_where_it_is_known_what_they_saw() {
    let unnoticed = |ending| text(HostSummary { interruption: None, ..host(ending) });
    assert!(unnoticed(Ending::Deployed).contains("users noticed nothing"));
    assert!(unnoticed(Ending::Reverted).contains("users noticed nothing"));
    assert!(!unnoticed(Ending::NotVerified).contains("users"));
    assert!(text(host(Ending::NotVerified)).contains("users waited 38.2 s"));
    for ending in [Ending::Unchanged, Ending::Refused, Ending::Locked, Ending::Broken] {
        assert!(!text(host(ending)).contains("users"), "{ending:?}");
    }
}

#[test]
fn a_message_is_bounded_whatever_it_is_made_of() {
    let long = "&é".repeat(100_000);
    let host = HostSummary {
        branch: Some(long.clone()),
        commit: Some((long.clone(), long.clone())),
        failure: Some(long.clone()),
        hint: Some(long.clone()),
        ..host(Ending::Broken)
    };
    let run = RunSummary {
        who: long.clone(),
        from: long.clone(),
        message: Some(long.clone()),
        url: Some(format!("https://h/{long}")),
        ..run(vec![host])
    };
    let message = told(&run);
    assert!(message.text.chars().count() < 4000);
    assert!(message.text.contains("…\nhint: "));
    assert!(!message.text.contains("https://"), "half a link leads nowhere");
    let (own, _) = Message::new(
        &run,
        &Redactor::default(),
        Some("{{title}}\n{{#each hosts}}{{failure}}{{failure}}{{/each}}"),
    );
    assert!(own.text.chars().count() < 4000);
}

#[test]
fn only_a_web_address_is_linked() {
    for url in ["javascript:alert(1)", "https://h/ x", "https://h/\n<!here>"] {
        let odd = RunSummary { url: Some(url.to_owned()), ..run(vec![host(Ending::Deployed)]) };
        assert_eq!(told(&odd).text.lines().count(), 3, "{url}");
    }
}

#[test]
fn a_planted_secret_is_masked_wherever_it_stands() {
    let mut redactor = Redactor::default();
    redactor.add(&Secret::new("hunter2"));
    let planted = || Some("password=hunter2 hun\u{200b}ter2".to_owned());
    let host = HostSummary {
        branch: planted(),
        commit: Some(("1a2b3c4d5e".to_owned(), planted().unwrap())),
        failure: planted(),
        hint: planted(),
        ..host(Ending::Reverted)
    };
    let run = RunSummary {
        who: planted().unwrap(),
        from: planted().unwrap(),
        message: planted(),
        url: Some("https://ci/?token=hunter2".to_owned()),
        ..run(vec![host])
    };
    let (message, _) = Message::new(&run, &redactor, None);
    assert!(!message.text.contains("hunter2"), "{}", message.text);
    assert_eq!(message.text.matches("********").count(), 15);
    assert_eq!(format!("{}\n{}", message.title, message.details()), message.text);
    assert!(!serde_json::to_string(&message.run).unwrap().contains("hunter2"));
}

#[test]
fn a_repository_has_its_own_words() {
    let run = run(vec![host(Ending::Deployed)]);
    let template = "\n  Yay: {{#each hosts}}{{host}}{{/each}}\n\n\tby {{who}}\u{202e}\n\n";
    let (message, fault) = Message::new(&run, &Redactor::default(), Some(template));
    assert!(fault.is_none());
    assert_eq!(message.title, "Yay: corteperfecto.somosblink.com");
    assert_eq!(message.text, "Yay: corteperfecto.somosblink.com\nby alice");
}

#[test]
fn a_template_that_does_not_fit_is_told_of_and_the_built_in_words_are_used() {
    let run = run(vec![host(Ending::Deployed)]);
    for broken in ["{{#if}}", "{{nobody}}", "{{#each hosts}}{{nobody}}{{/each}}"] {
        let (message, fault) = Message::new(&run, &Redactor::default(), Some(broken));
        assert!(fault.unwrap().to_string().contains("notification.txt"), "{broken}");
        assert_eq!(message, told(&run));
    }
    let (message, _) = Message::new(&run, &Redactor::default(), Some("  \n"));
    assert_eq!(message, told(&run), "nothing is no message");
}
