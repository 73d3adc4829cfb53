//! Secrets out of an odoo.conf, whoever wrote it.

/// Stands for a secret: equal for equal values of an option under the same key,
/// and of no use to anybody without the key.
#[must_use]
pub fn keyed_mask(mask_key: &[u8; 32], option: &str, value: &str) -> String {
    let mut hasher = blake3::Hasher::new_keyed(mask_key);
    hasher.update(option.as_bytes()).update(b"=").update(value.as_bytes());
    format!("******** ({})", &hasher.finalize().to_hex()[..8])
}

/// Returns an odoo.conf's text with the values of sensitive keys replaced by what `mask` makes of
/// key and value, continuation lines included.
///
/// The text may be anything a person left on a server. In doubt a line is masked: after a
/// sensitive key every line counts as its continuation, unless it is plainly a comment, a section
/// or another key. Keys that are commented out or lack their `=` are masked too.
#[must_use]
pub fn mask_conf(
    text: &str,
    sensitive: &dyn Fn(&str) -> bool,
    mask: &dyn Fn(&str, &str) -> String,
) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut secret: Option<Secret> = None;
    // Python's text mode takes a lone carriage return for a line break.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for line in text.trim_start_matches('\u{feff}').lines() {
        if let Some(open) = &mut secret
            && open.takes(line, sensitive)
        {
            continue;
        }
        close(&mut masked, secret.take(), sensitive, mask);
        match Secret::begin(line, sensitive) {
            Some(begun) => secret = Some(begun),
            None => {
                masked.push_str(line);
                masked.push('\n');
            }
        }
    }
    close(&mut masked, secret, sensitive, mask);
    masked
}

/// A sensitive key whose value is being collected.
struct Secret {
    key: String,
    /// What stands before the value: the key and its delimiter as they were written.
    prefix: String,
    indent: usize,
    commented: bool,
    values: Vec<String>,
    /// Comments and blank lines since the key: its value may go on after them.
    passed: String,
}

impl Secret {
    fn begin(line: &str, sensitive: &dyn Fn(&str) -> bool) -> Option<Self> {
        let content = line.trim_start().trim_start_matches(['#', ';']).trim_start();
        let commented = line.trim_start().starts_with(['#', ';']);
        let delimiter = content.find(['=', ':']);
        let (key, value_at) = match delimiter {
            Some(at) if sensitive(content[..at].trim()) => (&content[..at], at + 1),
            // `db_password geheim`: the `=` was forgotten, or comes later and is the value's.
            _ => {
                let word = content.split(char::is_whitespace).next()?;
                let at_word_end = delimiter.is_none_or(|at| word.len() < at);
                (at_word_end && sensitive(word)).then_some((word, word.len()))?
            }
        };
        let start = line.len() - content.len() + value_at;
        Some(Self {
            key: key.trim().to_lowercase(),
            prefix: line[..start].to_owned(),
            indent: indent_of(line),
            commented,
            values: vec![line[start..].trim().to_owned()],
            passed: String::new(),
        })
    }

    /// Takes a line that belongs to the value, or stands where the value may still go on.
    fn takes(&mut self, line: &str, sensitive: &dyn Fn(&str) -> bool) -> bool {
        let content = line.trim();
        let is_comment = content.starts_with(['#', ';']);
        if self.commented {
            // The rest of a commented-out value: anything but another commented-out key.
            let content = content.trim_start_matches(['#', ';']).trim_start();
            return is_comment && !content.is_empty() && !is_plain_assignment(content);
        }
        let is_indented = indent_of(line) > self.indent;
        if content.is_empty() || (is_comment && !is_indented) {
            self.passed.push_str(line);
            self.passed.push('\n');
            return true;
        }
        let is_section = content.starts_with('[') && content.find(']') == Some(content.len() - 1);
        let begins = || is_plain_assignment(content) || Self::begin(line, sensitive).is_some();
        if !is_indented && (is_section || begins()) {
            return false;
        }
        self.values.push(content.to_owned());
        true
    }
}

