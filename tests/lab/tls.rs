//! Certificates: from an authority of the lab's own, obtained, renewed and refused.

#![expect(clippy::disallowed_methods, reason = "writes roots and proofs, on the server's disk")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    adopt::{Old, adopt, by_hand, is_old},
    authority::Authority,
    lab::{Server, ask},
    revert::VIEWS,
    world::{DATABASE, HOST, World},
};

const ALIAS: &str = "www.somosblink.com";
/// A line of Odoo's vhost is not there while the host is still answered in clear only.
const LOGIN: &str = "/web/login";

/// Names the authority in the repository, and wants a certificate from it.
fn want_certificate(world: &World, authority: &Authority<'_>) {
    let acme = format!("[acme]\ndirectory = \"{}\"\nca = \"config/lab.crt\"", authority.directory);
    world.edit("config/deploy.toml", "[acme]", &acme);
    world.write("config/lab.crt", &authority.root);
    world.edit(&world.host_conf(HOST), "[deploy.nginx]", "[deploy.nginx]\ntls = letsencrypt");
    world.commit("Have an authority certify the host");
}

/// Asks for a page over HTTPS on the server, and judges the certificate as a browser does.
fn https_status(server: &Server, name: &str, path: &str) -> String {
    let resolve = format!("{name}:443:127.0.0.1");
    let url = format!("https://{name}{path}");
    let curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--resolve", &resolve];
    let answer = server.shell(&[&curl[..], &["--cacert", "/root/issued.pem", &url]].concat());
    format!("{}{}", answer.stdout, answer.stderr).trim().to_owned()
}

/// Returns the serial number of the certificate that nginx serves.
fn served_serial(server: &Server) -> String {
    let script = format!(
        "openssl s_client -connect 127.0.0.1:443 -servername {HOST} </dev/null 2>/dev/null |
           openssl x509 -noout -serial"
    );
    server.script(&script).ok().trim().to_owned()
}

/// What a certificate and the vhost that names it consist of.
fn tls_files(server: &Server) -> String {
    let script = "cd /etc && find nginx letsencrypt odoo-deploy \
                  -type f -o -type l | sort | while read -r file; do \
                    echo \"$file $(readlink \"$file\") $(sha256sum <\"$file\")\"; done";
    server.script(script).stdout
}

/// How often certbot has been run so far.
fn certbot_runs(server: &Server) -> String {
    let script = "grep -c 'certbot version' /var/log/letsencrypt/letsencrypt.log* | sort";
    server.script(script).stdout
}

