//! Secrets, and who may reach the database manager.

use super::{Finding, RuleId, Severity, view::View};
use crate::host::Setting;
use crate::secret::{MASK, has_url_password, is_sensitive_key};

pub(super) fn check(view: &View<'_>, findings: &mut Vec<Finding>) {
    findings.extend(secrets_in_clear(view));
    findings.extend(admin_passwd(view));
    findings.extend(list_db(view));
}

/// Values that are no secret although their key sounds like one.
const NO_SECRETS: [&str; 5] = ["", "False", "false", "None", "True"];

fn secrets_in_clear<'a>(view: &'a View<'_>) -> impl Iterator<Item = Finding> + 'a {
    let foreign = view.host.foreign.values().flatten();
    let options = view.written.iter().map(|written| (written.key, written.setting));
    let all = options.chain(foreign.map(|(key, setting)| (key.as_str(), setting)));
    let in_clear = all.filter(|(key, setting)| is_secret(key, setting));
    in_clear.map(|(key, setting)| Finding {
        rule: RuleId::SecretInClear,
        severity: Severity::Warning,
        origin: setting.origin.clone(),
        message: format!("everyone who can read the repository can read `{key} = {MASK}`"),
        hint: format!(
            "write `{key} = ${{{}}}` and set it in the environment, or leave it on the server with \
             `keep = {key}`",
            key.to_uppercase()
        ),
    })
}

fn is_secret(key: &str, setting: &Setting) -> bool {
    let text = setting.value.as_str();
    if text.contains("${") {
        return false;
    }
    if !is_sensitive_key(key) {
        return has_url_password(text);
    }
    let known = match key {
        "admin_passwd" => text.starts_with("$pbkdf2") || text == "admin",
        _ if key.contains("passw") => false,
        // Such as the days that a token is valid.
        _ => text.parse::<f64>().is_ok(),
    };
    !known && !NO_SECRETS.contains(&text)
}

fn admin_passwd(view: &View<'_>) -> Option<Finding> {
    let written = view.get("admin_passwd").is_some();
    let default = view.text("admin_passwd") == Some("admin");
    if !default || (!written && !view.is_on("list_db")) {
        return None;
    }
    let message = "the master password is `admin`: with it anyone can copy or drop a database";
    let hint =
        "write `admin_passwd = ${ADMIN_PASSWD}` (a pbkdf2 hash is best), or `list_db = False`";
    let rule = RuleId::AdminPasswdDefault;
    Some(view.finding(rule, Severity::Error, "admin_passwd", (message, hint)))
}

fn list_db(view: &View<'_>) -> Option<Finding> {
    view.is_on("list_db").then(|| {
        let message = "the database manager and the list of databases are open";
        let finding = (message, "write `list_db = False`");
        view.finding(RuleId::ListDbOpen, Severity::Warning, "list_db", finding)
    })
}
