//! A secret stands in odoo.conf, and nowhere else.

#![expect(clippy::disallowed_methods, reason = "looks at files and processes")]

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    revert::add_migration,
    world::{HOST, Run, World},
};

/// A part of every secret below that no way of writing it changes.
const CORE: &str = "Kanari0";
/// Finds it without being an argument that has it.
const PATTERN: &str = "'Kanari[0]'";
const ADMIN: &str = "adm \"in$x%y  z'q\\w {{Kanari0}} é";
const QUEUE: &str = "qu'eue=#1;Kanari0&<x>";
const CACHE: &str = "Kanari0-c%40che";

const MODEL: &str = "custom-addons/taller_reparaciones/models/repair_order.py";
const CONTROLLER: &str = "custom-addons/taller_portal/controllers/main.py";
const READ_CONF: &str = "open('/opt/odoo/demo.somosblink.com/current/odoo.conf').read()";
const PRINT_CONF: &str = "import sys\n\n\n\
    def migrate(cr, version):\n\
    \x20   import logging\n\
    \x20   text = open('/opt/odoo/demo.somosblink.com/current/odoo.conf').read()\n\
    \x20   print(text)\n\
    \x20   print(repr(text), file=sys.stderr)\n\
    \x20   logging.getLogger('odoo.addons.taller').error('read %r', text.splitlines())\n\
    \x20   raise ValueError(text.splitlines())\n";

/// Everybody who could see a secret pass by: whoever lists processes, here and
/// on the server, and who gets the notifications.
pub(crate) struct Witness {
    stop: Arc<AtomicBool>,
    processes: JoinHandle<BTreeSet<String>>,
    posts: Arc<Mutex<Vec<String>>>,
    port: u16,
}

impl Witness {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let posts = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Arc::clone(&posts);
        thread::spawn(move || {
            for stream in listener.incoming() {
                kept.lock().unwrap().push(take_post(stream.unwrap()));
            }
        });
        let watched = Arc::clone(&stop);
        let processes = thread::spawn(move || watch_processes(&watched));
        Self { stop, processes, posts, port }
    }

    /// Returns the command lines that had a secret, and all that was posted.
    pub(crate) fn stop(self) -> (BTreeSet<String>, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let posts = self.posts.lock().unwrap().clone();
        (self.processes.join().unwrap(), posts)
    }
}

