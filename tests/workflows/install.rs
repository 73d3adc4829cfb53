//! The actions that install the tool.

use super::{
    runner::{Ran, Runner},
    workflow::{Workflow, platform, read, root},
};

/// `printf '#!/bin/sh\necho mine\n' | sha256sum`.
const PROGRAM: &str = "#!/bin/sh\necho mine\n";

fn sum(runner: &Runner, text: &str) -> String {
    std::fs::write(runner.path("summed"), text).unwrap();
    let ran = runner.shell("sha256sum <../summed");
    ran.log.split(' ').next().unwrap().to_owned()
}

/// Writes what is downloaded where `--output` says.
fn downloads(runner: &Runner, text: &str) {
    std::fs::write(runner.path("served"), text).unwrap();
    let served = runner.path("served");
    runner.double(
        "curl",
        &format!(
            "while [ \"$1\" != --output ]; do shift; done; cp '{}' \"$2\"; echo \"$3\" >'{}'",
            served.display(),
            runner.path("asked").display()
        ),
    );
}

fn install(runner: &Runner, url: &str, sha256: &str) -> Ran {
    let action = platform("actions/install-deploy/action.yml");
    runner.run(action.step("Install"), &[], &[("inputs.url", url), ("inputs.sha256", sha256)])
}

#[test]
fn the_executable_that_is_meant_is_put_on_the_path() {
    let runner = Runner::new();
    downloads(&runner, PROGRAM);
    let sum = sum(&runner, PROGRAM);
    let ran = install(&runner, "https://example.com/$(touch touched)", &sum);
    assert!(ran.success, "{ran:?}");
    assert_eq!(runner.read("asked"), "https://example.com/$(touch touched)\n");
    let directory = runner.read("added-to-path");
    let mine = runner.shell(&format!("'{}/deploy'", directory.trim_end()));
    assert_eq!(mine.log, "mine\n");
    runner.expect_untouched();
}

#[test]
fn another_executable_is_refused() {
    let runner = Runner::new();
    downloads(&runner, "#!/bin/sh\necho evil\n");
    let sum = sum(&runner, PROGRAM);
    assert!(!install(&runner, "https://example.com/deploy", &sum).success);
    assert_eq!(runner.read("added-to-path"), "");
}

#[test]
fn without_an_address_it_says_where_to_write_it() {
    let runner = Runner::new();
    let ran = install(&runner, "", "");
    assert!(!ran.success);
    assert!(ran.log.contains("ODOO_DEPLOY_URL"), "{ran:?}");
}

fn release_action() -> Workflow {
    read(&root().join(".github/actions/install/action.yml"))
}

/// A release with one file for each architecture, and its checksums.
fn release(runner: &Runner) -> String {
    std::fs::create_dir(runner.path("release")).unwrap();
    for (architecture, says) in [("x86_64", "intel"), ("aarch64", "arm")] {
        let text = format!("#!/bin/sh\necho {says}\n");
        std::fs::write(runner.path(&format!("release/deploy-{architecture}-linux")), text).unwrap();
    }
    let ran = runner.shell("cd ../release && sha256sum deploy-* >SHA256SUMS");
    assert!(ran.success, "{ran:?}");
    runner.double(
        "gh",
        &format!(
            "printf '%s\\n' \"$*\" >'{}'
             while [ $# -gt 0 ]; do
               case $1 in --dir) dir=$2 ;; --pattern) cp '{}'/\"$2\" \"$dir\" ;; esac
               shift
             done",
            runner.path("asked").display(),
            runner.path("release").display()
        ),
    );
    let sums = runner.read("release/SHA256SUMS");
    sum(runner, &sums)
}

fn install_release(runner: &Runner, version: &str, machine: &str, checksums: &str) -> Ran {
    runner.double("uname", &format!("echo {machine}"));
    let values = [
        ("inputs.version", version),
        ("inputs.checksums-sha256", checksums),
        ("inputs.repository", "blink/odoo-deploy"),
        ("inputs.token", "ghs_token"),
    ];
    runner.run(release_action().step("Install"), &[], &values)
}

#[test]
fn a_release_is_installed_for_the_machines_architecture() {
    for (machine, says) in [("x86_64", "intel\n"), ("aarch64", "arm\n")] {
        let runner = Runner::new();
        let checksums = release(&runner);
        let ran = install_release(&runner, "0.1.0", machine, &checksums);
        assert!(ran.success, "{ran:?}");
        assert!(runner.read("asked").starts_with("release download v0.1.0 --repo blink/"));
        let directory = runner.read("added-to-path");
        assert_eq!(runner.shell(&format!("'{}/deploy'", directory.trim_end())).log, says);
    }
}

#[test]
fn a_release_that_was_changed_is_refused() {
    let runner = Runner::new();
    release(&runner);
    let other = "0".repeat(64);
    assert!(!install_release(&runner, "0.1.0", "x86_64", &other).success);

    let runner = Runner::new();
    release(&runner);
    std::fs::write(runner.path("release/deploy-x86_64-linux"), "evil").unwrap();
    assert!(!install_release(&runner, "0.1.0", "x86_64", "").success);
    assert_eq!(runner.read("added-to-path"), "");
}

#[test]
fn a_version_is_three_numbers_and_an_architecture_one_of_two() {
    let runner = Runner::new();
    release(&runner);
    for version in ["$(touch touched)", "v1.0.0", "latest", "1.0.0 --clobber", "1.0.0\nx"] {
        assert!(!install_release(&runner, version, "x86_64", "").success, "{version}");
    }
    assert!(!install_release(&runner, "1.0.0", "riscv64", "").success);
    runner.expect_untouched();
}
