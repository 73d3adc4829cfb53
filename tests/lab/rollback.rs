//! The way back by a person's choice: to a release that was verified before,
//! and to the database as it was then.

use std::fs;

use serde_json::{Value, json};

use crate::{
    load::Load,
    revert::Before,
    world::{DATABASE, HOST, HostState, Run, World},
};

const CONTROLLER: &str = "custom-addons/taller_portal/controllers/main.py";
const MODEL: &str = "custom-addons/taller_reparaciones/models/repair_order.py";
const STATUS: &str = "/taller/estado";

/// Keeps Odoo from starting from a release.
const NO_START: &str = "/etc/systemd/system/odoo-demo.somosblink.com.service.d/no-start.conf";

/// Enters customers, as users do.
const ENTER: &str = r#"
import sys, xmlrpc.client
url = "http://127.0.0.1:8269/xmlrpc/2/"
uid = xmlrpc.client.ServerProxy(url + "common").authenticate("demo", "admin", "admin", {})
odoo = xmlrpc.client.ServerProxy(url + "object")
for name in sys.argv[1:]:
    odoo.execute_kw("demo", uid, "admin", "res.partner", "create", [{"name": name}])
"#;

fn roll_back(world: &World, arguments: &[&str]) -> Run {
    world.run(&[&["rollback", "--host", HOST], arguments].concat())
}

/// Deploys another answer of the status page, which no database notices.
fn deploy_answer(world: &World, answer: &str) {
    let new = format!("\"answer\": \"{answer}\", \"orders\": orders");
    world.edit(CONTROLLER, "\"orders\": orders", &new);
    world.commit(&format!("Answer {answer}"));
    world.deploy_ok(&[]);
    assert!(world.server().get(STATUS).body.contains(answer));
}

/// Deploys a new field, which upgrades the database.
fn deploy_field(world: &World) {
    world.edit(MODEL, "    work_done =", "    shelf = fields.Char()\n    work_done =");
    world.commit("Shelves");
    world.deploy_ok(&[]).expect_said("is live and verified");
    assert_eq!(shelves(world), "1");
}

fn shelves(world: &World) -> String {
    let sql = "SELECT count(*) FROM information_schema.columns
                WHERE table_name = 'taller_repair_order' AND column_name = 'shelf'";
    world.server().psql(DATABASE, sql)
}

fn enter_customers(world: &World, names: &[&str]) {
    let names = names.join(" ");
    world.server().script(&format!("python3 - {names} <<'END'\n{ENTER}\nEND")).ok();
}

fn customers(world: &World) -> String {
    let sql = "SELECT string_agg(name, ' ' ORDER BY id) FROM res_partner WHERE name LIKE 'new-%'";
    world.server().psql(DATABASE, sql)
}

fn last_line_of_history(world: &World) -> Value {
    let path = world.server().path(format!("/opt/odoo/{HOST}/history.jsonl"));
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// Asserts that Odoo serves a release and that nothing is left half way.
#[track_caller]
fn serves(world: &World, release: u32) -> HostState {
    let state = world.state();
    assert_eq!(state.current, Some(release), "{state:?}");
    assert_eq!(state.releases.get(&release).map(String::as_str), Some("verified"), "{state:?}");
    assert!(state.active && !state.hold && !state.maintenance, "{state:?}");
    assert_eq!(state.databases.get(DATABASE), Some(&true), "{state:?}");
    let copies = state.databases.iter().filter(|(name, _)| name.contains('~'));
    assert!(copies.clone().all(|(name, open)| !open && !name.contains("failed")), "{state:?}");
    assert_eq!(world.server().get("/web/login").status, 200);
    state
}

#[test]
fn code_goes_back_and_forth_without_a_failed_request_or_its_branch_or_the_remote() {
    let world = World::deployed("back");
    let main_pid = world.state().main_pid;
    roll_back(&world, &[]).expect_code(6).expect_said("no earlier verified release");
    let first = world.git(&["rev-parse", "HEAD"]);
    deploy_answer(&world, "second");
    // The branch no longer leads to what is live.
    world.git(&["reset", "-q", "--hard", &first]);
    world.git(&["push", "-q", "--force", "origin", "HEAD"]);

    let load = Load::start(world.server(), STATUS);
    let run = roll_back(&world, &["--json", "--message", "The answer was wrong"]).expect_code(0);
    let report = load.stop();
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()), "{report:?}");
    assert!(report.requests > 0);
    let plan = run.event("plan");
    assert_eq!(plan["rollback"], json!({ "to": 1, "class": "code-only", "databases": [] }));
    assert_eq!((&plan["switch"], &plan["release"]), (&json!("reload"), &json!(3)));
    assert!(!world.server().get(STATUS).body.contains("second"));
    assert_eq!(serves(&world, 3).main_pid, main_pid);
    let line = last_line_of_history(&world);
    assert_eq!(line["summary"]["rollback"], json!({ "to": 1, "databases": [] }));
    assert_eq!(line["holder"]["message"], "The answer was wrong");

    for (to, why) in [("9", "release 9 is not on the server"), ("3", "release 3 is the live one")] {
        let offered = "offered with `--to`: 1 (demo @ ";
        roll_back(&world, &["--to", to]).expect_code(6).expect_said(why).expect_said(offered);
    }
    let origin = world.repository().with_file_name("origin.git");
    fs::rename(&origin, origin.with_extension("away")).unwrap();
    roll_back(&world, &[])
        .expect_code(0)
        .expect_said("rollback to release 2")
        .expect_said("release 4 is live and verified, users noticed nothing");
    assert!(world.server().get(STATUS).body.contains("second"));
    serves(&world, 4);
}

