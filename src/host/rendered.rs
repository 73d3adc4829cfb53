//! The options of one release: what `odoo.conf` has to say, secrets still by name. Pure.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::{
    AddonsDirectory, ConfigError, Context, DEFAULT_SECTION, Host, HostFile, Origin, Setting,
    SourceError,
    expression::{Scope, evaluate},
};
use crate::{
    odoo::{
        Rules,
        options::{OptionKind, option},
        rules::{Booleans, Unset},
    },
    secret::{MASK, MissingSecrets, Part, Secret, Secrets, has_url_password, is_sensitive_key},
};

/// What stands for a value that stays at the server's own.
pub const KEPT: &str = "(kept on the server)";

/// What `odoo.conf` has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedOptions {
    /// `[options]`, then the other sections, each in order.
    pub sections: IndexMap<String, IndexMap<String, RenderedValue>>,
    /// Options that stay at the server's own value; none of them is in `[options]` above.
    pub keep: Vec<String>,
}

/// One value of `odoo.conf`.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedValue {
    /// Text and secrets; lines are separated by `\n`.
    pub parts: Vec<Part>,
    /// Whether the value is never shown.
    pub sensitive: bool,
    /// Where it was written.
    pub origin: Origin,
}

impl RenderedValue {
    /// Returns the value as it may be shown.
    #[must_use]
    pub fn masked(&self) -> String {
        if self.sensitive { MASK.to_owned() } else { self.join(|_| Some(MASK)) }
    }

    /// Returns the value itself.
    ///
    /// # Errors
    /// Returns a fault for a secret without a value, or one that would change the file's meaning.
    pub fn reveal(&self, secrets: &Secrets) -> Result<Secret, SourceError> {
        let names = self.parts.iter().filter_map(Part::secret);
        secrets.require(names.clone()).map_err(|missing| self.missing(&missing))?;
        for name in names {
            if let Some(fault) = secrets.get(name).and_then(Secret::fault) {
                let message = format!("the value of `{name}` {fault}");
                return Err(SourceError::new(&self.origin, message)
                    .with_hint("a value of odoo.conf cannot hold that: change the secret"));
            }
        }
        Ok(Secret::new(self.join(|name| secrets.get(name).map(Secret::expose))))
    }

    fn missing(&self, missing: &MissingSecrets) -> SourceError {
        SourceError::new(&self.origin, missing.to_string()).with_hint(missing.hint())
    }

    fn join<'a>(&'a self, secret: impl Fn(&'a str) -> Option<&'a str>) -> String {
        let text = |part: &'a Part| match part {
            Part::Text(text) => text.as_str(),
            Part::Secret(name) => secret(name).unwrap_or(MASK),
        };
        self.parts.iter().map(text).collect()
    }
}

impl std::fmt::Debug for RenderedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.masked())
    }
}

impl Host {
    /// Evaluates all that `odoo.conf` has to say for one release.
    ///
    /// Booleans are written `True` or `False`, options without a value are left out,
    /// and the entries of `addons_path` that are in the repository are below the release's code.
    ///
    /// # Errors
    /// Returns every expression that fails.
    pub fn render_options(&self, context: &Context) -> Result<RenderedOptions, ConfigError> {
        let (name, server, environment) = (&self.name, &self.server, &self.environment);
        let scope = Scope::new(name.as_str(), server.as_str(), environment.as_str(), context);
        let mut faults = Vec::new();
        let mut sections = IndexMap::<String, IndexMap<String, RenderedValue>>::new();
        let foreign = self.foreign.iter().map(|(name, settings)| (name.as_str(), settings));
        for (name, settings) in std::iter::once(("options", &self.options)).chain(foreign) {
            let section = sections.entry(name.to_owned()).or_default();
            for (key, setting) in settings {
                if name == "options" && self.deploy.keep.contains(key) {
                    continue;
                }
                match self.rendered_value(name, key, setting, &scope) {
                    Ok(Some(value)) => {
                        section.insert(key.clone(), value);
                    }
                    Ok(None) => {}
                    Err(fault) => faults.push(fault),
                }
            }
        }
        let rendered = RenderedOptions { sections, keep: self.deploy.keep.clone() };
        ConfigError::unless_empty(faults, rendered)
    }

    fn rendered_value(
        &self,
        section: &str,
        key: &str,
        setting: &Setting,
        scope: &Scope,
    ) -> Result<Option<RenderedValue>, SourceError> {
        let mut parts = evaluate(setting, scope)?;
        if section == "options" {
            match normalized(self, key, &parts, &scope.release.code) {
                Normal::Unset => return Ok(None),
                Normal::Text(text) => parts = vec![Part::Text(text)],
                Normal::AsWritten => {}
            }
        }
        let sensitive = is_sensitive_key(key)
            || has_url_password(&setting.value)
            || parts.iter().any(|part| part.secret().is_some());
        let value = RenderedValue { parts, sensitive, origin: setting.origin.clone() };
        check_lines(key, &value)?;
        Ok(Some(value))
    }
}

/// How a value is spelled in `odoo.conf`.
enum Normal {
    AsWritten,
    Text(String),
    Unset,
}

