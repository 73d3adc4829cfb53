//! What an odoo.conf says, whoever wrote it and in whatever order.

use std::{collections::BTreeMap, fmt, path::Path};

use crate::{
    host::HostFile,
    odoo::{
        Series,
        options::{OptionKind, OptionSpec, option},
    },
};

/// The options of an odoo.conf that are not at their defaults.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// Values by section and key.
    values: BTreeMap<(String, String), String>,
    /// Whether the text has comments: Odoo drops them when it writes the file.
    pub(super) has_comments: bool,
}

impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl Options {
    /// Reads a text; none where it is no odoo.conf.
    pub(super) fn read(text: &str, series: Series) -> Option<Self> {
        let file = HostFile::parse(Path::new("odoo.conf"), text.as_bytes()).ok()?;
        let mut values = BTreeMap::new();
        for section in file.sections.keys() {
            for (key, setting) in file.effective(section).unwrap_or_default() {
                let spec = option(&key).filter(|_| section == "options");
                let value = match spec {
                    Some(spec) => normal(spec, &setting.value, series),
                    None => Some(setting.value),
                };
                if let Some(value) = value {
                    values.insert((section.clone(), key), value);
                }
            }
        }
        let is_comment = |line: &str| line.starts_with(['#', ';']);
        Some(Self { values, has_comments: text.lines().any(is_comment) })
    }

    /// Names the options that another text says something else of.
    pub(super) fn differing(&self, other: &Self) -> Vec<String> {
        let mut keys: Vec<_> = self.values.keys().chain(other.values.keys()).collect();
        keys.sort();
        keys.dedup();
        let differs = |key: &&&(String, String)| self.values.get(**key) != other.values.get(**key);
        keys.iter().filter(differs).map(|(section, key)| name(section, key)).collect()
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((section, key), value) in &self.values {
            writeln!(f, "{} = {}", name(section, key), value.replace('\n', " "))?;
        }
        Ok(())
    }
}

fn name(section: &str, key: &str) -> String {
    if section == "options" { key.to_owned() } else { format!("[{section}] {key}") }
}

/// Returns the one way to write a value; none where it is the option's default.
fn normal(spec: &OptionSpec, value: &str, series: Series) -> Option<String> {
    let spelled = |value: &str| match spec.kind {
        _ if is_unset(value) => String::new(),
        OptionKind::Bool if value == "true" => "True".to_owned(),
        OptionKind::List | OptionKind::Paths => {
            value.split(',').map(str::trim).collect::<Vec<_>>().join(",")
        }
        OptionKind::Float => {
            value.parse::<f64>().map_or_else(|_| value.to_owned(), |number| number.to_string())
        }
        _ => value.to_owned(),
    };
    let value = spelled(value);
    (value != spelled(spec.default_in(series))).then_some(value)
}

/// Odoo writes these where nothing is set; a boolean that is not set is false.
fn is_unset(value: &str) -> bool {
    matches!(value, "" | "None" | "False" | "false")
}
