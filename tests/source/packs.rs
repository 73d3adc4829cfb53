//! From the cache into a server's store, and from there into a release.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use odoo_deploy::source::{Pack, Previous, SourceError, SourceTree, Store, TreeId};

use crate::fixture::{Place, Repo};

fn bytes(mut pack: Pack) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, pack.size());
    bytes
}

/// Commits, and brings the tip's tree into the store.
fn send(place: &Place, origin: &Repo, store: &Store, have: &[TreeId]) -> (SourceTree, usize) {
    origin.commit("next");
    let tree = place.tree(origin).unwrap();
    let pack = tree.pack_missing(tree.id(), have).unwrap();
    let objects = pack.objects();
    assert_eq!(store.receive(bytes(pack).as_slice()).unwrap(), objects);
    (tree, objects)
}

fn origin(place: &Place) -> Repo {
    let origin = place.repository("origin");
    origin.write("a/b/c.py", "1").write("a/d.py", "2").write("run.sh", "#!").link("link", "a/d.py");
    origin.git(&["add", "--all"]);
    origin.git(&["update-index", "--chmod=+x", "run.sh"]);
    fs::set_permissions(origin.root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    origin
}

#[test]
fn a_second_pack_has_the_changed_file_and_the_directories_above_it() {
    let place = Place::new();
    let origin = origin(&place);
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (first, objects) = send(&place, &origin, &store, &[]);
    assert_eq!(objects, 3 + 4);
    assert!(store.has_tree(first.id()));
    origin.write("a/b/c.py", "changed");
    let unknown = TreeId::parse(&"12".repeat(20)).unwrap();
    let (second, objects) = send(&place, &origin, &store, &[first.id(), unknown]);
    assert_eq!(objects, 4, "root, a, a/b and the file");
    assert!(store.has_tree(second.id()));
}

#[test]
fn nothing_missing_is_an_empty_pack() {
    let place = Place::new();
    let origin = origin(&place);
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (tree, _) = send(&place, &origin, &store, &[]);
    let pack = tree.pack_missing(tree.id(), &[tree.id()]).unwrap();
    assert_eq!((pack.objects(), pack.size()), (0, 0));
    assert_eq!(store.receive(bytes(pack).as_slice()).unwrap(), 0);
}

#[test]
fn a_composed_tree_is_packed_without_its_history() {
    let place = Place::new();
    let oca = place.repository("oca");
    oca.write("x.py", "old").commit("old");
    let commit = oca.write("x.py", "new").commit("new");
    let origin = place.repository("origin");
    origin.write("a.py", "a").commit("files");
    origin.submodule("oca", "../oca", commit).commit_index("link");
    let tree = place.tree(&origin).unwrap();
    let pack = tree.pack_missing(tree.id(), &[]).unwrap();
    assert_eq!(pack.objects(), 2 + 3);
    let store = Store::open_or_create(&place.path("store")).unwrap();
    store.receive(pack).unwrap();
    assert!(store.has_tree(tree.id()));
    store.check_out(tree.id(), &place.path("code"), None).unwrap();
    assert_eq!(fs::read(place.path("code/oca/x.py")).unwrap(), b"new");
}

#[test]
fn a_damaged_or_incomplete_pack_is_refused() {
    let place = Place::new();
    let origin = origin(&place);
    origin.commit("first");
    let old = place.tree(&origin).unwrap();
    let whole = bytes(old.pack_missing(old.id(), &[]).unwrap());
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0xff;
    for damaged in [&whole[..whole.len() - 1], &whole[..10], &flipped, b"not a pack at all......"] {
        assert!(store.receive(damaged).is_err());
    }
    origin.write("a/b/c.py", "changed").commit("second");
    let new = place.tree(&origin).unwrap();
    let partial = bytes(new.pack_missing(new.id(), &[old.id()]).unwrap());
    assert!(store.receive(partial.as_slice()).is_err(), "its other objects are not here");
    assert!(!store.has_tree(new.id()));
    store.receive(whole.as_slice()).unwrap();
    store.receive(partial.as_slice()).unwrap();
    assert!(store.has_tree(new.id()));
    assert_eq!(leftovers(&place), 0);
}

fn leftovers(place: &Place) -> usize {
    let entries = fs::read_dir(place.path("store")).unwrap().map(|entry| entry.unwrap());
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("incoming-")).count()
}

