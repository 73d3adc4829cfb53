use super::{
    sample::{Case, cases, the},
    *,
};
use crate::{
    host::UserName,
    layout::ReleaseNumber,
    plan::{CopyName, Follow, Step},
};

mod guard;

/// Returns why an order is refused, and what is to be done.
#[track_caller]
fn refusal(case: &Case) -> Refusal {
    check_order(&case.order, &case.live).expect_err("it is refused")
}

/// Forges an order for an upgrade and expects that it is refused for this reason.
#[track_caller]
fn refused(why: &str, forge: impl FnOnce(&mut Case)) {
    let mut case = the("an upgrade");
    forge(&mut case);
    let refusal = refusal(&case);
    assert!(refusal.message.contains(why), "`{why}` is not why: {}", refusal.message);
}

/// Changes the values of a step of that kind.
macro_rules! edit {
    ($case:expr, $part:ident, $pattern:pat => $edit:expr) => {{
        let steps = &mut $case.transaction().$part;
        let mut edited = false;
        for step in steps {
            if let $pattern = step {
                $edit;
                edited = true;
            }
        }
        assert!(edited, "there is such a step");
    }};
}

/// Which steps of an order are meant.
type IsMeant = fn(&Step) -> bool;

/// Removes the steps that a condition holds for.
fn remove(case: &mut Case, is_meant: IsMeant) {
    let transaction = case.transaction();
    for steps in [&mut transaction.prepare, &mut transaction.carry_out, &mut transaction.finish] {
        steps.retain(|step| !is_meant(step));
    }
}

fn database(name: &str) -> DatabaseName {
    DatabaseName::parse(name).unwrap()
}

#[test]
fn what_a_controller_orders_passes() {
    for case in cases() {
        assert_eq!(check_order(&case.order, &case.live), Ok(()), "{}", case.about);
    }
}

#[test]
fn what_concerns_odoo_only_is_the_keys_own() {
    let mut case = the("an upgrade");
    case.transaction().access.password = Some("another".into());
    case.order.inputs.unit.workers = 8;
    case.order.inputs.unit.limit_time_real = 600;
    case.transaction().service.has_workers = true;
    let vhost = case.order.inputs.vhost.as_mut().unwrap();
    vhost.client_max_body_size = "1g".into();
    let text = crate::render::vhost(vhost, None).unwrap().text;
    let unit = crate::render::unit(&case.order.inputs.unit, None).unwrap();
    edit!(case, prepare, Step::CheckOut(step) => {
        step.vhost = Some(text.clone());
        step.unit.clone_from(&unit);
        step.odoo_conf.push_str("limit_request = 9\n");
    });
    assert_eq!(check_order(&case.order, &case.live), Ok(()));
}

#[test]
fn nobody_becomes_root_by_a_unit() {
    refused("how Odoo is run would change: `user`", |case| {
        case.transaction().service.user = "root".into();
    });
    refused("the unit would change: `user`", |case| {
        case.order.inputs.unit.user = UserName::parse("root").unwrap();
    });
    refused("the unit is not what the server itself renders", |case| {
        edit!(case, prepare, Step::CheckOut(step) => {
            step.unit = step.unit.replace("User=odoo", "User=root");
        });
    });
    for hostile in ["ExecStartPre=+/bin/sh -c id", "AmbientCapabilities=CAP_SYS_ADMIN"] {
        refused("the unit's drop-in is not what", |case| {
            edit!(case, prepare, Step::CheckOut(step) => {
                step.unit_drop_in.push_str(&format!("[Service]\n{hostile}\n"));
            });
        });
    }
    let mut case = the("a new unit");
    edit!(case, carry_out, Step::InstallUnit { unit, .. } => *unit = unit.replace("odoo", "root"));
    assert!(refusal(&case).message.contains("the unit is not what"));
    let mut case = the("a new unit");
    edit!(case, carry_out, Step::InstallUnit { drop_in, .. } => drop_in.push('\n'));
    assert!(refusal(&case).message.contains("drop-in"));
    let mut case = the("a new unit");
    edit!(case, prepare, Step::CheckUnit { unit } => unit.push('\n'));
    assert!(refusal(&case).message.contains("the unit is not what"));
}

