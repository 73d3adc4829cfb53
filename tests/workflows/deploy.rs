//! `deploy.yml`: which hosts, and what is called for them.

use serde_json::{Value, json};

use super::{
    runner::{HOSTILE, Ran, Runner},
    workflow::platform,
};

const PUSH: [(&str, &str); 2] = [("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF_NAME", "main")];
const BY_HAND: [(&str, &str); 2] =
    [("GITHUB_EVENT_NAME", "workflow_dispatch"), ("GITHUB_REF_NAME", "main")];

fn choose(runner: &Runner, event: &[(&str, &str)], inputs: [&str; 3]) -> Ran {
    let workflow = platform("workflows/deploy.yml");
    let [environment, hosts, jobs] = inputs;
    let values = [
        ("inputs.environment", environment),
        ("inputs.hosts", hosts),
        ("vars.ODOO_DEPLOY_JOBS", jobs),
    ];
    runner.run(workflow.step("Choose the hosts"), event, &values)
}

fn matrix(runner: &Runner) -> Value {
    serde_json::from_str(&runner.output("matrix")).unwrap()
}

#[test]
fn a_push_chooses_the_hosts_of_the_branchs_environment() {
    let runner = Runner::with_platform();
    let ran = choose(&runner, &PUSH, ["", "", ""]);
    assert!(ran.success, "{ran:?}");
    // `localhost`, a developer's machine on the same branch, is not among them.
    assert_eq!(
        matrix(&runner),
        json!({"include": [{
            "host": "corteperfecto.somosblink.com",
            "environment": "production",
            "server": "aws-1",
        }]})
    );
}

