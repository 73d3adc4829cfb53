//! A host's ordinary life: the first deploy, a change, nothing new.

use serde_json::{Value, json};

use crate::{
    load::Load,
    world::{DATABASE, HOST, HostState, SECRET, World},
};

const MODEL: &str = "custom-addons/taller_reparaciones/models/repair_order.py";
const VIEWS: &str = "custom-addons/taller_reparaciones/views/repair_order_views.xml";

/// Directories in which a deploy that has nothing to do leaves everything as it is.
const UNTOUCHED: &str =
    "/opt /etc /usr/local /var/lib/odoo /run/odoo-deploy /home /root /tmp /var/tmp";

#[test]
fn the_first_deploy_of_an_empty_server_ends_with_a_host_that_answers() {
    let world = World::fresh("first-deploy");
    let run = world.deploy_ok(&["--branch", "demo"]);
    run.expect_said("release 1 is live and verified");
    assert_eq!(world.server().get("/web/login").status, 200);
    let status = world.server().get("/taller/estado");
    assert_eq!(status.body, r#"{"version": "19.0.1.0.0", "orders": 0}"#);
    assert_eq!(status.headers["cache-control"], "no-store");
    let state = world.state();
    let HostState { current, releases, active, hold, maintenance, databases, .. } = &state;
    assert_eq!(*current, Some(1), "{state:?}");
    assert_eq!(releases.get(&1).map(String::as_str), Some("verified"), "{state:?}");
    assert!(active & !hold & !maintenance, "{state:?}");
    assert_eq!(databases.iter().collect::<Vec<_>>(), [(&DATABASE.to_owned(), &true)]);
    // It comes back by itself.
    world.server().lab("down", &[]).ok();
    world.server().lab("up", &[]).ok();
    world.server().wait_until_served();
    assert_eq!(world.state(), HostState { main_pid: world.state().main_pid, ..state });
}

#[test]
fn a_secret_is_on_the_server_in_odoo_conf_only() {
    let world = World::deployed("secret");
    let script = format!(
        "grep -rIl -- '{SECRET}' /opt /etc /var/log /var/lib/odoo /run /tmp /home /root \
           --exclude-dir=systemd 2>/dev/null | sort -u
         journalctl --no-pager | grep -cF -- '{SECRET}'
         cd /opt/odoo/{HOST}/releases/0001
         stat -c '%a %U:%G' odoo.conf as-deployed as-deployed/odoo.conf"
    );
    let release = format!("/opt/odoo/{HOST}/releases/0001");
    // What was deployed is kept to compare with, for root alone.
    let expected = format!(
        "{release}/as-deployed/odoo.conf\n{release}/odoo.conf\n0\n\
         640 root:odoo\n700 root:root\n600 root:root\n"
    );
    let found = world.server().script(&script).stdout;
    // `/etc/odoo` and `current` lead to the same file.
    let found: Vec<_> = found.lines().filter(|line| !line.starts_with("/etc/odoo/")).collect();
    assert_eq!(found.join("\n") + "\n", expected);
}

#[test]
fn a_changed_field_and_view_upgrade_their_module_and_then_nothing_is_left_to_do() {
    let world = World::deployed("change");
    world.server().psql(
        DATABASE,
        "INSERT INTO taller_repair_order
           (name, active, company_id, partner_id, device, serial_number, problem, received_on, state)
         VALUES ('TR/1', true, 1, 1, 'Radio', 'SN-1', 'It hums', '2026-01-02', 'received')",
    );
    let page = "/taller?reference=TR/1&serial_number=SN-1";
    assert!(world.server().get(page).body.contains("Received"));
    world.edit(MODEL, r#"("received", "Received")"#, r#"("received", "On the shelf")"#);
    world.edit(MODEL, "    work_done =", "    shelf = fields.Char()\n    work_done =");
    world.edit(
        VIEWS,
        r#"<field name="device"/>"#,
        r#"<field name="device"/><field name="shelf"/>"#,
    );
    world.commit("Shelves");

    let run = world.deploy_ok(&["--branch", "demo", "--json"]);
    let plan = run.event("plan");
    assert_eq!(plan["switch"], "stop");
    let database = &plan["databases"][0];
    assert_eq!(keys(&database["upgrade"]), ["taller_reparaciones"]);
    assert_eq!(database["reached"], json!(["taller_portal"]));
    assert_eq!(database["process"], json!([]));
    assert_eq!(run.event("result")["result"]["outcome"], "deployed");

    let history = world.server().shell(&["cat", &format!("/opt/odoo/{HOST}/history.jsonl")]).ok();
    let last: Value = serde_json::from_str(history.lines().last().unwrap()).unwrap();
    assert_eq!(last["summary"]["modules"], json!({ DATABASE: ["taller_reparaciones"] }));
    assert_eq!(last["release"], 2);
    let body = world.server().get(page).body;
    assert!(body.contains("On the shelf") && body.contains("Radio"), "{body}");
    let views = "SELECT count(*) FROM ir_ui_view WHERE arch_db::text LIKE '%shelf%'";
    assert_eq!(world.server().psql(DATABASE, views), "1");
    let state = world.state();
    assert_eq!(state.current, Some(2));
    assert!(state.active && !state.hold && !state.maintenance);
    assert_eq!(state.databases.get(DATABASE), Some(&true));

    nothing_is_written(&world, |world| {
        world.deploy_ok(&["--branch", "demo"]).expect_said("nothing to do");
    });
    assert_eq!(world.state(), state);
}

#[test]
fn an_idle_host_keeps_its_content() {
    let world = World::deployed("idle");
    let before = world.database_content(DATABASE);
    // Let every scheduled job of Odoo run at once.
    world.server().psql(DATABASE, "UPDATE ir_cron SET nextcall = now() - interval '1 hour'");
    world.server().psql("postgres", "NOTIFY cron_trigger, 'demo'");
    let ran = "SELECT count(*) FROM ir_cron WHERE active AND lastcall IS NULL";
    world.server().wait_until("the jobs ran", |server| server.psql(DATABASE, ran) == "0");
    assert_eq!(world.server().get("/web/login").status, 200);
    let after = world.database_content(DATABASE);
    let differ: Vec<_> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(differ, [] as [&str; 0]);
}

#[test]
fn a_plan_and_a_dry_run_write_nothing() {
    let world = World::deployed("dry");
    world.edit(MODEL, "    work_done =", "    shelf = fields.Char()\n    work_done =");
    world.commit("Shelves");
    nothing_is_written(&world, |world| {
        assert_eq!(world.plan(&["--exit-code"]).expect_code(3).event("plan")["switch"], "stop");
        world.deploy_ok(&["--dry-run"]).expect_said("dry run: nothing was changed");
    });
}

#[test]
fn a_changed_function_reaches_users_without_a_failed_request() {
    let world = World::deployed("reload");
    let content = world.database_content(DATABASE);
    let before = world.state();
    let load = Load::start(world.server(), "/taller/estado");
    world.edit(
        "custom-addons/taller_portal/controllers/main.py",
        r#"("state", "in", OPEN_STATES)"#,
        r#"("state", "in", OPEN_STATES), ("active", "=", True)"#,
    );
    world.edit(
        "custom-addons/taller_portal/controllers/main.py",
        r#""orders": orders"#,
        r#""open": orders"#,
    );
    world.commit("Say what is open");
    let run = world.deploy_ok(&["--json"]);
    let report = load.stop();
    assert_eq!(run.event("plan")["switch"], "reload");
    assert_eq!(run.event("result")["interruption_ms"], Value::Null);
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()), "{report:?}");
    assert!(report.requests > 0);
    assert!(world.server().get("/taller/estado").body.contains("open"));
    assert!(world.server().odoo_get("/taller/estado").body.contains("open"));
    let state = world.state();
    assert_eq!(state.main_pid, before.main_pid);
    assert_eq!(state.current, Some(2));
    let after = world.database_content(DATABASE);
    let differ: Vec<_> = after.lines().filter(|line| !content.contains(line)).collect();
    // Only what the database has seen is noted.
    assert!(differ.iter().all(|line| line.starts_with("ir_config_parameter")), "{differ:?}");
}

