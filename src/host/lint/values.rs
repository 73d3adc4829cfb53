//! Values that Odoo reads as something else, or not at all.

use super::{
    Finding, RuleId, Severity,
    view::{View, Written},
};
use crate::{
    host::rendered::READ_AS_NONE,
    odoo::{
        options::{OptionKind, OptionSpec},
        rules::{Booleans, EmptyEntry, Unset},
    },
};

pub(super) fn check(view: &View<'_>, findings: &mut Vec<Finding>) {
    for written in &view.written {
        let finding = decoration(view, written).or_else(|| {
            // A comment or quotes explain whatever else is wrong with the value.
            let spec = written.spec.filter(|spec| spec.read_from_file(view.series()))?;
            match &written.text {
                Some(text) => value(view, written, spec, text),
                None if spec.kind == OptionKind::Bool => Some(secret_boolean(view, written)),
                None => None,
            }
        });
        findings.extend(finding);
    }
}

fn decoration(view: &View<'_>, written: &Written<'_>) -> Option<Finding> {
    let text = written.outline.as_str();
    // Only a person knows whether a password or a module's own value is meant like that.
    let meant = (written.sensitive() && written.text.is_some()) || written.spec.is_none();
    let severity = if meant { Severity::Warning } else { Severity::Error };
    let key = written.key;
    if text.lines().any(has_inline_comment) {
        let message = format!("what follows the value of `{key}` is no comment, but part of it");
        let hint = "give the comment a line of its own";
        return Some(view.finding(RuleId::InlineComment, severity, key, (message, hint)));
    }
    let quoted = ['"', '\'']
        .iter()
        .any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote));
    quoted.then(|| {
        let message = format!("the quotes are part of the value of `{key}`");
        view.finding(RuleId::QuotedValue, severity, key, (message, "write it without quotes"))
    })
}

fn has_inline_comment(line: &str) -> bool {
    line.char_indices()
        .any(|(at, c)| matches!(c, '#' | ';') && line[..at].ends_with(char::is_whitespace))
}

fn value(view: &View<'_>, written: &Written<'_>, spec: &OptionSpec, text: &str) -> Option<Finding> {
    match (spec.kind, text) {
        (_, "None") => none_value(view, written),
        (OptionKind::Bool, _) => boolean(view, written, text),
        (_, "False" | "false") => false_value(view, written, spec),
        (OptionKind::Int, _) => int_value(view, written, text),
        (OptionKind::Float, _) => float_value(view, written, text),
        (OptionKind::Choice(words), _) => choice_value(view, written, words, text),
        (OptionKind::List, _) if written.key == "log_handler" => log_handler(view, written, text),
        (OptionKind::Path | OptionKind::Paths, _) => path_value(view, written, text),
        (OptionKind::Text | OptionKind::List, _) => None,
    }
}

fn none_value(view: &View<'_>, written: &Written<'_>) -> Option<Finding> {
    let (series, key) = (view.series(), written.key);
    let (severity, message) = match view.rules().unset {
        Unset::ByOption if READ_AS_NONE.contains(&key) => return None,
        Unset::ByOption => (
            Severity::Error,
            format!("Odoo {series} reads `None` as the text \"None\" for `{key}`"),
        ),
        Unset::Always if ["log_handler", "dev_mode"].contains(&key) => {
            (Severity::Error, format!("Odoo {series} does not start with `{key} = None`"))
        }
        Unset::Always => {
            (Severity::Warning, format!("`None` leaves `{key}` unset in Odoo {series} only"))
        }
    };
    Some(view.finding(RuleId::NoneValue, severity, key, (message, "remove the line")))
}

fn boolean(view: &View<'_>, written: &Written<'_>, text: &str) -> Option<Finding> {
    if ["True", "true", "False", "false"].contains(&text) {
        return None;
    }
    let (series, key) = (view.series(), written.key);
    let meaning = Booleans::Words.read(text).map(|on| if on { "True" } else { "False" });
    let message = match (view.rules().booleans, meaning) {
        (Booleans::AnyTextIsOn, _) if text.is_empty() => {
            format!("`{key}` has no value; Odoo 19.0 would not start with it")
        }
        (Booleans::AnyTextIsOn, _) => {
            format!("Odoo {series} takes any text but `False` for on, so `{key} = {text}` is on")
        }
        (Booleans::Words, Some(_)) => format!("Odoo 17.0 and 18.0 take `{key} = {text}` for on"),
        (Booleans::Words, None) => format!("Odoo {series} does not start with `{key} = {text}`"),
    };
    let severity = match (view.rules().booleans, meaning) {
        (Booleans::Words, Some(_)) => Severity::Warning,
        _ => Severity::Error,
    };
    let hint = match meaning {
        Some(meaning) => format!("write `{key} = {meaning}`"),
        None => format!("write `{key} = True` or `{key} = False`"),
    };
    Some(view.finding(RuleId::BooleanSpelling, severity, key, (message, hint)))
}

