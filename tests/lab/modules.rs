//! What a change of the code means for a database.

use serde_json::{Value, json};

use crate::world::{DATABASE, Run, World};

const REPAIRS: &str = "custom-addons/taller_reparaciones";
const PORTAL: &str = "custom-addons/taller_portal";

/// A change to the modules and what it must lead to.
struct Case {
    name: &'static str,
    change: fn(&World),
    /// `nothing`, `reload` or `stop`.
    switch: &'static str,
    /// What `-u` names.
    upgrade: &'static [&'static str],
}

impl Case {
    const fn nothing(name: &'static str, change: fn(&World)) -> Self {
        Self { name, change, switch: "nothing", upgrade: &[] }
    }

    const fn reload(name: &'static str, change: fn(&World)) -> Self {
        Self { name, change, switch: "reload", upgrade: &[] }
    }

    const fn upgrade(name: &'static str, change: fn(&World)) -> Self {
        Self { name, change, switch: "stop", upgrade: &["taller_reparaciones"] }
    }
}

const CASES: &[Case] = &[
    Case::reload("a function's body", |world| {
        edit_model(
            world,
            r#"self._move_to("delivered")"#,
            r#"self.exists()._move_to("delivered")"#,
        );
    }),
    Case::reload("a new function", |world| {
        edit_model(
            world,
            "    def action_start",
            "    def action_x(self):\n        pass\n\n    def action_start",
        );
    }),
    Case::reload("a constant that only functions read", |world| {
        world.edit(
            &format!("{PORTAL}/controllers/main.py"),
            r#""Cache-Control", "no-store""#,
            r#""Cache-Control", "no-cache""#,
        );
    }),
    Case::reload("a comment in Python", |world| {
        edit_model(world, "# Where each button", "# From where each button");
    }),
    Case::reload("a comment in the manifest", |world| {
        world.edit(
            &format!("{REPAIRS}/__manifest__.py"),
            "{\n",
            "{\n    # Made in the workshop.\n",
        );
    }),
    Case::reload("a file of static/", |world| {
        world.write(&format!("{REPAIRS}/static/src/style.css"), "p { color: red }\n");
    }),
    Case::reload("the icon", |world| {
        world.write(&format!("{REPAIRS}/static/description/icon.png"), "not the old one");
    }),
    Case::reload("a translation into a language that is not active", |world| {
        world.edit(&format!("{REPAIRS}/i18n/es.po"), "Orden de reparación", "Reparación");
    }),
    Case::reload("a module that is not installed", new_module),
    Case::nothing("tests and documentation", |world| {
        world.write(&format!("{REPAIRS}/tests/test_more.py"), "# Nothing yet.\n");
        world.write(&format!("{REPAIRS}/README.md"), "Repairs\n");
        world.write("README.md", "A workshop\n");
        world.write("docs/more.md", "More\n");
    }),
    Case::nothing("another host's file", |world| {
        world.edit(&world.host_conf("blink.somosblink.com"), "db_name = blink", "db_name = blink2");
    }),
    Case::upgrade("a new field", |world| {
        edit_model(world, "    work_done =", "    shelf = fields.Char()\n    work_done =");
    }),
    Case::upgrade("a field's property", |world| {
        edit_model(world, "device = fields.Char(required=True)", "device = fields.Char()");
    }),
    Case::upgrade("a constraint", |world| {
        edit_model(world, "promised_on >= received_on", "promised_on > received_on");
    }),
    Case::upgrade("a model's own method `init`", |world| {
        edit_model(
            world,
            "    def action_start",
            "    def init(self):\n        pass\n\n    def action_start",
        );
    }),
    Case::upgrade("a new file with a model", |world| {
        world.write(
            &format!("{REPAIRS}/models/shelf.py"),
            "from odoo import models\n\n\nclass Shelf(models.Model):\n    _name = \"taller.shelf\"\n    _description = \"Shelf\"\n",
        );
        world.edit(&format!("{REPAIRS}/models/__init__.py"), "\n", "\nfrom . import shelf\n");
    }),
    Case::upgrade("a model in a file named like documentation", |world| {
        world.write(&format!("{REPAIRS}/models/history.py"), "from odoo import fields\n");
    }),
    Case::upgrade("a constant of a model", |world| {
        edit_model(world, r#""ready": ("repairing",)"#, r#""ready": ("repairing", "received")"#);
    }),
    Case::upgrade("a view", |world| {
        world.edit(&format!("{REPAIRS}/views/repair_order_views.xml"), "Mine", "My own");
    }),
    Case::upgrade("a data file", |world| {
        world.edit(&format!("{REPAIRS}/data/ir_sequence_data.xml"), "TR/%", "TALLER/%");
    }),
    Case::upgrade("access rights", |world| {
        world.edit(&format!("{REPAIRS}/security/ir.model.access.csv"), "1,1,1,0", "1,1,0,0");
    }),
    Case::upgrade("a dependency", |world| {
        world.edit(&format!("{REPAIRS}/__manifest__.py"), r#""web"]"#, r#""web", "base_setup"]"#);
    }),
    Case::upgrade("the version", |world| {
        world.edit(&format!("{REPAIRS}/__manifest__.py"), "19.0.1.2.0", "19.0.1.3.0");
    }),
    Case::upgrade("a migration", |world| {
        world.write(
            &format!("{REPAIRS}/migrations/19.0.1.3.0/post-shelves.py"),
            "def migrate(cr, version):\n    pass\n",
        );
    }),
];

#[test]
fn a_module_is_upgraded_for_what_its_database_notices_and_for_nothing_else() {
    let world = World::deployed("changes");
    let mut wrong = Vec::new();
    for case in CASES {
        let run = after(&world, case.change, &[]).expect_code(0);
        let plan = run.event("plan");
        let (switch, upgrade) = (plan["switch"].as_str().unwrap(), upgraded(plan));
        if switch != case.switch || upgrade != case.upgrade {
            wrong
                .push(format!("{}: {switch}, -u {upgrade:?}, {}", case.name, plan["databases"][0]));
        }
        let reached: &[&str] = if upgrade.is_empty() { &[] } else { &["taller_portal"] };
        assert_eq!(plan["databases"][0]["reached"], json!(reached), "{}", case.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_translation_counts_where_its_language_is_active() {
    let world = World::deployed("languages");
    world.server().psql(DATABASE, "UPDATE res_lang SET active = true WHERE code = 'es_MX'");
    let translate = |file: &'static str| {
        let run = after(
            &world,
            |world| {
                let text = world.read(&format!("{REPAIRS}/i18n/es.po"));
                let text = text.replace("Orden de reparación", "Reparación");
                world.write(&format!("{REPAIRS}/i18n/{file}"), &text);
            },
            &[],
        );
        upgraded(run.expect_code(0).event("plan")).join(" ")
    };
    assert_eq!(translate("es.po"), "taller_reparaciones");
    assert_eq!(translate("es_MX.po"), "taller_reparaciones");
    assert_eq!(translate("es_AR.po"), "");
    assert_eq!(translate("fr.po"), "");
}

#[test]
fn a_changed_translation_replaces_the_one_in_the_database() {
    let world = World::deployed("translation");
    let load = "set -e
        systemctl stop odoo-demo.somosblink.com
        cd /; runuser -u odoo -- odoo -c /etc/odoo/demo.somosblink.com.conf -d demo \
          --load-language=es_MX --stop-after-init --no-http --workers=0 --max-cron-threads=0
        systemctl start odoo-demo.somosblink.com";
    world.server().script(load).ok();
    let name = "SELECT name->>'es_MX' FROM ir_model WHERE model = 'taller.repair.order'";
    assert_eq!(world.server().psql(DATABASE, name), "Orden de reparación");
    world.edit(&format!("{REPAIRS}/i18n/es.po"), "Orden de reparación", "Reparación");
    world.commit("Shorter");
    world.deploy_ok(&[]);
    assert_eq!(world.server().psql(DATABASE, name), "Reparación");
}

#[test]
fn a_module_that_is_installed_does_not_vanish() {
    let world = World::deployed("vanish");
    let state = world.state();
    let remove = after(&world, |world| world.remove(PORTAL), &[]).expect_code(6);
    remove.expect_said("`taller_portal` is installed in demo, but the release no longer has it");
    let disable = |world: &World| {
        world.edit(&format!("{PORTAL}/__manifest__.py"), "{\n", "{\n    \"installable\": False,\n");
    };
    let disabled = after(&world, disable, &[]).expect_code(6);
    disabled.expect_said("`taller_portal` is installed in demo, but the release says");
    disable(&world);
    world.commit("Switch the portal off");
    world.deploy(&[]).expect_code(6).expect_said("nothing was touched");
    assert_eq!(world.state(), state);
}

#[test]
fn modules_are_installed_when_they_are_asked_for() {
    let world = World::deployed("install");
    let run = after(&world, new_module, &["--install", "taller_nuevo"]).expect_code(0);
    let plan = run.event("plan");
    assert_eq!(plan["databases"][0]["install"], json!(["taller_nuevo"]));
    assert_eq!(upgraded(plan), [] as [&str; 0]);
    assert_eq!(plan["switch"], "stop");
    let missing = world.plan(&["--install", "taller_nada"]).expect_code(6);
    missing.expect_said("module `taller_nada` is neither in the release nor known");
    let installed = world.plan(&["--install", "taller_portal"]).expect_code(0);
    assert_eq!(installed.event("plan")["switch"], "nothing");

    new_module(&world);
    world.commit("A new module");
    world.deploy_ok(&["--install", "taller_nuevo"]);
    let state = "SELECT state FROM ir_module_module WHERE name = 'taller_nuevo'";
    assert_eq!(world.server().psql(DATABASE, state), "installed");
    assert_eq!(world.server().get("/taller/nuevo").body, "nuevo");
    world.deploy_ok(&["--install", "taller_nuevo"]).expect_said("nothing to do");
}

#[test]
fn the_operator_chooses_what_is_upgraded() {
    let world = World::deployed("choose");
    let changed = |world: &World| {
        world.edit(&format!("{REPAIRS}/views/repair_order_views.xml"), "Mine", "My own");
    };
    let plan = |choice: &str| {
        let run = after(&world, changed, &[&format!("--update-modules={choice}")]).expect_code(0);
        run.event("plan")["databases"][0].clone()
    };
    assert_eq!(plan("changed")["upgrade"].as_object().unwrap().len(), 1);
    let all = plan("all");
    assert_eq!(all["upgrade"], json!({ "base": ["all modules were asked for"] }));
    assert_eq!(all["left_out"], json!([]));
    let none = plan("none");
    assert_eq!(
        (&none["upgrade"], &none["left_out"]),
        (&json!({}), &json!(["taller_reparaciones"]))
    );
    let one = plan("taller_portal");
    assert_eq!(one["upgrade"], json!({ "taller_portal": ["asked for"] }));
    assert_eq!(one["left_out"], json!(["taller_reparaciones"]));
    world.plan(&["--update-modules=taller_nada"]).expect_code(6).expect_said("taller_nada");
    world.plan(&["--update-modules=a b"]).expect_code(2).expect_said("--update-modules");
    let unchanged = world.plan(&["--update-modules=taller_portal"]).expect_code(0);
    assert_eq!(upgraded(unchanged.event("plan")), ["taller_portal"]);
}

#[test]
fn an_upgrade_that_was_left_out_is_not_forgotten() {
    let world = World::deployed("left-out");
    world.edit(&format!("{REPAIRS}/views/repair_order_views.xml"), "Mine", "My own");
    world.commit("Another word");
    let run = world.deploy_ok(&["--update-modules=none", "--json"]);
    assert_eq!(run.event("plan")["switch"], "reload");
    let view = "SELECT count(*) FROM ir_ui_view WHERE arch_db::text LIKE '%My own%'";
    assert_eq!(world.server().psql(DATABASE, view), "0");
    // A later change of something else does not hide it.
    world.edit(&format!("{PORTAL}/controllers/main.py"), "no-store", "no-cache");
    world.commit("Cache");
    world.deploy_ok(&["--update-modules=none"]);
    let run = world.plan(&[]).expect_code(0);
    assert_eq!(upgraded(run.event("plan")), ["taller_reparaciones"]);
    world.deploy_ok(&[]);
    assert_eq!(world.server().psql(DATABASE, view), "1");
    world.deploy_ok(&[]).expect_said("nothing to do");
}

/// Plans for a change and takes the change back.
fn after(world: &World, change: impl FnOnce(&World), arguments: &[&str]) -> Run {
    change(world);
    world.commit("A change");
    let run = world.plan(&[&["--branch", "demo"], arguments].concat());
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    world.git(&["push", "-q", "--force", "origin", "HEAD"]);
    run
}

fn upgraded(plan: &Value) -> Vec<&str> {
    let upgrade = plan["databases"][0]["upgrade"].as_object().expect("it is an object");
    upgrade.keys().map(String::as_str).collect()
}

fn edit_model(world: &World, from: &str, to: &str) {
    world.edit(&format!("{REPAIRS}/models/repair_order.py"), from, to);
}

fn new_module(world: &World) {
    let module = "custom-addons/taller_nuevo";
    world.write(&format!("{module}/__init__.py"), "from . import controllers\n");
    world.write(
        &format!("{module}/__manifest__.py"),
        "{\"name\": \"Nuevo\", \"version\": \"19.0.1.0.0\", \"license\": \"LGPL-3\",\n \"author\": \"Blink\", \"depends\": [\"taller_portal\"]}\n",
    );
    world.write(
        &format!("{module}/controllers.py"),
        "from odoo import http\n\n\nclass Nuevo(http.Controller):\n    @http.route(\"/taller/nuevo\", auth=\"public\")\n    def nuevo(self):\n        return \"nuevo\"\n",
    );
}
