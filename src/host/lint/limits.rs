//! Limits of memory and time.

use super::{Finding, RuleId, Severity, view::View};

/// Less than this, Odoo cannot even load its modules.
const SMALLEST_MEMORY: i64 = 128 * 1024 * 1024;

pub(super) fn check(view: &View<'_>, findings: &mut Vec<Finding>) {
    for suffix in ["", "_gevent"] {
        let [soft, hard] = ["soft", "hard"].map(|kind| format!("limit_memory_{kind}{suffix}"));
        findings.extend([&soft, &hard].into_iter().filter_map(|key| memory_units(view, key)));
        findings.extend(memory_order(view, &soft, &hard));
    }
    findings.extend(time_order(view));
}

fn memory_units(view: &View<'_>, key: &str) -> Option<Finding> {
    let limit = view.int(key).filter(|limit| (1..SMALLEST_MEMORY).contains(limit))?;
    let message = format!("`{key} = {limit}` is in bytes, and Odoo needs more to start");
    let hint = match limit.checked_mul(1024 * 1024) {
        Some(bytes) if limit < 65536 => format!("for {limit} megabytes write `{key} = {bytes}`"),
        _ => format!("write at least `{key} = 629145600` (600 megabytes), or 0 for no limit"),
    };
    Some(view.finding(RuleId::LimitMemoryUnits, Severity::Error, key, (message, hint)))
}

fn memory_order(view: &View<'_>, soft: &str, hard: &str) -> Option<Finding> {
    let (soft_limit, hard_limit) = (view.int(soft)?, view.int(hard)?);
    let written = view.get(soft).or(view.get(hard))?;
    if hard_limit <= 0 || soft_limit <= hard_limit {
        return None;
    }
    let message = format!("`{soft}` is above `{hard}`, so a worker fails before it is replaced");
    let hint = format!("write a `{soft}` below {hard_limit}");
    let key = written.key;
    Some(view.finding(RuleId::LimitMemoryOrder, Severity::Warning, key, (message, hint)))
}

fn time_order(view: &View<'_>) -> Option<Finding> {
    let (cpu, real) = (view.int("limit_time_cpu")?, view.int("limit_time_real")?);
    if real <= 0 || cpu <= real {
        return None;
    }
    let message =
        format!("`limit_time_real` ({real} s) ends a request before `limit_time_cpu` ({cpu} s)");
    let hint = format!("write `limit_time_real = {}` or more", cpu.saturating_mul(2));
    let key = view.get("limit_time_real").or(view.get("limit_time_cpu"))?.key;
    Some(view.finding(RuleId::LimitTimeOrder, Severity::Warning, key, (message, hint)))
}
