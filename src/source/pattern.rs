//! Which branches an environment takes.

use std::fmt;

use super::Branch;
use crate::host::{InvalidName, matches_stars};

/// A branch name in which `*` stands for any text, `/` included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchPattern(String);

impl BranchPattern {
    /// Checks a pattern: a branch name, with `*` allowed anywhere.
    ///
    /// # Errors
    /// Returns the rule for branch names when the text breaks it.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        Branch::parse(&text.replace('*', "x")).map_err(|error| InvalidName {
            kind: "branch pattern",
            value: text.to_owned(),
            ..error
        })?;
        Ok(Self(text.to_owned()))
    }

    /// Tells whether the branch is one of the pattern's.
    #[must_use]
    pub fn matches(&self, branch: &Branch) -> bool {
        matches_stars(&self.0, branch.as_str())
    }
}

impl fmt::Display for BranchPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let matches = |pattern: &str, branch: &str| {
            BranchPattern::parse(pattern).unwrap().matches(&Branch::parse(branch).unwrap())
        };
        assert!(matches("main", "main"));
        assert!(!matches("main", "main2"));
        assert!(matches("hotfix/*", "hotfix/a/b"));
        assert!(!matches("hotfix/*", "feature/hotfix/a"));
        assert!(matches("*-staging", "19.0-staging"));
        assert!(matches("a*b*c", "a1b2c"));
        assert!(!matches("a*b*c", "acb"));
        assert!(!matches("ab*b", "ab"));
    }
}
