//! `plan.yml`: what it says of a pull request.

use super::{
    runner::{Ran, Runner},
    workflow::platform,
};

/// Starts with a platform whose last commit is a pull request merged into `main`.
fn merged(change: impl Fn(&Runner)) -> Runner {
    let runner = Runner::with_platform();
    let ran = runner.shell("git checkout -q -b change");
    assert!(ran.success, "{ran:?}");
    change(&runner);
    let ran = runner.shell(
        "git add -A && git commit -qm change && git checkout -q main
         git merge -q --no-ff -m merge change",
    );
    assert!(ran.success, "{ran:?}");
    runner
}

fn plan(runner: &Runner) -> (Ran, String) {
    let ran = runner.run(platform("workflows/plan.yml").step("Plan"), &[], &[]);
    (ran, runner.read("temp/plan/plan.txt"))
}

const HOST: &str = "config/hosts/corteperfecto.somosblink.com.conf";

fn append(runner: &Runner, file: &str, text: &str) {
    let old = runner.read(&format!("checkout/{file}"));
    runner.write(file, &(old + text));
}

#[test]
fn a_change_of_configuration_is_shown_as_it_will_be_on_the_server() {
    let runner = merged(|runner| {
        let old = runner.read(&format!("checkout/{HOST}"));
        runner.write(HOST, &old.replace("workers = 4", "workers = 6"));
    });
    let (ran, said) = plan(&runner);
    assert!(ran.success, "{ran:?}");
    assert!(said.starts_with("1 host changes:\n"), "{said}");
    let headline = "  corteperfecto.somosblink.com (production, on aws-1): changes odoo.conf";
    assert!(said.contains(headline), "{said}");
    assert!(said.contains("-workers = 4\n+workers = 6\n"), "{said}");
    assert!(ran.log.contains("+workers = 6"), "{ran:?}");
}

#[test]
fn changed_modules_are_named_with_the_hosts_that_have_them() {
    let runner = merged(|runner| {
        runner.write("custom-addons/sale_extra/__manifest__.py", "{'name': 'Extra'}");
        runner.write("custom-addons/notes.txt", "no module");
    });
    let (ran, said) = plan(&runner);
    assert!(ran.success, "{ran:?}");
    assert!(
        said.contains("corteperfecto.somosblink.com (production, on aws-1): modules sale_extra\n")
    );
    assert!(said.contains("demo.somosblink.com"), "{said}");
    assert!(!said.contains("notes"), "{said}");
}

#[test]
fn what_means_nothing_for_a_host_is_no_change() {
    let runner = merged(|runner| append(runner, "README.md", "\nMore.\n"));
    let (ran, said) = plan(&runner);
    assert!(ran.success, "{ran:?}");
    assert!(said.starts_with("no host changes\n"), "{said}");
}

#[test]
fn a_configuration_that_cannot_be_read_fails_and_says_why() {
    let runner = merged(|runner| append(runner, HOST, "nonsense = 1\n"));
    let (ran, said) = plan(&runner);
    assert!(!ran.success);
    assert!(said.contains("nonsense"), "{said}");
}

#[test]
fn new_and_removed_hosts_are_told() {
    let runner = merged(|runner| {
        let text = runner.read(&format!("checkout/{HOST}"));
        let text = text.replace("-prod", "-two").replace("8069", "9069").replace("8072", "9072");
        runner.write("config/hosts/new.somosblink.com.conf", &text);
        std::fs::remove_file(runner.path("checkout/config/hosts/demo.somosblink.com.conf"))
            .unwrap();
    });
    let (_, said) = plan(&runner);
    assert!(said.contains("new.somosblink.com (production, on aws-1): new\n"), "{said}");
    assert!(said.contains("its file is gone; it stays on its server"), "{said}");
}

#[test]
fn secrets_of_the_runner_are_in_no_plan() {
    let runner = merged(|runner| {
        append(runner, "config/base.conf", "\n[options]\nadmin_passwd = ${HOME}\n");
    });
    let (_, said) = plan(&runner);
    assert!(!said.contains(&runner.path("home").display().to_string()), "{said}");
}

#[test]
fn a_line_of_a_file_is_no_command_to_the_runner() {
    let runner = merged(|runner| append(runner, HOST, "\n[::add-path::/tmp]\nx = ::error::boo\n"));
    let (ran, _) = plan(&runner);
    let lines: Vec<_> = ran.log.lines().filter(|line| line.starts_with("::")).collect();
    assert!(lines.first().unwrap().starts_with("::stop-commands::"), "{ran:?}");
    let token = lines[0].strip_prefix("::stop-commands::").unwrap();
    assert_eq!(token.len(), 64);
    assert_eq!(*lines.last().unwrap(), format!("::{token}::"));
}
