//! A deploy key: it deploys its hosts, and does nothing else, whatever its holder tries.

#![expect(clippy::disallowed_methods, reason = "makes keys and runs ssh with them")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use crate::{
    calm::Calm,
    world::{HOST, World},
};

const LOGIN: &str = "deploy-ci";
const AGENT: &str = "/usr/local/lib/odoo-deploy/deploy";
const VIEW: &str = "custom-addons/taller_reparaciones/views/taller_menus.xml";
const SETTINGS: &str = "config/deploy.toml";

/// A world whose server has a login of its own for a deploy key.
struct Keyed {
    world: World,
    key: PathBuf,
    full: String,
}

impl Keyed {
    fn new() -> Self {
        let world = World::deployed("deploy-key");
        let key = world.repository().with_file_name("ci");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "ci@lab", "-f"])
            .arg(&key)
            .status();
        assert!(made.unwrap().success());
        let add = ["useradd", "--system", "--create-home", "--shell", "/bin/sh", LOGIN];
        world.server().shell(&add).ok();
        let full = world.read(SETTINGS);
        Self { world, key, full }
    }

    /// Has the repository log in with everything, or with the deploy key.
    fn log_in(&self, restricted: bool) {
        let key = format!("identity = \"{}\"", self.key.display());
        let own = format!("identity = \"{}\"", self.world.server().identity);
        let text = match restricted {
            true => self
                .full
                .replace("user = \"deploy\"", &format!("user = \"{LOGIN}\""))
                .replace(&own, &key),
            false => self.full.clone(),
        };
        self.world.write(SETTINGS, &text);
        self.world.commit("Log in otherwise");
    }

    fn authorize(&self, hosts: &str) -> crate::world::Run {
        let file = self.key.with_extension("pub");
        let file = file.to_str().unwrap();
        self.world.run(&[
            "server",
            "authorize",
            "--json",
            "--server",
            "vps-1",
            "--key",
            file,
            "--hosts",
            hosts,
            "--user",
            LOGIN,
        ])
    }

    /// Prepares ssh with the deploy key and nothing else of this machine.
    fn ssh(&self, program: &str, arguments: &[&str]) -> Command {
        let server = self.world.server();
        let known = self.key.with_file_name("known_hosts");
        fs::write(&known, format!("* {}\n", server.host_key())).unwrap();
        let mut command = Command::new(program);
        command
            .args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", known.display()))
            .arg("-i")
            .arg(&self.key)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn target(&self) -> String {
        format!("{LOGIN}@{}", self.world.server().address())
    }

    fn run_ssh(&self, arguments: &[&str]) -> Output {
        let target = self.target();
        let (options, command) = match arguments.iter().position(|one| *one == "--") {
            Some(at) => (&arguments[..at], &arguments[at + 1..]),
            None => (arguments, &[][..]),
        };
        self.ssh("ssh", &[options, &[&target], command].concat()).output().unwrap()
    }

    /// Starts an ssh that forwards something, and waits until it listens.
    fn forward(&self, option: &str, port: u16) -> Forward {
        let target = self.target();
        let to = match option {
            "-L" => format!("127.0.0.1:{port}:127.0.0.1:22"),
            _ => format!("127.0.0.1:{port}"),
        };
        let child = self.ssh("ssh", &["-N", option, &to, &target]).spawn().unwrap();
        let forward = Forward(child);
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return forward;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("ssh never listened");
    }
}

/// An ssh in the background.
struct Forward(Child);

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn a_free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_deploy_key_deploys_its_hosts_and_does_nothing_else() {
    let keyed = Keyed::new();
    authorizing_is_safe_to_repeat(&keyed);
    nothing_but_the_agent_is_reached(&keyed);
    the_login_itself_gains_nothing(&keyed);
    another_hosts_deploy_is_refused(&keyed);
    a_deploy_works(&keyed);
    what_runs_as_root_stays(&keyed);
    an_agent_is_never_replaced(&keyed);
    revoked_is_revoked(&keyed);
}

fn authorizing_is_safe_to_repeat(keyed: &Keyed) {
    let world = &keyed.world;
    let private = keyed.key.to_str().unwrap();
    let command = ["server", "authorize", "--server", "vps-1", "--hosts", "a*", "--key", private];
    let run = world.run(&command).expect_code(2).expect_said("it is a private key");
    let text = fs::read_to_string(private).unwrap();
    let inside = text.lines().nth(1).unwrap();
    assert!(!run.stdout.contains(inside) && !run.stderr.contains(inside));
    let run = keyed.authorize("other.example.com").expect_code(0);
    assert_eq!(run.event("key-authorized")["change"], "added");
    let run = keyed.authorize("other.example.com").expect_code(0);
    assert_eq!(run.event("key-authorized")["change"], "nothing");
    let list = world.run(&["server", "keys", "--server", "vps-1"]).expect_code(0);
    list.expect_said("other.example.com").expect_said(LOGIN);
}

