//! Requests, as they come in over a deploy key.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    agent::{
        restricted::{
            Guard,
            sample::{Case, the},
        },
        server::Server,
    },
    host::{HostName, KeyName},
    layout::Layout,
    wire::{CompareRequest, CountRequest, Hello, LogsRequest, ObserveRequest, Request, WhichKey},
};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

/// A server on which a host is live, and a key for it.
struct Machine {
    root: tempfile::TempDir,
    server: Server,
    case: Case,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        let case = the("an upgrade");
        let layout = Layout::new(case.live.record.host.clone());
        let release = layout.release(case.live.record.number);
        let copies = layout.as_deployed(case.live.record.number);
        let machine = Self { root, server, case };
        machine.put(&release.join("release.json"), &json(&machine.case.live.record));
        machine.put(&release.join("state"), "\"verified\"");
        machine.put(&copies.join("odoo.conf"), &machine.case.live.odoo_conf);
        machine.put(&copies.join("deployed-with.json"), &json(&machine.case.live.with));
        std::os::unix::fs::symlink("releases/0004", machine.server.path(&layout.current()))
            .unwrap();
        machine.put("/etc/passwd".as_ref(), "odoo:x:7:7::/:/bin/false\nroot:x:0:0::/:/bin/sh\n");
        machine.authorize("acme.example.com\", \"new.*", "deploy-ci");
        machine
    }

    fn put(&self, path: &Path, text: &str) {
        let path = self.server.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn authorize(&self, hosts: &str, login: &str) {
        let text = format!(
            "login = \"{login}\"\nhosts = [\"{hosts}\"]\nkey = \"{KEY}\"\n\
             fingerprint = \"SHA256:x\"\nby = \"ana\"\nsince = 1\n"
        );
        self.put("/etc/odoo-deploy/keys/ci.toml".as_ref(), &text);
    }

    fn ask(&self, mut request: Request) -> Result<Request, String> {
        let guard = Guard::new(KeyName::parse("ci").unwrap());
        guard.check(&self.server, &mut request).map(|()| request).map_err(|fault| fault.message)
    }

    #[track_caller]
    fn refuses(&self, why: &str, request: Request) {
        let message = self.ask(request).expect_err("it is refused");
        assert!(message.contains(why), "`{why}` is not why: {message}");
    }

    fn observe(&self) -> ObserveRequest {
        let live = &self.case.live;
        ObserveRequest {
            host: live.record.host.clone(),
            service: live.with.service.clone(),
            access: live.with.access.clone(),
            keep: Vec::new(),
            asks_python: false,
            databases: live.record.databases.clone(),
            sensitive_keys: BTreeSet::new(),
            mask_key: [0; 32],
            transaction: None,
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

/// Every request that only names a host.
fn about(name: &str) -> Vec<Request> {
    let host = host(name);
    let logs =
        LogsRequest { host: host.clone(), deploys: true, odoo: true, lines: 1, follow: false };
    vec![
        Request::Pack { host: host.clone(), bytes: 1 },
        Request::Attach { host: host.clone() },
        Request::BreakLock { host: host.clone(), transaction: "t".into() },
        Request::History { host: host.clone(), limit: 1 },
        Request::LockState { host: host.clone() },
        Request::Logs(logs),
        Request::Releases { host },
    ]
}

#[test]
fn what_a_deploy_needs_is_answered() {
    let machine = Machine::new();
    let hello = Hello { protocols: vec![3], version: "1".into() };
    assert!(machine.ask(Request::Hello(hello)).is_ok());
    assert!(machine.ask(Request::Observe(Box::new(machine.observe()))).is_ok());
    assert!(machine.ask(Request::Status(Box::new(machine.observe()))).is_ok());
    for request in about("acme.example.com") {
        assert_eq!(machine.ask(request).err(), None);
    }
    let order = Box::new(machine.case.order.clone());
    let Ok(Request::Execute(signed)) = machine.ask(Request::Execute(order)) else {
        panic!("it is executed")
    };
    assert!(signed.transaction.holder.from.ends_with("(key ci)"));
}

#[test]
fn other_hosts_are_refused_whatever_is_asked() {
    let machine = Machine::new();
    let other = ObserveRequest { host: host("other.example.com"), ..machine.observe() };
    let mut order = machine.case.order.clone();
    order.transaction.host = host("other.example.com");
    let service = machine.case.live.with.service.clone();
    let count = CountRequest {
        host: host("other.example.com"),
        access: machine.case.live.with.access.clone(),
        keep: Vec::new(),
        since: Default::default(),
    };
    let mut requests = about("other.example.com");
    requests.extend([
        Request::Observe(Box::new(other.clone())),
        Request::Status(Box::new(other)),
        Request::Execute(Box::new(order)),
        Request::CountRows(Box::new(count)),
        Request::Compare(Box::new(CompareRequest {
            host: host("other.example.com"),
            service,
            pairs: Vec::new(),
        })),
    ]);
    for request in requests {
        machine
            .refuses("it is for acme.example.com, new.*, and not for other.example.com", request);
    }
}

#[test]
fn a_host_that_is_new_needs_a_full_login() {
    let machine = Machine::new();
    let new = ObserveRequest { host: host("new.example.com"), ..machine.observe() };
    machine.refuses("was not deployed to this server yet", Request::Observe(Box::new(new)));
    let layout = Layout::new(host("acme.example.com"));
    let with = layout.as_deployed(machine.case.live.record.number).join("deployed-with.json");
    fs::remove_file(machine.server.path(&with)).unwrap();
    let own = Request::Observe(Box::new(machine.observe()));
    machine.refuses("does not say what it was deployed with", own);
}

#[test]
fn questions_have_roots_work_done_as_it_is_live_only() {
    let machine = Machine::new();
    let forged = |forge: &dyn Fn(&mut ObserveRequest)| {
        let mut request = machine.observe();
        forge(&mut request);
        [Request::Observe(Box::new(request.clone())), Request::Status(Box::new(request))]
    };
    let cases = [
        ("`odoo_bin`", forged(&|r| r.service.odoo_bin = "/bin/sh".into())),
        ("`logfile`", forged(&|r| r.service.logfile = Some("/etc/shadow".into()))),
        ("`user`", forged(&|r| r.service.user = "root".into())),
        ("`system_user`", forged(&|r| r.access.system_user = "postgres".into())),
        ("`host`", forged(&|r| r.access.host = "/tmp/mine".into())),
        (
            "is not one of",
            forged(&|r| r.databases = vec![crate::host::DatabaseName::parse("others").unwrap()]),
        ),
    ];
    for (why, requests) in cases {
        requests.into_iter().for_each(|request| machine.refuses(why, request));
    }
    let mut service = machine.case.live.with.service.clone();
    service.python = "/bin/sh".into();
    let pairs = Vec::new();
    let compare = CompareRequest { host: host("acme.example.com"), service, pairs };
    machine.refuses("`python`", Request::Compare(Box::new(compare)));
}

#[test]
fn a_key_makes_no_key() {
    let machine = Machine::new();
    machine.refuses("it may deploy, and nothing else", Request::Keys);
    let which = WhichKey::Name(KeyName::parse("ci").unwrap());
    machine.refuses("it may deploy, and nothing else", Request::Revoke(which));
}

#[test]
fn a_key_removes_no_host_and_looks_for_none() {
    let machine = Machine::new();
    let question = crate::plan::RemovalQuestion {
        host: host("acme.example.com"),
        user: "odoo".into(),
        access: machine.observe().access,
        databases: machine.observe().databases,
        data_dir: machine.observe().service.data_dir,
        logfile: None,
    };
    let refused = "it may deploy, and nothing else";
    machine.refuses(refused, Request::Removal(Box::new(question)));
    let (hosts, databases, data_dirs, users) = Default::default();
    let occupancy = crate::wire::OccupancyRequest { hosts, databases, data_dirs, users };
    machine.refuses(refused, Request::Occupancy(Box::new(occupancy)));
}

#[test]
fn a_key_that_was_revoked_is_refused_at_the_next_request() {
    let machine = Machine::new();
    fs::remove_file(machine.root.path().join("etc/odoo-deploy/keys/ci.toml")).unwrap();
    machine.refuses(
        "it is not authorized on this server",
        Request::Observe(Box::new(machine.observe())),
    );
}

#[test]
fn code_that_would_run_as_the_keys_own_login_is_refused() {
    let machine = Machine::new();
    machine.authorize("acme.example.com", "odoo");
    machine
        .refuses("acme.example.com runs as `odoo`", Request::Observe(Box::new(machine.observe())));
    machine.authorize("acme.example.com", "deploy-ci");
    machine.put("/etc/passwd".as_ref(), "odoo:x:0:0::/:/bin/sh\n");
    machine.refuses("runs as `odoo`", Request::Observe(Box::new(machine.observe())));
}
