//! Databases and connections.

use super::{Finding, RuleId, Severity, view::View};
use crate::odoo::rules::Spaces;

/// PostgreSQL's own `max_connections` where nobody changed it.
const MAX_CONNECTIONS: i64 = 100;

pub(super) fn check(view: &View<'_>, findings: &mut Vec<Finding>) {
    findings.extend(db_name(view));
    findings.extend(db_user(view));
    findings.extend(dbfilter(view));
    findings.extend(db_maxconn(view));
}

fn db_name(view: &View<'_>) -> Option<Finding> {
    let text = view.text("db_name")?;
    let clean = |name: &str| !name.is_empty() && name.trim() == name;
    if view.rules().database_spaces == Spaces::Ignored || text.split(',').all(clean) {
        return None;
    }
    let message = format!(
        "Odoo {} takes the spaces of `{text}` for part of a name, and creates it",
        view.series()
    );
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let hint = format!("write `db_name = {}`", names.collect::<Vec<_>>().join(","));
    Some(view.finding(RuleId::DbNameSpaces, Severity::Error, "db_name", (message, hint)))
}

fn db_user(view: &View<'_>) -> Option<Finding> {
    (view.text("db_user") == Some("postgres")).then(|| {
        let message = "Odoo refuses to connect as `postgres`";
        let hint = "create a role that may create databases: `createuser -d odoo`";
        view.finding(RuleId::DbUserPostgres, Severity::Error, "db_user", (message, hint))
    })
}

fn dbfilter(view: &View<'_>) -> Option<Finding> {
    let text = view.text("dbfilter")?;
    if ["", "False", "false", "None"].contains(&text) || text.contains('$') || text.contains("\\Z")
    {
        return None;
    }
    let message = format!("`dbfilter = {text}` also matches every longer name");
    let hint = format!("write `dbfilter = ^{}$`", text.trim_start_matches('^'));
    Some(view.finding(RuleId::DbfilterUnanchored, Severity::Warning, "dbfilter", (message, hint)))
}

fn db_maxconn(view: &View<'_>) -> Option<Finding> {
    let workers = i64::from(view.host.workers);
    let (maxconn, crons) = (view.int("db_maxconn")?, view.int("max_cron_threads")?);
    // One more process carries the websockets.
    let processes = workers + crons + 1;
    let connections = processes.saturating_mul(maxconn);
    if workers <= 0 || connections <= MAX_CONNECTIONS {
        return None;
    }
    let message = format!(
        "{processes} processes of up to {maxconn} connections are {connections}; PostgreSQL allows \
         {MAX_CONNECTIONS} where its `max_connections` was not raised"
    );
    let hint = format!("write `db_maxconn = {}` or less", (MAX_CONNECTIONS / processes).max(2));
    let rule = RuleId::DbMaxconnTimesWorkers;
    Some(view.finding(rule, Severity::Warning, "db_maxconn", (message, hint)))
}
