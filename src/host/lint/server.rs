//! How the server runs: modules, data, log, modes.

use super::{
    Finding, RuleId, Severity,
    view::{View, error_from},
};
use crate::odoo::Series;

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

fn data_dir(view: &View<'_>) -> Option<Finding> {
    view.get("data_dir").is_none().then(|| {
        let default = match view.series() {
            Series::V17 | Series::V18 => "/var/lib/odoo",
            Series::V19 => "/var/lib/Odoo",
        };
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
    if view.series() < Series::V19 || default || modules.contains(&"rpc") {
        return None;
    }
    let message = "Odoo 19.0 serves XML-RPC and JSON-RPC only with the module `rpc`";
    let hint = format!("write `server_wide_modules = {},rpc`", modules.join(","));
    let rule = RuleId::ServerWideModulesWithoutRpc;
    Some(view.finding(rule, Severity::Warning, "server_wide_modules", (message, hint)))
}

fn log(view: &View<'_>) -> Option<Finding> {
    (is_set(view, "logfile") && view.is_on("syslog")).then(|| {
        let message = match view.series() {
            Series::V17 | Series::V18 => "of `logfile` and `syslog` only one is written to",
            Series::V19 => "Odoo 19.0 does not start with both `logfile` and `syslog`",
        };
        let severity = error_from(Series::V19, view.series());
        view.finding(
            RuleId::LogfileAndSyslog,
            severity,
            "syslog",
            (message, "remove one of the two"),
        )
    })
}

fn dev_mode(view: &View<'_>) -> Option<Finding> {
    if view.series() < Series::V19 || !is_set(view, "dev_mode") {
        return None;
    }
    let production = view.host.environment.as_str() == "production";
    let severity = if production { Severity::Error } else { Severity::Warning };
    let message = "developer mode shows tracebacks, reloads on change and skips caches";
    Some(view.finding(RuleId::DevMode, severity, "dev_mode", (message, "remove the line")))
}

fn test_mode(view: &View<'_>) -> Option<Finding> {
    if view.series() >= Series::V19 {
        return None;
    }
    let key = ["test_tags", "test_file"].into_iter().find(|key| is_set(view, key));
    let stops = view.get("stop_after_init").is_some() && view.is_on("stop_after_init");
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
    let (key, hint) = match view.series() {
        Series::V17 | Series::V18 if !is_set(view, "without_demo") => {
            ("without_demo", "write `without_demo = all`")
        }
        Series::V19 if view.is_on("with_demo") => ("with_demo", "remove the line"),
        _ => return None,
    };
    let message = "the database that the first deploy creates gets demo data";
    Some(view.finding(RuleId::DemoData, Severity::Warning, key, (message, hint)))
}

fn overwrite_translations(view: &View<'_>) -> Option<Finding> {
    let key = "overwrite_existing_translations";
    if view.series() < Series::V19 || !view.is_on(key) {
        return None;
    }
    let message = "Odoo 19.0 does not start with it, unless it upgrades modules as well";
    let finding = (message, "remove the line");
    Some(view.finding(RuleId::OverwriteTranslations, Severity::Error, key, finding))
}

fn user(view: &View<'_>) -> Option<Finding> {
    (view.host.deploy.user.as_str() == "root").then(|| {
        let message = "Odoo would run as root";
        let hint = "write `user = odoo` in `[deploy]`, or another system user";
        view.finding(RuleId::UserRoot, Severity::Error, "user", (message, hint))
    })
}