fn nothing_but_the_agent_is_reached(keyed: &Keyed) {
    let run = keyed.run_ssh(&["--", "id"]);
    assert!(!said(&run).contains("uid="), "{}", said(&run));
    let run = keyed.run_ssh(&["-tt"]);
    assert!(said(&run).contains("PTY allocation request failed"), "{}", said(&run));
    let target = keyed.target();
    let secret = format!("{target}:/etc/hostname");
    let here = keyed.key.with_file_name("stolen");
    let run = keyed.ssh("scp", &[&secret, here.to_str().unwrap()]).output().unwrap();
    assert!(!run.status.success() && !here.exists(), "{}", said(&run));
    let run = keyed.ssh("scp", &["-O", &secret, here.to_str().unwrap()]).output().unwrap();
    assert!(!run.status.success() && !here.exists(), "{}", said(&run));
    // The old protocol waits for an answer: it gets one, and an end.
    assert!(said(&run).contains("nobody said hello"), "{}", said(&run));
    let run = keyed.ssh("sftp", &[&target]).output().unwrap();
    assert!(!run.status.success(), "{}", said(&run));
    let run = keyed.run_ssh(&["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22"]);
    assert!(said(&run).contains("remote port forwarding failed"), "{}", said(&run));
    local_forwards_are_closed(keyed);
    an_agent_of_keys_is_not_forwarded(keyed);
}

fn local_forwards_are_closed(keyed: &Keyed) {
    let port = a_free_port();
    let forward = keyed.forward("-L", port);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut banner = Vec::new();
    let _ = stream.read_to_end(&mut banner);
    assert!(!banner.starts_with(b"SSH"), "a forwarded port answers");
    drop(forward);
    let port = a_free_port();
    let forward = keyed.forward("-D", port);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // SOCKS 5: no authentication; connect to 127.0.0.1, port 22.
    stream.write_all(&[5, 1, 0]).unwrap();
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).unwrap();
    stream.write_all(&[5, 1, 0, 1, 127, 0, 0, 1, 0, 22]).unwrap();
    let mut through = Vec::new();
    let _ = stream.read_to_end(&mut through);
    let banner = String::from_utf8_lossy(&through).into_owned();
    assert!(!banner.contains("SSH"), "a forwarded port answers: {banner}");
    drop(forward);
}

fn an_agent_of_keys_is_not_forwarded(keyed: &Keyed) {
    let socket = keyed.key.with_file_name("agent");
    let mut agent = Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !socket.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut ssh = keyed.ssh("ssh", &["-A", &keyed.target()]);
    let mut child = ssh.env("SSH_AUTH_SOCK", &socket).stdin(Stdio::piped()).spawn().unwrap();
    keyed.world.server().wait_until("the agent runs", |server| {
        server.shell(&["pgrep", "-f", "agent --key ci"]).code == 0
    });
    let found = "find /tmp /home/deploy-ci -path '*ssh*' -type s";
    assert_eq!(keyed.world.server().script(found).ok(), "");
    drop(child.stdin.take());
    child.wait().unwrap();
    agent.kill().unwrap();
    agent.wait().unwrap();
}

fn the_login_itself_gains_nothing(keyed: &Keyed) {
    let server = keyed.world.server();
    for command in
        ["id", &format!("{AGENT} agent"), &format!("{AGENT} agent --key other"), "-s", "-l cat"]
    {
        let text = format!("runuser -u {LOGIN} -- sudo -n {command} </dev/null");
        let output = server.script(&text);
        assert_ne!(output.code, 0, "{command}: {}{}", output.stdout, output.stderr);
    }
    let text = format!("runuser -u {LOGIN} -- sudo -n {AGENT} agent --key ci </dev/null");
    server.script(&text).ok();
    // What it may do, no file of its own says.
    let record = "/etc/odoo-deploy/keys/ci.toml";
    let reads = format!("runuser -u {LOGIN} -- cat {record}");
    assert_ne!(server.script(&reads).code, 0);
}

fn another_hosts_deploy_is_refused(keyed: &Keyed) {
    let world = &keyed.world;
    keyed.log_in(true);
    let before = world.state();
    let refusal = format!("it is for other.example.com, and not for {HOST}");
    world.deploy(&["--branch", "demo"]).expect_code(6).expect_said(&refusal);
    for command in ["history", "logs", "attach"] {
        world.run(&[command, "--host", HOST]).expect_code(6).expect_said(&refusal);
    }
    world.run(&["lock", "status", "--host", HOST]).expect_code(6).expect_said(&refusal);
    world.run(&["status", "--host", HOST]).expect_said(&refusal);
    world.run(&["rollback", "--host", HOST, "--yes"]).expect_code(6).expect_said(&refusal);
    let keys = world.run(&["server", "keys", "--server", "vps-1"]);
    keys.expect_code(6).expect_said("it may deploy, and nothing else");
    assert_eq!(world.state(), before);
    keyed.log_in(false);
    let run = keyed.authorize("demo*").expect_code(0);
    assert_eq!(run.event("key-authorized")["change"], "changed");
    keyed.log_in(true);
}

