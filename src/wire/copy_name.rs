//! The names of databases that the tool makes beside an Odoo database.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::host::{DatabaseName, InvalidName};
use crate::layout::ReleaseNumber;

/// What PostgreSQL keeps of a name, in bytes.
const LONGEST: usize = 63;

/// Why a copy was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyKind {
    /// Taken before an upgrade.
    Snapshot,
    /// Moved aside by a revert.
    Failed,
}

impl CopyKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Snapshot => "snap",
            Self::Failed => "failed",
        }
    }
}

/// A database, or a filestore, that the tool made: `<database>~snap-42`.
///
/// Odoo's rule for names has no `~`, so no database of a user is ever taken
/// for one. Where the name would be longer than PostgreSQL's 63 bytes, the
/// database's name is cut and `~` and a hash of the whole follow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CopyName {
    text: String,
    kind: CopyKind,
    release: ReleaseNumber,
}

impl CopyName {
    /// Names the snapshot of a database that was taken for a release.
    #[must_use]
    pub fn snapshot(database: &DatabaseName, release: ReleaseNumber) -> Self {
        Self::new(database, CopyKind::Snapshot, release)
    }

    /// Names the database that a release failed on.
    #[must_use]
    pub fn failed(database: &DatabaseName, release: ReleaseNumber) -> Self {
        Self::new(database, CopyKind::Failed, release)
    }

    fn new(database: &DatabaseName, kind: CopyKind, release: ReleaseNumber) -> Self {
        let database = database.as_str();
        let suffix = format!("~{}-{release}", kind.word());
        let text = if database.len() + suffix.len() <= LONGEST {
            format!("{database}{suffix}")
        } else {
            let hash = &blake3::hash(database.as_bytes()).to_hex()[..12];
            let kept = LONGEST - suffix.len() - hash.len() - 1;
            format!("{}~{hash}{suffix}", &database[..kept])
        };
        Self { text, kind, release }
    }

    /// Reads a name that the tool made.
    ///
    /// # Errors
    /// Returns the rule for any other name.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        Self::split(text).ok_or_else(|| InvalidName {
            kind: "name of a database copy",
            value: text.to_owned(),
            rule: "a database's name, `~snap-` or `~failed-`, and the number of a release",
        })
    }

    fn split(text: &str) -> Option<Self> {
        let (database, suffix) = text.rsplit_once('~')?;
        let (word, number) = suffix.split_once('-')?;
        let kind = [CopyKind::Snapshot, CopyKind::Failed].into_iter().find(|k| k.word() == word)?;
        let release = ReleaseNumber(number.parse().ok()?);
        DatabaseName::parse(database.split_once('~').map_or(database, |(name, _)| name)).ok()?;
        let canonical = text.len() <= LONGEST
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
            && release.to_string() == number;
        canonical.then(|| Self { text: text.to_owned(), kind, release })
    }

    /// Tells whether it was made from this database.
    #[must_use]
    pub fn is_of(&self, database: &DatabaseName) -> bool {
        Self::new(database, self.kind, self.release) == *self
    }

    /// Returns why it was made.
    #[must_use]
    pub const fn kind(&self) -> CopyKind {
        self.kind
    }

    /// Returns the release it was made for.
    #[must_use]
    pub const fn release(&self) -> ReleaseNumber {
        self.release
    }

    /// Returns the checked text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for CopyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for CopyName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<CopyName> for String {
    fn from(name: CopyName) -> Self {
        name.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(text: &str) -> DatabaseName {
        DatabaseName::parse(text).unwrap()
    }

    #[test]
    fn a_short_name_is_kept_whole() {
        let name = CopyName::snapshot(&database("corteperfecto-prod"), ReleaseNumber(42));
        assert_eq!(name.as_str(), "corteperfecto-prod~snap-42");
        assert_eq!(CopyName::parse(name.as_str()), Ok(name));
    }

    #[test]
    fn long_names_fit_and_never_collide() {
        let (a, b) = ("a".repeat(62) + "b", "a".repeat(62) + "c");
        let names: Vec<_> = [&a, &b, &a[..60], &a[..50]]
            .into_iter()
            .flat_map(|text| {
                let release = ReleaseNumber(u32::MAX);
                [
                    CopyName::snapshot(&database(text), release),
                    CopyName::failed(&database(text), release),
                ]
            })
            .collect();
        for (index, name) in names.iter().enumerate() {
            assert!(name.as_str().len() <= LONGEST, "{name}");
            assert_eq!(CopyName::parse(name.as_str()).as_ref(), Ok(name));
            assert!(!names[index + 1..].contains(name), "{name}");
        }
        assert!(names[0].is_of(&database(&a)));
        assert!(!names[0].is_of(&database(&b)));
    }

    #[test]
    fn a_users_database_is_never_taken_for_a_copy() {
        for text in [
            "acme",
            "acme-snap-42",
            "acme~snap",
            "acme~snap-042",
            "acme~snap-x",
            "~snap-1",
            "a/b~snap-1",
        ] {
            assert!(CopyName::parse(text).is_err(), "{text:?}");
        }
    }
}
