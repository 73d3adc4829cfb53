//! A plan as people read it.

use super::terminal::{Style, Terminal};
use crate::{
    dns::Change,
    plan::{
        ADOPTED, DatabaseUpgrade, Drift, FileDiff, Restore, RollbackPlan, Switch, adopted_live,
        live_record,
    },
    source::Relation,
    workflow::deploy::Prepared,
};

/// How many reasons of a module are shown.
const SHOWN_REASONS: usize = 4;

/// Prints the plan.
pub(super) fn show(prepared: &Prepared, terminal: &Terminal) {
    headline(prepared, terminal);
    commits(prepared, terminal);
    if let Some(plan) = &prepared.plan.rollback {
        rollback(plan, terminal);
    }
    for upgrade in &prepared.plan.upgrades {
        modules(upgrade, terminal);
    }
    for drift in &prepared.plan.drift {
        drifted(drift, terminal);
    }
    for diff in &prepared.plan.diffs {
        file(diff, terminal);
    }
    records(prepared.records.changes(), terminal);
    closing(prepared, terminal);
}

/// What changes in the DNS.
pub(super) fn records(changes: &[Change], terminal: &Terminal) {
    for change in changes {
        let zone = terminal.paint(Style::Cyan, &format!("dns zone {}", change.zone));
        terminal.result(&zone);
        for line in change.lines() {
            let style = if line.starts_with('+') { Style::Green } else { Style::Red };
            terminal.result(&format!("  {}", terminal.paint(style, &line)));
        }
    }
}

fn headline(prepared: &Prepared, terminal: &Terminal) {
    let desired = &prepared.desired;
    let host = terminal.paint(Style::Bold, desired.host.as_str());
    terminal.result(&format!("{host}  {} on Odoo {}", desired.environment, desired.service.series));
    let from = match &desired.branch {
        Some(branch) => format!("{branch} @ {}", desired.commit.id.short()),
        None => desired.commit.id.short(),
    };
    if desired.rollback.as_ref().is_some_and(|wish| wish.to == ADOPTED) {
        terminal.result("  wanted   release 0, as it was adopted");
    } else {
        let to = terminal.paint(Style::Bold, &from);
        terminal.result(&format!("  wanted   {to}  {}", desired.commit.subject));
    }
    match live_record(&prepared.observed) {
        Some(live) => {
            terminal.result(&format!(
                "  live     release {} @ {}",
                live.number,
                live.commit.short()
            ));
        }
        None => terminal.result(&match adopted_live(&prepared.observed) {
            Some(facts) => {
                let commit = facts.record.commit.map(|commit| format!(" @ {}", commit.short()));
                let commit = commit.unwrap_or_default();
                format!("  live     release 0{commit} (adopted: {})", facts.record.service.unit)
            }
            None => "  live     nothing yet".to_owned(),
        }),
    }
}

fn commits(prepared: &Prepared, terminal: &Terminal) {
    let log = &prepared.log;
    if log.commits.is_empty() || prepared.desired.live.is_none() {
        return;
    }
    let title = match log.relation {
        Relation::Forward => "commits that go live",
        Relation::Backward => "commits that are taken back",
        Relation::Diverged => "commits that go live (the live ones are on another line)",
        Relation::Unknown => "last commits (the live one is not in the repository)",
    };
    terminal.result(&terminal.paint(Style::Cyan, title));
    for commit in &log.commits {
        terminal.result(&format!("  {}  {}  {}", commit.id.short(), commit.author, commit.subject));
    }
    if log.more > 0 {
        terminal.result(&format!("  and {} more", log.more));
    }
}

fn rollback(plan: &RollbackPlan, terminal: &Terminal) {
    let title = format!("rollback to release {}", plan.to);
    terminal.result(&terminal.paint(Style::Cyan, &title));
    if plan.databases.is_empty() {
        terminal.result("  code only: what the databases hold fits the release as it is");
        return;
    }
    for one in &plan.databases {
        let Restore { database, snapshot, kept, .. } = &one.restore;
        terminal.result(&format!("  database {database} goes back to {snapshot}"));
        terminal.result(&format!("    as it was     {}", one.state()));
        terminal.result(&format!("    because       {}", one.why()));
        terminal.result(&format!("    missing then  {}", one.missing()));
        terminal.result(&format!("    the present   is kept as {kept}"));
    }
}

