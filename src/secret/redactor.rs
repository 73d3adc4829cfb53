//! Secrets taken out of any text.

use std::fmt;

use super::{MASK, Secret};

/// The shortest value that is looked for: shorter ones would blot out ordinary text.
const SHORTEST: usize = 4;

/// Replaces known secrets in any text, such as what a program on the server printed.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that contains another is replaced whole.
    forms: Vec<String>,
}

impl Redactor {
    /// Registers a value, also as a URL and as JSON write it; values under 4 bytes are too common.
    pub fn add(&mut self, secret: &Secret) {
        let value = secret.expose();
        if value.len() < SHORTEST {
            return;
        }
        let json = serde_json::to_string(value).expect("a string is always JSON");
        let forms = [
            value.to_owned(),
            json[1..json.len() - 1].to_owned(),
            json[1..json.len() - 1].replace('/', "\\/"),
            percent_encoded(value, false),
            percent_encoded(value, false).replace("%20", "+"),
            percent_encoded(value, true),
        ];
        for form in forms {
            if !self.forms.contains(&form) {
                self.forms.push(form);
            }
        }
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
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
}
