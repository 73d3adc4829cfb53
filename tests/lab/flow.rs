//! A host's ordinary life: the first deploy, a change, nothing new.

use crate::{
    load::Load,
    world::{DATABASE, World},
};

#[test]
fn the_harness_reads_a_running_host_without_changing_it() {
    let world = World::deployed("harness");
    let state = world.state();
    assert_eq!(state.current, Some(1));
    assert_eq!(state.releases.get(&1).map(String::as_str), Some("verified"));
    assert!(state.active && state.main_pid > 0 && !state.hold && !state.maintenance);
    assert_eq!(state.databases.get(DATABASE), Some(&true));
    let before = world.database_content(DATABASE);
    let load = Load::start(world.server(), "/taller/estado");
    assert_eq!(world.server().get("/web/login").status, 200);
    assert!(world.server().odoo_get("/taller/estado").body.contains("19.0.1.0.0"));
    let report = load.stop();
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert_eq!(world.database_content(DATABASE), before);
}
