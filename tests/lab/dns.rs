//! Records of the DNS come and go with the host, in a zone of a real name server.

use serde_json::json;

use crate::{
    name_server::NameServer,
    world::{HOST, World},
};

const ALIAS: &str = "erp.somosblink.com";
const REMOVE: [&str; 5] = ["client", "remove", "demo", "--confirm", "demo"];
const VIEWS: &str = "custom-addons/taller_reparaciones/views/repair_order_views.xml";
const SECRETS: &str = "config/secrets.env";

/// Lets the world's host have records in the zone of its server's name server.
fn manage<'a>(world: &'a World) -> NameServer<'a> {
    let names = NameServer::start(world.server());
    let settings = world.read("config/deploy.toml");
    world.write("config/deploy.toml", &format!("{}{settings}", names.settings()));
    world.write(SECRETS, &format!("DNS_KEY={}\n", names.secret));
    world.commit("Records in the DNS");
    names
}

/// Returns what the zone holds of a host besides its addresses.
fn mark(name: &str) -> String {
    format!("_odoo-deploy.{name}. 300 IN TXT \"managed-by=odoo-deploy host={HOST}\"")
}

#[test]
fn what_stands_in_the_way_in_the_dns_is_said_before_anything_is_touched() {
    let world = World::fresh("dns-refusals");
    let names = manage(&world);
    let empty = names.zone();
    let server =
        || world.server().shell(&["find", "/opt/odoo", "-newer", "/etc/bind/lab.key"]).ok();

    // A key that is wrong, and one that is not there.
    world.write(SECRETS, "DNS_KEY=d3Jvbmc=\n");
    let run = world.deploy(&["--branch", "demo"]).expect_code(6);
    run.expect_said("refuses key `deploy` of zone somosblink.com: its secret is another one");
    world.write(SECRETS, "\n");
    let run = world.deploy(&["--branch", "demo"]).expect_code(6);
    run.expect_said("no value for `DNS_KEY`");
    world.write(SECRETS, &format!("DNS_KEY={}\n", names.secret));

    // Somebody else's record.
    let foreign = format!("update add {HOST} 60 A 198.51.100.7");
    names.update(&foreign);
    let before = names.zone();
    for arguments in [&["--branch", "demo"][..], &["--branch", "demo", "--dry-run"]] {
        let run = world.deploy(arguments).expect_code(6);
        run.expect_said("leads elsewhere in the DNS: A 198.51.100.7 (not made by this tool)");
    }
    names.update(&format!("update delete {HOST} A\nupdate add {HOST} 60 CNAME ns.somosblink.com"));
    let run = world.deploy(&["--branch", "demo"]).expect_code(6);
    run.expect_said("CNAME ns.somosblink.com (not made by this tool)");
    names.update(&format!("update delete {HOST} CNAME\n{foreign}"));
    assert_eq!(names.zone(), before);
    names.update(&format!("update delete {HOST} A"));

    // A wildcard is no record of the host; what cannot be deployed leaves none.
    names.update("update add *.somosblink.com 60 A 198.51.100.8");
    let wild = names.zone();
    world.edit(VIEWS, "</odoo>", "</odo>");
    world.commit("Broken");
    let run = world.deploy(&["--branch", "demo", "--json"]).expect_code(6);
    assert_eq!(run.event("plan")["dns"][0]["name"], HOST);
    let what: Vec<_> = run.events.iter().filter(|event| event["event"] == "dns-changed").collect();
    assert_eq!(
        what.iter().map(|event| &event["what"]).collect::<Vec<_>>(),
        ["written", "taken-back"]
    );
    assert_eq!(names.zone(), wild);
    names.update("update delete *.somosblink.com A");
    assert_eq!(names.zone(), empty);
    assert_eq!(world.state().current, None, "{}", server());
}