#[test]
fn root_runs_no_other_program_and_works_in_no_other_place() {
    refused("`odoo_bin`", |case| case.transaction().service.odoo_bin = "/bin/sh".into());
    refused("`python`", |case| case.transaction().service.python = "/tmp/python".into());
    refused("`data_dir`", |case| case.transaction().service.data_dir = "/etc".into());
    refused("`logfile`", |case| {
        case.transaction().service.logfile = Some("/etc/shadow".into());
    });
    refused("`group`", |case| case.transaction().service.group = "shadow".into());
    refused("`odoo_bin`", |case| case.order.inputs.unit.odoo_bin = "/bin/sh".into());
    refused("`log_directory`", |case| {
        case.order.inputs.unit.log_directory = Some("/etc".into());
    });
    refused("`data_dir` of odoo.conf would change", |case| {
        edit!(case, prepare, Step::CheckOut(step) => {
            step.odoo_conf = step.odoo_conf.replace("/var/lib/odoo/acme", "/root");
        });
    });
    refused("`logfile` of odoo.conf would change", |case| {
        edit!(case, prepare, Step::CheckOut(step) => {
            step.odoo_conf.push_str("logfile = /etc/shadow\n");
        });
    });
    refused("what is said of the release would change: `data_dir`", |case| {
        edit!(case, prepare, Step::CheckOut(step) => step.record.data_dir = "/etc/cron.d".into());
    });
}

#[test]
fn root_asks_nobody_else_than_the_hosts_own_odoo_and_database() {
    refused("`system_user`", |case| case.transaction().access.system_user = "postgres".into());
    refused("`user`", |case| case.transaction().access.user = "postgres".into());
    refused("`host`", |case| case.transaction().access.host = "/tmp/mine".into());
    refused("`port`", |case| case.transaction().access.port = Some(5433));
    refused("where Odoo listens would change: `interface`", |case| {
        edit!(case, carry_out, Step::CheckHealth(check) => check.interface = "169.254.1.1".into());
    });
    refused("where Odoo listens would change: `http_port`", |case| {
        edit!(case, carry_out, Step::CheckHealth(check) => check.http_port = 22);
    });
    refused("where Odoo listens would change: `gevent_port`", |case| {
        edit!(case, prepare, Step::CheckOut(step) => step.record.health.gevent_port = Some(25));
    });
    refused("the ports would change", |case| {
        edit!(case, prepare, Step::CheckOut(step) => step.record.ports = vec![22]);
    });
    refused("no release answers", |case| {
        case.transaction().previous_health.as_mut().unwrap().http_port = 22;
    });
}

#[test]
fn the_vhost_is_the_hosts_own() {
    let root = |text: &mut String| *text = text.replace("location / {", "location /x { root /; }");
    refused("the vhost is not what the server itself renders", |case| {
        edit!(case, prepare, Step::CheckOut(step) => root(step.vhost.as_mut().unwrap()));
    });
    let mut case = the("a new vhost");
    edit!(case, carry_out, Step::InstallVhost { vhost, .. } => root(vhost));
    assert!(refusal(&case).message.contains("the vhost is not what"));
    let mut case = the("a new vhost");
    edit!(case, carry_out, Step::InstallVhost { marker, .. } => marker.port = 22);
    assert!(refusal(&case).message.contains("marker"));
    let mut case = the("a new vhost");
    edit!(case, prepare, Step::CheckVhost { vhost, .. } => root(vhost));
    assert!(refusal(&case).message.contains("the vhost is not what"));
    let mut case = the("a new vhost");
    case.transaction().carry_out = vec![Step::RemoveVhost];
    assert!(refusal(&case).message.contains("the vhost is not what its values say"));
    refused("`upstream_address`", |case| {
        let vhost = case.order.inputs.vhost.as_mut().unwrap();
        vhost.upstream_address = "10.0.0.9".parse().unwrap();
    });
    refused("`aliases`", |case| {
        let vhost = case.order.inputs.vhost.as_mut().unwrap();
        vhost.aliases.push(HostName::parse("bank.example").unwrap());
    });
    refused("`acme_webroot`", |case| {
        case.order.inputs.vhost.as_mut().unwrap().acme_webroot = Some("/".into());
    });
    refused("`database_manager`", |case| {
        case.order.inputs.vhost.as_mut().unwrap().database_manager = true;
    });
    refused("the vhost would be removed", |case| case.order.inputs.vhost = None);
    refused("nginx.conf.hbs changed", |case| {
        case.order.inputs.vhost_template = Some("server { root /; # {{marker}}\n }".into());
    });
    refused("odoo.service.hbs changed", |case| {
        case.order.inputs.unit_template = Some("[Service]\nUser=root\n".into());
    });
}