fn a_deploy_works(keyed: &Keyed) {
    let world = &keyed.world;
    world.edit(VIEW, "</odoo>", "<!-- Changed. -->\n</odoo>");
    world.commit("Change a view");
    let plan = world.plan(&["--branch", "demo"]).expect_code(0);
    assert_eq!(plan.event("plan")["switch"], "stop");
    world.deploy_ok(&["--branch", "demo", "--yes"]);
    assert_eq!(world.state().current, Some(2));
    world.server().wait_until_served();
    let history = world.run(&["history", "--host", HOST, "--json"]).expect_code(0);
    assert!(history.stdout.contains("(key ci)"), "{}", history.stdout);
    world.run(&["status", "--host", HOST]).expect_code(0).expect_said("(key ci)");
    world.run(&["logs", "--host", HOST, "--lines", "5"]).expect_code(0);
    world.run(&["lock", "status", "--host", HOST]).expect_code(0).expect_said("free");
    world.run(&["attach", "--host", HOST]).expect_code(0);
    world.deploy_ok(&["--branch", "demo", "--yes"]).expect_said("nothing");
}

fn what_runs_as_root_stays(keyed: &Keyed) {
    let calm = Calm::of(&keyed.world);
    let conf = keyed.world.host_conf(HOST);
    calm.refuses(
        |world| world.edit(&conf, "[deploy]\n", "[deploy]\nodoo_bin = /bin/sh\n"),
        6,
        &["`odoo_bin` from \"/usr/bin/odoo\" to \"/bin/sh\"", "deploy once with a full login"],
    );
    calm.refuses(
        |world| world.edit(&conf, "[options]", "[options]\nlogfile = /etc/shadow"),
        6,
        &["`logfile`", "deploy once with a full login"],
    );
    let unit = include_str!("../../src/render/templates/odoo.service.hbs");
    calm.refuses(
        |world| {
            let text = unit.replace("User={{user}}", "User=root");
            world.write("deployment/templates/odoo.service.hbs", &text);
        },
        6,
        &["the template deployment/templates/odoo.service.hbs changed", "a full login"],
    );
    calm.ends();
}

fn an_agent_is_never_replaced(keyed: &Keyed) {
    let (world, server) = (&keyed.world, keyed.world.server());
    server.shell(&["mv", AGENT, "/root/agent"]).ok();
    let remedy = "run `deploy server setup --server vps-1` with a full login";
    let run = world.deploy(&["--branch", "demo"]).expect_code(6);
    run.expect_said("cannot be deployed to by this key").expect_said(remedy);
    assert!(!server.path(AGENT).exists(), "an agent was put there");
    let welcome = r#"{"welcome":{"protocol":null,"version":"9.9.9","restricted":true}}"#;
    let other =
        format!("printf '\\000\\000\\000\\{:03o}%s' '{welcome}'; cat >/dev/null", welcome.len());
    let old = "echo \"error: unexpected argument '--key' found\" >&2; exit 2";
    for (agent, why) in [(other.as_str(), "9.9.9"), (old, "too old to know deploy keys")] {
        let text = format!("#!/bin/sh\n{agent}\n");
        fs::write(server.path(AGENT), &text).unwrap();
        server.shell(&["chmod", "755", AGENT]).ok();
        let run = world.deploy(&["--branch", "demo"]).expect_code(6);
        run.expect_said(why).expect_said(remedy);
        assert_eq!(fs::read_to_string(server.path(AGENT)).unwrap(), text);
    }
    server.shell(&["mv", "/root/agent", AGENT]).ok();
}

fn revoked_is_revoked(keyed: &Keyed) {
    let world = &keyed.world;
    keyed.log_in(false);
    let run = world.run(&["server", "revoke", "--json", "--server", "vps-1", "--name", "ci"]);
    assert_eq!(run.expect_code(0).event("key-revoked")["key"]["login"], LOGIN);
    let left = "grep -rl 'agent --key' /home/*/.ssh /etc/sudoers.d /etc/odoo-deploy; true";
    assert_eq!(world.server().script(left).ok(), "");
    world.run(&["server", "keys", "--server", "vps-1"]).expect_said("no deploy key");
    keyed.log_in(true);
    world.deploy(&["--branch", "demo"]).expect_code(5).expect_said("Permission denied");
}
