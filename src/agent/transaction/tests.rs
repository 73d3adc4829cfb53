use std::{fs, os::unix::fs::PermissionsExt as _, sync::Mutex};

use super::*;
use crate::{
    agent::{as_deployed, journal, recovery_unit},
    host::HostName,
    layout::ReleaseNumber,
    odoo::Series,
    plan::{
        AsDeployed, CatchUp, Follow, HealthCheck, Holder, Marker, Service, Summary, TransactionId,
    },
    secret::{Redactor, Secret},
};

mod certificate;
mod recovery;

/// Notes what it is asked to do, and does it as far as these tests look.
const SYSTEMCTL: &str = r#"#!/bin/sh
root="${0%/bin/systemctl}"
if [ "$1" = show ]; then
    echo LoadState=loaded
    if [ "$5" = odoo-a.test.service ] && [ -e "$root/running" ]; then printf 'ActiveState=active\nMainPID=7\n'; fi
    exit 0
fi
[ "$1" = reset-failed ] || echo "$1" >>"$root/calls"
if [ -e "$root/refuses-$1" ]; then echo "$1: refused" >&2; exit 1; fi
case "$1" in
    start) : >"$root/running" ;;
    stop) rm -f "$root/running" ;;
esac
"#;
const SILENT: &str = "#!/bin/sh\n";
const REJECTING: &str = "#!/bin/sh\necho 'odoo-a.test.service:1: no such thing' >&2\nexit 1\n";

/// Notes that the operator wants everything taken back.
const CANCELLING: &str =
    "#!/bin/sh\n: >\"${0%/bin/systemd-analyze}/opt/odoo/a.test/journal/t1/cancel\"\n";
/// Notes that the service runs again, as after a restart that systemd made by itself.
const STARTING: &str = "#!/bin/sh\n: >\"${0%/bin/systemd-analyze}/running\"\n";
const TELLING: &str = "#!/bin/sh\necho 'odoo-a.test.service: geheim' >&2\nexit 1\n";

/// Returns a file with the program's text. Each is written once and then linked: a
/// file that was just written, and that another thread's child has open, does not run.
pub(in crate::agent) fn program(text: &str) -> PathBuf {
    static WRITING: Mutex<()> = Mutex::new(());
    let name = format!("odoo-deploy-test-{}", &blake3::hash(text.as_bytes()).to_hex()[..16]);
    let path = std::env::temp_dir().join(name);
    let _one = WRITING.lock().unwrap();
    if !path.exists() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755)).unwrap();
        file.into_temp_path().persist(&path).unwrap();
    }
    path
}