#[test]
fn a_size_that_would_leave_its_directive_is_no_size() {
    refused("cannot be used as client_max_body_size", |case| {
        let vhost = case.order.inputs.vhost.as_mut().unwrap();
        vhost.client_max_body_size = "1m; root /".into();
    });
}

#[test]
fn another_hosts_databases_are_out_of_reach() {
    let other = || database("other-prod");
    let is_out = "database other-prod is not one of acme.example.com";
    refused(is_out, |case| {
        edit!(case, carry_out, Step::Snapshot(step) => step.database = other());
    });
    refused(is_out, |case| {
        edit!(case, prepare, Step::CopyFiles(step) => step.database = other());
    });
    refused("no copy before it", |case| {
        edit!(case, carry_out, Step::UpgradeModules(step) => {
            let snapshot = step.snapshot.as_mut().unwrap();
            snapshot.copy = CopyName::snapshot(&other(), ReleaseNumber(5));
        });
    });
    refused("is no copy of acme-prod", |case| {
        edit!(case, prepare, Step::CopyFiles(step) => {
            step.copy = CopyName::snapshot(&other(), ReleaseNumber(5));
        });
    });
    refused("is no copy of acme-prod", |case| {
        edit!(case, carry_out, Step::Snapshot(step) => {
            step.failed_name = CopyName::snapshot(&database("acme-prod"), ReleaseNumber(5));
        });
    });
    refused(is_out, |case| {
        edit!(case, carry_out, Step::UpgradeModules(step) => step.database = other());
    });
    refused(is_out, |case| {
        edit!(case, carry_out, Step::StartService { hold_jobs } => hold_jobs.push(other()));
    });
    refused(is_out, |case| {
        edit!(case, finish, Step::Prune(step) => step.databases.push(other()));
    });
    refused(is_out, |case| {
        case.transaction().carry_out.insert(0, Step::CreateDatabase { database: other() });
    });
    refused("`databases`", |case| {
        edit!(case, prepare, Step::CheckOut(step) => step.record.databases.push(other()));
    });
    refused(is_out, |case| {
        edit!(case, carry_out, Step::CheckHealth(check) => check.databases = vec![other()]);
    });
}

#[test]
fn a_database_goes_back_to_its_own_copies_only() {
    let forged = |forge: &dyn Fn(&mut Case)| {
        let mut case = the("a rollback with its database");
        forge(&mut case);
        refusal(&case).message
    };
    let copy_of = |name: &str, number| CopyName::snapshot(&database(name), ReleaseNumber(number));
    let message = forged(&|case| {
        edit!(case, carry_out, Step::RestoreDatabase(step) => {
            step.snapshot = copy_of("other-prod", 3);
        });
    });
    assert!(message.contains("is no copy that acme-prod could go back to"), "{message}");
    let message = forged(&|case| {
        edit!(case, prepare, Step::CopySnapshot(step) => step.kept = copy_of("other-prod", 5));
    });
    assert!(message.contains("is no copy"), "{message}");
    let message = forged(&|case| {
        edit!(case, carry_out, Step::RestoreDatabase(step) => {
            step.database = database("other-prod");
        });
    });
    assert!(message.contains("other-prod is not one of"), "{message}");
}

