//! A module's `__manifest__.py`.

use serde::{Deserialize, Serialize};

use super::literal::{Literal, LiteralError};
use crate::host::ModuleName;

/// The keys that name functions which Odoo runs around an installation.
const HOOKS: [&str; 4] = ["pre_init_hook", "post_init_hook", "uninstall_hook", "post_load"];

/// What the tool needs of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version as written, or Odoo's default `1.0`.
    pub version: String,
    /// The modules it depends on; `base` where it names none.
    pub depends: Vec<ModuleName>,
    /// Whether Odoo may install it.
    pub installable: bool,
    /// Functions run at installation and removal (`pre_init_hook`, …), by name.
    pub hooks: Vec<String>,
    /// Required Python distributions (`external_dependencies`), as written.
    pub python_dependencies: Vec<String>,
    /// A fingerprint of the parsed value: equal where only comments or spacing differ.
    pub fingerprint: String,
}

/// A manifest that Odoo could not use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ManifestError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Manifest {
    /// Reads the text of a `__manifest__.py`: one Python literal, a `dict`.
    ///
    /// # Errors
    /// Names the line of what is no literal, or the key whose value has the wrong type.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let value = Literal::parse(text)
            .map_err(|LiteralError { line, message }| ManifestError { line, message })?;
        Self::from_literal(&value).map_err(|(key, message)| ManifestError {
            line: line_of(text, key),
            message: if key.is_empty() { message } else { format!("`{key}` {message}") },
        })
    }

    fn from_literal(value: &Literal) -> Result<Self, (&'static str, String)> {
        if !matches!(value, Literal::Dict(_)) {
            return Err(("", "is not a dictionary".into()));
        }
        let version = match value.get("version") {
            None => "1.0".into(),
            Some(Literal::Text(version)) => version.clone(),
            Some(_) => return Err(("version", "is not a string".into())),
        };
        let mut depends = Vec::new();
        for name in strings(value.get("depends"), "depends")? {
            depends.push(ModuleName::parse(&name).map_err(|error| ("depends", error.to_string()))?);
        }
        if depends.is_empty() {
            depends.push(ModuleName::parse("base").expect("a valid name"));
        }
        let hooks = HOOKS.iter().filter_map(|key| match value.get(key) {
            Some(Literal::Text(name)) if !name.is_empty() => Some(name.clone()),
            _ => None,
        });
        let external = value.get("external_dependencies");
        Ok(Self {
            version,
            depends,
            installable: value.get("installable").is_none_or(Literal::is_true),
            hooks: hooks.collect(),
            python_dependencies: strings(
                external.and_then(|external| external.get("python")),
                "external_dependencies",
            )?,
            fingerprint: blake3::hash(value.canonical().as_bytes()).to_hex().to_string(),
        })
    }
}

fn strings(
    value: Option<&Literal>,
    key: &'static str,
) -> Result<Vec<String>, (&'static str, String)> {
    let items = match value {
        None | Some(Literal::None) => return Ok(Vec::new()),
        Some(Literal::List(items) | Literal::Tuple(items) | Literal::Set(items)) => items,
        Some(_) => return Err((key, "is not a list of strings".into())),
    };
    let text = |item: &Literal| match item {
        Literal::Text(text) => Ok(text.clone()),
        _ => Err((key, "is not a list of strings".into())),
    };
    items.iter().map(text).collect()
}

/// Finds the line of a key, for messages: the first line that has it in quotes.
fn line_of(text: &str, key: &str) -> usize {
    let has_key =
        |line: &str| line.contains(&format!("'{key}'")) || line.contains(&format!("\"{key}\""));
    1 + text.lines().position(has_key).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_has_odoos_defaults() {
        let manifest = Manifest::parse("{'name': 'x'}").unwrap();
        assert_eq!(manifest.version, "1.0");
        assert_eq!(manifest.depends, [ModuleName::parse("base").unwrap()]);
        assert!(manifest.installable);
        assert!(manifest.hooks.is_empty() && manifest.python_dependencies.is_empty());
    }

    #[test]
    fn a_manifest_is_read_as_python_reads_it() {
        let text = "# -*- coding: utf-8 -*-\r\n{\r\n  'version': u'17.0' r\".1\", # c\r\n  'depends': ('sale', \"stock\",),\r\n  'installable': 0,\r\n  'external_dependencies': {'python': ['zeep>=4'], 'bin': ['x']},\r\n  'post_init_hook': '_after',\r\n  'description': '''a\r\n{ 'depends': [] }'''}\r\n";
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.version, "17.0.1");
        assert_eq!(manifest.depends.len(), 2);
        assert!(!manifest.installable);
        assert_eq!(manifest.hooks, ["_after"]);
        assert_eq!(manifest.python_dependencies, ["zeep>=4"]);
    }

    #[test]
    fn comments_and_spacing_do_not_change_the_fingerprint() {
        let one = Manifest::parse("{'a': 1, 'data': ['x', 'y']}").unwrap();
        let same = Manifest::parse("{\n 'data': ['x',  # first\n 'y',],\n \"a\": 0x1}").unwrap();
        let other = Manifest::parse("{'a': 1, 'data': ['y', 'x']}").unwrap();
        assert_eq!(one.fingerprint, same.fingerprint);
        assert_ne!(one.fingerprint, other.fingerprint);
    }

    #[test]
    fn a_broken_manifest_names_its_line() {
        let line = |text: &str| Manifest::parse(text).unwrap_err().line;
        assert_eq!(line("{\n 'a': 1,\n 'b' 2}"), 3);
        assert_eq!(line("{\n 'a': _('x'),\n}"), 2);
        assert_eq!(line("{'a': 1,\n 'depends': 'sale'}"), 2);
        assert_eq!(line("{\n 'a': [1,\n\n"), 4);
        assert_eq!(line("[]"), 1);
    }
}
