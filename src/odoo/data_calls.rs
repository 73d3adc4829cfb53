//! Which functions a module's data calls.

use std::collections::BTreeSet;

/// Returns the names in `<function name="…">` of a data file: an upgrade calls
/// these functions, so what they do can be in the database.
#[must_use]
pub fn functions_called(xml: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (start, tag) in xml.match_indices("<function") {
        let rest = &xml[start + tag.len()..];
        let element = rest.split_once('>').map_or(rest, |(element, _)| element);
        if !element.starts_with(|c: char| c.is_ascii_whitespace()) {
            continue;
        }
        for quote in ['"', '\''] {
            let attribute = format!(" name={quote}");
            let element = element.replace(['\n', '\t', '\r'], " ");
            let value = element.split_once(attribute.as_str()).map(|(_, rest)| rest);
            names.extend(value.and_then(|rest| rest.split_once(quote)).map(|(n, _)| n.to_owned()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_whatever_the_order_of_attributes() {
        let xml = "<odoo><function model=\"a.b\" name=\"_fill\"/>\n\
                   <function\n  name='_mend' model='a.b'><value/></function><functional name=\"x\"/>";
        assert_eq!(functions_called(xml), BTreeSet::from(["_fill".to_owned(), "_mend".to_owned()]));
    }
}
