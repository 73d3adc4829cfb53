//! A saved plan: carried out as it is and once, or not at all.

#![expect(clippy::disallowed_methods, reason = "damages a saved plan")]

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::world::{HOST, SECRET, World};

const CONTROLLER: &str = "custom-addons/taller_portal/controllers/main.py";

#[test]
fn a_saved_plan_is_carried_out_as_it_is_and_once() {
    let world = World::deployed("saved");
    let path = world.repository().join("../change.plan");
    let file = path.to_str().unwrap();
    let apply = |more: &[&str]| world.run(&[&["apply", file], more].concat());
    let answer = || world.server().get("/taller/estado").body;

    world.edit(CONTROLLER, r#""orders": orders"#, r#""release": "planned", "orders": orders"#);
    world.commit("Say which release answers");
    world.plan(&["--out", file]).expect_code(0).expect_said("the plan is saved");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // The branch moves on; what was planned goes live.
    world.edit(CONTROLLER, "planned", "later");
    world.commit("Say something else");
    apply(&["--dry-run"]).expect_code(0).expect_said("dry run");
    apply(&[]).expect_code(0).expect_said("release 2 is live and verified");
    assert!(answer().contains("planned"));
    apply(&[]).expect_code(10).expect_said("the plan was applied already");
    assert_eq!(world.state().current, Some(2));

    // One that was taken back was used, too.
    world.edit(CONTROLLER, "import http", "import http\nfrom odoo.addons.base import none_such");
    world.commit("Import what is not there");
    world.plan(&["--out", file]).expect_code(0);
    apply(&[]).expect_code(6);
    apply(&[]).expect_code(10).expect_said("the plan was applied already");
    world.git(&["revert", "--no-edit", "HEAD"]);
    world.git(&["push", "-q", "origin", "HEAD"]);

    world.plan(&["--out", file]).expect_code(0);
    let edit = format!(
        "sed -i 's/^limit_time_cpu = 600/limit_time_cpu = 700/' /opt/odoo/{HOST}/current/odoo.conf"
    );
    world.server().script(&edit).ok();
    let stale = apply(&[]).expect_code(10).expect_said("the files on the server");
    stale.expect_said("nothing was touched");
    assert_eq!(world.state().current, Some(2));
    world.deploy_ok(&["--overwrite-drift"]);
    assert!(answer().contains("later"));
    apply(&[]).expect_code(10).expect_said("the live release");

    world.plan(&["--out", file]).expect_code(0).expect_said("the plan is saved");
    apply(&[]).expect_code(0).expect_said("nothing to do");
    fs::write(&path, "{").unwrap();
    apply(&[]).expect_code(2).expect_said("holds no saved plan");
}