#[test]
fn a_database_goes_back_with_its_release_and_forth_again() {
    let world = World::deployed("backdb");
    let server = world.server();
    enter_customers(&world, &["new-before"]);
    let before = world.database_content(DATABASE);
    deploy_field(&world);
    enter_customers(&world, &["new-a", "new-b"]);
    let after = world.database_content(DATABASE);
    let state = world.state();

    roll_back(&world, &[])
        .expect_code(6)
        .expect_said("release 1 needs database demo as it was before release 2 (")
        .expect_said("taller_reparaciones: models/repair_order.py: field `shelf` of class")
        .expect_said("missing afterwards: 2 res.partner")
        .expect_said(&format!("deploy rollback --host {HOST} --to 1 --with-database"))
        .expect_said("nothing was touched");
    assert_eq!(world.state(), state);

    let run = roll_back(&world, &["--with-database", "--json"]).expect_code(0);
    let rollback = &run.event("plan")["rollback"];
    assert_eq!(rollback["class"], "with-database");
    let database = &rollback["databases"][0];
    assert_eq!(database["snapshot"], "demo~snap-2");
    assert_eq!(database["kept"], "demo~snap-3");
    let customers_lost = json!({ "model": "res.partner", "rows": 2 });
    assert!(database["lost"].as_array().unwrap().contains(&customers_lost), "{database}");
    assert_eq!((shelves(&world), customers(&world)), ("0".to_owned(), "new-before".to_owned()));
    assert_eq!(world.database_content(DATABASE), before);
    let state = serves(&world, 3);
    let copies: Vec<_> = state.databases.keys().filter(|name| name.contains('~')).collect();
    assert_eq!(copies, ["demo~snap-2", "demo~snap-3"]);
    let line = last_line_of_history(&world);
    assert_eq!(line["summary"]["rollback"], json!({ "to": 1, "databases": [DATABASE] }));
    world.plan(&["--exit-code"]).expect_code(3);

    world.run(&["history", "--host", HOST]).expect_said("rollback to release 1 with demo");

    roll_back(&world, &["--with-database"]).expect_code(0).expect_said("goes back to demo~snap-3");
    assert_eq!(shelves(&world), "1");
    assert_eq!(customers(&world), "new-before new-a new-b");
    assert_eq!(world.database_content(DATABASE), after);
    serves(&world, 4);
    world.deploy_ok(&[]).expect_said("nothing to do");

    server.psql("postgres", "DROP DATABASE \"demo~snap-4\"");
    let state = world.state();
    roll_back(&world, &["--to", "3", "--with-database"])
        .expect_code(6)
        .expect_said("impossible: its snapshot demo~snap-4 was pruned or dropped");
    assert_eq!(world.state(), state);
}

#[test]
fn a_rollback_that_fails_leaves_the_present_database_with_its_rows() {
    let world = World::deployed("backfail");
    let server = world.server();
    deploy_field(&world);
    enter_customers(&world, &["new-a"]);
    let script = format!(
        "cat >{NO_START} <<'END'\n[Service]\nExecStartPre=/bin/sh -c \
         '! readlink /opt/odoo/{HOST}/current | grep -q 0003'\nEND\nsystemctl daemon-reload"
    );
    server.script(&script).ok();
    world.write("custom-addons/taller_portal/static/src/later.js", "// Not deployed yet.\n");
    world.commit("For the next deploy");
    let before = Before::look(&world);
    before.is_back(&world, roll_back(&world, &["--with-database"]));
    assert_eq!((shelves(&world), customers(&world)), ("1".to_owned(), "new-a".to_owned()));
    assert_eq!(world.state().databases, before.state().databases);

    server.script(&format!("rm {NO_START}; systemctl daemon-reload")).ok();
    roll_back(&world, &["--with-database"]).expect_code(0);
    assert_eq!((shelves(&world), customers(&world)), ("0".to_owned(), String::new()));
    serves(&world, 4);
    // A release that failed is not offered.
    roll_back(&world, &["--to", "3"])
        .expect_code(6)
        .expect_said("release 3 is failed, not verified");
}
