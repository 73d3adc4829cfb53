//! What somebody changed on the server is shown, and never overwritten unseen; what the
//! service still owes to its files is done.

use crate::world::{HOST, Run, World};

const CONTROLLER: &str = "custom-addons/taller_portal/controllers/main.py";
const CONF: &str = "/opt/odoo/demo.somosblink.com/current/odoo.conf";
const UNIT: &str = "/etc/systemd/system/odoo-demo.somosblink.com.service";
const VHOST: &str = "/etc/nginx/sites-enabled/demo.somosblink.com";

/// Commits a change of code that needs a new process only.
fn change_code(world: &World, from: &str, to: &str) {
    world.edit(CONTROLLER, from, to);
    world.commit("Say which release answers");
}

fn on_server(world: &World, script: &str) -> String {
    world.server().script(&format!("set -e\n{script}")).ok()
}

/// Returns what a plan says of drift.
#[track_caller]
fn drift(run: &Run) -> Vec<String> {
    let drift = run.event("plan")["drift"].as_array().expect("a list").clone();
    drift.iter().map(|drift| drift["text"].as_str().expect("a text").to_owned()).collect()
}

#[track_caller]
fn has_no_drift(world: &World) {
    let plan = world.plan(&["--exit-code"]).expect_code(0);
    assert_eq!(drift(&plan), Vec::<String>::new());
}

#[test]
fn an_edited_odoo_conf_is_not_overwritten_unseen() {
    let world = World::deployed("drift");
    has_no_drift(&world);
    let modes = "stat -c '%a %U' /opt/odoo/*/current/as-deployed{,/*} | sort -u";
    assert_eq!(on_server(&world, modes), "600 root\n700 root\n");

    on_server(&world, &format!("sed -i 's/^limit_time_cpu = 600/limit_time_cpu = 700/' {CONF}"));
    let plan = world.plan(&["--exit-code"]).expect_code(0);
    let [file, process] = drift(&plan).try_into().unwrap();
    assert_eq!(file, "odoo.conf was edited on the server: `limit_time_cpu` differs");
    assert_eq!(process, "the service was started before odoo.conf changed");
    plan.expect_said("it is left alone");

    change_code(&world, r#""orders": orders"#, r#""release": "second", "orders": orders"#);
    let before = world.state();
    world
        .deploy(&[])
        .expect_code(6)
        .expect_said("`limit_time_cpu` differs, and this deploy would overwrite it")
        .expect_said("+limit_time_cpu = 700")
        .expect_said("--overwrite-drift")
        .expect_said("nothing was touched");
    assert_eq!(world.state(), before);
    world.deploy_ok(&["--overwrite-drift"]).expect_said("drift: odoo.conf was edited");
    has_no_drift(&world);

    // An edit that was taken into the repository is none any more.
    on_server(&world, &format!("sed -i 's/^limit_time_cpu = 600/limit_time_cpu = 900/' {CONF}"));
    world.edit("config/base.conf", "limit_time_cpu = 600", "limit_time_cpu = 900");
    world.commit("Let requests compute longer");
    change_code(&world, "second", "third");
    world.deploy_ok(&[]);
    has_no_drift(&world);

    let rewrite = format!(
        "python3 - <<'END'\nfrom odoo.tools import config\n\
         config.parse_config(['-c', '{CONF}'])\n\
         config.set_admin_password('another')\nconfig.save(['admin_passwd'])\nEND"
    );
    on_server(&world, &rewrite);
    let plan = world.plan(&[]).expect_code(0);
    assert_eq!(
        drift(&plan)[0],
        "odoo.conf was rewritten on the server, as Odoo itself does: `admin_passwd` differs"
    );
    assert!(!plan.stdout.contains("pbkdf2"), "{}", plan.stdout);
}

#[test]
fn an_edited_vhost_and_a_foreign_drop_in_are_left_alone_until_they_are_meant() {
    let world = World::deployed("certbot");
    let certbot = "listen 8443; # managed by Certbot";
    on_server(&world, &format!("sed -i '0,/listen/s//{certbot}\\n    listen/' {VHOST}"));
    let text = "the vhost was edited on the server by certbot";
    assert_eq!(drift(&world.plan(&["--exit-code"]).expect_code(0)), [text]);
    change_code(&world, r#""orders": orders"#, r#""release": "second", "orders": orders"#);
    world.deploy_ok(&[]).expect_said("is left alone");
    assert!(on_server(&world, &format!("cat {VHOST}")).contains(certbot));

    let conf = world.host_conf(HOST);
    world.edit(&conf, "[deploy.nginx]", "[deploy.nginx]\nclient_max_body_size = 64m");
    world.commit("Take larger files");
    let before = world.state();
    world.deploy(&[]).expect_code(6).expect_said(text).expect_said(certbot);
    assert_eq!(world.state(), before);
    world.deploy_ok(&["--overwrite-drift"]).expect_said("the vhost is live");
    assert!(!on_server(&world, &format!("cat {VHOST}")).contains(certbot));
    has_no_drift(&world);
    assert_eq!(world.state().current, before.current);

    let own = "printf '[Service]\\nNice=5\\n'";
    on_server(&world, &format!("{own} >{UNIT}.d/override.conf; systemctl daemon-reload"));
    let plan = world.plan(&["--exit-code"]).expect_code(0);
    assert_eq!(drift(&plan), [format!("the unit is also changed by `{UNIT}.d/override.conf`")]);
}

#[test]
fn a_restart_that_was_never_made_is_made() {
    let world = World::deployed("owed");
    change_code(&world, r#""orders": orders"#, r#""release": "second", "orders": orders"#);
    world.deploy_ok(&[]);
    has_no_drift(&world);
    let answers = || world.server().get("/taller/estado").body.contains("second");
    assert!(answers());

    let point = |to: &str| format!("ln -sfn releases/{to} /opt/odoo/{HOST}/current");
    let restart = format!("systemctl restart odoo-{HOST}");
    on_server(&world, &format!("{}\n{restart}", point("0001")));
    world.server().wait_until_served();
    on_server(&world, &point("0002"));
    assert!(!answers());
    let run = world.deploy_ok(&[]);
    run.expect_said("the service still runs release 1").expect_said("release 2 is live");
    assert!(answers());
    assert_eq!(world.state().current, Some(2));
    assert_eq!(world.state().releases.len(), 2, "no release is written for it");
    has_no_drift(&world);

    on_server(&world, &format!("sleep 2; touch {UNIT}"));
    let before = world.state();
    world.deploy_ok(&[]).expect_said("the service was started before its unit changed");
    assert_ne!(world.state().main_pid, before.main_pid);
    has_no_drift(&world);

    on_server(&world, &format!("sleep 2; touch {CONF}"));
    world
        .deploy_ok(&[])
        .expect_said("the service was started before odoo.conf changed")
        .expect_said("users noticed nothing");
    has_no_drift(&world);

    on_server(&world, &format!("systemctl stop odoo-{HOST}"));
    world.deploy_ok(&[]).expect_said("the service is inactive").expect_said("start Odoo");
    assert!(answers() && world.state().active);
    has_no_drift(&world);
}
