//! What a release consists of, made from the executable of the tests.

use std::{path::Path, process::Command};

use super::{
    runner::{Runner, is_installed},
    workflow::root,
};

fn release(runner: &Runner, out: &str, more: &[&str]) -> std::process::Output {
    Command::new(root().join("deployment/release"))
        .args(["--binary", env!("CARGO_BIN_EXE_deploy"), "--out"])
        .arg(runner.path(out))
        .args(more)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        // Small is of no use here, and the executable of the tests is large.
        .env("COMPRESSION_LEVEL", "0")
        .output()
        .unwrap()
}

#[test]
fn a_release_has_what_it_promises_and_is_the_same_twice() {
    if !is_installed(Path::new("dpkg-deb")) {
        return;
    }
    let runner = Runner::new();
    let made = release(&runner, "dist", &[]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let deb = runner.shell("cd ../dist && sha256sum --check --quiet SHA256SUMS && ls *.deb").log;
    let deb = format!("../dist/{}", deb.trim_end());
    assert!(deb.contains(&format!("odoo-deploy_{}_", env!("CARGO_PKG_VERSION"))), "{deb}");

    let field = |name: &str| runner.shell(&format!("dpkg-deb --field {deb} {name}")).log;
    assert_eq!(field("Package"), "odoo-deploy\n");
    assert_eq!(field("Version"), format!("{}\n", env!("CARGO_PKG_VERSION")));
    let maintainer = env!("CARGO_PKG_AUTHORS").split(':').next().unwrap();
    assert_eq!(field("Maintainer"), format!("{maintainer}\n"));
    assert_eq!(field("Depends"), "git, openssh-client\n");
    assert_eq!(field("Architecture"), runner.shell("dpkg --print-architecture").log);

    let contents = runner.shell(&format!("dpkg-deb --contents {deb}")).log;
    for file in [
        "-rwxr-xr-x root/root",
        "./usr/bin/deploy\n",
        "./usr/share/bash-completion/completions/deploy\n",
        "./usr/share/zsh/vendor-completions/_deploy\n",
        "./usr/share/fish/vendor_completions.d/deploy.fish\n",
        "./usr/share/man/man1/deploy.1.gz\n",
        "./usr/share/man/man1/deploy-client-add.1.gz\n",
        "./usr/share/doc/odoo-deploy/copyright\n",
    ] {
        assert!(contents.contains(file), "{file} is missing: {contents}");
    }
    assert!(!contents.contains("agent"), "what is hidden has no page: {contents}");

    let unpacked = runner.shell(&format!(
        "dpkg-deb --extract {deb} ../root && cd ../root && ./usr/bin/deploy --version
         dpkg-deb --control {} ../control && md5sum --check --quiet ../control/md5sums",
        runner.path("dist").join(deb.trim_start_matches("../dist/")).display(),
    ));
    assert!(unpacked.success, "{unpacked:?}");
    assert_eq!(unpacked.log, format!("deploy {}\n", env!("CARGO_PKG_VERSION")));

    assert!(release(&runner, "again", &[]).status.success());
    let same = runner.shell("diff ../dist/SHA256SUMS ../again/SHA256SUMS");
    assert!(same.success, "{same:?}");
}

#[test]
fn a_tag_that_is_not_the_version_is_refused() {
    let runner = Runner::new();
    let made = release(&runner, "dist", &["--tag", "v9.9.9"]);
    assert_eq!(made.status.code(), Some(2));
    assert!(!runner.path("dist").exists());
}

#[test]
fn manual_pages_are_written_and_render() {
    let runner = Runner::new();
    let ran = runner.shell("deploy man-pages ../man");
    assert!(ran.success, "{ran:?}");
    let page = runner.read("man/deploy.1");
    assert!(page.contains(".SH NAME") && page.contains("\\-\\-wait\\-lock"), "{page}");
    if is_installed(Path::new("man")) {
        let shown = runner.shell("MANWIDTH=80 man --warnings -l ../man/deploy.1");
        assert!(shown.success, "{shown:?}");
        assert!(shown.log.contains("--wait-lock"), "{}", shown.log);
        assert!(!shown.log.contains("warning:"), "{}", shown.log);
    }
}