#[test]
fn paths_stay_in_the_code() {
    for hostile in ["../../../etc/shadow", "/etc/shadow", "", "a/../../b", "./x"] {
        refused("is not in the code", |case| {
            edit!(case, prepare, Step::CheckCode { addons, .. } => addons.push(hostile.into()));
        });
        refused("is not in the code", |case| {
            edit!(case, prepare, Step::CheckCode { files, .. } => {
                *files = Some(vec![hostile.into()]);
            });
        });
    }
}

#[test]
fn a_release_is_a_new_one_of_this_host() {
    refused("is not the one that is made", |case| {
        edit!(case, carry_out, Step::Switch { number, .. } => *number = ReleaseNumber(1));
    });
    refused("is not for the live release", |case| {
        case.transaction().host = HostName::parse("other.example.com").unwrap();
    });
    refused("is not for the live release", |case| case.transaction().previous = None);
    refused("is not for the live release", |case| {
        case.transaction().previous = Some(ReleaseNumber(3));
    });
    for number in [4, 0, u32::MAX] {
        refused("is not a new one", |case| {
            case.transaction().number = Some(ReleaseNumber(number));
        });
    }
    refused("builds on one that is not there", |case| {
        edit!(case, prepare, Step::CheckOut(step) => {
            step.base = step.base.map(|(_, tree)| (ReleaseNumber(99), tree));
        });
    });
    refused("`host`", |case| {
        edit!(case, prepare, Step::CheckOut(step) => {
            step.record.host = HostName::parse("other.example.com").unwrap();
        });
    });
    refused("`environment`", |case| {
        edit!(case, prepare, Step::CheckOut(step) => {
            step.record.environment = crate::host::EnvironmentName::parse("test").unwrap();
        });
    });
    let mut case = the("a service that is behind");
    edit!(case, carry_out, Step::CatchUp(step) => step.number = ReleaseNumber(1));
    assert!(refusal(&case).message.contains("another release"));
}

#[test]
fn a_list_without_its_checks_is_none() {
    let cases: [(&str, IsMeant); 7] = [
        ("not written, checked", |step| matches!(step, Step::CheckCode { .. })),
        ("not written, checked", |step| matches!(step, Step::CheckOut(_))),
        ("look whether the host is well", |step| matches!(step, Step::CheckHealth(_))),
        ("no copy before it", |step| matches!(step, Step::Snapshot(_))),
        ("no stopped service", |step| matches!(step, Step::StopService)),
        ("not let go on", |step| matches!(step, Step::LiftHold)),
        ("not let go on", |step| matches!(step, Step::HideMaintenance)),
    ];
    for (why, is_meant) in cases {
        refused(why, |case| remove(case, is_meant));
    }
    let mut case = the("a new unit");
    remove(&mut case, |step| matches!(step, Step::CheckUnit { .. }));
    assert!(refusal(&case).message.contains("the unit is not checked"));
    let mut case = the("a new vhost");
    remove(&mut case, |step| matches!(step, Step::CheckVhost { .. }));
    assert!(refusal(&case).message.contains("the vhost is not checked"));
    refused("look whether the host is well", |case| {
        let transaction = case.transaction();
        transaction.prepare.clear();
        transaction.carry_out.clear();
        transaction.number = None;
    });
}

#[test]
fn a_step_stands_where_it_belongs() {
    refused("`stop Odoo` stands among the preparations", |case| {
        case.transaction().prepare.push(Step::StopService);
    });
    refused("stands behind the commit point", |case| {
        let step = Step::Switch { number: ReleaseNumber(5), follow: Follow::Restart };
        case.transaction().finish.push(step);
    });
    refused("stands in the switch", |case| {
        case.transaction().carry_out.insert(0, Step::LiftHold);
    });
    refused("waits for no number", |case| {
        edit!(case, prepare, Step::WaitForUpgrades { at_once } => *at_once = 0);
    });
}

#[test]
fn the_history_names_the_key() {
    let mut case = the("an upgrade");
    let transaction = case.transaction();
    transaction.holder.from = "laptop\u{1b}[2J".into();
    sign(transaction, &KeyName::parse("ci").unwrap());
    assert_eq!(transaction.holder.from, "laptop[2J (key ci)");
}
