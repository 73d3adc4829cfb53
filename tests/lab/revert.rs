//! What fails is taken back: code, configuration and database, together.

use crate::{
    lab::HttpAnswer,
    world::{DATABASE, HostState, Run, World},
};

const REPARACIONES: &str = "custom-addons/taller_reparaciones";
const MANIFEST: &str = "custom-addons/taller_reparaciones/__manifest__.py";
pub(crate) const VIEWS: &str = "custom-addons/taller_reparaciones/views/repair_order_views.xml";
const ACCESS: &str = "custom-addons/taller_reparaciones/security/ir.model.access.csv";
const MODEL: &str = "custom-addons/taller_reparaciones/models/repair_order.py";

/// A host before a deploy, to compare with.
pub(crate) struct Before {
    state: HostState,
    content: String,
    page: HttpAnswer,
}

impl Before {
    /// Looks at the host: its state, its database, a page of its code.
    pub(crate) fn look(world: &World) -> Self {
        let page = world.server().get("/taller/estado");
        assert_eq!(page.status, 200);
        let content = world.database_content(DATABASE);
        Self { state: world.state(), content, page }
    }

    pub(crate) const fn state(&self) -> &HostState {
        &self.state
    }

    /// Returns what the database held.
    pub(crate) fn content(&self) -> &str {
        &self.content
    }

    /// Returns the page of the host's code.
    pub(crate) const fn page(&self) -> &HttpAnswer {
        &self.page
    }

    /// Checks that a deploy failed and left the host as it was, and that the
    /// next plan still offers the change.
    #[track_caller]
    pub(crate) fn is_back(&self, world: &World, run: Run) -> Run {
        let run = run.expect_code(7);
        let now = world.state();
        assert_eq!(now.current, self.state.current);
        assert!(now.active && !now.hold && !now.maintenance, "{now:?}");
        assert_ne!(now.main_pid, self.state.main_pid, "the release before was started anew");
        let failed: Vec<_> = failed(&now).difference(&failed(&self.state)).copied().collect();
        assert_eq!(failed.len(), 1, "one more release failed: {now:?}\n{}", run.stderr);
        let server = world.server();
        assert_eq!(server.get("/web/login").status, 200);
        assert_eq!(server.get("/taller/estado").body, self.page.body);
        assert_eq!(world.database_content(DATABASE), self.content);
        world.plan(&["--exit-code"]).expect_code(3);
        run
    }

    /// Checks, beside that, that the database the deploy failed in is kept and
    /// lets nobody in, and that nothing else is left of it.
    #[track_caller]
    pub(crate) fn is_back_with_its_database(&self, world: &World, run: Run) -> Run {
        let run = self.is_back(world, run);
        let now = world.state();
        let number = failed(&now).last().copied().expect("a release failed");
        let kept = format!("{DATABASE}~failed-{number}");
        assert_eq!(now.databases.get(&kept), Some(&false), "{now:?}");
        assert_eq!(now.databases.get(DATABASE), Some(&true));
        assert!(!now.databases.contains_key(&format!("{DATABASE}~snap-{number}")), "{now:?}");
        run.expect_said(&format!("database {kept}"))
    }
}

fn failed(state: &HostState) -> std::collections::BTreeSet<u32> {
    let failed = state.releases.iter().filter(|(_, became)| *became == "failed");
    failed.map(|(number, _)| *number).collect()
}

/// Commits a change, deploys it and checks that it is taken back; the branch
/// is then as before.
pub(crate) fn fails(world: &World, subject: &str) -> Run {
    world.commit(subject);
    let before = Before::look(world);
    let run = before.is_back_with_its_database(world, world.deploy(&[]));
    world.git(&["revert", "--no-edit", "HEAD"]);
    run
}

/// Gives the module a new version with a migration script.
pub(crate) fn add_migration(world: &World, script: &str, text: &str) {
    world.edit(MANIFEST, "19.0.1.2.0", "19.0.1.3.0");
    world.write(&format!("{REPARACIONES}/migrations/19.0.1.3.0/{script}"), text);
}