fn take_post(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let length = text
            .split_once("content-length:")
            .and_then(|(_, rest)| rest.lines().next()?.trim().parse::<usize>().ok());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if count == 0 || length.zip(body).is_some_and(|(length, body)| body >= length) {
            break;
        }
    }
    let _ =
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// Processes of the lab's servers are processes of this machine.
fn watch_processes(stop: &AtomicBool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(bytes) = fs::read(process.path().join("cmdline")) else { continue };
            let line = String::from_utf8_lossy(&bytes);
            if line.contains(CORE) {
                seen.insert(line.replace('\0', " "));
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    seen
}

/// Deploys with the secrets in the environment; nothing may be printed of them.
#[track_caller]
fn deploy(world: &World, witness: &Witness, arguments: &[&str]) -> Run {
    let mut command = world.command(&[&["--host", HOST], arguments].concat());
    command
        .env("ODOO_ADMIN_PASSWD", ADMIN)
        .env("QUEUE_PASSWORD", QUEUE)
        .env("CACHE_PASSWORD", CACHE)
        .env("WEBHOOK", format!("http://127.0.0.1:{}/hook/Kanari0", witness.port));
    let run = Run::of(&command.output().unwrap());
    for said in [&run.stdout, &run.stderr] {
        assert!(!said.contains(CORE), "a secret of {arguments:?}:\n{said}");
    }
    run
}

/// Checks that only the odoo.conf of releases hold a secret, unreadable to others, and
/// root's own copies of them.
#[track_caller]
fn only_odoo_conf_has_it(world: &World) {
    let places = "/etc /opt /home /root /run /srv /tmp /usr/local /var";
    let found = world.server().script(&format!(
        "grep -rIl -s -D skip {PATTERN} {places} | xargs -r stat -c '%a %U:%G %n' | sort"
    ));
    let found = found.ok();
    let release = |line: &str| {
        let (mode, file) = line.split_once(" /opt/odoo/demo.somosblink.com/releases/")?;
        let is_copy = file.ends_with("/as-deployed/odoo.conf");
        let expected = if is_copy { "600 root:root" } else { "640 root:odoo" };
        (file.ends_with("/odoo.conf") && mode == expected).then_some(())
    };
    assert!(!found.is_empty() && found.lines().all(|line| release(line).is_some()), "{found}");
    let journal = world.server().script(&format!("journalctl -a --no-pager | grep -c {PATTERN}"));
    assert_eq!(journal.stdout.trim(), "0");
    let history = world.server().path("/opt/odoo/demo.somosblink.com/history.jsonl");
    assert!(fs::read_to_string(history).unwrap().contains("********"));
}

/// Writes hooks that keep and print all they are given.
fn add_hooks(world: &World) {
    for hook in ["before-plan", "before-deploy", "after-deploy", "after-failure"] {
        let path = format!("deployment/hooks/{hook}");
        world.write(&path, "#!/bin/sh\n{ cat; env; } | tee -a ../hooks\n");
        let file = world.repository().join(path);
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Returns which hooks ran since the last look, each with the objects it read.
fn hooks_that_ran(world: &World) -> Vec<(String, Value)> {
    let path = world.repository().join("../hooks");
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(path).unwrap();
    let read = text.lines().filter(|line| line.starts_with('{'));
    let read = read.map(|line| serde_json::from_str(line).unwrap());
    let names = text.lines().filter_map(|line| line.strip_prefix("ODOO_DEPLOY_HOOK="));
    names.map(str::to_owned).zip(read).collect()
}

/// Checks that the hooks of a deploy ran in order, and what they read.
#[track_caller]
fn hooks_have_read_the_plan(world: &World) {
    let ran = hooks_that_ran(world);
    let names = ran.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["before-plan", "before-deploy", "after-deploy"]);
    assert_eq!((&ran[0].1["action"], &ran[1].1["release"]), (&json!("deploy"), &json!(2)));
    assert_eq!(ran[1].1, ran[2].1, "both read the plan");
}

/// Checks that a hook keeps a plan from being carried out.
#[track_caller]
fn a_hook_refuses(world: &World, witness: &Witness) {
    let before = world.state();
    world.write("deployment/hooks/before-deploy", "#!/bin/sh\nexit 3\n");
    deploy(world, witness, &[])
        .expect_code(6)
        .expect_said("hook `before-deploy` failed: it ended with status 3");
    assert_eq!(world.state(), before);
    add_hooks(world);
}

/// Reads odoo.conf as Odoo does.
fn odoo_conf(world: &World) -> String {
    let script = "import configparser\n\
        parser = configparser.RawConfigParser()\n\
        parser.read('/etc/odoo/demo.somosblink.com.conf')\n\
        for section, key in [('options', 'admin_passwd'), ('queue_job', 'password'),\n\
        \x20                    ('cache', 'url')]:\n\
        \x20   print(parser[section][key])\n";
    let run = format!("PYTHONUTF8=1 python3 - <<'END'\n{script}END\n");
    world.server().script(&run).ok()
}

#[test]
fn a_secret_stands_in_odoo_conf_and_nowhere_else() {
    let world = World::deployed("secrets");
    let witness = Witness::start();
    let conf = world.read(&world.host_conf(HOST));
    let sections = "[queue_job]\npassword = ${QUEUE_PASSWORD}\n\n\
                    [cache]\nurl = redis://:${CACHE_PASSWORD}@127.0.0.1:6379/1\n";
    world.write(&world.host_conf(HOST), &format!("{conf}\n{sections}"));
    let settings = world.read("config/deploy.toml");
    world.write(
        "config/deploy.toml",
        &format!("{settings}\n[notify.team]\nwebhook = \"${{WEBHOOK}}\"\non = [\"deployed\", \"failed\"]\n"),
    );
    add_hooks(&world);
    world.commit("Give the queue and the cache their passwords");
    deploy(&world, &witness, &["-vv"])
        .expect_code(0)
        .expect_said("+password = ********")
        .expect_said("after-deploy | ODOO_DEPLOY_RESULT=deployed");
    hooks_have_read_the_plan(&world);
    let expected = format!("{ADMIN}\n{QUEUE}\nredis://:{CACHE}@127.0.0.1:6379/1\n");
    assert_eq!(odoo_conf(&world), expected);

    add_migration(&world, "post-fill.py", PRINT_CONF);
    world.commit("Print odoo.conf in a migration");
    a_hook_refuses(&world, &witness);
    deploy(&world, &witness, &["-vv"])
        .expect_code(7)
        .expect_said("ValueError: ['# written by")
        .expect_said("after-failure | ODOO_DEPLOY_RESULT=reverted");
    deploy(&world, &witness, &["--json", "-vv"]).expect_code(7);
    let raise = format!("print({READ_CONF})\nraise RuntimeError({READ_CONF})\n");
    world.edit(MODEL, "from odoo import", &format!("{raise}from odoo import"));
    world.commit("Raise odoo.conf at import");
    deploy(&world, &witness, &["-vv"]).expect_code(6).expect_said("RuntimeError: # written by");
    deploy(&world, &witness, &["--update-modules=none"]).expect_code(6).expect_said("# written by");
    only_odoo_conf_has_it(&world);

    // From here on Odoo itself logs what its code raises.
    world.edit(MODEL, &raise, "");
    let login = format!(
        "\n\nfrom odoo.addons.web.controllers.home import Home\n\n\n\
         class Login(Home):\n    @http.route()\n    \
         def web_login(self, *args, **kw):\n        raise RuntimeError({READ_CONF})\n"
    );
    world.write(CONTROLLER, &format!("{}{login}", world.read(CONTROLLER)));
    world.commit("Raise odoo.conf on the login page");
    deploy(&world, &witness, &["--update-modules=none", "-vv"])
        .expect_code(7)
        .expect_said("  | admin_passwd = ********");

    let (processes, posts) = witness.stop();
    assert_eq!(processes, BTreeSet::new());
    assert!(posts.len() >= 5 && posts.iter().any(|post| post.contains("********")), "{posts:?}");
    assert!(posts.iter().all(|post| !post.contains(CORE)), "{posts:?}");
    let own = world.repository().join("..");
    let kept = std::process::Command::new("grep")
        .args(["-rlI", PATTERN.trim_matches('\'')])
        .arg(own)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "");
}
