//! Single values of `deploy.toml`.

use std::net::Ipv4Addr;

use crate::secret::{Part, split_secrets};

/// Reads a word that a command line or an ssh configuration takes as one argument.
pub(super) fn plain_word(text: &str) -> Result<String, String> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'\\`$;&|<>{}".contains(c);
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        return Err(format!("`{}` is no plain word", text.escape_debug()));
    }
    Ok(text.to_owned())
}

/// Reads a pinned host key.
pub(super) fn host_key(text: &str) -> Result<String, String> {
    let mut words = text.split(' ');
    let kind = words.next().filter(|kind| {
        ["ssh-ed25519", "ssh-rsa"].contains(kind) || kind.starts_with("ecdsa-sha2-nistp")
    });
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let key = words.next().filter(|key| key.len() > 40 && key.chars().all(base64));
    match (kind, key, words.next()) {
        (Some(_), Some(_), None) => Ok(text.to_owned()),
        _ => Err("a host key is `<type> <base64>`, as `ssh-keyscan` prints it".to_owned()),
    }
}

/// Reads the address of a webhook, `${NAME}` still in it.
pub(super) fn webhook(text: &str) -> Result<String, String> {
    let address = text.starts_with("https://") || text.starts_with("${");
    let local = text.starts_with("http://127.0.0.1") || text.starts_with("http://localhost");
    if (address || local) && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Ok(text.to_owned());
    }
    Err("a webhook is `https://…`, or `${NAME}` for a secret that is one".to_owned())
}

/// Reads `${NAME}`, and nothing beside it.
pub(super) fn secret_name(text: &str) -> Result<String, String> {
    match split_secrets(text).as_slice() {
        [Part::Secret(_)] => Ok(text.to_owned()),
        _ => Err("write the name of a secret, `${NAME}`: its value is no part of the repository"
            .to_owned()),
    }
}

/// Reads where an API is. A token travels in the open only inside a private network.
pub(super) fn api(text: &str) -> Result<String, String> {
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c));
    let private = text.strip_prefix("http://").is_some_and(|rest| {
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let is_private = |address: Ipv4Addr| address.is_loopback() || address.is_private();
        host == "localhost" || host.parse().is_ok_and(is_private)
    });
    if plain && (text.starts_with("https://") || private) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err("an endpoint is `https://…`, or `http://` and a private address".to_owned())
}