#[test]
fn a_broken_data_file_is_taken_back_and_a_corrected_one_goes_live() {
    let world = World::deployed("data");
    let device = "<field name=\"device\"/>";
    world.edit(VIEWS, device, "<field name=\"device\"/><field name=\"no_such_field\"/>");
    fails(&world, "Show a field that does not exist")
        .expect_said("`taller_reparaciones`: Field \"no_such_field\" does not exist")
        .expect_said("taller_reparaciones/views/repair_order_views.xml");
    world.edit(ACCESS, "group_taller_user", "no_such_group");
    fails(&world, "Give access to a group that does not exist")
        .expect_said("`taller_reparaciones`: No matching record found for external id")
        .expect_said("no_such_group");
    world.edit(VIEWS, device, "<field name=\"device\"/><field name=\"work_done\"/>");
    world.commit("Show the work that was done");
    world.deploy_ok(&[]);
    let state = world.state();
    assert_eq!((state.current, state.hold, state.maintenance), (Some(4), false, false));
    let arch = "SELECT count(*) FROM ir_ui_view WHERE arch_db::text LIKE '%work_done%'
                AND name = 'taller.repair.order.list'";
    assert_eq!(world.server().psql(DATABASE, arch), "1");
    // One failed database is enough for a closer look.
    let is_failed = |name: &&String| name.contains("~failed-");
    assert!(state.databases.keys().filter(is_failed).count() <= 2, "{state:?}");
}

#[test]
fn a_migration_that_fails_or_leaves_a_module_half_way_is_taken_back() {
    let world = World::deployed("migration");
    add_migration(
        &world,
        "post-fill.py",
        "def migrate(cr, version):\n\
         \x20   cr.execute(\"UPDATE ir_module_module SET author = 'nobody'\")\n\
         \x20   cr.execute(\"DELETE FROM ir_config_parameter WHERE key = 'database.uuid'\")\n\
         \x20   cr.commit()\n\
         \x20   raise ValueError('the workshop has no stock')\n",
    );
    fails(&world, "Fail after writing")
        .expect_said("failed to load `taller_reparaciones`: ValueError: the workshop has no stock")
        .expect_said("migrations/19.0.1.3.0/post-fill.py:5");
    let half_way = "def migrate(cr, version):\n\
                    \x20   cr.execute(\"UPDATE ir_module_module SET state = 'to upgrade'\
                    \x20              WHERE name = 'base_import'\")\n";
    // Odoo itself ends with status 0 here.
    add_migration(&world, "end-fill.py", half_way);
    fails(&world, "Leave a module half way")
        .expect_said("modules were left half way: `base_import`");
}

#[test]
fn python_that_does_not_import_is_stopped_before_the_switch() {
    let world = World::deployed("import");
    let before = Before::look(&world);
    let untouched = |run: Run| {
        let run = run.expect_code(6).expect_said("nothing was touched");
        let now = world.state();
        assert_eq!(now, before.state);
        assert_eq!(world.database_content(DATABASE), before.content);
        assert_eq!(world.server().get("/taller/estado").body, before.page.body);
        run
    };
    world.edit(MODEL, "from odoo import", "import no_such_library\nfrom odoo import");
    world.edit(VIEWS, "<field name=\"device\"/>", "<field name=\"device\" optional=\"show\"/>");
    world.commit("Import a library that is not there");
    untouched(world.deploy(&[]))
        .expect_said("module `taller_reparaciones` does not import: ModuleNotFoundError")
        .expect_said("models/repair_order.py:");
    // Without an upgrade the release is loaded beside the running one.
    untouched(world.deploy(&["--update-modules=none"])).expect_said("no_such_library");
    world.edit(MODEL, "import no_such_library\n", "def broken(:\n");
    world.commit("Write what is no Python");
    untouched(world.deploy(&[])).expect_said("models/repair_order.py:3: SyntaxError");
}