#[test]
fn unchanged_files_are_shared_with_the_release_before() {
    let place = Place::new();
    let origin = origin(&place);
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (first, _) = send(&place, &origin, &store, &[]);
    let one = place.path("1");
    let done = store.check_out(first.id(), &one, None).unwrap();
    assert_eq!((done.files, done.unchanged, done.bytes), (4, 0, 4));
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&one.join("run.sh")), 0o755);
    assert_eq!(mode(&one.join("a/d.py")), 0o644);
    assert_eq!(mode(&one.join("a/b")), 0o755);
    assert_eq!(fs::read_link(one.join("link")).unwrap(), Path::new("a/d.py"));

    origin.write("a/b/c.py", "changed").write("a/e.py", "new");
    let (second, _) = send(&place, &origin, &store, &[first.id()]);
    // A file that was edited on the server is not taken over.
    fs::remove_file(one.join("run.sh")).unwrap();
    fs::File::create(one.join("run.sh")).unwrap();
    let two = place.path("2");
    let previous = Previous { directory: &one, tree: first.id() };
    let done = store.check_out(second.id(), &two, Some(previous)).unwrap();
    assert_eq!((done.files, done.unchanged), (5, 1));
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&one.join("a/d.py")), inode(&two.join("a/d.py")));
    assert_eq!(fs::read(two.join("run.sh")).unwrap(), b"#!");
    assert_eq!(fs::read(two.join("a/b/c.py")).unwrap(), b"changed");
}

#[test]
fn a_release_of_many_files_is_written_whole() {
    let place = Place::new();
    let origin = origin(&place);
    let many = 1_500;
    for number in 0..many {
        origin.write(&format!("addon_{}/f{number}.py", number % 7), number.to_string());
    }
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (first, _) = send(&place, &origin, &store, &[]);
    let one = place.path("1");
    let written = store.check_out(first.id(), &one, None).unwrap();
    assert_eq!((written.files, written.unchanged), (many + 4, 0));
    origin.write("addon_0/f0.py", "changed");
    let (second, _) = send(&place, &origin, &store, &[first.id()]);
    let two = place.path("2");
    let previous = Previous { directory: &one, tree: first.id() };
    let shared = store.check_out(second.id(), &two, Some(previous)).unwrap();
    // The link is written anew.
    assert_eq!((shared.files, shared.unchanged, shared.bytes), (many + 4, many + 2, 7));
    for number in 1..many {
        let text = fs::read_to_string(two.join(format!("addon_{}/f{number}.py", number % 7)));
        assert_eq!(text.unwrap(), number.to_string());
    }
}

#[test]
fn an_mtime_depends_on_the_content_only() {
    let place = Place::new();
    let origin = origin(&place);
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (tree, _) = send(&place, &origin, &store, &[]);
    store.check_out(tree.id(), &place.path("1"), None).unwrap();
    let modified = fs::metadata(place.path("1/a/d.py")).unwrap().modified().unwrap();
    let id = origin.git(&["rev-parse", "HEAD:a/d.py"]);
    let last = u64::from_str_radix(&id[32..], 16).unwrap() % (1 << 29);
    assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(978_307_200 + last));
}

#[test]
fn a_directory_with_something_in_it_is_not_written_to() {
    let place = Place::new();
    let origin = origin(&place);
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (tree, _) = send(&place, &origin, &store, &[]);
    let error = store.check_out(tree.id(), &origin.root, None).unwrap_err();
    assert!(matches!(error, SourceError::NotEmpty { .. }));
}

/// Writes a tree by hand, as no Git client would.
fn hostile_tree(store: &Path, mode: &str, name: &str, blob: &[u8]) -> TreeId {
    let repository = git2::Repository::open_bare(store).unwrap();
    let blob = repository.blob(blob).unwrap();
    let tree = [format!("{mode} {name}\0").as_bytes(), blob.as_bytes()].concat();
    let id = repository.odb().unwrap().write(git2::ObjectType::Tree, &tree).unwrap();
    TreeId::from_bytes(id.as_bytes().try_into().unwrap())
}

#[test]
fn names_and_links_that_leave_the_directory_are_not_written() {
    let place = Place::new();
    let path = place.path("store");
    let store = Store::open_or_create(&path).unwrap();
    for (at, name) in ["..", ".", ".git", ".GIT", "../x", "a/../../x", "/etc/x"].iter().enumerate()
    {
        let tree = hostile_tree(&path, "100644", name, b"x");
        let result = store.check_out(tree, &place.path(&at.to_string()), None);
        assert!(result.is_err(), "{name}");
    }
    for target in ["/etc/passwd", "..", "x/../../y"] {
        let tree = hostile_tree(&path, "120000", "link", target.as_bytes());
        let code = place.path(&format!("link-{}", target.len()));
        assert!(matches!(store.check_out(tree, &code, None), Err(SourceError::LinkLeaves { .. })));
    }
    assert!(!place.path("x").exists());
}

