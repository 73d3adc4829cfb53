//! Which code may go where, and what becomes of what is not pushed.

use std::fs;

use crate::world::{HOST, World};

const PRODUCTION: &str = "corteperfecto.somosblink.com";
const TEST: &str = "corteperfecto-test.somosblink.com";

#[test]
fn a_hotfix_is_tried_on_a_test_host_and_kept_from_production() {
    let world = World::fresh("hotfix");
    world.checkout("test");
    world.edit(&world.host_conf(TEST), "user = corteperfecto-test", "user = odoo\ninstall = base");
    world.commit("A test host on the lab's server");
    world.create_branch("hotfix/typo");
    world.edit("custom-addons/taller_portal/__manifest__.py", "Workshop Status", "Repair Status");
    let commit = world.commit("A typo");

    let run = world.plan(&["--host", TEST, "--branch", "hotfix/typo"]).expect_code(0);
    let plan = run.event("plan");
    assert_eq!(plan["environment"], "test");
    assert_eq!(plan["branch"], "hotfix/typo");
    assert_eq!(plan["commit"]["id"], commit);
    assert_eq!(plan["switch"], "stop");

    for host in [PRODUCTION, HOST] {
        let allowed = if host == PRODUCTION { "`main`" } else { "`demo`" };
        let refused = world.deploy(&["--host", host, "--branch", "hotfix/typo"]).expect_code(2);
        refused.expect_said("hotfix/typo").expect_said(allowed);
    }
    assert_eq!(world.state().current, None);
}

#[test]
fn a_branch_cannot_loosen_the_rules_it_is_deployed_by() {
    let world = World::deployed("loose");
    let state = world.state();
    world.create_branch("feature/loose");
    let settings = world.read("config/deploy.toml");
    world.write("config/deploy.toml", &settings.replace("allow = [", "allow = [\"feature/*\", "));
    world.commit("May go everywhere");
    for host in [PRODUCTION, HOST] {
        let refused = world.deploy(&["--host", host, "--branch", "feature/loose"]).expect_code(2);
        refused.expect_said("feature/loose");
    }
    // Nor by a host that says to be something lesser.
    world.edit(&world.host_conf(HOST), "environment = demo", "environment = test");
    world.commit("I am but a test");
    let refused = world.deploy(&["--branch", "feature/loose"]).expect_code(6);
    refused.expect_said("the host is demo, its file says test");
    // Nor by saying so in the working tree only.
    world.git(&["reset", "-q", "--hard", "HEAD~2"]);
    world.write("config/deploy.toml", &settings.replace("allow = [", "allow = [\"feature/*\", "));
    world.deploy(&["--branch", "feature/loose"]).expect_code(2);
    assert_eq!(world.state(), state);
}

#[test]
fn a_commit_of_another_branch_or_of_none_is_refused() {
    let world = World::deployed("commit");
    let live = world.git(&["rev-parse", "HEAD"]);
    world.create_branch("feature/other");
    world.write("custom-addons/taller_portal/static/x.css", "");
    let other = world.commit("Elsewhere");
    world.deploy(&["--commit", &other]).expect_code(2).expect_said("is not on branch `demo`");
    world.deploy(&["--commit", "0123456789abcdef0123456789abcdef01234567"]).expect_code(2);
    world.deploy(&["--branch", "nowhere"]).expect_code(2);
    world.deploy_ok(&["--commit", &live]).expect_said("nothing to do");
}

#[test]
fn what_is_not_pushed_is_said_and_not_deployed() {
    let world = World::deployed("unpushed");
    let controller = "custom-addons/taller_portal/controllers/main.py";
    world.edit(controller, r#""orders": orders"#, r#""pushed": orders"#);
    let pushed = world.commit("Pushed");
    world.edit(controller, r#""pushed": orders"#, r#""local": orders"#);
    world.commit_unpushed("Only here");
    world.edit(controller, r#""local": orders"#, r#""dirty": orders"#);
    world.write("custom-addons/taller_portal/untracked.py", "x = 1\n");
    let before = tree(&world);

    let plan = world.plan(&[]).expect_code(0);
    assert_eq!(plan.event("plan")["commit"]["id"], pushed);
    let run = world.deploy_ok(&[]);
    let run = run.expect_said("1 local commit of `demo` not pushed, so not deployed: Only here");
    run.expect_said("not committed, so not deployed").expect_said(controller);
    assert!(world.server().get("/taller/estado").body.contains("pushed"));
    let release = format!("/opt/odoo/{HOST}/releases/0002/code/{controller}");
    let release = world.server().path(release);
    assert!(fs::read_to_string(release).unwrap().contains("pushed"));
    assert_eq!(tree(&world), before, "the working tree or its index was touched");
}

/// Lists every file of the repository, of `.git` too, with its content's hash and its times.
fn tree(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![world.repository()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let modified = metadata.modified().unwrap();
            let hash = if metadata.is_file() {
                blake3::hash(&fs::read(&path).unwrap()).to_string()
            } else {
                String::new()
            };
            found.push(format!("{} {hash} {modified:?}", path.display()));
            if metadata.is_dir() {
                directories.push(path);
            }
        }
    }
    found.sort();
    found
}
