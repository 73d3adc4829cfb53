//! A host's options as the rules look at them.

use super::{Finding, RuleId, Severity};
use crate::{
    host::{
        Host, Origin, Setting,
        expression::{Scope, evaluate},
        load::host_file_path,
    },
    odoo::{
        Rules, Series,
        options::{OptionSpec, option},
    },
    secret::{Part, has_url_password, is_sensitive_key},
};

/// One option that is written and not kept.
pub(super) struct Written<'a> {
    pub(super) key: &'a str,
    pub(super) setting: &'a Setting,
    /// What is known of it; none for a key of no series.
    pub(super) spec: Option<&'static OptionSpec>,
    /// The value with its expressions evaluated, `${NAME}` still in it.
    pub(super) outline: String,
    /// The same where no secret is in it.
    pub(super) text: Option<String>,
}

impl Written<'_> {
    /// Tells whether the value is not shown.
    pub(super) fn sensitive(&self) -> bool {
        is_sensitive_key(self.key) || has_url_password(&self.outline)
    }

    /// Returns the value as a message may quote it.
    pub(super) fn shown(&self) -> &str {
        match &self.text {
            Some(text) if !self.sensitive() => text,
            _ => crate::secret::MASK,
        }
    }
}

/// A host and its options.
pub(super) struct View<'a> {
    pub(super) host: &'a Host,
    pub(super) written: Vec<Written<'a>>,
}

impl<'a> View<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        let (name, server, environment) = (&host.name, &host.server, &host.environment);
        let [scope, _] = Scope::examples(name.as_str(), server.as_str(), environment.as_str());
        let written = host.options.iter().filter(|(key, _)| !host.deploy.keep.contains(key));
        let written = written.map(|(key, setting)| {
            let (outline, has_secret) = outline(setting, &scope);
            Written {
                key,
                setting,
                spec: option(key).filter(|spec| spec.exists_in(host.odoo)),
                text: (!has_secret).then(|| outline.clone()),
                outline,
            }
        });
        Self { host, written: written.collect() }
    }

    pub(super) fn series(&self) -> Series {
        self.host.odoo
    }

    pub(super) fn rules(&self) -> &'static Rules {
        self.host.odoo.rules()
    }

    pub(super) fn get(&self, key: &str) -> Option<&Written<'a>> {
        self.written.iter().find(|written| written.key == key)
    }

    /// Returns a value, or the default where it is not written; none where it is a secret or kept.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(written) => written.text.as_deref(),
            None if self.host.deploy.keep.iter().any(|kept| kept == key) => None,
            None => option(key).map(|spec| spec.default_in(self.host.odoo)),
        }
    }

    /// Tells whether a boolean is on, read as the series reads it.
    pub(super) fn is_on(&self, key: &str) -> bool {
        let text = self.text(key).unwrap_or_default();
        self.rules().booleans.read(text).unwrap_or(false)
    }

    pub(super) fn int(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    /// Returns the line of a key, or the host's file.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.get(key).map_or_else(
            || Origin::whole_file(&host_file_path(&self.host.name)),
            |written| written.setting.origin.clone(),
        )
    }

    /// Makes a finding about a key, written or not.
    pub(super) fn finding(
        &self,
        rule: RuleId,
        severity: Severity,
        key: &str,
        (message, hint): (impl Into<String>, impl Into<String>),
    ) -> Finding {
        let origin = self.origin(key);
        Finding { rule, severity, origin, message: message.into(), hint: hint.into() }
    }
}

/// Returns a value with its expressions evaluated, and whether a secret is in it.
fn outline(setting: &Setting, scope: &Scope) -> (String, bool) {
    // An expression that fails has been refused, or will be when the release is known.
    let Ok(parts) = evaluate(setting, scope) else { return (setting.value.clone(), true) };
    let has_secret = parts.iter().any(|part| part.secret().is_some());
    let outline = parts.into_iter().map(|part| match part {
        Part::Text(text) => text,
        Part::Secret(name) => format!("${{{name}}}"),
    });
    (outline.collect(), has_secret)
}
