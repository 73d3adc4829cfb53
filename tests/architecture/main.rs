//! Holds the lines that docs/architecture.md draws between the modules.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources has to fail")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The modules in the order in which data passes through them. Each may use
/// those that stand before it, and no other.
const ORDER: [&str; 19] = [
    "host",
    "layout",
    "odoo",
    "secret",
    "settings",
    "source",
    "client",
    "fleet",
    "plan",
    "render",
    "setup",
    "wire",
    "transport",
    "cloudflare",
    "notify",
    "hooks",
    "dns",
    "agent",
    "workflow",
];

/// Uses that go against the order, each with the reason it is right.
const EXCEPTIONS: [(&str, &str, &str); 4] = [
    ("host", "odoo", "what an option means depends on the series"),
    ("host", "secret", "values hold the names of secrets"),
    ("host", "source", "an expression may name the environment's branch"),
    ("settings", "source", "an environment names branches"),
];

/// Crates that stay behind one door.
const DOORS: [(&str, &[&str]); 8] = [
    ("clap", &["cli"]),
    ("git2", &["source"]),
    ("openssh", &["transport"]),
    ("handlebars", &["host", "render"]),
    ("notify_rust", &["notify"]),
    ("indicatif", &["cli"]),
    ("lettre", &["notify"]),
    ("hickory_proto", &["dns"]),
];

/// Modules that neither read nor write anything.
const PURE: [&str; 7] = ["plan", "render", "setup", "odoo", "layout", "client", "fleet"];

/// Files that are as pure, in modules that are not.
const PURE_FILES: [&str; 6] = [
    "agent/keys/lines.rs",
    "agent/restricted/conf.rs",
    "agent/restricted/files.rs",
    "agent/restricted/pinned.rs",
    "agent/restricted/shape.rs",
    "agent/restricted/steps.rs",
];

/// What reaches the outside world.
const OUTSIDE: [&str; 6] =
    ["std::fs", "fs::", "std::process", "std::net", "SystemTime::now", "Timestamp::now"];

/// A source file: its module and its text without comments and tests.
struct Source {
    path: PathBuf,
    module: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut left = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).unwrap();
                let first = below.components().next().unwrap();
                let module = Path::new(first.as_os_str()).file_stem().unwrap();
                let module = module.to_str().unwrap().to_owned();
                let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
                if !is_test {
                    sources.push(Source { code: code_of(&path), module, path });
                }
            }
        }
    }
    assert!(sources.len() > 50, "the sources are found");
    sources
}

/// Returns the code of a file without comments, up to its tests.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Tells whether code uses a module of this crate, in a path or a use list.
fn uses(code: &str, module: &str) -> bool {
    let flat = code.split_whitespace().collect::<String>();
    flat.contains(&format!("crate::{module}::"))
        || flat.contains(&format!("crate::{module}as"))
        || flat.match_indices("usecrate::{").any(|(at, _)| {
            let list = &flat[at + "usecrate::{".len()..];
            let list = &list[..list.find(";").unwrap_or(list.len())];
            top_level(list)
                .iter()
                .any(|item| item == module || item.starts_with(&format!("{module}::")))
        })
}

/// Splits a use list at the commas that are not inside braces.
fn top_level(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        items.last_mut().unwrap().push(c);
    }
    items
}

#[test]
fn modules_depend_downward_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(place) = ORDER.iter().position(|module| *module == source.module) else {
            continue;
        };
        for later in &ORDER[place + 1..] {
            let excepted =
                EXCEPTIONS.iter().any(|(from, to, _)| *from == source.module && to == later);
            if uses(&source.code, later) && !excepted {
                wrong.push(format!("{} uses {later}", source.path.display()));
            }
        }
        if uses(&source.code, "cli") {
            wrong.push(format!("{} uses cli", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_outside_library_has_one_door() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (library, doors) in DOORS {
            let used = source.code.contains(&format!("{library}::"));
            if used && !doors.contains(&source.module.as_str()) {
                wrong.push(format!("{} uses {library}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_touch_nothing_outside() {
    let mut wrong = Vec::new();
    let sources = sources();
    for file in PURE_FILES {
        assert!(sources.iter().any(|source| source.path.ends_with(file)), "{file} is gone");
    }
    for source in sources {
        let is_pure = PURE.contains(&source.module.as_str())
            || PURE_FILES.iter().any(|file| source.path.ends_with(file));
        if !is_pure {
            continue;
        }
        for name in OUTSIDE {
            if source.code.contains(name) {
                wrong.push(format!("{} uses {name}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a deploy key may do is decided for each request and each step by name.
#[test]
fn the_checks_of_a_deploy_key_leave_nothing_to_a_default() {
    for file in ["mod.rs", "steps.rs"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/agent/restricted").join(file);
        let code = code_of(&path);
        let matches = ["match request {", "match step {"];
        let begun = matches.iter().filter_map(|begin| code.split_once(begin)).next();
        let (_, body) = begun.expect("there is the match");
        let end = body.find("\n    }\n").expect("the function ends");
        assert!(!body[..end].contains("\n            _ =>"), "{file} has a default");
    }
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    for source in sources() {
        let text = fs::read_to_string(&source.path).unwrap();
        assert!(text.starts_with("//! "), "{} has no first sentence", source.path.display());
    }
}

#[test]
fn the_plan_knows_no_transport_and_the_transport_no_plan() {
    for source in sources() {
        if source.module == "transport" {
            assert!(!uses(&source.code, "plan"), "{}", source.path.display());
        }
        if source.module == "plan" {
            assert!(!uses(&source.code, "transport"), "{}", source.path.display());
            assert!(!uses(&source.code, "agent"), "{}", source.path.display());
        }
    }
}

#[test]
fn what_may_change_the_dns_never_comes_near_a_server() {
    for source in sources() {
        if ["agent", "wire", "transport", "plan"].contains(&source.module.as_str()) {
            assert!(!uses(&source.code, "dns"), "{}", source.path.display());
            assert!(!source.code.contains("DnsProvider"), "{}", source.path.display());
        }
    }
}

#[test]
fn the_comparison_of_records_is_pure() {
    let pure = ["plan.rs", "record.rs", "wanted.rs", "update.rs", "error.rs"];
    for source in sources().iter().filter(|source| source.module == "dns") {
        let name = source.path.file_name().unwrap().to_str().unwrap();
        for outside in OUTSIDE.iter().filter(|_| pure.contains(&name)) {
            // An address is no connection.
            let code = source.code.replace("std::net::IpAddr", "");
            assert!(!code.contains(outside), "{} uses {outside}", source.path.display());
        }
    }
}