#[test]
fn a_store_is_written_anew_once_that_is_worth_it() {
    let place = Place::new();
    let origin = origin(&place);
    let large: String = (0..5_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()).collect();
    origin.write("a/large.txt", &large);
    let mut store = Store::open_or_create(&place.path("store")).unwrap();
    let (first, _) = send(&place, &origin, &store, &[]);
    let packs = || fs::read_dir(place.path("store/objects/pack")).unwrap().count() / 2;
    let mut last = first.id();
    for round in 2..=50 {
        origin.write("a/b/c.py", round.to_string());
        let (tree, _) = send(&place, &origin, &store, &[last]);
        last = tree.id();
        fs::create_dir(place.path("store/incoming-x")).unwrap();
        store.tidy(&[last]).unwrap();
        assert_eq!((packs(), leftovers(&place)), (round, 0));
    }
    origin.write("a/b/c.py", "one too many");
    let (tree, _) = send(&place, &origin, &store, &[last]);
    store.tidy(&[tree.id()]).unwrap();
    assert_eq!(packs(), 1);
    assert!(store.has_tree(tree.id()) && !store.has_tree(first.id()));
    // What is of no release is never much more than what is.
    let mut others = Vec::new();
    for digit in ["3", "4"] {
        origin.write("a/large.txt", large.replace('1', digit).repeat(2));
        others.push(send(&place, &origin, &store, &[tree.id()]).0.id());
    }
    store.tidy(&[tree.id()]).unwrap();
    assert!(others.iter().all(|other| !store.has_tree(*other)));
}

#[test]
fn only_the_kept_trees_stay() {
    let place = Place::new();
    let origin = origin(&place);
    let mut store = Store::open_or_create(&place.path("store")).unwrap();
    let (first, _) = send(&place, &origin, &store, &[]);
    origin.write("a/b/c.py", "2");
    let (second, _) = send(&place, &origin, &store, &[first.id()]);
    origin.write("a/b/c.py", "3");
    let (third, _) = send(&place, &origin, &store, &[second.id()]);
    fs::create_dir(place.path("store/incoming-x")).unwrap();
    store.keep_only(&[second.id(), third.id()]).unwrap();
    assert_eq!(leftovers(&place), 0);
    assert!(!store.has_tree(first.id()));
    assert!(store.has_tree(second.id()) && store.has_tree(third.id()));
    let packs = || fs::read_dir(place.path("store/objects/pack")).unwrap().count();
    assert_eq!(packs(), 2, "one pack and its index");
    store.keep_only(&[third.id(), second.id()]).unwrap();
    assert_eq!(packs(), 2);
    store.check_out(third.id(), &place.path("3"), None).unwrap();
    store.keep_only(&[]).unwrap();
    assert!(!store.has_tree(third.id()));
    assert_eq!((packs(), leftovers(&place)), (0, 0));
}

fn put(path: &Path, text: &str) {
    fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// What lies below a directory: of each file its mode, time and content.
fn listing(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let data = fs::symlink_metadata(&path).unwrap();
        let content = if data.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if data.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else {
            format!("{:?} {}", data.modified().unwrap(), fs::read_to_string(&path).unwrap())
        };
        let place = path.strip_prefix(root).unwrap().to_owned();
        // The mode of a link is nobody's choice.
        found.insert(place, format!("{:o} {content}", data.mode()));
    }
    found
}

