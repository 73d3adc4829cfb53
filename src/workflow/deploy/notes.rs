//! What should be said before anything is done. Pure.

use super::Target;
use crate::plan::{Observed, Recovered};

/// Says what became of a deploy that died half way.
fn recovered(recovered: &Recovered) -> String {
    let Recovered { holder, outcome, message } = recovered;
    let why = message.as_ref().map(|message| format!(" ({message})")).unwrap_or_default();
    format!(
        "the last deploy, by {} on {}, was cut off{why}; the server ended it: {outcome}",
        holder.who, holder.from
    )
}

/// Says what of the operator's own tree is not deployed, and what the linter
/// would have otherwise.
pub(super) fn notes(target: &Target, observed: &Observed) -> Vec<String> {
    let mut notes: Vec<_> = observed.host.recovered.iter().map(recovered).collect();
    let state = &target.working_state;
    if let Some(branch) = target.branch.as_ref().filter(|_| !state.unpushed.is_empty()) {
        let count = state.unpushed.len();
        let commits = if count == 1 { "commit" } else { "commits" };
        notes.push(format!(
            "{count} local {commits} of `{branch}` not pushed, so not deployed: {}",
            state.unpushed[0].subject
        ));
    }
    if !state.dirty.is_empty() {
        let shown: Vec<_> =
            state.dirty.iter().take(3).map(|path| path.display().to_string()).collect();
        let more = match state.dirty.len().saturating_sub(3) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        notes.push(format!("not committed, so not deployed: {}{more}", shown.join(", ")));
    }
    for finding in &target.warnings {
        notes.push(format!("{}: {} [{}]", finding.origin, finding.message, finding.rule));
    }
    notes
}
