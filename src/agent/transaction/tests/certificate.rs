//! Certificates within a transaction: what stays, and what goes back.

use super::*;
use crate::{
    agent::recover,
    plan::{InstallCertificate, ObtainCertificate},
};

/// Obtains the next version as certbot does; breaks off in the middle where it is told to.
const CERTBOT: &str = r#"#!/bin/sh
root="${0%/bin/certbot}"
for argument; do case "$argument" in --cert-name=*) name="${argument#*=}" ;; esac; done
base="$root/etc/letsencrypt"
mkdir -p "$base/renewal" "$base/live/$name" "$base/archive/$name"
version=$(($(ls "$base/archive/$name" | grep -c '^cert') + 1))
for file in cert privkey chain fullchain; do
    if [ -e "$root/breaks" ] && [ "$file" = chain ]; then echo "it broke" >&2; exit 1; fi
    echo "$version" >"$base/archive/$name/$file$version.pem"
    ln -sfn "../../archive/$name/$file$version.pem" "$base/live/$name/$file.pem"
done
echo "server = https://$version.example/" >"$base/renewal/$name.conf"
"#;

const LIVE: &str = "/etc/letsencrypt/live/a.test/fullchain.pem";
const RENEWAL: &str = "/etc/letsencrypt/renewal/a.test.conf";
const ROOT: &str = "/etc/odoo-deploy/acme-roots/a.test.pem";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.link("certbot", CERTBOT);
    machine
}

fn obtain() -> Step {
    Step::ObtainCertificate(Box::new(ObtainCertificate {
        names: vec![HostName::parse("a.test").unwrap()],
        email: "ops@a.test".into(),
        directory: "https://acme.test/dir".into(),
        root: Some("a root".into()),
    }))
}

/// A step that fails.
fn fail() -> Step {
    Step::CheckUnit { unit: "bad".to_owned() }
}

/// Carries steps out that touch nothing live, on a machine where the second one fails.
fn refuse(machine: &Machine, id: &str, steps: Vec<Step>) -> String {
    let mut transaction = transaction(steps, Vec::new(), Vec::new());
    transaction.id = TransactionId::parse(id).unwrap();
    transaction.holder.transaction = id.to_owned();
    let outcome = machine.execute(&transaction);
    let Outcome::Refused { failure } = outcome else { panic!("{outcome:?}") };
    machine.is_as_before();
    failure.step
}

/// Obtains a version, as somebody did before.
fn obtain_before(machine: &Machine) {
    let mut certbot = machine.server.command("certbot");
    machine.server.run(certbot.arg("--cert-name=a.test")).unwrap();
}

#[test]
fn a_new_certificate_outlives_a_deploy_that_fails_and_that_is_said() {
    let machine = machine();
    assert_eq!(refuse(&machine, "t1", vec![obtain(), fail()]), "check the unit");
    assert_eq!(machine.text(LIVE.as_ref()).as_deref(), Some("1\n"));
    assert_eq!(machine.text(ROOT.as_ref()).as_deref(), Some("a root\n"));
    assert!(machine.events().contains("the new certificate stays for the next try"));
}

#[test]
fn a_certificate_that_was_there_goes_back_with_what_renews_it() {
    let machine = machine();
    obtain_before(&machine);
    machine.write(ROOT.as_ref(), "the root before\n");
    assert_eq!(refuse(&machine, "t1", vec![obtain(), fail()]), "check the unit");
    assert_eq!(machine.text(LIVE.as_ref()).as_deref(), Some("1\n"));
    let renewal = machine.text(RENEWAL.as_ref());
    assert_eq!(renewal.as_deref(), Some("server = https://1.example/\n"));
    assert_eq!(machine.text(ROOT.as_ref()).as_deref(), Some("the root before\n"));
    let archive = machine.path("/etc/letsencrypt/archive/a.test".as_ref());
    assert_eq!(fs::read_dir(archive).unwrap().count(), 4);
}

#[test]
fn half_a_certificate_is_none() {
    let machine = machine();
    machine.write("/breaks".as_ref(), "");
    let step = refuse(&machine, "t1", vec![obtain()]);
    assert_eq!(step, "obtain a certificate for a.test");
    for part in ["live", "archive"] {
        let path = Path::new("/etc/letsencrypt").join(part).join("a.test");
        assert!(!machine.path(&path).exists(), "{part}");
    }
    assert_eq!(machine.text(ROOT.as_ref()), None);
}

#[test]
fn half_a_new_version_leaves_the_old_one() {
    let machine = machine();
    obtain_before(&machine);
    machine.write("/breaks".as_ref(), "");
    let step = refuse(&machine, "t1", vec![obtain()]);
    assert_eq!(step, "obtain a certificate for a.test");
    assert_eq!(machine.text(LIVE.as_ref()).as_deref(), Some("1\n"));
    let key = machine.text("/etc/letsencrypt/live/a.test/privkey.pem".as_ref());
    assert_eq!(key.as_deref(), Some("1\n"));
}

#[test]
fn what_a_killed_transaction_obtained_goes_back_too() {
    let machine = machine();
    obtain_before(&machine);
    let steps = transaction(vec![obtain(), fail()], Vec::new(), Vec::new());
    let outcome = machine.execute(&steps);
    let Outcome::Refused { failure } = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.step, "check the unit", "{failure:?}");
    // The process died before it noted why.
    let journal = machine.path(&machine.layout.journal().join("t1/journal"));
    let text = fs::read_to_string(&journal).unwrap();
    let lines: Vec<_> = text.lines().take(3).collect();
    fs::write(&journal, lines.join("\n") + "\n").unwrap();
    fs::remove_file(machine.path(&machine.layout.history())).unwrap();
    obtain_before(&machine);
    assert_eq!(machine.text(LIVE.as_ref()).as_deref(), Some("2\n"));
    let outcome = recover::recover(&machine.server, &machine.host()).unwrap();
    assert!(matches!(outcome, Some(Outcome::Refused { .. })), "{outcome:?}");
    assert_eq!(machine.text(LIVE.as_ref()).as_deref(), Some("1\n"));
}

#[test]
fn a_key_of_another_deploy_is_not_taken_for_this_certificates() {
    let machine = machine();
    let step = Step::InstallCertificate(Box::new(InstallCertificate {
        names: vec![machine.host()],
        certificate: Some("no certificate".to_owned()),
    }));
    machine.write("/run/odoo-deploy/a.test.key".as_ref(), "no key");
    let failed = refuse(&machine, "t1", vec![step]);
    assert_eq!(failed, "put the certificate in place for a.test");
    assert!(!machine.path(&machine.layout.origin_certificates()).exists());
}
