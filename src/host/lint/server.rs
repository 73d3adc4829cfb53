//! How the server runs: modules, data, log, modes.

use super::{Finding, RuleId, Severity, view::View};
use crate::odoo::{
    options::option,
    rules::{DemoData, RemoteCalls, TranslationsInFile, TwoLogs},
};

pub(super) fn check(view: &View<'_>, findings: &mut Vec<Finding>) {
    findings.extend(data_dir(view));
    findings.extend(server_wide_modules(view));
    findings.extend(log(view));
    findings.extend(dev_mode(view));
    findings.extend(test_mode(view));
    findings.extend(demo_data(view));
    findings.extend(overwrite_translations(view));
    findings.extend(user(view));
}

/// Tells whether an option that is no boolean has a value.
fn is_set(view: &View<'_>, key: &str) -> bool {
    view.get(key).is_some_and(|written| {
        !["", "False", "false", "None"].contains(&written.setting.value.as_str())
    })
}

/// Tells whether the series reads an option from its file.
fn is_read(view: &View<'_>, key: &str) -> bool {
    option(key).is_some_and(|spec| spec.read_from_file(view.series()))
}

fn data_dir(view: &View<'_>) -> Option<Finding> {
    view.get("data_dir").is_none().then(|| {
        let default = option("data_dir").map_or("", |spec| spec.default_in(view.series()));
        let message = format!(
            "attachments go to ~/.local/share/Odoo of the user, or to {default} where it has no home"
        );
        let hint = format!(
            "write `data_dir = /var/lib/odoo/{}`, or the directory that a running instance uses",
            view.host.name
        );
        view.finding(RuleId::DataDirUnset, Severity::Error, "data_dir", (message, hint))
    })
}

fn server_wide_modules(view: &View<'_>) -> Option<Finding> {
    let text = view.get("server_wide_modules")?.text.as_deref()?;
    let modules = text.split(',').map(str::trim).filter(|module| !module.is_empty());
    let modules = modules.collect::<Vec<_>>();
    let default = modules.is_empty() || ["None", "False", "false"].contains(&text);
    let built_in = view.rules().remote_calls == RemoteCalls::BuiltIn;
    if built_in || default || modules.contains(&"rpc") {
        return None;
    }
    let message =
        format!("Odoo {} serves XML-RPC and JSON-RPC only with the module `rpc`", view.series());
    let hint = format!("write `server_wide_modules = {},rpc`", modules.join(","));
    let rule = RuleId::ServerWideModulesWithoutRpc;
    Some(view.finding(rule, Severity::Warning, "server_wide_modules", (message, hint)))
}

fn log(view: &View<'_>) -> Option<Finding> {
    (is_set(view, "logfile") && view.is_on("syslog")).then(|| {
        let (severity, message) = match view.rules().two_logs {
            TwoLogs::OneIsUsed => {
                (Severity::Warning, "of `logfile` and `syslog` only one is written to".to_owned())
            }
            TwoLogs::Refused => {
                let series = view.series();
                let message =
                    format!("Odoo {series} does not start with both `logfile` and `syslog`");
                (Severity::Error, message)
            }
        };
        let finding = (message, "remove one of the two");
        view.finding(RuleId::LogfileAndSyslog, severity, "syslog", finding)
    })
}

fn dev_mode(view: &View<'_>) -> Option<Finding> {
    if !is_read(view, "dev_mode") || !is_set(view, "dev_mode") {
        return None;
    }
    let production = view.host.environment.as_str() == "production";
    let severity = if production { Severity::Error } else { Severity::Warning };
    let message = "developer mode shows tracebacks, reloads on change and skips caches";
    Some(view.finding(RuleId::DevMode, severity, "dev_mode", (message, "remove the line")))
}

fn test_mode(view: &View<'_>) -> Option<Finding> {
    let counts = |key: &&str| is_read(view, key) && is_set(view, key);
    let key = ["test_tags", "test_file"].into_iter().find(counts);
    let stops = is_read(view, "stop_after_init")
        && view.get("stop_after_init").is_some()
        && view.is_on("stop_after_init");
    let (key, message) = match key {
        Some(key) => (key, format!("`{key}` makes the server run tests on its database")),
        None if stops => ("stop_after_init", "the server stops as soon as it has started".into()),
        None => return None,
    };
    Some(view.finding(RuleId::TestMode, Severity::Error, key, (message, "remove the line")))
}

fn demo_data(view: &View<'_>) -> Option<Finding> {
    if view.host.environment.as_str() == "demo" || view.host.deploy.install.is_empty() {
        return None;
    }
    let (key, hint) = match view.rules().demo_data {
        DemoData::UnlessRefused if !is_set(view, "without_demo") => {
            ("without_demo", "write `without_demo = all`")
        }
        DemoData::OnlyIfWanted if view.is_on("with_demo") => ("with_demo", "remove the line"),
        _ => return None,
    };
    let message = "the database that the first deploy creates gets demo data";
    Some(view.finding(RuleId::DemoData, Severity::Warning, key, (message, hint)))
}

fn overwrite_translations(view: &View<'_>) -> Option<Finding> {
    let key = "overwrite_existing_translations";
    if !view.is_on(key) {
        return None;
    }
    let series = view.series();
    let (severity, message) = match view.rules().translations_in_file {
        TranslationsInFile::OverwriteAlways => (
            Severity::Warning,
            format!("with it, every upgrade of Odoo {series} overwrites what users translated"),
        ),
        TranslationsInFile::Refused => (
            Severity::Error,
            format!("Odoo {series} does not start with it, unless it upgrades modules as well"),
        ),
    };
    let finding = (message, "remove the line");
    Some(view.finding(RuleId::OverwriteTranslations, severity, key, finding))
}

fn user(view: &View<'_>) -> Option<Finding> {
    (view.host.deploy.user.as_str() == "root").then(|| {
        let message = "Odoo would run as root";
        let hint = "write `user = odoo` in `[deploy]`, or another system user";
        view.finding(RuleId::UserRoot, Severity::Error, "user", (message, hint))
    })
}