/// Tells whether the line is `key = value` beyond doubt. The rest of a base64 text, `Ab3x==`, is
/// not.
fn is_plain_assignment(content: &str) -> bool {
    let Some(at) = content.find(['=', ':']) else { return false };
    let key = content[..at].trim_end();
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.".contains(&b))
        && !content[at + 1..].starts_with('=')
}

fn indent_of(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace()).count()
}

fn close(
    masked: &mut String,
    secret: Option<Secret>,
    sensitive: &dyn Fn(&str) -> bool,
    mask: &dyn Fn(&str, &str) -> String,
) {
    let Some(secret) = secret else { return };
    let value = mask(&secret.key, &secret.values.join("\n")).replace(['\n', '\r'], " ");
    masked.push_str(secret.prefix.trim_end());
    masked.push_str(if value.is_empty() { "" } else { " " });
    masked.push_str(&value);
    masked.push('\n');
    // Only comments and blank lines: this goes one level deep.
    masked.push_str(&mask_conf(&secret.passed, sensitive, mask));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::is_sensitive_key;

    fn masked(text: &str) -> String {
        mask_conf(text, &is_sensitive_key, &|key, value| {
            format!("<{key} of {} lines>", value.split('\n').count())
        })
    }

    #[test]
    fn odoos_secrets_are_sensitive_and_its_other_options_are_not() {
        for key in ["admin_passwd", "db_password", "smtp_password", "proxy_access_token"] {
            assert!(is_sensitive_key(key), "{key}");
        }
        for key in ["Stripe-API-Key", "aws_secret_access_key", "smtp_pass", "s3_private_key"] {
            assert!(is_sensitive_key(key), "{key}");
        }
        for key in
            ["db_name", "workers", "smtp_user", "limit_time_real", "list_db", "csv_internal_sep"]
        {
            assert!(!is_sensitive_key(key), "{key}");
        }
    }

    #[test]
    fn only_the_values_of_sensitive_keys_change() {
        let text = "[options]\nworkers = 4\n\ndb_password = geheim\n# about\nAdmin_Passwd: x\n";
        insta::assert_snapshot!(masked(text), @r"
        [options]
        workers = 4

        db_password = <db_password of 1 lines>
        # about
        Admin_Passwd: <admin_passwd of 1 lines>
        ");
    }

    #[test]
    fn continuation_lines_are_the_secrets() {
        let text =
            "[options]\nprivate_key = BEGIN\n    geheim1\n\n\tworkers = geheim2\n\nport = 1\n";
        insta::assert_snapshot!(masked(text), @r"
        [options]
        private_key = <private_key of 3 lines>


        port = 1
        ");
    }

    #[test]
    fn no_odd_text_lets_a_secret_out() {
        let odd = [
            "db_password geheim",
            "  db_password = geheim\n  geheim2",
            "db_password = a\ngeheim",
            "db_password = a\nGEHEIM==",
            "db_password = a\ngeheim==",
            "db_password = a\nMIIgeheim=",
            "db_password = a\n[geheim] geheim",
            "db_password = a\n\n\ngeheim",
            "# db_password = geheim",
            ";; db_password=geheim\n;; geheim",
            "#db_password geheim",
            "addons_path = a,\n    db_password = geheim",
            "\u{feff}db_password = geheim",
            "a = 1\rdb_password = geheim\r",
            "db_password = a\n  # geheim",
            "db_password\ngeheim",
            "db_password\n  = geheim",
            "DB_PASSWORD:geheim",
            "db_password a=geheim",
            "db_password = a\n# note\n  geheim",
            "db_password = a\n\n# db_password = geheim\n# geheim\n  geheim",
        ];
        for text in odd {
            let masked = mask_conf(text, &is_sensitive_key, &|_, _| "***".into());
            assert!(!masked.to_lowercase().contains("geheim"), "{text:?} became {masked:?}");
            assert!(masked.contains("***"), "{text:?} became {masked:?}");
        }
    }
}
