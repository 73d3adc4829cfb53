//! What a change of the code tree means for a running Odoo.

use std::path::{Path, PathBuf};

use super::modules::is_unseen;
use crate::source::FileChange;

/// The directories of a platform repository that Odoo never reads.
const NOT_READ: &[&str] = &["config", "deployment", "docs", ".github", ".gitlab", ".ci", "tests"];

/// Tells which of the changes a running Odoo would notice.
///
/// Everything counts but what is known not to: the tool's own directories,
/// documentation, and the tests of addons.
#[must_use]
pub(super) fn noticed<'a>(changes: &'a [FileChange], addons: &[PathBuf]) -> Vec<&'a FileChange> {
    changes.iter().filter(|change| is_noticed(&change.path, addons)).collect()
}

fn is_noticed(path: &Path, addons: &[PathBuf]) -> bool {
    if let Some(addon) = addons.iter().find(|addon| path.starts_with(addon)) {
        return !is_unseen(path.strip_prefix(addon).expect("the path starts with it"));
    }
    !NOT_READ.iter().any(|directory| path.starts_with(directory)) && !is_unseen(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_documentation_and_tests_are_not_noticed() {
        let addons = [PathBuf::from("custom-addons/taller")];
        let noticed = |path: &str| is_noticed(Path::new(path), &addons);
        assert!(!noticed("config/hosts/other.conf"));
        assert!(!noticed("README.md"));
        assert!(!noticed("custom-addons/taller/tests/test_order.py"));
        assert!(!noticed("custom-addons/taller/README.rst"));
        assert!(noticed("custom-addons/taller/models/order.py"));
        assert!(noticed("custom-addons/taller/static/src/app.js"));
        assert!(noticed("custom-addons/new_module/models/a.py"));
        assert!(noticed("lib/shared.py"));
    }
}