#[test]
fn records_follow_their_host_from_its_first_deploy_to_its_end() {
    let world = World::deployed("dns-life");
    let names = manage(&world);
    let empty = names.zone();
    let address = world.server().address().to_owned();

    // A plan and a dry run only look.
    let run = world.plan(&["--branch", "demo", "--exit-code"]).expect_code(3);
    assert_eq!(run.event("plan")["dns"][0]["after"][0]["ip"], address);
    world.deploy_ok(&["--branch", "demo", "--dry-run"]);
    assert_eq!(names.zone(), empty);

    let run = world.deploy_ok(&["--branch", "demo"]);
    run.expect_said(&format!("dns  + A {HOST} {address}"));
    assert_eq!(names.dig(HOST, "A"), address);
    assert!(names.zone().contains(&mark(HOST)), "{}", names.zone());
    let written = names.zone();
    world.deploy_ok(&["--branch", "demo"]).expect_said("nothing to do");
    assert_eq!(names.zone(), written);

    // An alias of a deploy that is reverted goes again.
    let conf = world.host_conf(HOST);
    world.edit(&conf, "[deploy.nginx]", &format!("[deploy.nginx]\naliases = {ALIAS}"));
    world.edit(VIEWS, r#"<field name="device"/>"#, r#"<field name="no_such_field"/>"#);
    world.commit("An alias, and a mistake");
    let run = world.deploy(&["--branch", "demo"]).expect_code(7);
    run.expect_said(&format!("dns  - A {ALIAS} {address} (ttl 300) (taken back)"));
    assert_eq!(names.zone(), written);

    // One that is deployed stays, until it is no alias any more.
    world.edit(VIEWS, r#"<field name="no_such_field"/>"#, r#"<field name="device"/>"#);
    world.commit("Mended");
    world.deploy_ok(&["--branch", "demo"]);
    assert_eq!(names.dig(ALIAS, "A"), address);
    world.edit(&conf, &format!("aliases = {ALIAS}\n"), "");
    world.commit("No alias");
    let run = world.deploy_ok(&["--branch", "demo"]);
    run.expect_said(&format!("dns  - A {ALIAS}"));
    assert_eq!(names.zone(), written);

    // A server that gets other addresses.
    let key = format!("host_key = \"{}\"\n", world.server().host_key());
    let public = format!("{key}public_addresses = [\"203.0.113.5\", \"2001:db8::5\"]\n");
    world.edit("config/deploy.toml", &key, &public);
    world.commit("Another address");
    let run = world.deploy_ok(&["--branch", "demo"]);
    run.expect_said(&format!("dns  - A {HOST} {address}")).expect_said("+ AAAA");
    assert_eq!([names.dig(HOST, "A"), names.dig(HOST, "AAAA")], ["203.0.113.5", "2001:db8::5"]);

    let status = world.run(&["dns", "status", "--host", HOST, "--json"]).expect_code(0);
    assert_eq!(status.event("dns")["changes"], json!([]));
    assert_eq!(status.event("dns")["found"][0]["records"][0]["owner"], format!("made for {HOST}"));

    // Records that are gone come back.
    let written = names.zone();
    world.run(&["dns", "remove", "--host", HOST, "--yes"]).expect_code(0);
    assert_eq!(names.zone(), empty);
    world.deploy_ok(&["--branch", "demo"]);
    assert_eq!(names.zone(), written);

    // A provider that is down keeps no live host from being deployed to, but from being removed.
    world.server().shell(&["systemctl", "stop", "named.service"]).ok();
    world.edit(VIEWS, r#"<field name="device"/>"#, r#"<field name="device" string="Thing"/>"#);
    world.commit("A word");
    let run = world.deploy(&["--branch", "demo"]);
    run.expect_code(0).expect_said("were not looked at: no answer from name server");
    let before = world.state();
    let run = world.run(&REMOVE).expect_code(6);
    run.expect_said("no answer from name server").expect_said("nothing was touched");
    assert_eq!(world.state(), before);
    world.server().shell(&["systemctl", "start", "named.service"]).ok();
    world.server().wait_until("the name server is back", |_| !names.zone().is_empty());

    removed_with_its_client(&world, &names, &empty);
}

/// The zone takes no changes at first: the host is gone, and its file says what is left.
fn removed_with_its_client(world: &World, names: &NameServer<'_>, empty: &str) {
    let conf = world.host_conf(HOST);
    let allow = |from: &str, to: &str| {
        let script = format!(
            "sed -i 's/allow-update {{ {from}; }}/allow-update {{ {to}; }}/' \
               /etc/bind/named.conf.local && systemctl restart named.service"
        );
        world.server().script(&script).ok();
        world.server().wait_until("the name server is back", |_| !names.zone().is_empty());
    };
    allow("key deploy", "none");
    let run = world.run(&REMOVE).expect_code(8);
    let run = run.expect_said(&format!("dns  - A {HOST} 203.0.113.5"));
    let run = run.expect_said(&format!("{HOST} is removed"));
    let run = run.expect_said("it may not update the zone");
    run.expect_said(&format!("`deploy dns remove --host {HOST}` removes them"));
    assert_eq!(world.state().current, None);
    assert_eq!(names.dig(HOST, "A"), "203.0.113.5");
    assert_eq!(world.git(&["status", "--porcelain"]), "");

    allow("none", "key deploy");
    world.edit(&conf, "[deploy.nginx]", &format!("[deploy.nginx]\naliases = {ALIAS}"));
    names.update(&format!("update add {ALIAS} 60 A 198.51.100.7"));
    let run = world.run(&[&REMOVE[..], &["--json"]].concat()).expect_code(0);
    let removal = run.event("removal");
    assert_eq!(removal["dns"][0]["before"][0]["ip"], "203.0.113.5", "{removal}");
    let stays = format!("DNS record A 198.51.100.7 of {ALIAS}: not made by this tool");
    assert!(removal["kept"].as_array().unwrap().contains(&json!(stays)), "{removal}");
    assert_eq!(run.event("dns-changed")["what"], "removed");
    assert_eq!(run.event("client-removed")["left"], json!([]));
    assert_eq!(names.dig(ALIAS, "A"), "198.51.100.7");
    names.update(&format!("update delete {ALIAS} A"));
    assert_eq!(names.zone(), empty);
    assert!(world.git(&["status", "--porcelain"]).contains(&format!("D {conf}")));
}
