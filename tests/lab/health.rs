//! A release that is not well is taken back, however well its upgrade went.

use crate::{
    revert::{Before, add_migration},
    world::World,
};

const PORTAL: &str = "custom-addons/taller_portal/__manifest__.py";
const CONTROLLER: &str = "custom-addons/taller_portal/controllers/main.py";

/// Gives the login page a body.
fn override_login(world: &World, body: &str) {
    let login = format!(
        "\n\nimport os\nimport signal\nimport threading\n\n\
         from odoo.addons.web.controllers.home import Home\n\n\n\
         class Login(Home):\n    @http.route()\n    \
         def web_login(self, *args, **kw):\n        {body}\n        \
         return super().web_login(*args, **kw)\n"
    );
    let text = world.read(CONTROLLER);
    world.write(CONTROLLER, &format!("{text}{login}"));
}

#[test]
fn an_upgraded_host_that_does_not_stay_well_is_taken_back() {
    let world = World::deployed("unwell");
    let note = "def migrate(cr, version):\n    cr.execute(\"DELETE FROM ir_cron\")\n";
    add_migration(&world, "post-fill.py", note);
    world.edit(PORTAL, "19.0.1.0.0", "19.0.1.1.0");
    override_login(&world, "raise KeyError('no such page')");
    world.commit("Break the login page");
    let before = Before::look(&world);
    before
        .is_back_with_its_database(&world, world.deploy(&[]))
        .expect_said("/web/login answered 500")
        .expect_said("KeyError: 'no such page'");
    let kill = "threading.Timer(1, os.kill, [os.getppid(), signal.SIGKILL]).start()";
    world.edit(CONTROLLER, "raise KeyError('no such page')", kill);
    world.commit("Die a second after the first answer");
    let before = Before::look(&world);
    before
        .is_back_with_its_database(&world, world.deploy(&[]))
        .expect_said("failed to check health: `odoo-demo.somosblink.com.service`");
}

#[test]
fn a_reload_that_breaks_the_login_page_is_taken_back() {
    let world = World::deployed("reload");
    override_login(&world, "raise KeyError('no such page')");
    world.commit("Break the login page");
    let before = Before::look(&world);
    let run = world.deploy(&["--update-modules=none"]).expect_said("reload Odoo");
    before.is_back(&world, run).expect_said("/web/login answered 500");
    assert!(world.state().databases.keys().all(|name| !name.contains('~')));
}

/// What a module does when the service, and no check of it, imports it.
fn at_start(world: &World, what: &str) {
    let init = "custom-addons/taller_portal/__init__.py";
    let kept: String = world
        .read(init)
        .lines()
        .filter(|line| !line.contains("timer"))
        .map(|l| format!("{l}\n"))
        .collect();
    let serves = "sys.argv[0].endswith('odoo') and '--stop-after-init' not in sys.argv";
    let text = format!(
        "import os, sys, threading  # timer\n\
         def die(): timer = threading.Timer(5, os._exit, [1]); timer.daemon = True; timer.start()\n\
         if {serves}: {what}  # timer\n"
    );
    world.write(init, &format!("{text}{kept}"));
    world.commit("Die five seconds after the start");
}

#[test]
fn a_service_that_dies_five_seconds_after_its_start_is_taken_back() {
    let world = World::deployed("dies");
    at_start(&world, "die()");
    let before = Before::look(&world);
    let run = world.deploy(&["--update-modules=none"]).expect_said("reload Odoo");
    before.is_back(&world, run).expect_said("service` does not run");
    let before = Before::look(&world);
    before
        .is_back_with_its_database(&world, world.deploy(&["--update-modules=taller_portal"]))
        .expect_said("failed to check health: ");

    // The main process stays, and its workers die one after the other.
    at_start(&world, "os.register_at_fork(after_in_child=die)");
    let before = Before::look(&world);
    let run = world.deploy(&["--update-modules=none"]).expect_said("reload Odoo");
    before.is_back(&world, run).expect_said("check health: worker process ");
}