/// A server with a release that is live and a service that runs.
struct Machine {
    root: tempfile::TempDir,
    server: Server,
    layout: Layout,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let search_path = format!("{}/bin:/usr/bin:/bin", root.path().display());
        let server = Server::below(root.path().to_owned(), search_path.into());
        let layout = Layout::new(HostName::parse("a.test").unwrap());
        let machine = Self { root, server, layout };
        for number in [1, 2] {
            fs::create_dir_all(machine.path(&machine.layout.release(ReleaseNumber(number))))
                .unwrap();
        }
        let current = machine.path(&machine.layout.current());
        std::os::unix::fs::symlink("releases/0001", current).unwrap();
        machine.write(&machine.layout.unit(), "the unit before");
        machine.write(&machine.layout.unit_drop_in(), "the drop-in before");
        fs::create_dir(machine.path("/bin".as_ref())).unwrap();
        machine.link("systemctl", SYSTEMCTL);
        machine.link("journalctl", SILENT);
        machine.link("nginx", SILENT);
        machine.link("systemd-analyze", REJECTING);
        machine.write("/running".as_ref(), "");
        recovery_unit::install(&machine.server).unwrap();
        fs::remove_file(machine.root.path().join("calls")).unwrap();
        machine
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.server.path(path)
    }

    fn write(&self, path: &Path, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// Puts a program in place.
    fn link(&self, name: &str, text: &str) {
        let link = self.path(&Path::new("/bin").join(name));
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(program(text), link).unwrap();
    }

    fn refuse(&self, verb: &str) {
        self.write(Path::new(&format!("/refuses-{verb}")), "");
    }

    fn host(&self) -> HostName {
        HostName::parse("a.test").unwrap()
    }

    fn execute(&self, transaction: &Transaction) -> Outcome {
        let directory = self.layout.journal().join(transaction.id.as_str());
        fs::create_dir_all(self.path(&directory)).unwrap();
        let mut redactor = Redactor::default();
        redactor.add(&Secret::new("geheim"));
        let events = EventLog::open(&self.server, &directory, redactor).unwrap();
        let outcome = execute(&self.server, transaction, events);
        // Another test's child has the lock's file open, and so the lock, until it becomes
        // its program.
        self.server.lock(&self.layout.lock()).unwrap().unlock().unwrap();
        outcome
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.root.path().join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn text(&self, path: &Path) -> Option<String> {
        self.server.read(path).unwrap()
    }

    fn events(&self) -> String {
        self.text(&self.layout.journal().join("t1/events.jsonl")).unwrap()
    }

    fn current(&self) -> PathBuf {
        fs::read_link(self.path(&self.layout.current())).unwrap()
    }

    fn unfinished(&self) -> Option<String> {
        let unfinished = journal::unfinished(&self.server, &self.layout.journal()).unwrap();
        unfinished.map(|id| id.to_string())
    }

    /// Checks that the host is as it was before.
    #[track_caller]
    fn is_as_before(&self) {
        assert_eq!(self.current(), Path::new("releases/0001"));
        assert_eq!(self.text(&self.layout.unit()).as_deref(), Some("the unit before"));
        let drop_in = self.text(&self.layout.unit_drop_in());
        assert_eq!(drop_in.as_deref(), Some("the drop-in before"));
        assert!(self.root.path().join("running").exists());
        for path in [self.layout.hold(), self.layout.maintenance_flag(), self.layout.ballast()] {
            assert!(!self.path(&path).exists(), "{}", path.display());
        }
        assert_eq!(self.unfinished(), None);
    }
}

pub(in crate::agent) fn transaction(
    prepare: Vec<Step>,
    carry_out: Vec<Step>,
    finish: Vec<Step>,
) -> Transaction {
    let who = || "ana".to_owned();
    Transaction {
        id: TransactionId::parse("t1").unwrap(),
        host: HostName::parse("a.test").unwrap(),
        holder: Holder {
            who: who(),
            from: who(),
            url: None,
            message: None,
            transaction: "t1".to_owned(),
            since: 0,
        },
        number: Some(ReleaseNumber(2)),
        previous: Some(ReleaseNumber(1)),
        service: Service {
            user: "root".to_owned(),
            group: "root".to_owned(),
            odoo_bin: "/usr/bin/odoo".into(),
            python_environment: None,
            python: "/usr/bin/python3".into(),
            series: Series::V19,
            has_workers: true,
            logfile: None,
            data_dir: "/var/lib/odoo/a".into(),
        },
        access: DatabaseAccess {
            system_user: "root".to_owned(),
            host: String::new(),
            port: None,
            user: String::new(),
            password: None,
        },
        sensitive_keys: Default::default(),
        keep: Vec::new(),
        prepare,
        carry_out,
        finish,
        adopted: None,
        previous_health: None,
        summary: Summary::default(),
    }
}

fn entries(machine: &Machine) -> Vec<Entry> {
    journal::read(&machine.server, &machine.layout.journal().join("t1")).unwrap()
}

fn stop_and_install() -> Vec<Step> {
    vec![
        Step::ShowMaintenance,
        Step::Hold,
        Step::StopService,
        Step::Switch { number: ReleaseNumber(2), follow: Follow::Later },
        Step::InstallUnit { unit: "a new unit".to_owned(), drop_in: "a new drop-in".to_owned() },
    ]
}

#[test]
fn steps_are_taken_back_last_first() {
    let machine = Machine::new();
    machine.refuse("enable");
    let outcome = machine.execute(&transaction(Vec::new(), stop_and_install(), Vec::new()));
    let Outcome::Reverted { failure, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.step, "install the unit");
    assert_eq!(machine.calls(), ["stop", "enable", "daemon-reload", "start"]);
    machine.is_as_before();
    let state = machine.text(&machine.layout.release(ReleaseNumber(2)).join("state"));
    assert_eq!(state.as_deref(), Some("\"failed\""));
    let history = machine.text(&machine.layout.history()).unwrap();
    assert!(history.contains("\"reverted\"") && history.contains("enable: refused"), "{history}");
}

#[test]
fn a_service_that_came_up_after_the_begin_is_started_again() {
    let machine = Machine::new();
    fs::remove_file(machine.path("/running".as_ref())).unwrap();
    machine.link("systemd-analyze", STARTING);
    machine.refuse("enable");
    let check = vec![Step::CheckUnit { unit: "a new unit".to_owned() }];
    let outcome = machine.execute(&transaction(check, stop_and_install(), Vec::new()));
    assert!(matches!(outcome, Outcome::Reverted { .. }), "{outcome:?}");
    machine.is_as_before();
}

#[test]
fn what_a_failed_step_did_not_reach_needs_no_writing_on_the_way_back() {
    let machine = Machine::new();
    // No file can be put beside the unit or the drop-in, as on a full disk.
    for path in [machine.layout.unit(), machine.layout.unit_drop_in()] {
        let name = path.file_name().unwrap().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.odoo-deploy"));
        fs::create_dir(machine.path(&beside)).unwrap();
    }
    let outcome = machine.execute(&transaction(Vec::new(), stop_and_install(), Vec::new()));
    assert!(matches!(outcome, Outcome::Reverted { .. }), "{outcome:?}");
    machine.is_as_before();
}

#[test]
fn a_way_back_that_fails_stops_there_and_stays_unfinished() {
    let machine = Machine::new();
    machine.refuse("enable");
    machine.refuse("start");
    let outcome = machine.execute(&transaction(Vec::new(), stop_and_install(), Vec::new()));
    let Outcome::Broken { failure, revert, kept } = outcome else { panic!("{outcome:?}") };
    assert_eq!((failure.step.as_str(), revert.step.as_str()), ("install the unit", "revert"));
    assert!(revert.message.contains("start: refused"), "{}", revert.message);
    assert_eq!(kept, ["/opt/odoo/a.test/journal/t1"]);
    // Users still see the page, and nothing starts by itself.
    assert!(machine.path(&machine.layout.hold()).exists());
    assert!(machine.path(&machine.layout.maintenance_flag()).exists());
    assert_eq!(machine.unfinished().as_deref(), Some("t1"));
    let history = machine.text(&machine.layout.history()).unwrap();
    assert!(history.contains("\"broken\""), "{history}");
}

#[test]
fn an_nginx_that_does_not_reload_keeps_nothing_else_from_being_taken_back() {
    let machine = Machine::new();
    machine.refuse("reload");
    machine.write(&machine.layout.vhost(), "the vhost before");
    fs::create_dir_all(machine.root.path().join("run/lock")).unwrap();
    let mut steps = stop_and_install();
    let marker = Marker { port: 80, text: "x".to_owned() };
    steps.push(Step::InstallVhost { vhost: "a new vhost".to_owned(), marker });
    let outcome = machine.execute(&transaction(Vec::new(), steps, Vec::new()));
    let Outcome::Broken { revert, .. } = outcome else { panic!("{outcome:?}") };
    assert!(revert.message.contains("reload: refused"), "{}", revert.message);
    assert_eq!(machine.text(&machine.layout.vhost()).as_deref(), Some("the vhost before"));
    assert_eq!(machine.current(), Path::new("releases/0001"));
    assert!(machine.root.path().join("running").exists());
    assert!(!machine.path(&machine.layout.maintenance_flag()).exists());
    assert_eq!(machine.unfinished().as_deref(), Some("t1"));
}

#[test]
fn a_vhost_that_is_taken_back_is_not_noted_as_deployed() {
    let machine = Machine::new();
    machine.write(&machine.layout.vhost(), "the vhost, edited");
    fs::create_dir_all(machine.root.path().join("run/lock")).unwrap();
    let live = ReleaseNumber(1);
    let deployed = AsDeployed { vhost: Some("the vhost".to_owned()), ..AsDeployed::default() };
    as_deployed::write(&machine.server, &machine.layout, live, &deployed).unwrap();
    let noted = || as_deployed::read(&machine.server, &machine.layout, live).unwrap().unwrap();
    machine.refuse("start");
    let number = live;
    let start = CatchUp { number, follow: Follow::Restart, before: None };
    let steps = vec![Step::RemoveVhost, Step::CatchUp(start)];
    let by_itself = |id: &str, steps| Transaction {
        id: TransactionId::parse(id).unwrap(),
        number: None,
        ..transaction(Vec::new(), steps, Vec::new())
    };
    let outcome = machine.execute(&by_itself("t1", steps));
    assert!(matches!(outcome, Outcome::Reverted { .. }), "{outcome:?}");
    assert_eq!(machine.text(&machine.layout.vhost()).as_deref(), Some("the vhost, edited"));
    assert_eq!(noted(), deployed);
    let copy = machine.path(&machine.layout.as_deployed(live).join(as_deployed::VHOST));
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
    let outcome = machine.execute(&by_itself("t2", vec![Step::RemoveVhost]));
    assert_eq!(outcome, Outcome::Deployed);
    assert_eq!(noted().vhost, None);
}

#[test]
fn a_service_that_catches_up_in_vain_goes_back_to_the_release_it_ran() {
    let machine = Machine::new();
    let before = HealthCheck {
        number: ReleaseNumber(2),
        databases: Vec::new(),
        interface: String::new(),
        http_port: 1,
        gevent_port: None,
        timeout: 0,
        settle: 0,
    };
    let follow = Follow::Restart;
    let step = CatchUp { number: ReleaseNumber(1), follow, before: Some(before.clone()) };
    let outcome = machine.execute(&transaction(vec![], vec![Step::CatchUp(step)], vec![]));
    assert_eq!(outcome, Outcome::Deployed);
    assert_eq!(machine.calls(), ["daemon-reload", "restart"]);
    let undo = entries(&machine).into_iter().find_map(|entry| match entry {
        Entry::Before { undo, .. } => Some(undo),
        _ => None,
    });
    // The last one is done first: `current` names that release for a moment only.
    let back = |target: &str, restart, health| Undo::MoveBack {
        target: Some(target.into()),
        restart,
        health,
    };
    let expected =
        vec![back("releases/0001", false, None), back("releases/0002", true, Some(before))];
    assert_eq!(undo, Some(expected));
}

#[test]
fn a_plan_is_used_once() {
    let machine = Machine::new();
    let show = || transaction(Vec::new(), vec![Step::ShowMaintenance], Vec::new());
    assert_eq!(machine.execute(&show()), Outcome::Deployed);
    // The journal is pruned one day; the history remembers.
    let journal = machine.layout.journal().join("t1/journal");
    fs::remove_file(machine.path(&journal)).unwrap();
    let Outcome::Refused { failure } = machine.execute(&show()) else { panic!("it was used") };
    assert_eq!(failure.message, "the plan was applied already");
}

#[test]
fn a_check_before_the_switch_that_fails_touches_nothing() {
    let machine = Machine::new();
    let check = Step::CheckUnit { unit: "[Unit]".to_owned() };
    let outcome = machine.execute(&transaction(vec![check], stop_and_install(), Vec::new()));
    let Outcome::Refused { failure } = outcome else { panic!("{outcome:?}") };
    assert!(failure.message.contains("no such thing"), "{}", failure.message);
    assert_eq!(machine.calls(), Vec::<String>::new());
    machine.is_as_before();
}

#[test]
fn a_step_after_the_commit_point_that_fails_is_told_and_the_rest_goes_on() {
    let machine = Machine::new();
    // What lies there is no hold of ours, and does not go away as one.
    machine.write(&machine.layout.hold().join("geheim"), "");
    let finish = vec![Step::LiftHold, Step::HideMaintenance];
    let outcome = machine.execute(&transaction(Vec::new(), vec![Step::ShowMaintenance], finish));
    assert_eq!(outcome, Outcome::Deployed);
    assert!(!machine.path(&machine.layout.maintenance_flag()).exists());
    assert!(machine.events().contains("failed to release the service"), "{}", machine.events());
    let state = machine.text(&machine.layout.release(ReleaseNumber(2)).join("state"));
    assert_eq!(state.as_deref(), Some("\"verified\""));
    assert_eq!(machine.unfinished(), None);
}

#[test]
fn no_secret_gets_into_events_or_history() {
    let machine = Machine::new();
    machine.link("systemd-analyze", TELLING);
    let check = Step::CheckUnit { unit: "[Unit]".to_owned() };
    let outcome = machine.execute(&transaction(vec![check], Vec::new(), Vec::new()));
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    for text in [machine.events(), machine.text(&machine.layout.history()).unwrap()] {
        assert!(text.contains("********") && !text.contains("geheim"), "{text}");
    }
}

#[test]
fn where_nothing_can_be_written_down_nothing_is_begun() {
    let machine = Machine::new();
    machine.write(&machine.layout.ballast().join("in the way"), "");
    let outcome = machine.execute(&transaction(Vec::new(), stop_and_install(), Vec::new()));
    let Outcome::Refused { failure } = outcome else { panic!("{outcome:?}") };
    assert!(failure.message.contains("set space aside"), "{}", failure.message);
    assert_eq!(machine.calls(), Vec::<String>::new());
    assert!(machine.events().contains("\"finished\""), "{}", machine.events());
}

#[test]
fn no_password_gets_into_the_journal() {
    let machine = Machine::new();
    let mut transaction = transaction(vec![], stop_and_install(), vec![]);
    transaction.access.password = Some("geheim".to_owned());
    machine.execute(&transaction);
    let journal = machine.text(&machine.layout.journal().join("t1/journal")).unwrap();
    assert!(!journal.contains("geheim"), "{journal}");
}

#[test]
fn an_operator_may_have_everything_taken_back() {
    let machine = Machine::new();
    // The flag appears while the first step is done.
    let steps =
        vec![Step::ShowMaintenance, Step::CheckUnit { unit: "[Unit]".to_owned() }, Step::Hold];
    machine.link("systemd-analyze", CANCELLING);
    let outcome = machine.execute(&transaction(vec![], steps, vec![]));
    let Outcome::Reverted { failure, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.message, "the operator stopped it");
    machine.is_as_before();
}

#[test]
fn of_two_transactions_at_the_same_moment_one_is_carried_out() {
    for _ in 0..100 {
        let machine = Machine::new();
        let machine = &machine;
        let one = |id: &str| {
            let mut transaction = transaction(vec![], stop_and_install(), vec![Step::LiftHold]);
            transaction.id = TransactionId::parse(id).unwrap();
            transaction.holder.transaction = id.to_owned();
            machine.execute(&transaction)
        };
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let both = ["t1", "t2"].map(|id| scope.spawn(move || one(id)));
            both.map(|one| one.join().unwrap()).into()
        });
        let deployed = outcomes.iter().filter(|outcome| **outcome == Outcome::Deployed).count();
        assert_eq!(deployed, 1, "{outcomes:?}");
        // The other one found the lock held, or the host deployed to meanwhile.
        assert!(outcomes.iter().all(|outcome| matches!(
            outcome,
            Outcome::Deployed | Outcome::Locked { .. } | Outcome::Refused { .. }
        )));
        assert_eq!(machine.current(), Path::new("releases/0002"));
        assert_eq!(machine.unfinished(), None);
    }
}

#[test]
fn an_upgrade_waits_for_a_place_among_the_servers_upgrades() {
    let machine = Machine::new();
    let place = Path::new("/run/lock/odoo-deploy-upgrade-0.lock");
    machine.write(place, "");
    let other = File::open(machine.path(place)).unwrap();
    other.lock().unwrap();
    let outcome = std::thread::scope(|scope| {
        let machine = &machine;
        let waits = vec![Step::WaitForUpgrades { at_once: 1 }];
        let waiting = scope.spawn(move || machine.execute(&transaction(waits, vec![], vec![])));
        let events = machine.path(&machine.layout.journal().join("t1/events.jsonl"));
        while !fs::read_to_string(&events).is_ok_and(|text| text.contains("others are upgraded")) {
            std::thread::yield_now();
        }
        other.unlock().unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(outcome, Outcome::Deployed);
}
