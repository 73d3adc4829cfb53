//! Submodules become part of the tree; what cannot be deployed is refused by name.

use std::path::Path;

use odoo_deploy::source::{Cache, CommitId, Repository, SourceError};

use crate::fixture::{Place, Repo, branch};

/// `origin` with `oca` as a submodule, which has `nested` as one.
fn composed(place: &Place) -> (Repo, Repo, Repo) {
    let nested = place.repository("nested");
    let nested_commit = nested.write("deep.py", "deep").commit("nested");
    let oca = place.repository("oca");
    oca.write("web/x.py", "oca").commit("files");
    let oca_commit = oca.submodule("lib/nested", "../nested", nested_commit).commit_index("link");
    let origin = place.repository("origin");
    origin.write("a.py", "a").commit("files");
    origin.submodule("addons/oca", "../oca", oca_commit).commit_index("link");
    (origin, oca, nested)
}

#[test]
fn nested_submodules_are_one_tree() {
    let place = Place::new();
    let (origin, ..) = composed(&place);
    let tree = place.tree(&origin).unwrap();
    let read = |path: &str| tree.read(Path::new(path)).unwrap();
    assert_eq!(read("a.py").unwrap(), b"a");
    assert_eq!(read("addons/oca/web/x.py").unwrap(), b"oca");
    assert_eq!(read("addons/oca/lib/nested/deep.py").unwrap(), b"deep");
}

#[test]
fn equal_content_has_an_equal_id_whether_it_is_a_submodule_or_not() {
    let place = Place::new();
    let (origin, oca, nested) = composed(&place);
    let plain = place.repository("plain");
    let copy = |from: &Repo, path: &str, to: &str| {
        plain.write(to, std::fs::read(from.root.join(path)).unwrap());
    };
    copy(&origin, "a.py", "a.py");
    copy(&origin, ".gitmodules", ".gitmodules");
    copy(&oca, "web/x.py", "addons/oca/web/x.py");
    copy(&oca, ".gitmodules", "addons/oca/.gitmodules");
    copy(&nested, "deep.py", "addons/oca/lib/nested/deep.py");
    plain.commit("plain");
    let composed = place.tree(&origin).unwrap();
    assert_eq!(composed.id(), place.tree(&plain).unwrap().id());
    assert_eq!(composed.id(), place.tree(&origin).unwrap().id());
}

#[test]
fn a_server_that_gives_only_branches_is_asked_for_all_of_them() {
    let place = Place::new();
    let (origin, oca, _) = composed(&place);
    let wants_older = CommitId::parse(&origin.git(&["rev-parse", "HEAD"])).unwrap();
    oca.write("later.py", "later").git(&["add", "later.py"]);
    let later = oca.commit_index("later");
    origin.write("config/deploy.toml", "").git(&["add", "config"]);
    let wants_newer = origin.gitlink("addons/oca", later).commit_index("platform");
    let clone = place.clone(&origin, "clone", &[]);
    let cache = || {
        let remote = Repository::discover(&clone.root).unwrap().remote().unwrap();
        Cache::fetch(&place.path("cache"), &remote, &[branch("main")]).unwrap()
    };
    // The first fetch has no history; protocol 0 then gives only tips of branches.
    let newer = cache().tree(wants_newer).unwrap();
    assert!(newer.read(Path::new("addons/oca/later.py")).unwrap().is_some());
    clone.git(&["config", "protocol.version", "0"]);
    let older = cache().tree(wants_older).unwrap();
    assert!(older.read(Path::new("addons/oca/web/x.py")).unwrap().is_some());
    assert!(older.read(Path::new("addons/oca/later.py")).unwrap().is_none());
}

