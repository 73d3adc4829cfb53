//! The operator's repository is read and never touched.

use std::path::{Path, PathBuf};

use odoo_deploy::source::{Cache, RemoteKind, Repository, SourceError};

use crate::fixture::{Place, Repo, branch, fingerprint};

fn platform(place: &Place) -> (Repo, Repo) {
    let origin = place.repository("origin");
    origin.write("config/deploy.toml", "").write("a.py", "1").write(".gitignore", "*.log");
    origin.commit("first");
    let clone = place.clone(&origin, "clone", &[]);
    (origin, clone)
}

#[test]
fn the_repository_is_found_from_a_directory_below() {
    let place = Place::new();
    let (_, clone) = platform(&place);
    let found = Repository::discover(&clone.root.join("config")).unwrap();
    assert_eq!(found.root(), clone.root);
    assert!(matches!(
        Repository::discover(Path::new("/")),
        Err(SourceError::NoPlatformRepository { .. })
    ));
}

#[test]
fn dirty_files_and_unpushed_commits_are_told_and_nothing_is_touched() {
    let place = Place::new();
    let (origin, clone) = platform(&place);
    clone.write("b.py", "2").commit("local\u{1b}[31m one");
    clone.write("a.py", "changed").write("new dir/ñ.py", "").write("x.log", "");
    // Someone else pushes: the remote's tip is not known in the clone.
    origin.write("c.py", "3").commit("theirs");
    let before = fingerprint(&clone.root);

    let repository = Repository::discover(&clone.root).unwrap();
    let remote = repository.remote().unwrap();
    let cache = Cache::fetch(&place.path("cache"), &remote, &[branch("main")]).unwrap();
    let state = repository.working_state(&branch("main"), &cache).unwrap();

    assert_eq!(*remote.kind(), RemoteKind::Named("origin".into()));
    assert_eq!(state.dirty, [PathBuf::from("a.py"), PathBuf::from("new dir/")]);
    let subjects: Vec<_> = state.unpushed.iter().map(|c| c.subject.as_str()).collect();
    assert_eq!(subjects, ["local\u{fffd}[31m one"]);
    assert_eq!(state.unpushed[0].author, "Ana");
    assert_eq!(fingerprint(&clone.root), before);
    assert!(cache.contains(cache.tip(&branch("main")).unwrap()));
}

#[test]
fn a_file_changed_inside_a_submodule_is_dirt() {
    let place = Place::new();
    let (origin, clone) = platform(&place);
    let url = origin.root.to_str().unwrap();
    clone.git(&["submodule", "--quiet", "add", url, "oca"]);
    clone.commit("submodule");
    let remote = origin.remote();
    let cache = Cache::fetch(&place.path("cache"), &remote, &[branch("main")]).unwrap();
    let dirty = || {
        let repository = Repository::discover(&clone.root).unwrap();
        repository.working_state(&branch("main"), &cache).unwrap().dirty
    };
    assert!(dirty().is_empty());
    clone.write("oca/a.py", "changed");
    assert_eq!(dirty(), [PathBuf::from("oca")]);
}

#[test]
fn a_shallow_checkout_with_a_detached_head_is_enough() {
    let place = Place::new();
    let (origin, _) = platform(&place);
    let old = origin.commit("second");
    origin.commit("third");
    let ci = place.clone(&origin, "ci", &["--depth=1"]);
    ci.git(&["checkout", "--quiet", "--detach"]);
    ci.git(&["branch", "--quiet", "-D", "main"]);

    let repository = Repository::discover(&ci.root).unwrap();
    assert_eq!(repository.current_branch(), None);
    let remote = repository.remote().unwrap();
    let cache = Cache::fetch(&place.path("cache"), &remote, &[branch("main")]).unwrap();
    assert!(cache.is_on(&branch("main"), old).unwrap(), "the history is whole");
    let state = repository.working_state(&branch("main"), &cache).unwrap();
    assert!(state.dirty.is_empty() && state.unpushed.is_empty());
}

#[test]
fn a_linked_worktree_is_a_repository() {
    let place = Place::new();
    let (_, clone) = platform(&place);
    let path = place.path("worktree");
    clone.git(&["worktree", "add", "--quiet", "-b", "hotfix/a", path.to_str().unwrap()]);
    let repository = Repository::discover(&path).unwrap();
    assert_eq!(repository.current_branch(), Some(branch("hotfix/a")));
    assert_eq!(*repository.remote().unwrap().kind(), RemoteKind::Named("origin".into()));
}

#[test]
fn a_repository_without_a_remote_is_its_own_source() {
    let place = Place::new();
    let (origin, _) = platform(&place);
    let repository = Repository::discover(&origin.root).unwrap();
    let remote = repository.remote().unwrap();
    assert_eq!(*remote.kind(), RemoteKind::Itself);
    let cache = Cache::fetch(&place.path("cache"), &remote, &[branch("main")]).unwrap();
    let state = repository.working_state(&branch("main"), &cache).unwrap();
    assert!(state.unpushed.is_empty());
}

#[test]
fn of_several_remotes_the_upstream_of_the_branch_is_taken() {
    let place = Place::new();
    let (_, clone) = platform(&place);
    clone.git(&["remote", "rename", "origin", "client"]);
    clone.git(&["remote", "add", "other", "https://me:s3cret@example.net/x.git"]);
    let kind = || Repository::discover(&clone.root).unwrap().remote().map(|r| r.kind().clone());
    assert_eq!(kind().unwrap(), RemoteKind::Named("client".into()));
    clone.git(&["branch", "--unset-upstream"]);
    let error = kind().unwrap_err();
    assert!(matches!(&error, SourceError::NoRemoteChosen { names } if names.len() == 2));
    assert!(error.hint().is_some());
}

#[test]
fn files_outside_the_repository_are_not_read() {
    let place = Place::new();
    let (_, clone) = platform(&place);
    clone.link("leak", "/etc/passwd").link("inside", "a.py");
    let repository = Repository::discover(&clone.root).unwrap();
    let read = |path: &str| repository.read(Path::new(path));
    assert_eq!(read("inside").unwrap().unwrap(), b"1");
    assert_eq!(read("missing/x").unwrap(), None);
    assert_eq!(read("config").unwrap(), None);
    for hostile in ["leak", "../origin/a.py", "/etc/passwd"] {
        assert!(matches!(read(hostile), Err(SourceError::LeavesRoot { .. })), "{hostile}");
    }
    let files = repository.files(Path::new("config")).unwrap();
    assert_eq!(files, [PathBuf::from("config/deploy.toml")]);
}

#[test]
fn a_directory_outside_git_cannot_be_deployed() {
    let place = Place::new();
    let (_, clone) = platform(&place);
    clone.write("nested/config/deploy.toml", "");
    let nested = Repository::discover(&clone.root.join("nested")).unwrap();
    assert!(matches!(nested.remote(), Err(SourceError::NotTheRoot { git_root: Some(_), .. })));
}
