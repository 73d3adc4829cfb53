//! Secrets taken out of any text.

use std::fmt;

use serde_json::Value;

use super::{MASK, Secret, url_passwords};

/// The shortest value that is looked for: shorter ones would blot out ordinary text.
const SHORTEST: usize = 4;

/// The shortest line of a longer value that is looked for by itself.
const SHORTEST_LINE: usize = 8;

/// Replaces known secrets in any text, such as what a program on the server printed.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that contains another is replaced whole.
    forms: Vec<String>,
}

impl Redactor {
    /// Registers a value, also as URLs, JSON, Python, SQL and HTML write it, each long line of it,
    /// and the password in it where it is a URL; values under 4 bytes are too common.
    pub fn add(&mut self, secret: &Secret) {
        let value = secret.expose();
        self.add_forms(value);
        if value.contains('\n') {
            let lines = value.lines().map(str::trim);
            lines.filter(|line| line.len() >= SHORTEST_LINE).for_each(|line| self.add_forms(line));
        }
        url_passwords(value).for_each(|password| self.add_forms(password));
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Registers all that another one knows.
    pub fn extend(&mut self, other: &Self) {
        let new = other.forms.iter().filter(|form| !self.forms.contains(form)).cloned();
        let new = new.collect::<Vec<_>>();
        self.forms.extend(new);
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    fn add_forms(&mut self, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        for form in forms(value) {
            if !self.forms.contains(&form) {
                self.forms.push(form);
            }
        }
    }

    /// Replaces registered values in every text of a JSON value; its keys and shape stay.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.redact_json(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Returns the text with every registered value replaced by `********`.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.forms.iter().fold(text.to_owned(), |text, form| text.replace(form, MASK))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} forms)", self.forms.len())
    }
}

/// Writes a value as it turns up in what programs print.
fn forms(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).expect("a string is always JSON");
    let json = &json[1..json.len() - 1];
    let url = percent_encoded(value, false);
    // Python's `repr` escapes a quote only where the text around the value has both kinds.
    let python = value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
    let xml = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut forms = vec![
        value.to_owned(),
        json.to_owned(),
        ascii(json),
        json.replace('/', "\\/"),
        url.replace("%20", "+"),
        url,
        percent_encoded(value, true),
        python.replace('\'', "\\'"),
        python,
        value.replace('\'', "''"),
        xml.replace('"', "&quot;"),
        xml.replace('"', "&quot;").replace('\'', "&#x27;"),
        xml.replace('"', "&#34;").replace('\'', "&#39;"),
        xml,
    ];
    // A message that was brought onto one line has single blanks.
    let joined = |form: &String| form.split_whitespace().collect::<Vec<_>>().join(" ");
    forms
        .extend(forms.iter().map(joined).filter(|form| form.len() >= SHORTEST).collect::<Vec<_>>());
    forms
}

/// Escapes all but ASCII, as Python's `json` does.
fn ascii(json: &str) -> String {
    let mut text = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

/// Encodes all but RFC 3986's unreserved characters.
fn percent_encoded(value: &str, lower_case: bool) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => encoded.push(b as char),
            b if lower_case => encoded.push_str(&format!("%{b:02x}")),
            b => encoded.push_str(&format!("%{b:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redactor_finds_a_value_in_every_form() {
        let mut redactor = Redactor::default();
        redactor.add(&Secret::new("p\"w/ é"));
        redactor.add(&Secret::new("abc"));
        redactor.add(&Secret::new("p\"w/ é and more"));
        let text = "p\"w/ é p\\\"w/ é p%22w%2F%20%C3%A9 p%22w%2F+%C3%A9 p%22w%2f%20%c3%a9 abc";
        assert_eq!(redactor.redact(text), format!("{MASK} {MASK} {MASK} {MASK} {MASK} abc"));
        assert_eq!(redactor.redact("p\"w/ é and more"), MASK);
    }

    #[test]
    fn a_redactor_knows_what_python_sql_and_html_make_of_a_value() {
        let mut redactor = Redactor::default();
        redactor.add(&Secret::new(r#"a"b'c\d<"#));
        redactor.add(&Secret::new("café  bar"));
        for form in [
            r"caf\u00e9  bar",
            "café bar",
            r#"a"b\'c\\d<"#,
            r#"a"b'c\\d<"#,
            r#"a"b''c\d<"#,
            r"a&quot;b&#x27;c\d&lt;",
            r"a&#34;b&#39;c\d&lt;",
            r#"a"b'c\d&lt;"#,
        ] {
            assert_eq!(redactor.redact(form), MASK, "{form}");
        }
    }

    #[test]
    fn the_lines_of_a_key_and_the_password_of_a_url_are_secrets_too() {
        let mut redactor = Redactor::default();
        redactor.add(&Secret::new("MIIEvgIBADANBg\nkqhkiG9w0BAQ\n=="));
        redactor.add(&Secret::new("redis://:geh@eim@cache.test:6379/1"));
        assert_eq!(redactor.redact("kqhkiG9w0BAQ =="), format!("{MASK} =="));
        assert_eq!(redactor.redact("AUTH geh@eim"), format!("AUTH {MASK}"));
    }

    #[test]
    fn a_secret_that_is_a_word_leaves_the_shape_of_json_alone() {
        let mut redactor = Redactor::default();
        redactor.add(&Secret::new("event"));
        let mut value = serde_json::json!({"event": "warning", "text": ["an event", 1, null]});
        redactor.redact_json(&mut value);
        let expected =
            serde_json::json!({"event": "warning", "text": [format!("an {MASK}"), 1, null]});
        assert_eq!(value, expected);
    }
}
