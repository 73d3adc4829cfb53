//! What changes between two texts, in the form everybody reads.

use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};

/// A text longer than this is not compared line by line.
const MAX_TEXT_BYTES: usize = 512 * 1024;
/// Hunks longer than this are cut.
const MAX_HUNK_LINES: usize = 400;

/// How one file changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    /// The file, as the reader knows it.
    pub name: String,
    /// Whether the file is not there yet.
    pub is_new: bool,
    /// Unified hunks without a file header; empty where nothing changes.
    pub hunks: String,
    /// The number of lines that come.
    pub added: usize,
    /// The number of lines that go.
    pub removed: usize,
}

impl FileDiff {
    /// Tells whether both texts are the same.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added == 0 && self.removed == 0
    }
}

/// Compares two texts, secrets already masked; none is a file that is not there.
///
/// The result is the same for the same texts, whatever machine compares them.
#[must_use]
pub fn unified(old: Option<&str>, new: Option<&str>, name: &str) -> FileDiff {
    let is_new = old.is_none();
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let mut diff =
        FileDiff { name: name.to_owned(), is_new, hunks: String::new(), added: 0, removed: 0 };
    if old == new {
        return diff;
    }
    if old.len().max(new.len()) > MAX_TEXT_BYTES {
        diff.added = new.lines().count();
        diff.removed = old.lines().count();
        diff.hunks = format!("(too long to show: {} bytes, then {})\n", old.len(), new.len());
        return diff;
    }
    let lines = TextDiff::from_lines(old, new);
    for change in lines.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => diff.added += 1,
            ChangeTag::Delete => diff.removed += 1,
            ChangeTag::Equal => {}
        }
    }
    diff.hunks = cut(&lines.unified_diff().context_radius(3).to_string());
    diff
}

fn cut(hunks: &str) -> String {
    let count = hunks.lines().count();
    if count <= MAX_HUNK_LINES {
        return hunks.to_owned();
    }
    let mut kept: String = hunks.split_inclusive('\n').take(MAX_HUNK_LINES).collect();
    kept.push_str(&format!("({} more lines)\n", count - MAX_HUNK_LINES));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_no_hunks() {
        let diff = unified(Some("a\n"), Some("a\n"), "odoo.conf");
        assert!(diff.is_empty() && diff.hunks.is_empty());
    }

    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let diff = unified(Some("a\nb\nc\n"), Some("a\nB\nc\nd"), "odoo.conf");
        insta::assert_snapshot!(diff.hunks, @r"
        @@ -1,3 +1,4 @@
         a
        -b
        +B
         c
        +d
        \ No newline at end of file
        ");
        assert_eq!((diff.added, diff.removed), (2, 1));
    }

    #[test]
    fn a_file_that_comes_or_goes_is_all_added_or_removed() {
        assert_eq!(unified(None, Some("a\nb\n"), "x").added, 2);
        assert_eq!(unified(Some("a\nb\n"), None, "x").removed, 2);
    }

    #[test]
    fn a_long_diff_is_cut() {
        let new: String = (0..1000).map(|number| format!("{number}\n")).collect();
        let diff = unified(None, Some(&new), "x");
        assert_eq!(diff.added, 1000);
        assert!(diff.hunks.ends_with("(601 more lines)\n"), "{}", diff.hunks);
        let huge = "x\n".repeat(MAX_TEXT_BYTES);
        assert!(unified(None, Some(&huge), "x").hunks.starts_with("(too long"));
    }
}
