//! Lines that may be shown.

use crate::secret::{MASK, SENSITIVE_WORDS, has_url_password, is_sensitive_key};

/// Returns a line of a configuration file as it may be shown: the value of a
/// sensitive key masked, control characters replaced.
///
/// A line that is no `key = value` may be the rest of a value that lost its
/// indentation; it is masked where the key above it is sensitive.
#[must_use]
pub fn shown_line(line: &str, key_above: Option<&str>) -> String {
    let plain = line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c });
    let plain = plain.collect::<String>();
    if let Some((key, _)) = plain.split_once(['=', ':']) {
        if is_sensitive_key(key) || has_url_password(&plain) {
            return format!("{} = {MASK}", key.trim_end());
        }
        return masked_from_inner_key(plain);
    }
    let key = plain.split_whitespace().next().unwrap_or_default();
    if is_sensitive_key(key) && plain.trim() != key {
        return format!("{key} {MASK}");
    }
    if key_above.is_some_and(is_sensitive_key) && !key.is_empty() && !key.starts_with('[') {
        return MASK.to_owned();
    }
    plain
}

/// Masks what follows a sensitive key further on in a line, as in a TOML inline table.
fn masked_from_inner_key(line: String) -> String {
    let lower = line.to_ascii_lowercase();
    let word = SENSITIVE_WORDS.iter().filter_map(|word| lower.find(word)).min();
    let delimiter = word.and_then(|word| Some(word + lower[word..].find(['=', ':'])?));
    match delimiter {
        Some(end) => format!("{} {MASK}", &line[..=end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_the_line_that_is_shown() {
        assert_eq!(shown_line("db_password = hunter2", None), "db_password = ********");
        assert_eq!(shown_line("  DB_Password:hunter2", None), "  DB_Password = ********");
        assert_eq!(shown_line("db_password hunter2", None), "db_password ********");
        assert_eq!(shown_line("hunter2", Some("db_password")), "********");
        assert_eq!(shown_line("t = { webhook = \"x\" }", None), "t = { webhook = ********");
        assert_eq!(shown_line("url = redis://:hunter2@c/0", None), "url = ********");
        assert_eq!(shown_line("workers 4", Some("db_host")), "workers 4");
        assert_eq!(shown_line("a\u{1b}[31m = 1", None), "a\u{fffd}[31m = 1");
    }
}
