//! `plan-comment.yml`: what a stranger's artifact can make it do.

use serde_json::{Value, json};

use super::{
    runner::{HOSTILE, Ran, Runner},
    workflow::platform,
};

const SHA: &str = "1111111111111111111111111111111111111111";

/// GitHub as the workflow asks it: answers from files, and records what is written.
const GH: &str = r#"
cd "$GITHUB_DOUBLE"
printf '%s\n' "$*" >>calls
for word in "$@"; do
  case $word in
    repos/*/pulls) exec cat pulls.json ;;
    */artifacts) exec cat artifacts.json ;;
    */zip) exec cat plan.zip ;;
  esac
done
case " $* " in
  *' --input '*) cp "$OLDPWD/comment.json" posted.json ;;
  *) cat comments.json ;;
esac
"#;

struct World {
    runner: Runner,
}

impl World {
    /// One open pull request, number 7, and an artifact that says `plan`.
    fn new(plan: &[u8]) -> Self {
        let world = Self { runner: Runner::new() };
        std::fs::create_dir(world.runner.path("github")).unwrap();
        world.runner.double("gh", GH);
        world.answer("pulls", &json!([pull(7, SHA, "stranger/odoo")]));
        world.answer(
            "artifacts",
            &json!({"artifacts": [{"name": "plan", "id": 5, "size_in_bytes": 100}]}),
        );
        world.answer("comments", &json!([]));
        std::fs::write(world.runner.path("github/plan.txt"), plan).unwrap();
        let zipped = world.runner.shell(
            "cd ../github && python3 -c 'import zipfile
z = zipfile.ZipFile(\"plan.zip\", \"w\", zipfile.ZIP_DEFLATED)
z.write(\"plan.txt\")
z.writestr(\"../../touched\", \"\")'",
        );
        assert!(zipped.success, "{zipped:?}");
        world
    }

    fn answer(&self, name: &str, value: &Value) {
        let file = self.runner.path(&format!("github/{name}.json"));
        std::fs::write(file, value.to_string()).unwrap();
    }

    fn comment(&self, branch: &str) -> Ran {
        let workflow = platform("workflows/plan-comment.yml");
        let github = self.runner.path("github");
        let values = [
            ("github.token", "ghs_token"),
            ("github.repository", "blink/odoo"),
            ("github.event.workflow_run.id", "99"),
            ("github.event.workflow_run.head_sha", SHA),
            ("github.event.workflow_run.head_repository.full_name", "stranger/odoo"),
            ("github.event.workflow_run.head_repository.owner.login", "stranger"),
            ("github.event.workflow_run.head_branch", branch),
        ];
        let event = [("GITHUB_DOUBLE", github.to_str().unwrap())];
        let ran = self.runner.run(workflow.step("Comment"), &event, &values);
        assert!(!ran.log.contains("ghs_token"), "{ran:?}");
        self.runner.expect_untouched();
        ran
    }

    fn posted(&self) -> Option<String> {
        let posted = self.runner.read("github/posted.json");
        let value: Value = serde_json::from_str(&posted).ok()?;
        Some(value["body"].as_str().unwrap().to_owned())
    }

    fn calls(&self) -> String {
        self.runner.read("github/calls")
    }
}

fn pull(number: u32, sha: &str, repository: &str) -> Value {
    json!({"number": number, "head": {"sha": sha, "repo": {"full_name": repository}}})
}

#[test]
fn a_plan_is_posted_in_a_fence() {
    let world = World::new(b"1 host changes:\n  a.example.com: changes odoo.conf\n");
    let ran = world.comment("change");
    assert!(ran.success, "{ran:?}");
    assert_eq!(
        world.posted().unwrap(),
        format!(
            "<!-- odoo-deploy plan -->\nWhat {SHA} changes, as far as it can be told without a \
             server:\n\n```diff\n1 host changes:\n  a.example.com: changes odoo.conf\n\n```\n"
        )
    );
    assert!(world.calls().contains("--method POST repos/blink/odoo/issues/7/comments"));
}

#[test]
fn the_next_plan_replaces_the_comment_of_the_last_and_nobody_elses() {
    let world = World::new(b"plan");
    let comment = |id, who, body| json!({"id": id, "user": {"login": who}, "body": body});
    world.answer(
        "comments",
        &json!([
            comment(1, "mallory", "<!-- odoo-deploy plan -->"),
            comment(2, "github-actions[bot]", "something else"),
            comment(3, "github-actions[bot]", "<!-- odoo-deploy plan -->\nold"),
        ]),
    );
    assert!(world.comment("change").success);
    assert!(world.calls().contains("--method PATCH repos/blink/odoo/issues/comments/3"));
}

#[test]
fn a_text_cannot_leave_its_fence_nor_turn_its_direction() {
    let world = World::new("```\n````\n@everyone ![x](https://evil)\u{202e}\u{1b}[2J\n".as_bytes());
    assert!(world.comment("change").success);
    let body = world.posted().unwrap();
    assert!(body.contains("\n`````diff\n```\n````\n@everyone"), "{body}");
    assert!(body.ends_with("\n`````\n"), "{body}");
    assert!(!body.contains('\u{202e}') && !body.contains('\u{1b}'), "{body}");
}

#[test]
fn a_text_is_cut_to_what_a_comment_takes() {
    for text in ["á".repeat(4_000_000), "\u{ff}".repeat(60_000)] {
        let world = World::new(text.as_bytes());
        assert!(world.comment("change").success);
        assert!(world.posted().unwrap().len() < 60_000);
    }
    let broken = World::new(&[0xff, 0xfe, 0x00, b'x']);
    assert!(broken.comment("change").success);
    assert!(broken.posted().unwrap().contains("diff\nx\n"));
}

#[test]
fn only_the_pull_request_whose_commit_ran_is_commented() {
    for pulls in [
        json!([]),
        json!([pull(8, "2222222222222222222222222222222222222222", "stranger/odoo")]),
        json!([pull(8, SHA, "other/odoo")]),
        json!([pull(7, SHA, "stranger/odoo"), pull(8, SHA, "stranger/odoo")]),
    ] {
        let world = World::new(b"plan");
        world.answer("pulls", &pulls);
        let ran = world.comment("change");
        assert!(ran.success, "{ran:?}");
        assert_eq!(world.posted(), None, "{pulls}");
    }
}

#[test]
fn an_artifact_that_is_too_large_or_has_another_name_is_left() {
    for artifact in [
        json!({"name": "plan", "id": 5, "size_in_bytes": 5_000_000}),
        json!({"name": "other", "id": 5, "size_in_bytes": 5}),
    ] {
        let world = World::new(b"plan");
        world.answer("artifacts", &json!({"artifacts": [artifact]}));
        assert!(world.comment("change").success);
        assert_eq!(world.posted(), None);
        assert!(!world.calls().contains("/zip"));
    }
}

#[test]
fn a_failure_of_github_fails_the_job() {
    let world = World::new(b"plan");
    std::fs::remove_file(world.runner.path("github/pulls.json")).unwrap();
    assert!(!world.comment("change").success);
}

#[test]
fn a_hostile_branch_is_a_word_of_a_question() {
    for hostile in HOSTILE {
        let world = World::new(b"plan");
        assert!(world.comment(hostile).success);
        assert!(world.calls().contains(&format!("head=stranger:{hostile}")));
    }
}
