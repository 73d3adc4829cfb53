//! What `ssh-keygen -l` says of a key.

use std::io::Write as _;

use super::KeyError;
use crate::{
    agent::server::{FileError, Server},
    wire::PublicKey,
};

/// The smallest RSA key, in bits.
const LEAST_RSA: u32 = 2048;

/// Returns the key's fingerprint: a key that OpenSSH does not read has none.
pub(super) fn of(server: &Server, key: &PublicKey) -> Result<String, KeyError> {
    let temporary = std::path::Path::new("a temporary file");
    let failed = |error| FileError::at("write", temporary)(error);
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    writeln!(file, "{key}").map_err(failed)?;
    let said = server.run(server.command("ssh-keygen").arg("-l").arg("-f").arg(file.path()));
    let said = said.map_err(|_| refused("OpenSSH on the server does not read it"))?;
    let (bits, fingerprint) =
        read(&said).ok_or_else(|| refused("ssh-keygen says nothing of it"))?;
    if key.kind() == "ssh-rsa" && bits < LEAST_RSA {
        return Err(refused(&format!("an RSA key of {bits} bits is too short")));
    }
    Ok(fingerprint)
}

/// Reads `256 SHA256:x6vL… comment (ED25519)`.
fn read(said: &str) -> Option<(u32, String)> {
    let mut words = said.split_whitespace();
    let bits = words.next()?.parse().ok()?;
    let fingerprint = words.next().filter(|word| word.starts_with("SHA256:"))?;
    Some((bits, fingerprint.to_owned()))
}

fn refused(why: &str) -> KeyError {
    KeyError::refused(
        format!("the key cannot be used: {why}"),
        "make one with `ssh-keygen -t ed25519`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_ssh_keygen_are_bits_and_fingerprint() {
        let said = "256 SHA256:pF0cP+0 ci@github (ED25519)\n";
        assert_eq!(read(said), Some((256, "SHA256:pF0cP+0".to_owned())));
        assert_eq!(read("x is not a public key file.\n"), None);
    }
}