fn modules(upgrade: &DatabaseUpgrade, terminal: &Terminal) {
    let list = |names: &mut dyn Iterator<Item = &crate::host::ModuleName>| {
        names.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let mut lines = Vec::new();
    if upgrade.create {
        lines.push("create the database".to_owned());
    }
    if !upgrade.install.is_empty() {
        lines.push(format!("install  {}", list(&mut upgrade.install.iter())));
    }
    for (module, reasons) in &upgrade.update {
        let more = reasons.len().saturating_sub(SHOWN_REASONS);
        let mut text = reasons[..reasons.len().min(SHOWN_REASONS)].join("; ");
        if more > 0 {
            text.push_str(&format!("; and {more} more"));
        }
        lines.push(format!("upgrade  {module}: {text}"));
    }
    if !upgrade.reached.is_empty() {
        lines.push(format!("reaches  {}", list(&mut upgrade.reached.iter())));
    }
    if !upgrade.process.is_empty() {
        let names = list(&mut upgrade.process.iter());
        lines.push(format!("no upgrade needed  {names}: a new process is enough"));
    }
    if lines.is_empty() {
        return;
    }
    terminal.result(&terminal.paint(Style::Cyan, &format!("database {}", upgrade.database)));
    for line in lines {
        terminal.result(&format!("  {line}"));
    }
}

/// A file that is new is named only, but for odoo.conf: `deploy render` shows it.
pub(super) fn file(diff: &FileDiff, terminal: &Terminal) {
    if diff.is_new && diff.name != "odoo.conf" {
        let title =
            terminal.paint(Style::Cyan, &format!("{} (new, {} lines)", diff.name, diff.added));
        terminal.result(&title);
        return;
    }
    let title = format!("{} (+{} −{})", diff.name, diff.added, diff.removed);
    terminal.result(&terminal.paint(Style::Cyan, &title));
    hunks(diff, terminal);
}

/// What is not as it was last deployed; the diff leads from there to what is there now.
fn drifted(drift: &Drift, terminal: &Terminal) {
    terminal.result(&terminal.paint(Style::Yellow, &format!("drift: {}", drift.text)));
    if let Some(diff) = &drift.diff {
        hunks(diff, terminal);
    }
}

fn hunks(diff: &FileDiff, terminal: &Terminal) {
    for line in diff.hunks.lines() {
        let line = match line.as_bytes().first() {
            Some(b'+') => terminal.paint(Style::Green, line),
            Some(b'-') => terminal.paint(Style::Red, line),
            Some(b'@') => terminal.paint(Style::Dim, line),
            _ => line.to_owned(),
        };
        terminal.result(&format!("  {line}"));
    }
}

fn closing(prepared: &Prepared, terminal: &Terminal) {
    let plan = &prepared.plan;
    if plan.is_empty() && !prepared.records.is_empty() {
        terminal.result(&terminal.paint(Style::Green, "nothing to do on the server"));
        return;
    }
    if plan.is_empty() {
        let text = if prepared.log.commits.is_empty() {
            "nothing to do".to_owned()
        } else {
            "nothing to do: what changed concerns nothing that runs".to_owned()
        };
        terminal.result(&terminal.paint(Style::Green, &text));
        return;
    }
    let writes_release = plan.transaction.number.is_some();
    let goes_back = plan.transaction.number == Some(ADOPTED);
    let way = match plan.switch {
        Switch::Stop if goes_back => "stop Odoo, start the service that was adopted",
        Switch::Stop if plan.transaction.adopted.is_some() => {
            "take over: stop the service that was adopted, start the host's own"
        }
        Switch::Nothing => "nothing",
        Switch::Vhost => "replace the vhost and reload nginx",
        Switch::Reload if !writes_release => "reload Odoo, which stays on its release",
        Switch::Restart if !writes_release => "start Odoo anew, which stays on its release",
        Switch::Reload => "move to the new release and reload Odoo",
        Switch::Restart => "move to the new release and restart Odoo",
        Switch::Stop => "stop Odoo, move to the new release, start it",
    };
    terminal.result(&terminal.paint(Style::Cyan, "plan"));
    terminal.result(&format!("  way           {way}"));
    terminal.result(&format!("  because       {}", plan.reasons.join("; ")));
    if let Some(certificate) = &plan.certificate {
        let names: Vec<_> = certificate.names.iter().map(ToString::to_string).collect();
        let (names, from) = (names.join(", "), &certificate.from);
        terminal.result(&format!("  certificate   obtain one for {names} from {from}"));
    }
    terminal.result(&format!("  interruption  {}", plan.interruption));
}
