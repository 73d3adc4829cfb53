//! Keys that Odoo does not read, or not under that name.

use super::{
    Finding, RuleId, Severity,
    view::{View, Written},
};
use crate::{
    host::{Origin, load::host_file_path, nearest::nearest},
    odoo::{
        options::{MOVED_OPTIONS, MovedOption, is_read_undeclared, known_keys, option},
        rules::Sections,
    },
};

pub(super) fn check(view: &View<'_>, findings: &mut Vec<Finding>) {
    for written in &view.written {
        let moved = MOVED_OPTIONS.iter().find(|moved| moved.old == written.key);
        let finding = match (moved, written.spec) {
            (Some(moved), _) => moved_option(view, moved),
            (None, None) => unknown_option(view, written),
            (None, Some(spec)) if !spec.read_from_file(view.series()) => {
                Some(ignored(view, written))
            }
            (None, Some(_)) => None,
        };
        findings.extend(finding);
    }
    findings.extend(kept_options(view));
    findings.extend(foreign_sections(view));
}

fn moved_option(view: &View<'_>, moved: &MovedOption) -> Option<Finding> {
    let series = view.series();
    let (old, new) = (moved.old, moved.new);
    let known = option(new).is_some_and(|spec| spec.exists_in(series));
    if !known {
        return None;
    }
    let read = moved.read_in.contains(&series);
    let both = view.get(new).is_some();
    let severity = if read && !both { Severity::Warning } else { Severity::Error };
    let rule = match old {
        "longpolling_port" => RuleId::LongpollingPort,
        "xmlrpc_port" | "xmlrpc_interface" | "xmlrpc" => RuleId::XmlrpcPort,
        _ => RuleId::OptionMoved,
    };
    let message = match (read, both) {
        (true, true) => format!("`{old}` and `{new}` are both set, and are one option"),
        (true, false) => format!("`{old}` is the old name of `{new}`"),
        (false, _) => format!("Odoo {series} does not read `{old}`"),
    };
    Some(view.finding(rule, severity, old, (message, format!("write `{new}` instead"))))
}

fn unknown_option(view: &View<'_>, written: &Written<'_>) -> Option<Finding> {
    let (series, key) = (view.series(), written.key);
    if is_read_undeclared(key, series) {
        return None;
    }
    let message = format!("`{key}` is no option of Odoo {series}");
    let near = nearest(key, known_keys(series)).filter(|_| option(key).is_none());
    let (severity, hint) = match near {
        Some(near) => (Severity::Error, format!("did you mean `{near}`?")),
        None if option(key).is_some() => {
            (Severity::Warning, "another series has it: remove it here".to_owned())
        }
        None => {
            let hint = "it has no effect, unless a module of yours reads it from the configuration";
            (Severity::Warning, hint.to_owned())
        }
    };
    Some(view.finding(RuleId::UnknownOption, severity, key, (message, hint)))
}

fn ignored(view: &View<'_>, written: &Written<'_>) -> Finding {
    let (series, key) = (view.series(), written.key);
    let message = format!("Odoo {series} does not read `{key}` from its file");
    let hint = match key {
        "init" => "remove it; `deploy --install` installs modules",
        "update" => "remove it; a deploy upgrades the modules that changed",
        _ => "remove it: it counts on the command line only",
    };
    view.finding(RuleId::IgnoredInFile, Severity::Warning, key, (message, hint))
}

fn kept_options<'a>(view: &'a View<'_>) -> impl Iterator<Item = Finding> + 'a {
    let set = |key: &&String| view.host.options.contains_key(*key);
    view.host.deploy.keep.iter().filter(set).map(|key| Finding {
        rule: RuleId::KeptOptionSet,
        severity: Severity::Warning,
        origin: view.host.options[key].origin.clone(),
        message: format!("`{key}` is kept at the server's own value, so this line has no effect"),
        hint: format!("remove the line, or `{key}` from `keep`"),
    })
}

fn foreign_sections<'a>(view: &'a View<'_>) -> impl Iterator<Item = Finding> + 'a {
    let unread = view.rules().sections == Sections::OptionsOnly;
    let sections = view.host.foreign.iter().filter(move |_| unread);
    sections.map(|(name, settings)| Finding {
        rule: RuleId::SectionNotRead,
        severity: Severity::Warning,
        origin: settings.values().next().map_or_else(
            || Origin::whole_file(&host_file_path(&view.host.name)),
            |setting| setting.origin.clone(),
        ),
        message: format!(
            "Odoo {} reads `[options]` only, and `config.misc` is gone",
            view.series()
        ),
        hint: format!("`[{name}]` is passed on; check that its module reads the file itself"),
    })
}
