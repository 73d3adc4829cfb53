//! Identifiers and literals of SQL. Pure.

/// Quotes a name: `"a""b"`.
#[must_use]
pub(super) fn quote_identifier(name: &str) -> String {
    enclose(name, '"')
}

/// Quotes a text: `'it''s'`. Backslashes stand for themselves: every session
/// is opened with `standard_conforming_strings` on.
#[must_use]
pub(super) fn quote_literal(text: &str) -> String {
    enclose(text, '\'')
}

/// Encloses the text and doubles the quotes in it. PostgreSQL has no NUL in
/// texts or names, and psql would end the line there.
fn enclose(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars().filter(|&c| c != '\0') {
        if character == quote {
            quoted.push(quote);
        }
        quoted.push(character);
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_nothing_else_changes() {
        assert_eq!(quote_identifier("acme~snap-42"), "\"acme~snap-42\"");
        assert_eq!(quote_identifier("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(quote_literal("it's :x \\ \n"), "'it''s :x \\ \n'");
        assert_eq!(quote_literal("a\0b"), "'ab'");
    }
}
