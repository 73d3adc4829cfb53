//! The cache: branches, commits, logs, damage.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
};

use odoo_deploy::source::{Cache, CommitId, Relation, Remote, Repository, SourceError};

use crate::fixture::{Place, branch};

#[test]
fn a_branch_is_fetched_as_the_remote_has_it() {
    let place = Place::new();
    let origin = place.repository("origin");
    let first = origin.write("a", "1").commit("first");
    origin.git(&["branch", "hotfix/a"]);
    let second = origin.write("a", "2").commit("second");
    let cache = place.fetch(&origin, &["main", "hotfix/a"]).unwrap();
    assert_eq!(cache.tip(&branch("main")).unwrap(), second);
    assert_eq!(cache.tip(&branch("hotfix/a")).unwrap(), first);
    assert!(cache.is_on(&branch("main"), first).unwrap());
    assert!(!cache.is_on(&branch("hotfix/a"), second).unwrap());

    origin.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let forced = origin.write("a", "3").commit("forced");
    origin.git(&["branch", "--quiet", "-D", "hotfix/a"]);
    origin.git(&["branch", "hotfix/a/b"]);
    let cache = place.fetch(&origin, &["main", "hotfix/a/b"]).unwrap();
    assert_eq!(cache.tip(&branch("main")).unwrap(), forced);
    assert!(cache.contains(second), "what was fetched once stays");
}

#[test]
fn a_branch_that_does_not_exist_suggests_near_ones() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin.commit("first");
    origin.git(&["branch", "feature/invoices"]);
    let error = place.fetch(&origin, &["main", "feature/invoice"]).err().unwrap();
    assert_eq!(error.hint().unwrap(), "did you mean feature/invoices?");
    assert!(error.to_string().starts_with("there is no branch `feature/invoice` on /"));
}

#[test]
fn a_commit_is_found_by_its_first_digits_and_fetched_when_missing() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin.commit("first");
    let cache = place.fetch(&origin, &["main"]).unwrap();
    origin.git(&["checkout", "--quiet", "-b", "other"]);
    let other = origin.write("b", "1").commit("other");
    let third = origin.write("b", "2").commit("third");
    assert_eq!(cache.commit(&other.to_string()).unwrap(), other);
    assert_eq!(cache.commit(&third.short().to_uppercase()).unwrap(), third);
    let missing = cache.commit(&"0123456789".repeat(4)).unwrap_err();
    assert!(matches!(missing, SourceError::NoCommit { .. }));
    for hostile in ["--upload-pack=x", "HEAD", "main~1", "", "abc"] {
        assert!(matches!(cache.commit(hostile), Err(SourceError::NotACommitId { .. })));
    }
}

#[test]
fn the_log_tells_which_way_a_move_goes() {
    let place = Place::new();
    let origin = place.repository("origin");
    let commits: Vec<_> = (0..5).map(|n| origin.commit(&format!("commit {n}\n\nbody"))).collect();
    origin.git(&["checkout", "--quiet", "-b", "side", &commits[1].to_string()]);
    let side = origin.commit("side");
    let cache = place.fetch(&origin, &["main", "side"]).unwrap();
    let log = |old, new, limit| cache.log(old, new, limit).unwrap();
    let subjects = |log: &odoo_deploy::source::CommitLog| -> Vec<String> {
        log.commits.iter().map(|commit| commit.subject.clone()).collect()
    };

    let forward = log(Some(commits[1]), commits[4], 2);
    assert_eq!((forward.relation, forward.more), (Relation::Forward, 1));
    assert_eq!(subjects(&forward), ["commit 4", "commit 3"]);
    let backward = log(Some(commits[4]), commits[3], 10);
    assert_eq!(
        (backward.relation, subjects(&backward)),
        (Relation::Backward, vec!["commit 4".into()])
    );
    let diverged = log(Some(side), commits[2], 10);
    assert_eq!(
        (diverged.relation, subjects(&diverged)),
        (Relation::Diverged, vec!["commit 2".into()])
    );
    assert!(log(Some(commits[4]), commits[4], 10).commits.is_empty());
    let unknown = CommitId::parse(&"12".repeat(20)).unwrap();
    assert_eq!(log(Some(unknown), commits[4], 1).relation, Relation::Unknown);
    assert_eq!(log(None, commits[4], 1).more, 4);
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin.write("a", "1").commit("first");
    place.fetch(&origin, &["main"]).unwrap();
    let caches = || fs::read_dir(place.path("cache")).unwrap().map(|entry| entry.unwrap().path());
    let cache = caches().find(|path| path.extension().is_some_and(|e| e == "git")).unwrap();
    let pack = || -> PathBuf {
        let packs = fs::read_dir(cache.join("objects/pack")).unwrap();
        let mut paths = packs.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|e| e == "pack")).unwrap()
    };
    let damages: [&dyn Fn(); 4] = [
        &|| fs::remove_file(cache.join("HEAD")).unwrap(),
        &|| fs::remove_file(pack()).unwrap(),
        &|| {
            let file = pack();
            fs::remove_file(&file).unwrap();
            fs::File::create(&file).unwrap();
        },
        &|| {
            fs::remove_file(cache.join("refs/heads/main")).unwrap();
            fs::File::create(cache.join("refs/heads/main")).unwrap();
        },
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        damage();
        let tree = place.tree(&origin).unwrap_or_else(|error| panic!("damage {at}: {error}"));
        assert_eq!(tree.read("a".as_ref()).unwrap().unwrap(), b"1");
    }
}