fn normalized(host: &Host, key: &str, parts: &[Part], code: &str) -> Normal {
    match key {
        "addons_path" => {
            let entry = |directory: &AddonsDirectory| match directory {
                AddonsDirectory::InRelease(path) => in_release(code, path),
                AddonsDirectory::OnServer(path) => path.display().to_string(),
            };
            return Normal::Text(host.addons_path.iter().map(entry).collect::<Vec<_>>().join(","));
        }
        "db_name" => {
            let names = host.databases.iter().map(ToString::to_string);
            return Normal::Text(names.collect::<Vec<_>>().join(","));
        }
        _ => {}
    }
    let (Some(spec), [Part::Text(text)]) = (option(key), parts) else { return Normal::AsWritten };
    let rules = host.odoo.rules();
    let always = rules.unset == Unset::Always;
    let unset = spec.default_in(host.odoo).is_empty();
    match (spec.kind, text.as_str()) {
        (OptionKind::Bool, text) => {
            spelled_bool(text, rules).map_or(Normal::AsWritten, |text| Normal::Text(text.into()))
        }
        (_, "None") if always || READ_AS_NONE.contains(&key) => Normal::Unset,
        (_, "False" | "false") if always || unset => Normal::Unset,
        _ => Normal::AsWritten,
    }
}

/// Options whose `None` Odoo 17 and 18 read as unset; any other is the text "None" to them.
pub(super) const READ_AS_NONE: [&str; 5] =
    ["logfile", "pidfile", "test_tags", "server_wide_modules", "addons_path"];

/// Returns the one spelling of a boolean that every series reads alike; none where the series
/// reads something else than a boolean.
fn spelled_bool(text: &str, rules: &Rules) -> Option<&'static str> {
    match text {
        "True" | "true" => Some("True"),
        "False" | "false" => Some("False"),
        _ if rules.booleans == Booleans::AnyTextIsOn => None,
        _ => rules.booleans.read(text).map(|on| if on { "True" } else { "False" }),
    }
}

fn in_release(code: &str, path: &Path) -> String {
    // `components` drops the `/` that joining an empty path leaves.
    PathBuf::from(code).join(path).components().collect::<PathBuf>().display().to_string()
}

/// Refuses lines that Odoo would take for comments, once an expression made them.
fn check_lines(key: &str, value: &RenderedValue) -> Result<(), SourceError> {
    let text = value.join(|_| Some("x"));
    let comment = |line: &str| line.trim_start().starts_with(['#', ';']);
    if text.lines().skip(1).any(comment) {
        let message = format!("a further line of `{key}` would be read as a comment");
        return Err(SourceError::new(&value.origin, message));
    }
    Ok(())
}

impl RenderedOptions {
    /// Returns the names of all secrets that are needed, in order of appearance.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.values().flat_map(|value| &value.parts).filter_map(Part::secret)
    }

    /// Returns the text of `odoo.conf` as it may be shown.
    #[must_use]
    pub fn masked_text(&self) -> String {
        self.text_with(RenderedValue::masked)
    }

    /// Returns the text of `odoo.conf`; [`KEPT`] stands for what the server keeps.
    ///
    /// # Errors
    /// Returns every secret that is missing or would change the file's meaning.
    pub fn text(&self, secrets: &Secrets) -> Result<Secret, ConfigError> {
        let mut faults = Vec::new();
        let text = self.text_with(|value| match value.reveal(secrets) {
            Ok(secret) => secret.expose().to_owned(),
            Err(fault) => {
                faults.push(fault);
                String::new()
            }
        });
        let text = ConfigError::unless_empty(faults, Secret::new(text))?;
        self.verify(text.expose(), secrets)?;
        Ok(text)
    }

    /// Checks that a text, such as a template's, reads as exactly these options.
    ///
    /// # Errors
    /// Returns every option that the text lacks, has besides or has with another value; no value
    /// is shown.
    pub fn verify(&self, text: &str, secrets: &Secrets) -> Result<(), ConfigError> {
        let path = Path::new("odoo.conf");
        let read = HostFile::parse(path, text.as_bytes())?;
        let mut faults = Vec::new();
        for (name, section) in &self.sections {
            let written = read.effective(name).unwrap_or_default();
            for (key, value) in section {
                let wanted = value.reveal(secrets)?;
                if written.get(key).is_none_or(|setting| setting.value != wanted.expose()) {
                    let message = format!("`{key}` in `[{name}]` would not be read as it is meant");
                    faults.push(SourceError::new(&value.origin, message));
                }
            }
            let expected = |key: &String| section.contains_key(key) || self.keep.contains(key);
            for (key, setting) in written.iter().filter(|(key, _)| !expected(key)) {
                let message = format!("`{key}` in `[{name}]` comes from no file of the host");
                faults.push(SourceError::new(&setting.origin, message));
            }
        }
        for (name, section) in &read.sections {
            if name != DEFAULT_SECTION && !self.sections.contains_key(name) {
                let message = format!("`[{name}]` comes from no file of the host");
                faults.push(SourceError::new(&section.origin, message));
            }
        }
        ConfigError::unless_empty(faults, ())
    }

    fn values(&self) -> impl Iterator<Item = &RenderedValue> {
        self.sections.values().flat_map(IndexMap::values)
    }

    fn text_with(&self, mut show: impl FnMut(&RenderedValue) -> String) -> String {
        let mut text = String::new();
        for (name, section) in &self.sections {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("[{name}]\n"));
            for (key, value) in section {
                // An indented line continues a value; an empty one needs no indentation.
                let value = show(value).replace('\n', "\n    ");
                text.push_str(format!("{key} = {value}").trim_end());
                text.push('\n');
            }
            if name == "options" {
                self.keep.iter().for_each(|key| text.push_str(&format!("{key} = {KEPT}\n")));
            }
        }
        text
    }
}