#[test]
fn a_new_host_is_certified_and_renewed_and_a_name_that_leads_elsewhere_changes_nothing() {
    let world = World::fresh("tls-new");
    let server = world.server();
    let authority = Authority::start(server);
    authority.trust(server);

    // A name that leads nowhere: nothing is left of the try.
    want_certificate(&world, &authority);
    let before = world.state();
    world
        .deploy(&["--branch", "demo"])
        .expect_code(6)
        .expect_said(&format!("could not check {HOST}"))
        .expect_said("has to lead to port 80 of this server");
    assert_eq!(world.state(), before);
    assert_eq!(tls_files(server).matches("sites-enabled").count(), 0);
    assert_eq!(authority.issued(), 0);

    authority.names.point(HOST, server.address());
    world
        .deploy_ok(&["--branch", "demo"])
        .expect_said(&format!("obtain one for {HOST} from {}", authority.directory))
        .expect_said("release 2 is live and verified");
    assert_eq!(https_status(server, HOST, LOGIN), "200");
    let clear = server.get(LOGIN);
    assert_eq!(clear.status, 301);
    assert_eq!(clear.headers["location"], format!("https://{HOST}{LOGIN}"));
    let webroot = server.path("/var/lib/odoo-deploy/acme/.well-known/acme-challenge");
    assert_eq!(std::fs::read_dir(&webroot).unwrap().count(), 0);
    std::fs::write(webroot.join("proof"), "answer").unwrap();
    assert_eq!(server.get("/.well-known/acme-challenge/proof").body, "answer");
    std::fs::remove_file(webroot.join("proof")).unwrap();

    // Nothing to do, and certbot is not even asked.
    let (runs, files) = (certbot_runs(server), tls_files(server));
    world.deploy_ok(&["--branch", "demo"]).expect_said("nothing to do");
    assert_eq!((certbot_runs(server), tls_files(server)), (runs, files));
    assert_eq!(authority.issued(), 1);

    renew(server);
    assert_eq!(authority.issued(), 2);
    assert_eq!(https_status(server, HOST, LOGIN), "200");
    let plan = world.plan(&["--branch", "demo", "--exit-code"]).expect_code(0);
    assert_eq!(plan.event("plan")["drift"], serde_json::json!([]));

    // One of two names leads nowhere: the one that is served stays as it is.
    world.edit(
        &world.host_conf(HOST),
        "[deploy.nginx]",
        &format!("[deploy.nginx]\naliases = {ALIAS}"),
    );
    world.commit("Answer another name");
    let (state, files) = (world.state(), tls_files(server));
    world
        .deploy(&["--branch", "demo"])
        .expect_code(6)
        .expect_said(&format!("could not check {ALIAS}"));
    assert_eq!((world.state(), tls_files(server)), (state, files));
    assert_eq!(https_status(server, HOST, LOGIN), "200");

    authority.names.point(ALIAS, server.address());
    world
        .deploy_ok(&["--branch", "demo"])
        .expect_said(&format!("the present one is not for {ALIAS}"))
        .expect_said("the vhost is live");
    assert_eq!(https_status(server, ALIAS, LOGIN), "200");
    assert_eq!(https_status(server, HOST, LOGIN), "200");
}

#[test]
fn a_host_that_was_set_up_by_hand_is_certified_in_its_first_deploy_or_left_as_it_is() {
    let world = by_hand("tls-adopted");
    let server = world.server();
    // Its vhost would send challenges elsewhere, and has another location for them.
    let script = r"set -e
        sed -i 's|^    client_max|    if ($uri ~ acme-challenge) { return 301 /web; }\n&|
            s|^    location|    location /.well-known/acme-challenge/ { return 404; }\n&|' \
            /etc/nginx/sites-available/odoo
        nginx -t
        systemctl reload nginx";
    server.script(script).ok();
    let authority = Authority::start(server);
    authority.trust(server);
    let (before, content) = (Old::look(server), world.database_content(DATABASE));
    adopt(&world, &[]).expect_code(0);
    world.edit(&world.host_conf(HOST), "tls = none\n", "");
    world.commit("Adopt the host");
    want_certificate(&world, &authority);

    // The authority does not find the name: users are served as before.
    world.deploy(&[]).expect_code(6);
    is_old(&world, &before, &content);
    assert_eq!(authority.issued(), 0);

    // The certificate is there, and the upgrade fails: what was adopted comes back.
    authority.names.point(HOST, server.address());
    let device = "<field name=\"device\"/>";
    world.edit(VIEWS, device, &format!("{device}<field name=\"no_such_field\"/>"));
    world.commit("Show a field that does not exist");
    world.deploy(&[]).expect_code(7).expect_said("back on release 0");
    is_old(&world, &before, &content);
    assert_eq!(authority.issued(), 1);

    world.edit(VIEWS, "<field name=\"no_such_field\"/>", "<field name=\"work_done\"/>");
    world.commit("Show the work that was done");
    world.deploy(&[]).expect_code(0);
    assert_eq!(https_status(server, HOST, LOGIN), "200");
    assert_eq!(server.get(LOGIN).status, 301);
    assert_eq!(authority.issued(), 1, "the next try uses it");

    let back = ["rollback", "--host", HOST, "--to", "0", "--with-database", "--yes"];
    // From outside it is looked for where its file says, and release 0 is served in clear.
    world.run(&back).expect_code(11).expect_said("not verified from outside: https://");
    is_old(&world, &before, &content);
}