/// Proves that something writes no file and begins no writing transaction in
/// PostgreSQL. Odoo is frozen meanwhile: what it writes by itself does not count.
fn nothing_is_written(world: &World, what: impl FnOnce(&World)) {
    let server = world.server();
    let unit = format!("odoo-{HOST}.service");
    // Reading pages and planning queries may leave statistics to write and files to compile.
    server.psql("postgres", "ALTER SYSTEM SET autovacuum = off");
    server.psql("postgres", "SELECT pg_reload_conf()");
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'";
    server.wait_until("autovacuum rests", |server| server.psql("postgres", workers) == "0");
    server.shell(&["systemctl", "kill", "--kill-whom=all", "--signal=STOP", &unit]).ok();
    let look = || {
        let find = format!(
            "find {UNTOUCHED} -xdev -printf '%p %i %s %m %u:%g %n %T@ %C@\\n' 2>/dev/null | sort"
        );
        let transactions = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
        (server.script(&find).stdout, server.psql("postgres", transactions))
    };
    let (files, transactions) = look();
    assert!(files.contains("odoo.conf"), "{files}");
    what(world);
    let (files_after, transactions_after) = look();
    server.shell(&["systemctl", "kill", "--kill-whom=all", "--signal=CONT", &unit]).ok();
    let others: Vec<_> =
        files_after.lines().filter(|line| !files.lines().any(|other| other == *line)).collect();
    assert!(others.is_empty(), "written: {others:#?}");
    assert_eq!(files_after, files, "something was removed");
    assert_eq!(transactions_after, transactions, "a transaction wrote");
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("it is an object").keys().map(String::as_str).collect()
}
