//! What Odoo would misread, refuse or serve to the wrong people, by series. Pure.
//!
//! Every rule is described in `docs/reference/lint.md`.

mod database;
mod fleet;
mod keys;
mod limits;
mod network;
mod rules;
mod security;
mod server;
mod tls;
mod values;
mod view;

use std::fmt;

pub use fleet::lint_fleet;
pub use rules::RuleId;

use super::{Host, Origin};
use view::View;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; a deploy goes on.
    Warning,
    /// Odoo would crash, misread the file or be unsafe in a way nobody wants; a deploy refuses.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// How bad it is.
    pub severity: Severity,
    /// The line it is about, or the host's file where a key is missing.
    pub origin: Origin,
    /// What is wrong, lowercase and without a final period.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Checks one host by itself; findings are in the order of their lines.
#[must_use]
pub fn lint(host: &Host) -> Vec<Finding> {
    let view = View::new(host);
    let mut findings = Vec::new();
    for check in [
        keys::check,
        values::check,
        database::check,
        network::check,
        server::check,
        tls::check,
        limits::check,
        security::check,
    ] {
        check(&view, &mut findings);
    }
    findings.sort_by(|a, b| {
        let place = |finding: &Finding| (finding.origin.file.clone(), finding.origin.line);
        place(a).cmp(&place(b))
    });
    findings
}