#[test]
fn the_users_own_settings_reach_the_fetch_and_no_token_reaches_the_cache() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin.write("config/deploy.toml", "").commit("first");
    let clone = place.clone(&origin, "clone", &[]);
    // The address leads nowhere unless the clone's own `insteadOf` is applied.
    clone.git(&["remote", "set-url", "origin", "https://me:s3cret@host.invalid/x"]);
    let base = format!("url.file://{}.insteadOf", origin.root.display());
    clone.git(&["config", &base, "https://host.invalid/x"]);
    let remote = Repository::discover(&clone.root).unwrap().remote().unwrap();
    Cache::fetch(&place.path("cache"), &remote, &[branch("main")]).unwrap();

    let mut open = vec![place.path("cache")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let content = fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&content).contains("s3cret"), "{}", path.display());
        }
    }
}

#[test]
fn an_unreachable_remote_is_told_without_its_token() {
    let place = Place::new();
    let remote = Remote::at("https://me:s3cret@127.0.0.1:1/x.git").unwrap();
    let error = Cache::fetch(&place.path("cache"), &remote, &[branch("main")]).err().unwrap();
    let text = format!("{error} {error:?}");
    assert!(text.contains("https://***@127.0.0.1:1/x.git") && !text.contains("s3cret"), "{text}");
}

/// Answers one request with 404; returns its head, and whether a process shows the secret.
fn answer_one(listener: &TcpListener, secret: &str) -> (String, bool) {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let mut arguments = processes.filter_map(|path| fs::read(path.join("cmdline")).ok());
    let shows = |arguments: Vec<u8>| String::from_utf8_lossy(&arguments).contains(secret);
    let shown = arguments.any(shows);
    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
    (String::from_utf8(head).unwrap(), shown)
}

#[test]
fn a_token_goes_to_the_server_and_into_no_argument() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!(
        "http://me:s3cret-{0}@{1}/x.git",
        std::process::id(),
        listener.local_addr().unwrap()
    );
    let secret = format!("s3cret-{}", std::process::id());
    let remote = Remote::at(&address).unwrap();
    let (head, shown) = std::thread::scope(|scope| {
        let answer = scope.spawn(|| answer_one(&listener, &secret));
        let error = Cache::fetch(&place.path("cache"), &remote, &[branch("main")]).err().unwrap();
        assert!(!error.to_string().contains(&secret));
        answer.join().unwrap()
    });
    assert!(head.contains("Authorization: Basic bWU6czNjcmV0L"), "{head}");
    assert!(!shown);
}

#[test]
fn two_runs_at_once_wait_for_each_other() {
    let place = Place::new();
    let origin = place.repository("origin");
    let tip = origin.write("a", "1").commit("first");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let cache = place.fetch(&origin, &["main"]).unwrap();
                assert_eq!(cache.tip(&branch("main")).unwrap(), tip);
            });
        }
    });
}

#[test]
fn what_reads_git_can_move_to_another_thread() {
    fn can_move<T: Send>() {}
    can_move::<Repository>();
    can_move::<Cache>();
    can_move::<odoo_deploy::source::SourceTree>();
    can_move::<odoo_deploy::source::Store>();
    can_move::<odoo_deploy::source::Pack>();
    can_move::<SourceError>();
}
