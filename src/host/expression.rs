//! `{{…}}` in values: what may be named, and its evaluation. Pure.

use std::path::PathBuf;

use handlebars::{Handlebars, no_escape};
use serde::Serialize;

use super::{Setting, SourceError};
use crate::{
    secret::{Part, split_secrets},
    source::Branch,
};

/// What a deploy knows beyond the host's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// `server.address`.
    pub server_address: String,
    /// `environment.branch`.
    pub branch: Branch,
    /// `release.number`.
    pub release_number: u32,
    /// `release.path`: the release's directory on the server.
    pub release_path: PathBuf,
    /// `release.code`: the code in it.
    pub release_code: PathBuf,
}

/// Names that expressions can use, as handlebars wants them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Scope {
    pub(super) host: Named,
    pub(super) server: ServerScope,
    pub(super) environment: EnvironmentScope,
    pub(super) release: ReleaseScope,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ServerScope {
    pub(super) name: String,
    pub(super) address: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct EnvironmentScope {
    pub(super) name: String,
    pub(super) branch: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ReleaseScope {
    pub(super) number: u32,
    pub(super) path: String,
    pub(super) code: String,
}

impl Scope {
    /// Names the host, its server and environment in the context of one deploy.
    pub(super) fn new(host: &str, server: &str, environment: &str, context: &Context) -> Self {
        let path = |path: &PathBuf| path.display().to_string();
        Self {
            host: Named { name: host.to_owned() },
            server: ServerScope {
                name: server.to_owned(),
                address: context.server_address.clone(),
            },
            environment: EnvironmentScope {
                name: environment.to_owned(),
                branch: context.branch.to_string(),
            },
            release: ReleaseScope {
                number: context.release_number,
                path: path(&context.release_path),
                code: path(&context.release_code),
            },
        }
    }

    /// Two scopes that share only what a host's files say: a value that differs between them
    /// depends on the deploy.
    pub(super) fn examples(host: &str, server: &str, environment: &str) -> [Self; 2] {
        [("a", 1), ("b", 2)].map(|(letter, number)| {
            let path = PathBuf::from(format!("/{letter}/release"));
            let context = Context {
                server_address: format!("{letter}.invalid"),
                branch: Branch::parse(letter).expect("a letter is a branch name"),
                release_number: number,
                release_code: path.join("code"),
                release_path: path,
            };
            Self::new(host, server, environment, &context)
        })
    }
}

/// Evaluates the expressions of a value and splits it at its secrets.
///
/// What an expression yields is text: a `${NAME}` in a branch's name names no secret.
pub(super) fn evaluate(setting: &Setting, scope: &Scope) -> Result<Vec<Part>, SourceError> {
    let parts = split_secrets(&setting.value);
    if !setting.value.contains("{{") {
        return Ok(parts);
    }
    // Secrets stand as marks while handlebars sees the text, since a block may hold them.
    let mark = |index: usize| format!("\u{e000}{index}\u{e001}");
    let mut template = String::new();
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text(text) => template.push_str(text),
            Part::Secret(_) => template.push_str(&mark(index)),
        }
    }
    let fault = |message: String| SourceError::new(&setting.origin, message);
    let private = |text: &str| text.contains(['\u{e000}', '\u{e001}']);
    if private(&setting.value) || private(&scope.environment.branch) {
        return Err(fault("U+E000 and U+E001 cannot be written beside an expression".into()));
    }
    let text = engine().render_template(&template, scope).map_err(|error| {
        fault(format!("failed to evaluate the expression: {}", reason(&error))).with_hint(
            "known are host.name, server.name, server.address, environment.name, \
             environment.branch, release.number, release.path and release.code",
        )
    })?;
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(fault("the expression yields a control character".into()));
    }
    Ok(unmark(&text, &parts))
}

fn engine() -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(no_escape);
    engine.unregister_helper("log");
    engine
}

fn reason(error: &handlebars::RenderError) -> String {
    match error.reason() {
        handlebars::RenderErrorReason::MissingVariable(Some(name)) => {
            format!("`{name}` is unknown")
        }
        handlebars::RenderErrorReason::TemplateError(error) => error.reason().to_string(),
        other => other.to_string(),
    }
}

/// Puts the secrets back where their marks stand.
fn unmark(text: &str, parts: &[Part]) -> Vec<Part> {
    let mut unmarked = Vec::new();
    for (position, piece) in text.split('\u{e000}').enumerate() {
        let mut plain = piece;
        if position > 0
            && let Some((index, rest)) = piece.split_once('\u{e001}')
        {
            let index = index.parse::<usize>().expect("a mark holds its index");
            unmarked.push(parts[index].clone());
            plain = rest;
        }
        if !plain.is_empty() {
            unmarked.push(Part::Text(plain.to_owned()));
        }
    }
    unmarked
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::host::Origin;

    fn eval(value: &str) -> Result<Vec<Part>, SourceError> {
        let origin = Origin::whole_file(Path::new("x.conf"));
        let setting = Setting { value: value.to_owned(), origin };
        let mut scope = Scope::examples("h.example", "s1", "test")[0].clone();
        scope.environment.branch = "x/${A}&<b>".to_owned();
        evaluate(&setting, &scope)
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn an_expression_yields_text_that_is_not_escaped() {
        assert_eq!(eval("{{release.code}}/x").unwrap(), [text("/a/release/code/x")]);
        assert_eq!(eval("{{environment.branch}}").unwrap(), [text("x/${A}&<b>")]);
        assert_eq!(eval("\\{{x}} {{host.name}}").unwrap(), [text("{{x}} h.example")]);
        assert_eq!(eval("^%d$ { } }}").unwrap(), [text("^%d$ { } }}")]);
    }

    #[test]
    fn a_secret_beside_an_expression_stays_a_secret() {
        let parts = eval("{{host.name}}-${A}{{#if server.name}}-${B}{{/if}}").unwrap();
        let secret = |name: &str| Part::Secret(name.to_owned());
        assert_eq!(parts, [text("h.example-"), secret("A"), text("-"), secret("B")]);
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        for value in ["{{hots.name}}", "{{host.nam}}", "{{", "{{> x}}", "{{log \"x\"}}"] {
            assert!(eval(value).is_err(), "{value}");
        }
        assert_eq!(
            eval("{{host.nam}}").unwrap_err().message,
            "failed to evaluate the expression: `host.nam` is unknown"
        );
    }
}
