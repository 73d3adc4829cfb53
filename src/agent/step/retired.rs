//! The last release that was pruned. Its code becomes that of the next one, of which nearly
//! every file is the same: neither need thousands of files be removed, nor as many links made.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use serde::Deserialize;

use crate::{
    agent::server::{FileError, Server},
    layout::{Layout, ReleaseNumber},
    source::TreeId,
};

/// What is kept: all else of a release is its own, and some of it secret.
const KEPT: [&str; 2] = ["code", RECORD];
const RECORD: &str = "release.json";

/// What of a release's record counts still.
#[derive(Deserialize)]
struct Record {
    tree: TreeId,
}

/// Retires a release that is pruned: root's only, and nothing that could be gone back to.
///
/// # Errors
/// Fails when something of it cannot be removed or moved. What a cut leaves is no release
/// any more, and pruned the next time.
pub(super) fn keep(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
) -> Result<(), FileError> {
    let (release, retired) = (layout.release(number), layout.retired());
    server.remove_directory(&retired)?;
    fs::set_permissions(server.path(&release), Permissions::from_mode(0o700))
        .map_err(FileError::at("set the mode of", &release))?;
    // Without its state it is no release.
    server.remove_file(&release.join("state"))?;
    let failed = || FileError::at("list", &release);
    for entry in fs::read_dir(server.path(&release)).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let path = release.join(entry.file_name());
        if KEPT.iter().any(|kept| entry.file_name() == *kept) {
            continue;
        }
        if entry.file_type().map_err(failed())?.is_dir() {
            server.remove_directory(&path)?;
        } else {
            server.remove_file(&path)?;
        }
    }
    fs::rename(server.path(&release), server.path(&retired))
        .map_err(FileError::at("move", &release))
}

/// Returns the tree of the retired release; none where there is none, or it is not whole, or
/// not the agent's own any more.
pub(super) fn tree(server: &Server, layout: &Layout) -> Option<TreeId> {
    let retired = layout.retired();
    let code = fs::symlink_metadata(server.path(&retired.join("code"))).ok()?;
    let has_code = code.is_dir() && code.uid() == rustix::process::geteuid().as_raw();
    let record = server.read(&retired.join(RECORD)).ok()??;
    let record: Record = serde_json::from_str(&record).ok()?;
    has_code.then_some(record.tree)
}

/// Moves the code of the retired release to that of a new one, and returns its tree; none where
/// nothing is retired, or it cannot be moved: some filesystems move no directory of a layer.
pub(super) fn take(server: &Server, layout: &Layout, number: ReleaseNumber) -> Option<TreeId> {
    let (retired, code) = (layout.retired(), layout.code(number));
    let moved =
        |_: &TreeId| fs::rename(server.path(&retired.join("code")), server.path(&code)).is_ok();
    let tree = tree(server, layout).filter(moved);
    // What stays of it is in the way of nothing: the next pruning removes it, or says why not.
    let _ = server.remove_directory(&retired);
    tree
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;

    struct Case {
        _root: tempfile::TempDir,
        server: Server,
        layout: Layout,
    }

    impl Case {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let server = Server::below(root.path().to_owned(), "".into());
            let layout = Layout::new(HostName::parse("a.test").unwrap());
            fs::create_dir_all(server.path(&layout.releases())).unwrap();
            Self { _root: root, server, layout }
        }

        fn release(&self, number: u32, tree: TreeId) {
            let release = self.server.path(&self.layout.release(ReleaseNumber(number)));
            fs::create_dir_all(release.join("code/addons")).unwrap();
            fs::create_dir(release.join("as-deployed")).unwrap();
            fs::write(release.join("release.json"), format!(r#"{{"tree":"{tree}"}}"#)).unwrap();
            fs::write(release.join("state"), r#""verified""#).unwrap();
            fs::write(release.join("odoo.conf"), "[options]\ndb_password = geheim\n").unwrap();
        }

        fn retire(&self, number: u32, tree: TreeId) {
            self.release(number, tree);
            keep(&self.server, &self.layout, ReleaseNumber(number)).unwrap();
        }

        fn names(&self, directory: &std::path::Path) -> Vec<String> {
            let entries = fs::read_dir(self.server.path(directory)).into_iter().flatten();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn tree_id(digit: &str) -> TreeId {
        TreeId::parse(&digit.repeat(40)).unwrap()
    }

    #[test]
    fn a_retired_release_is_its_code_without_secrets_and_becomes_the_next_one() {
        let case = Case::new();
        let Case { server, layout, .. } = &case;
        case.retire(1, tree_id("1"));
        let retired = layout.retired();
        assert_eq!(case.names(&layout.releases()), ["retired"]);
        assert_eq!(case.names(&retired), ["code", "release.json"]);
        let mode = fs::metadata(server.path(&retired)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);

        assert_eq!(tree(server, layout), Some(tree_id("1")));
        let next = ReleaseNumber(2);
        fs::create_dir(server.path(&layout.release(next))).unwrap();
        assert_eq!(take(server, layout, next), Some(tree_id("1")));
        assert_eq!(case.names(&layout.code(next)), ["addons"]);
        assert_eq!(case.names(&layout.releases()), ["0002"]);
        assert_eq!(take(server, layout, next), None);
    }

    #[test]
    fn what_a_cut_left_of_a_retired_release_gives_way() {
        let case = Case::new();
        let Case { server, layout, .. } = &case;
        let retired = server.path(&layout.retired());
        let next = ReleaseNumber(3);
        fs::create_dir(server.path(&layout.release(next))).unwrap();
        // Its code was taken, or its record is gone.
        fs::create_dir(&retired).unwrap();
        fs::write(retired.join("release.json"), format!(r#"{{"tree":"{}"}}"#, tree_id("1")))
            .unwrap();
        assert_eq!(take(server, layout, next), None);
        fs::create_dir_all(retired.join("code/addons")).unwrap();
        assert_eq!(take(server, layout, next), None);
        assert_eq!(case.names(&layout.releases()), ["0003"]);
        fs::create_dir_all(retired.join("code")).unwrap();
        case.retire(2, tree_id("2"));
        assert_eq!(tree(server, layout), Some(tree_id("2")));
    }

    #[test]
    fn one_that_cannot_be_moved_is_none() {
        let case = Case::new();
        let Case { server, layout, .. } = &case;
        case.retire(1, tree_id("1"));
        let next = ReleaseNumber(2);
        fs::create_dir_all(server.path(&layout.code(next)).join("in-the-way")).unwrap();
        assert_eq!(take(server, layout, next), None);
        assert_eq!(case.names(&layout.releases()), ["0002"]);
    }
}
