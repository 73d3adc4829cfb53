//! Templates and the values that may stand in them.

use std::{net::IpAddr, path::Path};

use handlebars::Handlebars;
use serde::Serialize;

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A value that would end its directive or begin another one.
    #[error("`{value}` cannot be used as {field}: {rule}")]
    Value {
        /// What the value is for.
        field: &'static str,
        /// The value as it was given; never a secret.
        value: String,
        /// What is allowed there.
        rule: &'static str,
    },
    /// A template that is not handlebars.
    #[error("failed to read template `{name}`")]
    Parse {
        /// The template.
        name: &'static str,
        /// What handlebars says.
        #[source]
        source: Box<handlebars::TemplateError>,
    },
    /// A template that uses what is not there.
    #[error("failed to fill in template `{name}`")]
    Fill {
        /// The template.
        name: &'static str,
        /// What handlebars says.
        #[source]
        source: Box<handlebars::RenderError>,
    },
    /// A vhost template without the text by which a reload is proven.
    #[error("template `{name}` does not use `{{{{marker}}}}`, so that no reload could be proven")]
    NoMarker {
        /// The template.
        name: &'static str,
    },
}

/// How a value is written into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// As it is: every value has been checked.
    Nothing,
    /// As the text of an HTML page.
    Html,
}

/// Fills in a template. A name that the context does not have is an error.
pub(super) fn fill(
    name: &'static str,
    template: &str,
    escape: Escape,
    context: &impl Serialize,
) -> Result<String, RenderError> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    match escape {
        Escape::Nothing => handlebars.register_escape_fn(handlebars::no_escape),
        Escape::Html => handlebars.register_escape_fn(handlebars::html_escape),
    }
    handlebars
        .register_template_string(name, template)
        .map_err(|source| RenderError::Parse { name, source: Box::new(source) })?;
    handlebars
        .render(name, context)
        .map_err(|source| RenderError::Fill { name, source: Box::new(source) })
}

/// Returns a template that uses every name which the documentation gives for it.
#[cfg(test)]
pub(super) fn documented_names(file: &str) -> String {
    let manual = include_str!("../../docs/reference/templates.md");
    let section = manual.split("\n## ").find(|section| section.starts_with(file));
    let rows = section.expect("it has a section").lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row.split('|').nth(1).expect("a cell").split(", "));
    names.map(|name| format!("{{{{{}}}}}\n", name.trim().trim_matches('`'))).collect()
}

/// Checks that a path means the same in a unit, in a vhost and to the kernel.
pub(super) fn check_path(field: &'static str, path: &Path) -> Result<(), RenderError> {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@~".contains(c);
    let absolute = text.starts_with('/') && !text.split('/').any(|part| part == "..");
    if absolute && text.chars().all(plain) {
        return Ok(());
    }
    Err(RenderError::Value {
        field,
        value: text.into_owned(),
        rule: "a path is absolute, without `..`, of letters, digits and any of `/._-+@~`",
    })
}

/// Writes an address as it stands before a port.
pub(super) fn socket_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_break_out_is_refused() {
        for good in ["/var/lib/odoo", "/srv/odoo-17.0/año_1/x+y@z~"] {
            assert!(check_path("data_dir", Path::new(good)).is_ok(), "{good}");
        }
        let hostile = [
            "", "x", "../x", "/a/../b", "/a b", "/a\nb", "/a;b", "/a{b", "/a}b", "/a\"b", "/a'b",
            "/a%h", "/a$b", "/a\\b", "/a#b", "/a\tb", "/a:b", "/a,b", "/a*",
        ];
        for path in hostile {
            assert!(check_path("data_dir", Path::new(path)).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_an_error() {
        let context = serde_json::json!({ "a": "1" });
        assert_eq!(fill("x", "{{a}}", Escape::Nothing, &context).unwrap(), "1");
        assert!(matches!(
            fill("x", "{{b}}", Escape::Nothing, &context),
            Err(RenderError::Fill { name: "x", .. })
        ));
        assert!(matches!(
            fill("x", "{{#if}}", Escape::Nothing, &context),
            Err(RenderError::Parse { name: "x", .. })
        ));
    }
}
