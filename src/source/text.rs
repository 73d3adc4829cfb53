//! Text from elsewhere made fit to be shown. Pure.

use std::path::Path;

/// The longest complaint of a program that is passed on, in characters.
const LONGEST: usize = 2000;

/// Replaces control characters, so that a name cannot drive a terminal.
pub(super) fn cleaned(text: &str) -> String {
    // Bidirectional overrides make a name read as another one.
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Returns a path for a message.
pub(super) fn shown(path: &Path) -> String {
    cleaned(&path.to_string_lossy())
}

/// Makes one line of what Git wrote to stderr, without credentials.
pub(super) fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = text.split(['\n', '\r']).map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("fatal: ").or(line.strip_prefix("error: ")).unwrap_or(line);
        cleaned(&super::url::masked(line))
    });
    let joined = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    joined.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_one_clean_line_without_credentials() {
        let stderr =
            b"remote: \x1b[31mno\nfatal: unable to access 'https://u:s3cret@h/x.git/': 403\n";
        let text = complaint(stderr);
        assert_eq!(text, "remote: \u{fffd}[31mno; unable to access 'https://***@h/x.git/': 403");
    }
}