#[test]
fn an_old_commit_stays_readable_after_its_submodule_is_gone() {
    let place = Place::new();
    let (origin, ..) = composed(&place);
    let old = place.tree(&origin).unwrap().id();
    origin.git(&["rm", "--quiet", "--cached", "addons/oca"]);
    origin.git(&["rm", "--quiet", ".gitmodules"]);
    origin.commit_index("without");
    let new = place.tree(&origin).unwrap();
    let changes = new.changes(old, new.id()).unwrap();
    let gone: Vec<_> = changes.iter().map(|change| change.path.to_str().unwrap()).collect();
    assert_eq!(
        gone,
        [
            ".gitmodules",
            "addons/oca/.gitmodules",
            "addons/oca/lib/nested/deep.py",
            "addons/oca/web/x.py"
        ]
    );
    assert!(changes.iter().all(|change| change.new.is_none()));
    assert_eq!(new.blob(changes[3].old.unwrap()).unwrap(), b"oca");
}

#[test]
fn a_submodule_that_cannot_be_had_is_named() {
    let place = Place::new();
    let (origin, oca, _) = composed(&place);
    let missing = CommitId::parse(&"ab".repeat(20)).unwrap();
    origin.gitlink("addons/oca", missing).commit_index("a commit that was not pushed");
    let error = place.tree_error(&origin);
    assert!(error.to_string().contains("`addons/oca` at abab"), "{error}");
    assert!(error.hint().unwrap().contains("pushed"));

    let head = CommitId::parse(&oca.git(&["rev-parse", "HEAD"])).unwrap();
    origin.gitlink("addons/oca", head).gitlink("addons/other", head).commit_index("no address");
    let error = place.tree_error(&origin);
    assert!(error.to_string().contains("`addons/other`"), "{error}");
    assert!(error.hint().unwrap().contains(".gitmodules"));
}

#[test]
fn a_hostile_address_of_a_submodule_runs_nothing() {
    let place = Place::new();
    let witness = place.path("witness");
    let commit = CommitId::parse(&"ab".repeat(20)).unwrap();
    let touch = format!("touch {}", witness.display());
    for url in [
        format!("ext::sh -c '{touch}'"),
        format!("--upload-pack={touch}"),
        format!("ssh://-oProxyCommand={touch}/x"),
    ] {
        let origin = place.repository(&format!("origin-{}", url.len()));
        origin.submodule("sub", &url, commit).commit_index("hostile");
        let error = place.tree_error(&origin);
        assert!(matches!(&error, SourceError::Submodule { path, .. } if path == "sub"), "{error}");
        assert!(!witness.exists());
    }
}

#[test]
fn links_that_leave_the_tree_are_refused() {
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("etc", &[("etc", "/etc")]),
        ("a/up", &[("a/up", "../../x")]),
        // Lexically `deep/down/..` is `deep`; the kernel goes to the parent of `top`.
        ("evil", &[("deep/down", "../top"), ("evil", "deep/down/../..")]),
        ("b", &[("a", "../outside"), ("b", "x")]),
    ];
    for (at, (named, links)) in cases.iter().enumerate() {
        let place = Place::new();
        let origin = place.repository("origin");
        origin.write("top/x", "");
        for (path, target) in *links {
            origin.link(path, target);
        }
        origin.commit("links");
        let error = place.tree_error(&origin);
        let named = if at == 3 { "a" } else { named };
        assert!(
            matches!(&error, SourceError::LinkLeaves { path, .. } if path == named),
            "{at}: {error}"
        );
    }
}

#[test]
fn links_inside_the_tree_are_followed() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin
        .write("oca/sale_x/x.py", "x")
        .link("addons/sale_x", "../oca/sale_x")
        .link("loop", "loop");
    origin.link("dangling", "oca/missing").commit("links");
    let tree = place.tree(&origin).unwrap();
    assert_eq!(tree.read(Path::new("addons/sale_x/x.py")).unwrap().unwrap(), b"x");
    assert_eq!(tree.read(Path::new("loop")).unwrap(), None);
    assert!(tree.has_directory(Path::new("addons/sale_x")).unwrap());
}

#[test]
fn large_files_are_named() {
    let place = Place::new();
    let origin = place.repository("origin");
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n",
        "0".repeat(64)
    );
    origin.write("addons/x/static/video.mp4", pointer).commit("pointer");
    let error = place.tree_error(&origin);
    assert!(error.to_string().starts_with("`addons/x/static/video.mp4` is stored in Git LFS"));
}
