//! What Git has, as plain values.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::{InvalidName, ModuleName};
use crate::odoo::Manifest;

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 20]);

        impl $name {
            /// Reads 40 hexadecimal digits.
            ///
            /// # Errors
            /// Returns the rule for any other text.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let digits = text.as_bytes();
                let mut bytes = [0; 20];
                let digit = |b: u8| (b as char).to_digit(16);
                if digits.len() == 40 {
                    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
                        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                            return Err(Self::invalid(text));
                        };
                        *byte = u8::try_from(high << 4 | low).expect("two hexadecimal digits");
                    }
                    return Ok(Self(bytes));
                }
                Err(Self::invalid(text))
            }

            /// Takes the raw bytes of a SHA-1.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 20]) -> Self {
                Self(bytes)
            }

            /// Returns the raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 20] {
                &self.0
            }

            fn invalid(text: &str) -> InvalidName {
                InvalidName { kind: "object id", value: text.to_owned(), rule: "40 hexadecimal digits" }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

object_id!(
    /// A commit of the platform repository.
    CommitId
);
object_id!(
    /// A tree, submodules included.
    TreeId
);
object_id!(
    /// The content of one file.
    BlobId
);

impl CommitId {
    /// Returns the first ten digits, as people quote a commit.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..10].to_owned()
    }
}

/// A branch name that `git check-ref-format --branch` accepts and that is no option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Branch(String);

impl Branch {
    /// Checks a branch name against Git's rules for references.
    ///
    /// # Errors
    /// Returns the rule when the text breaks it.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let bad_part = |part: &str| {
            part.is_empty()
                || part.starts_with('.')
                || part.ends_with('.')
                || part.ends_with(".lock")
        };
        let bad_character =
            |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\\u{7f}".contains(c);
        let valid = !text.is_empty()
            && text.len() <= 200
            && !text.starts_with('-')
            && text != "@"
            && !text.contains("..")
            && !text.contains("@{")
            && !text.contains(bad_character)
            && !text.split('/').any(bad_part);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName {
                kind: "branch name",
                value: text.to_owned(),
                rule: "Git's own rule for references (see `git check-ref-format`)",
            })
        }
    }

    /// Returns the checked text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Branch {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<Branch> for String {
    fn from(branch: Branch) -> Self {
        branch.0
    }
}

/// One line of `git log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSummary {
    /// The commit.
    pub id: CommitId,
    /// The author's name, control characters replaced.
    pub author: String,
    /// The first line of the message, control characters replaced.
    pub subject: String,
    /// Seconds since the epoch, committer's clock.
    pub time: i64,
}

/// An addon of the platform repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addon {
    /// The module's name.
    pub name: ModuleName,
    /// Its directory, relative to the root of the repository.
    pub path: PathBuf,
    /// The whole directory's tree.
    pub tree: TreeId,
    /// What of it a database can notice.
    pub signature: Signature,
    /// Its manifest.
    pub manifest: Manifest,
}

/// What a database can notice of an addon: its tree without `static/`, tests,
/// documentation, translations and `*.pot`, and each translation by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The tree that is left when the parts above are taken out.
    pub tree: TreeId,
    /// `i18n/<language>.po` and `i18n_extra/<language>.po`, by path below the addon.
    pub translations: BTreeMap<String, BlobId>,
}

/// A file that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// The file, relative to the root that was compared.
    pub path: PathBuf,
    /// Its content before; none when it is new.
    pub old: Option<BlobId>,
    /// Its content after; none when it is gone.
    pub new: Option<BlobId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_id_prints_as_it_was_read() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(CommitId::parse(text).unwrap().to_string(), text);
        assert!(CommitId::parse("0123").is_err());
        assert!(CommitId::parse(&"é".repeat(20)).is_err());
    }

    #[test]
    fn a_branch_name_is_neither_an_option_nor_an_expression() {
        assert!(Branch::parse("hotfix/factura-electrónica").is_ok());
        for hostile in [
            "--upload-pack=x",
            "a..b",
            "a b",
            "a:b",
            "a^",
            "a@{1}",
            "/a",
            "a//b",
            "x.lock",
            "a\nb",
            "@",
        ] {
            assert!(Branch::parse(hostile).is_err(), "{hostile:?}");
        }
    }
}
