use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use super::*;
use crate::{
    agent::transaction,
    host::{HostPattern, UserName},
};

const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHSpEIQczXkVx9i0";
const FOREIGN: &str = "# mine\nssh-ed25519 AAAAforeign ana\n";

/// A server with the login `ci`, whose home is the tester's own.
struct Machine {
    root: tempfile::TempDir,
    server: Server,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let search_path = format!("{}/bin:/usr/bin:/bin", root.path().display());
        let server = Server::below(root.path().to_owned(), search_path.into());
        for directory in ["bin", "etc/sudoers.d", "home/ci/.ssh", "run/lock"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let machine = Self { root, server };
        let own = fs::metadata(machine.root.path()).unwrap();
        let uid = std::os::unix::fs::MetadataExt::uid(&own);
        // Another account's number, where the tester is root.
        let uid = if uid == 0 { 4711 } else { uid };
        let passwd = format!(
            "ci:x:{uid}:{uid}::/home/ci:/bin/sh\nroot:x:0:0::/root:/bin/sh\n\
             svc:x:9:9::/:/usr/sbin/nologin\n"
        );
        machine.put("etc/passwd", &passwd);
        for (program, text) in [
            ("ssh-keygen", "#!/bin/sh\necho '256 SHA256:abc ci (ED25519)'\n"),
            ("visudo", "#!/bin/sh\n[ \"$1\" = -cf ] && grep -q NOPASSWD \"$2\"\n"),
            ("sshd", "#!/bin/sh\necho 'authorizedkeysfile .ssh/authorized_keys'\n"),
        ] {
            let link = machine.path(&format!("bin/{program}"));
            std::os::unix::fs::symlink(transaction::program(text), link).unwrap();
        }
        if rustix::process::geteuid().is_root() {
            for path in ["home/ci", "home/ci/.ssh"] {
                std::os::unix::fs::chown(machine.path(path), Some(uid), Some(uid)).unwrap();
            }
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    fn authorize(&self, request: &AuthorizeRequest) -> Result<KeyChange, String> {
        authorize(&self.server, request)
            .map(|(_, change)| change)
            .map_err(|error| error.to_string())
    }
}

fn key(blob: &str) -> PublicKey {
    PublicKey::parse(&format!("ssh-ed25519 {blob} ci@github")).unwrap()
}

fn request() -> AuthorizeRequest {
    AuthorizeRequest {
        name: KeyName::parse("ci").unwrap(),
        key: key(BLOB),
        hosts: vec![HostPattern::parse("acme*").unwrap()],
        login: UserName::parse("ci").unwrap(),
        by: "ana from laptop".into(),
    }
}

const KEYS: &str = "home/ci/.ssh/authorized_keys";
const RECORD: &str = "etc/odoo-deploy/keys/ci.toml";
const SUDOERS: &str = "etc/sudoers.d/odoo-deploy-key-ci";

#[test]
fn a_key_is_authorized_once_and_revoked_without_a_trace() {
    let machine = Machine::new();
    machine.put(KEYS, FOREIGN);
    fs::set_permissions(machine.path(KEYS), fs::Permissions::from_mode(0o640)).unwrap();
    chown_to_login(&machine);
    assert_eq!(machine.authorize(&request()), Ok(KeyChange::Added));
    let text = machine.text(KEYS).unwrap();
    assert!(text.starts_with(FOREIGN), "{text}");
    assert!(text.contains("restrict,command=\"sudo -n /usr/local/lib/odoo-deploy/deploy agent"));
    let mode = fs::metadata(machine.path(KEYS)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);
    let record = machine.text(RECORD).unwrap();
    assert!(record.contains("acme*") && record.contains("SHA256:abc"), "{record}");
    assert!(machine.text(SUDOERS).unwrap().contains("agent --key ci\n"));
    assert_eq!(machine.authorize(&request()), Ok(KeyChange::Nothing));
    let revoked = revoke(&machine.server, &WhichKey::Key(key(BLOB))).unwrap();
    assert_eq!(revoked.name.as_str(), "ci");
    assert_eq!(machine.text(KEYS).as_deref(), Some(FOREIGN));
    assert_eq!((machine.text(RECORD), machine.text(SUDOERS)), (None, None));
    assert!(revoke(&machine.server, &WhichKey::Name(request().name)).is_err());
}

fn chown_to_login(machine: &Machine) {
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(machine.path(KEYS), Some(4711), Some(4711)).unwrap();
    }
}

#[test]
fn what_was_lost_is_put_back_and_what_changed_is_changed() {
    let machine = Machine::new();
    assert_eq!(machine.authorize(&request()), Ok(KeyChange::Added));
    fs::remove_file(machine.path(SUDOERS)).unwrap();
    assert_eq!(machine.authorize(&request()), Ok(KeyChange::Changed));
    fs::remove_file(machine.path(KEYS)).unwrap();
    assert_eq!(machine.authorize(&request()), Ok(KeyChange::Changed));
    let hosts = vec![HostPattern::parse("*").unwrap()];
    let wider = AuthorizeRequest { hosts, ..request() };
    assert_eq!(machine.authorize(&wider), Ok(KeyChange::Changed));
    assert!(machine.text(RECORD).unwrap().contains("\"*\""));
    let other = AuthorizeRequest { key: key(OTHER), ..wider };
    assert_eq!(machine.authorize(&other), Ok(KeyChange::Changed));
    let text = machine.text(KEYS).unwrap();
    assert!(text.contains(OTHER) && !text.contains(BLOB), "{text}");
}

#[test]
fn a_key_that_opens_more_or_is_another_one_is_refused() {
    let machine = Machine::new();
    machine.put(KEYS, &format!("ssh-ed25519 {BLOB} full\n"));
    chown_to_login(&machine);
    let error = machine.authorize(&request()).unwrap_err();
    assert!(error.contains("without restriction already"), "{error}");
    assert_eq!(machine.text(RECORD), None);
    fs::remove_file(machine.path(KEYS)).unwrap();
    machine.authorize(&request()).unwrap();
    let twice = AuthorizeRequest { name: KeyName::parse("ci-2").unwrap(), ..request() };
    let error = machine.authorize(&twice).unwrap_err();
    assert!(error.contains("authorized already, as `ci`"), "{error}");
    let elsewhere = AuthorizeRequest { login: UserName::parse("root").unwrap(), ..request() };
    let error = machine.authorize(&elsewhere).unwrap_err();
    assert!(error.contains("opens the login `ci`"), "{error}");
    for (login, why) in [("nobody-there", "there is no login"), ("svc", "has no shell")] {
        let name = KeyName::parse("x").unwrap();
        let login = UserName::parse(login).unwrap();
        let error = machine.authorize(&AuthorizeRequest { name, login, ..request() }).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn root_follows_no_link_of_a_login() {
    let machine = Machine::new();
    machine.put("secret", "geheim");
    std::os::unix::fs::symlink(machine.path("secret"), machine.path(KEYS)).unwrap();
    let error = machine.authorize(&request()).unwrap_err();
    assert!(error.contains("it is a link"), "{error}");
    fs::remove_file(machine.path(KEYS)).unwrap();
    fs::remove_dir(machine.path("home/ci/.ssh")).unwrap();
    fs::create_dir(machine.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(machine.path("elsewhere"), machine.path("home/ci/.ssh")).unwrap();
    let error = machine.authorize(&request()).unwrap_err();
    assert!(error.contains("it is no directory"), "{error}");
    assert_eq!(fs::read_dir(machine.path("elsewhere")).unwrap().count(), 0);
    assert_eq!(machine.text("secret").as_deref(), Some("geheim"));
}

#[test]
fn a_record_that_others_could_write_is_none() {
    let machine = Machine::new();
    machine.authorize(&request()).unwrap();
    let name = request().name;
    assert!(read(&machine.server, &name).unwrap().is_some());
    fs::set_permissions(machine.path(RECORD), fs::Permissions::from_mode(0o666)).unwrap();
    let error = read(&machine.server, &name).unwrap_err().to_string();
    assert!(error.contains("somebody else than root"), "{error}");
}