/// Renews as certbot's own timer does, though it is not time yet: nginx serves the new
/// certificate without anybody's help.
fn renew(server: &Server) {
    let before = served_serial(server);
    let drop_in = "/run/systemd/system/certbot.service.d/now.conf";
    server
        .script(&format!(
            "set -e\nmkdir -p $(dirname {drop_in})\n\
             printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/certbot -q renew --no-random-sleep-on-renew --force-renewal\\n' >{drop_in}\n\
             systemctl daemon-reload\nsystemctl start certbot.service\n\
             rm {drop_in}\nsystemctl daemon-reload\n"
        ))
        .ok();
    server.wait_until("nginx serves the new certificate", |server| served_serial(server) != before);
}

#[test]
fn a_live_host_is_certified_without_a_failed_request() {
    let world = World::deployed("tls-live");
    let server = world.server();
    let authority = Authority::start(server);
    authority.trust(server);
    authority.names.point(HOST, server.address());
    want_certificate(&world, &authority);

    // The authority is away: users are served in clear as before.
    authority.stop();
    let (state, files) = (world.state(), tls_files(server));
    let visitors = Visitors::start(server);
    world.deploy(&["--branch", "demo"]).expect_code(6).expect_said("cannot be reached");
    assert_eq!((world.state(), tls_files(server)), (state.clone(), files));

    let authority = Authority::start(server);
    authority.trust(server);
    world.edit("config/deploy.toml", "email = \"ops@", "email = \"hola@");
    world.write("config/lab.crt", &authority.root);
    world.commit("Trust the authority that is there now");
    world.deploy_ok(&["--branch", "demo"]).expect_said("replace the vhost and reload nginx");
    let (requests, failures) = visitors.stop();
    assert_eq!(failures, Vec::<String>::new());
    assert!(requests > 20, "{requests}");
    assert_eq!(world.state(), state);
    assert_eq!(https_status(server, HOST, LOGIN), "200");
    assert_eq!(server.get(LOGIN).status, 301);
    let status = world.run(&["status", "--host", HOST]).expect_code(0);
    status.expect_said("valid until");
    removed_with_its_certificate(&world);
}

/// Nothing of the certificate outlives its host, and certbot is not needed for that.
fn removed_with_its_certificate(world: &World) {
    let server = world.server();
    let script = format!(
        "find /etc/letsencrypt /etc/odoo-deploy /etc/nginx /run/odoo-deploy -name '{HOST}*' | sort"
    );
    let traces = || server.script(&script).ok();
    let expected = ["archive/", "live/", "renewal/", "acme-roots/", "sites-enabled/"];
    for directory in expected {
        assert!(traces().contains(&format!("{directory}{HOST}")), "{directory}: {}", traces());
    }
    server.shell(&["mv", "/usr/bin/certbot", "/root/certbot"]).ok();
    let client = HOST.split('.').next().unwrap();
    let run = world.run(&["client", "remove", client, "--confirm", client]).expect_code(0);
    run.expect_said("- remove the certificate").expect_said(&format!("{HOST} is removed"));
    assert_eq!(traces(), "");
    server.shell(&["nginx", "-t"]).ok();
}

/// Visitors in clear, who follow no redirect.
struct Visitors {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<(usize, Vec<String>)>,
}

impl Visitors {
    fn start(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, address) = (Arc::clone(&stop), server.address().to_owned());
        let thread = thread::spawn(move || {
            let (mut requests, mut failures) = (0, Vec::new());
            while !ended.load(Ordering::Relaxed) {
                match ask(&address, HOST, LOGIN) {
                    Ok(answer) if matches!(answer.status, 200 | 301) => {}
                    Ok(answer) => failures.push(answer.status.to_string()),
                    Err(error) => failures.push(error),
                }
                requests += 1;
                thread::sleep(Duration::from_millis(50));
            }
            (requests, failures)
        });
        Self { stop, thread }
    }

    fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