fn secret_boolean(view: &View<'_>, written: &Written<'_>) -> Finding {
    let message = format!("`{}` is a boolean, and its value cannot be checked here", written.key);
    let hint = "write `True` or `False`: Odoo 17.0 and 18.0 take any other text for on";
    view.finding(RuleId::BooleanSpelling, Severity::Error, written.key, (message, hint))
}

fn false_value(view: &View<'_>, written: &Written<'_>, spec: &OptionSpec) -> Option<Finding> {
    let (series, key) = (view.series(), written.key);
    let unset = spec.default_in(series).is_empty() || READ_AS_NONE.contains(&key);
    let (severity, message) = match view.rules().unset {
        Unset::ByOption if unset => return None,
        Unset::ByOption => {
            (Severity::Error, format!("`{key}` is no boolean: Odoo {series} reads 0 or nothing"))
        }
        Unset::Always => {
            (Severity::Warning, format!("`{key}` is no boolean: Odoo {series} skips the line"))
        }
    };
    Some(view.finding(
        RuleId::FalseValue,
        severity,
        key,
        (message, "remove the line, or write a value"),
    ))
}

fn int_value(view: &View<'_>, written: &Written<'_>, text: &str) -> Option<Finding> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if plain && (digits == "0" || !digits.starts_with('0')) {
        return None;
    }
    let (key, shown) = (written.key, written.shown());
    let message = match plain {
        true => format!("Odoo 17.0 and 18.0 read `{key} = {shown}` as an octal number"),
        false => format!("`{key} = {shown}` is no whole number, so Odoo does not start"),
    };
    let hint = "write digits only: no unit, no sum, no leading zero";
    Some(view.finding(RuleId::IntValue, Severity::Error, key, (message, hint)))
}

fn float_value(view: &View<'_>, written: &Written<'_>, text: &str) -> Option<Finding> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b));
    if plain && text.parse::<f64>().is_ok() {
        return None;
    }
    let message = format!("`{} = {}` is no number", written.key, written.shown());
    let hint = "write digits with a decimal point, such as `1.5`";
    Some(view.finding(RuleId::FloatValue, Severity::Error, written.key, (message, hint)))
}

fn choice_value(
    view: &View<'_>,
    written: &Written<'_>,
    words: &[&'static str],
    text: &str,
) -> Option<Finding> {
    if words.contains(&text) {
        return None;
    }
    let message = format!("Odoo does not start with `{} = {}`", written.key, written.shown());
    let hint = format!("write one of {}", words.join(", "));
    Some(view.finding(RuleId::ChoiceValue, Severity::Error, written.key, (message, hint)))
}

fn log_handler(view: &View<'_>, written: &Written<'_>, text: &str) -> Option<Finding> {
    const LEVELS: [&str; 6] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NOTSET"];
    let entries = text.split(',').map(str::trim);
    let bad = entries
        .filter(|entry| !entry.is_empty() || view.rules().empty_log_handler == EmptyEntry::Refused)
        .find(|entry| !entry.split_once(':').is_some_and(|(_, level)| LEVELS.contains(&level)))?;
    let message = format!("`{bad}` in `log_handler` is no `logger:LEVEL`");
    let hint = format!("the levels are {}; `:INFO` is every logger", LEVELS.join(", "));
    Some(view.finding(RuleId::LogHandler, Severity::Error, written.key, (message, hint)))
}

fn path_value(view: &View<'_>, written: &Written<'_>, text: &str) -> Option<Finding> {
    let key = written.key;
    // The host itself has read these two, strictly.
    if ["addons_path", "data_dir"].contains(&key) {
        return None;
    }
    let entries = || text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    if let Some(entry) = entries().find(|entry| entry.starts_with('~') || entry.contains('$')) {
        let message = format!("Odoo expands `{entry}` in `{key}` for the user it runs as");
        let finding = (message, "write the absolute path");
        return Some(view.finding(RuleId::PathExpansion, Severity::Warning, key, finding));
    }
    let entry = entries().find(|entry| !entry.starts_with('/'))?;
    let message = format!("`{entry}` in `{key}` depends on the directory that Odoo starts in");
    let hint = format!("write `{{{{release.code}}}}/{entry}` for a path of the repository");
    Some(view.finding(RuleId::RelativePath, Severity::Error, key, (message, hint)))
}
