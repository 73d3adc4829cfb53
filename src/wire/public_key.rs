//! A public key as OpenSSH writes it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::host::InvalidName;

/// The kinds of keys that may be authorized; DSA is not among them.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

/// How long a key's base64 may be: an RSA key of 16384 bits has some 2800 bytes.
const LONGEST: usize = 4096;

/// A public key: `ssh-ed25519 AAAA… comment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    kind: String,
    blob: String,
    comment: String,
}

impl PublicKey {
    /// Reads the text of a public key's file. The text is part of no error: it may be
    /// that of a private key.
    ///
    /// # Errors
    /// Returns the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let rule = |rule| InvalidName { kind: "public key", value: "the text".to_owned(), rule };
        if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
            return Err(rule("it is a private key; the public one is in the file with `.pub`"));
        }
        let lines = text.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(rule("one line: kind, key and comment"));
        };
        let mut words = line.splitn(3, [' ', '\t']);
        let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !KINDS.contains(&kind) {
            return Err(rule("it begins with its kind: ssh-ed25519, ecdsa-sha2-… or ssh-rsa"));
        }
        if blob.len() > LONGEST || inner_kind(blob).as_deref() != Some(kind.as_bytes()) {
            return Err(rule("behind its kind stands the key in base64, of the same kind"));
        }
        let comment = words.next().unwrap_or_default();
        let comment = comment.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(100);
        let comment = comment.collect::<String>().trim().to_owned();
        Ok(Self { kind: kind.to_owned(), blob: blob.to_owned(), comment })
    }

    /// Returns what it is: `ssh-ed25519`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the key itself in base64: two keys are the same where this is.
    #[must_use]
    pub fn blob(&self) -> &str {
        &self.blob
    }

    /// Returns what its owner wrote behind it.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }
}

/// Reads the kind that the key's own bytes begin with; none where the text is no base64.
fn inner_kind(blob: &str) -> Option<Vec<u8>> {
    let bytes = decode(blob)?;
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let end = usize::try_from(length).ok()?.checked_add(4)?;
    // Something has to follow: the key.
    (end < bytes.len()).then(|| bytes[4..end].to_vec())
}

fn decode(base64: &str) -> Option<Vec<u8>> {
    let text = base64.trim_end_matches('=');
    if base64.is_empty() || !base64.len().is_multiple_of(4) || base64.len() - text.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).expect("eight bits are a byte"));
        }
    }
    Some(bytes)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.blob)?;
        if self.comment.is_empty() { Ok(()) } else { write!(f, " {}", self.comment) }
    }
}

impl TryFrom<String> for PublicKey {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn a_public_key_is_read_back_as_it_is_written() {
        let text = format!("# mine\n\nssh-ed25519 {BLOB} ci@github actions\n");
        let key = PublicKey::parse(&text).unwrap();
        assert_eq!((key.kind(), key.blob()), ("ssh-ed25519", BLOB));
        assert_eq!(key.comment(), "ci@github actions");
        assert_eq!(PublicKey::parse(&key.to_string()).unwrap(), key);
        let bare = PublicKey::parse(&format!("ssh-ed25519 {BLOB}")).unwrap();
        assert_eq!(bare.to_string(), format!("ssh-ed25519 {BLOB}"));
    }

    #[test]
    fn what_is_no_key_or_more_than_one_is_refused() {
        for hostile in [
            "",
            "ssh-ed25519",
            &format!("ssh-rsa {BLOB}"),
            &format!("ssh-dss {BLOB}"),
            &format!("command=\"x\" ssh-ed25519 {BLOB}"),
            &format!("ssh-ed25519 {BLOB}\nssh-ed25519 {BLOB}"),
            &format!("ssh-ed25519 {}", &BLOB[1..]),
            &format!("ssh-ed25519 {BLOB}\""),
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
            "ssh-ed25519 AAAA",
        ] {
            assert!(PublicKey::parse(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn a_private_key_is_told_from_a_public_one_and_not_repeated() {
        let text = "-----BEGIN OPENSSH PRIVATE KEY-----\ngeheim\n-----END";
        let error = PublicKey::parse(text).unwrap_err().to_string();
        assert!(error.contains("private key") && !error.contains("geheim"), "{error}");
    }

    #[test]
    fn nothing_of_a_comment_can_begin_another_line() {
        let key = PublicKey::parse(&format!("ssh-ed25519 {BLOB} a\u{b}b\u{85}c")).unwrap();
        assert_eq!(key.comment(), "abc");
    }
}
