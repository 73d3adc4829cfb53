//! Single values of `deploy.toml`.

use super::NotifyEvent;

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

/// Reads the name of an event.
pub(super) fn event_of(text: &str) -> Result<NotifyEvent, String> {
    match text {
        "deployed" => Ok(NotifyEvent::Deployed),
        "unchanged" => Ok(NotifyEvent::Unchanged),
        "failed" => Ok(NotifyEvent::Failed),
        _ => Err(format!("`{text}` is not `deployed`, `unchanged` or `failed`")),
    }
}