#[test]
fn a_tree_written_over_another_is_there_as_if_it_were_the_first() {
    let place = Place::new();
    let origin = origin(&place);
    origin
        .write("gone/x.py", "x")
        .write("turns/y.py", "y")
        .write("file", "f")
        .write("same.py", "s");
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (first, _) = send(&place, &origin, &store, &[]);
    let code = place.path("code");
    store.check_out(first.id(), &code, None).unwrap();

    fs::remove_dir_all(origin.root.join("gone")).unwrap();
    fs::remove_dir_all(origin.root.join("turns")).unwrap();
    fs::remove_file(origin.root.join("file")).unwrap();
    fs::remove_file(origin.root.join("link")).unwrap();
    origin.write("turns", "a file now").write("file/z.py", "z").link("link", "same.py");
    origin.write("a/b/c.py", "changed").write("new/n.py", "n");
    origin.git(&["add", "--all"]);
    origin.git(&["update-index", "--chmod=-x", "run.sh"]);
    fs::set_permissions(origin.root.join("run.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    let (second, _) = send(&place, &origin, &store, &[first.id()]);
    let fresh = place.path("fresh");
    store.check_out(second.id(), &fresh, None).unwrap();

    let kept = fs::metadata(code.join("same.py")).unwrap().ino();
    let done = store.check_out_over(second.id(), &code, first.id(), None).unwrap();
    assert_eq!(listing(&code), listing(&fresh));
    assert_eq!((done.files, done.unchanged), (8, 2), "a/d.py and same.py");
    assert_eq!(fs::metadata(code.join("same.py")).unwrap().ino(), kept);
}

#[test]
fn the_bytecode_of_unchanged_files_goes_along() {
    let place = Place::new();
    let origin = origin(&place);
    origin.write("a/same.py", "same").write("a/own/__pycache__/x.txt", "committed");
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (first, _) = send(&place, &origin, &store, &[]);
    let (one, two, three) = (place.path("1"), place.path("2"), place.path("3"));
    store.check_out(first.id(), &one, None).unwrap();
    let compile = |code: &Path, name: &str| {
        let cache = code.join("a/__pycache__");
        fs::create_dir_all(&cache).unwrap();
        put(&cache.join(format!("{name}.cpython-313.pyc")), name);
    };
    compile(&one, "same");
    compile(&one, "d");
    compile(&one, "gone");
    put(&one.join("a/__pycache__/note"), "no bytecode");
    let compiled = |code: &Path| -> Vec<_> {
        let mut names: Vec<_> = fs::read_dir(code.join("a/__pycache__"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };

    origin.write("a/d.py", "changed");
    let (second, _) = send(&place, &origin, &store, &[first.id()]);
    let previous = Previous { directory: &one, tree: first.id() };
    let done = store.check_out(second.id(), &two, Some(previous)).unwrap();
    assert_eq!(compiled(&two), ["same.cpython-313.pyc"]);
    assert_eq!(done.files, 6, "of the tree");
    compile(&two, "d");

    // What stands there keeps its own, and takes what is newer from the one before.
    store.check_out_over(second.id(), &one, first.id(), None).unwrap();
    assert_eq!(compiled(&one), ["same.cpython-313.pyc"]);
    store.check_out(first.id(), &three, None).unwrap();
    let previous = Previous { directory: &two, tree: second.id() };
    store.check_out_over(second.id(), &three, first.id(), Some(previous)).unwrap();
    assert_eq!(compiled(&three), ["d.cpython-313.pyc", "same.cpython-313.pyc"]);
    let inode =
        |code: &Path| fs::metadata(code.join("a/__pycache__/same.cpython-313.pyc")).unwrap().ino();
    assert_eq!(inode(&three), inode(&two));
    assert_eq!(fs::read(three.join("a/own/__pycache__/x.txt")).unwrap(), b"committed");
}

#[test]
fn whatever_was_done_to_what_stands_is_undone() {
    let place = Place::new();
    let origin = origin(&place);
    origin.write("e/f/g.py", "g");
    let store = Store::open_or_create(&place.path("store")).unwrap();
    let (tree, _) = send(&place, &origin, &store, &[]);
    let (fresh, code) = (place.path("fresh"), place.path("code"));
    store.check_out(tree.id(), &fresh, None).unwrap();
    let previous = Previous { directory: &fresh, tree: tree.id() };
    store.check_out(tree.id(), &code, Some(previous)).unwrap();
    let before = listing(&fresh);

    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    put(&outside.join("g.py"), "somebody's");
    // Replaced as an editor does it: the other release keeps its own.
    fs::remove_file(code.join("run.sh")).unwrap();
    put(&code.join("run.sh"), "edited");
    fs::remove_file(code.join("a/d.py")).unwrap();
    fs::create_dir(code.join("a/d.py")).unwrap();
    fs::remove_dir_all(code.join("e/f")).unwrap();
    symlink(&outside, code.join("e/f")).unwrap();
    fs::remove_file(code.join("link")).unwrap();
    symlink("/etc/passwd", code.join("link")).unwrap();
    fs::create_dir_all(code.join("a/more/deep")).unwrap();
    put(&code.join("more.py"), "more");
    fs::set_permissions(code.join("a"), fs::Permissions::from_mode(0o700)).unwrap();

    store.check_out_over(tree.id(), &code, tree.id(), Some(previous)).unwrap();
    assert_eq!(listing(&code), before);
    assert_eq!(listing(&fresh), before, "files are replaced, not written into");
    assert_eq!(fs::read_to_string(outside.join("g.py")).unwrap(), "somebody's");
    // A tree that the store does not know says nothing of what stands there.
    let unknown = TreeId::parse(&"12".repeat(20)).unwrap();
    store.check_out_over(tree.id(), &code, unknown, None).unwrap();
    assert_eq!(listing(&code), before);
}