#[test]
fn a_branch_without_hosts_has_no_job() {
    let runner = Runner::with_platform();
    std::fs::remove_file(runner.path("checkout/config/hosts/demo.somosblink.com.conf")).unwrap();
    let demo = [("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF_NAME", "demo")];
    let ran = choose(&runner, &demo, ["", "", ""]);
    assert!(ran.success, "{ran:?}");
    // The very text that the condition of the next job compares with.
    assert_eq!(runner.output("matrix"), r#"{"include":[]}"#);
}

#[test]
fn with_a_number_of_jobs_hosts_come_in_groups() {
    let runner = Runner::with_platform();
    for name in ["a", "b"] {
        let template = runner.read("checkout/config/hosts/corteperfecto.somosblink.com.conf");
        runner.write(&format!("config/hosts/{name}.somosblink.com.conf"), &template);
    }
    let ran = choose(&runner, &BY_HAND, ["production", "", "1"]);
    assert!(ran.success, "{ran:?}");
    assert_eq!(
        matrix(&runner)["include"][0]["hosts"],
        "a.somosblink.com,b.somosblink.com,corteperfecto.somosblink.com"
    );
}

#[test]
fn by_hand_hosts_are_chosen_and_a_slip_is_an_error() {
    let runner = Runner::with_platform();
    let ran = choose(&runner, &BY_HAND, ["test", "corteperfecto*", ""]);
    assert!(ran.success, "{ran:?}");
    assert_eq!(matrix(&runner)["include"][0]["host"], "corteperfecto-test.somosblink.com");

    let ran = choose(&runner, &BY_HAND, ["test", "corteperfecto.somosblink.com", ""]);
    assert!(!ran.success);
    assert!(ran.log.contains("matches no host of environment test"), "{}", ran.log);
}

#[test]
fn hostile_inputs_and_branches_choose_nothing() {
    let runner = Runner::with_platform();
    for hostile in HOSTILE {
        let push = [("GITHUB_EVENT_NAME", "push"), ("GITHUB_REF_NAME", hostile)];
        for ran in [
            choose(&runner, &push, ["", "", ""]),
            choose(&runner, &BY_HAND, ["test", hostile, ""]),
            choose(&runner, &BY_HAND, [hostile, "", ""]),
            choose(&runner, &BY_HAND, ["test", "", hostile]),
        ] {
            assert!(!ran.success, "{hostile}: {}", ran.log);
        }
    }
    assert_eq!(runner.read("output"), "");
    runner.expect_untouched();
}

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nkeykeykey\n-----END-----";
const SECRETS: &str = "DB_PASSWORD=hunter2\nOTHER=$(touch touched)";

/// Runs the step with whatever stands for `deploy`.
fn deploy(runner: &Runner, hosts: &str, inputs: [&str; 3]) -> Ran {
    runner.double("ssh-add", &format!("cat >'{}'", runner.path("added-key").display()));
    let workflow = platform("workflows/deploy.yml");
    let [branch, modules, plan] = inputs;
    let values = [
        ("matrix.host || matrix.hosts", hosts),
        ("inputs.branch", branch),
        ("inputs.modules || 'changed'", modules),
        ("inputs.plan || false", plan),
        ("secrets.DEPLOY_SSH_KEY", KEY),
        ("secrets.DEPLOY_SECRETS", SECRETS),
        ("github.token", "ghs_token"),
    ];
    runner.run(workflow.step("Deploy"), &PUSH, &values)
}

#[test]
fn a_host_is_deployed_as_the_inputs_say() {
    let runner = Runner::with_platform();
    runner.parser();
    let ran = deploy(&runner, "a.example.com", ["", "changed", "false"]);
    assert!(ran.success, "{ran:?}");
    assert_eq!(
        runner.read("deploy.log"),
        "--host=a.example.com\n--update-modules=changed\n--wait-lock=30m\n--yes\n"
    );

    let runner = Runner::with_platform();
    runner.parser();
    let ran = deploy(&runner, "a.example.com,b.example.com", ["hotfix/x", "sale,stock", "true"]);
    assert!(ran.success, "{ran:?}");
    assert_eq!(
        runner.read("deploy.log"),
        "--hosts=a.example.com,b.example.com\n--update-modules=sale,stock\n--wait-lock=30m\n\
         --branch=hotfix/x\n--dry-run\n"
    );
}

#[test]
fn a_command_line_that_deploy_does_not_take_fails_the_step() {
    let runner = Runner::with_platform();
    runner.parser();
    let ran = deploy(&runner, "a.example.com", ["not a branch", "changed", "false"]);
    assert!(!ran.success && ran.log.contains("--branch"), "{ran:?}");
    let ran = runner.shell("deploy --hosts=a.example.com --no-such-flag");
    assert!(!ran.success && ran.log.contains("--no-such-flag"), "{ran:?}");
}

#[test]
fn secrets_go_where_they_belong_and_nowhere_else() {
    use std::os::unix::fs::PermissionsExt as _;

    let runner = Runner::with_platform();
    runner.recorder("deploy");
    let ran = deploy(&runner, "a.example.com", ["", "changed", "false"]);
    assert!(ran.success, "{ran:?}");
    assert_eq!(runner.read("added-key").trim_end(), KEY);
    let file = runner.path("checkout/config/secrets.env");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim_end(), SECRETS);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for secret in ["keykeykey", "hunter2", "ghs_token"] {
        assert!(!ran.log.contains(secret), "{}", ran.log);
        assert!(!runner.read("deploy.log").contains(secret));
    }
    runner.expect_untouched();
}

#[test]
fn hostile_inputs_reach_deploy_as_one_word() {
    for hostile in HOSTILE {
        let runner = Runner::with_platform();
        runner.recorder("deploy");
        let ran = deploy(&runner, "a.example.com", [hostile, hostile, "false"]);
        assert!(ran.success, "{ran:?}");
        assert_eq!(
            runner.read("deploy.log"),
            format!(
                "--host=a.example.com\n--update-modules={hostile}\n--wait-lock=30m\n\
                 --branch={hostile}\n--yes\n"
            )
        );
        runner.expect_untouched();
    }
}
