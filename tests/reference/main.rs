//! The reference says what the program does, and links lead somewhere.
#![expect(clippy::unwrap_used, reason = "a file that cannot be read has to fail the test")]
#![expect(clippy::disallowed_methods, reason = "writes the generated page where it is asked to")]

mod series;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use odoo_deploy::{
    cli::{ExitCode, reference},
    host::lint::RuleId,
    plan::Event,
};

/// Set, the generated reference is written instead of compared.
const UPDATE: &str = "UPDATE_REFERENCE";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_command_line_is_described_as_it_is() {
    let path = "docs/reference/cli.md";
    let current = reference();
    if std::env::var_os(UPDATE).is_some() {
        fs::write(root().join(path), &current).unwrap();
    }
    assert!(read(path) == current, "{path} is old: {UPDATE}=1 cargo test --test reference");
}

#[test]
fn every_exit_code_is_described_and_no_other() {
    let text = read("docs/reference/exit-codes.md");
    let described: BTreeSet<u8> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    let known: BTreeSet<u8> = ExitCode::ALL.iter().map(|code| code.number()).collect();
    assert_eq!(described, known);
}

#[test]
fn every_event_has_an_example_that_the_program_reads() {
    let examples = json_examples(&read("docs/reference/json-events.md"));
    let others = printed_objects();
    let mut seen = BTreeSet::new();
    for example in &examples {
        let value: serde_json::Value =
            serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert_eq!(value["schema"], 1, "{example}");
        let name = value["event"].as_str().unwrap().to_owned();
        if !others.contains(&name) {
            let event: Event =
                serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {example}"));
            assert!(is_printed(&event), "{example}");
        }
        seen.insert(name);
    }
    let transaction = [
        "started",
        "step-started",
        "progress",
        "step-done",
        "step-failed",
        "recovering",
        "reverting",
        "committed",
    ];
    let all: BTreeSet<_> = transaction.map(str::to_owned).into_iter().chain(others).collect();
    assert_eq!(seen, all);
}

/// What `--json` prints besides the events of a transaction, as the command line's
/// sources name it.
fn printed_objects() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut left = vec![root().join("src/cli")];
    while let Some(source) = left.pop() {
        if source.is_dir() {
            left.extend(entries(&source));
            continue;
        }
        let text = fs::read_to_string(&source).unwrap();
        for begin in ["\"event\": \"", "[\"event\"] = json!(\""] {
            let rests = text.split(begin).skip(1);
            names.extend(rests.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    assert!(names.contains("plan") && names.contains("log"), "the objects are found: {names:?}");
    names
}

/// A new event does not compile here: describe it, and add its name above.
fn is_printed(event: &Event) -> bool {
    match event {
        Event::Started { .. }
        | Event::StepStarted { .. }
        | Event::Progress { .. }
        | Event::StepDone { .. }
        | Event::StepFailed { .. }
        | Event::Warning { .. }
        | Event::Recovering { .. }
        | Event::Reverting
        | Event::Committed => true,
        // Becomes `result`.
        Event::Finished { .. } => false,
    }
}

fn json_examples(text: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut blocks = text.split("```json\n");
    blocks.next();
    for block in blocks {
        examples.push(block.split("```").next().unwrap().to_owned());
    }
    assert!(!examples.is_empty());
    examples
}

#[test]
fn every_lint_rule_is_described_and_no_other() {
    let text = read("docs/reference/lint.md");
    let described: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let known: BTreeSet<&str> = RuleId::ALL.iter().map(|rule| rule.as_str()).collect();
    assert_eq!(described, known);
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let leads = target.exists()
                && (heading.is_empty() || headings(&target).contains(&heading.to_owned()));
            if !leads {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Every page of this repository, besides what belongs to a new platform repository.
fn pages() -> Vec<PathBuf> {
    let mut left: Vec<PathBuf> =
        ["docs", "deployment", ".github"].iter().map(|name| root().join(name)).collect();
    let mut pages: Vec<PathBuf> = entries(root()).filter(|path| is_page(path)).collect();
    while let Some(directory) = left.pop() {
        for path in entries(&directory) {
            if path.is_dir() {
                left.push(path);
            } else if is_page(&path) {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 5, "the pages are found");
    pages
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path())
}

fn is_page(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "md")
}

/// The targets of `[text](target)`, outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            links.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        }
    }
    links
}

/// The headings of a page as GitHub makes anchors of them.
fn headings(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}
