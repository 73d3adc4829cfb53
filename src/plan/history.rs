//! What is kept of a transaction.

use serde::{Deserialize, Serialize};

use super::{observed::Holder, transaction::Summary};

/// One line of `history.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// The version of this format.
    pub schema: u32,
    /// Who did it, from where and since when.
    pub holder: Holder,
    /// The release; none where only the vhost changed.
    pub release: Option<u32>,
    /// The release before.
    pub previous: Option<u32>,
    /// What was deployed.
    pub summary: Summary,
    /// How it ended.
    pub outcome: String,
    /// Why it failed, where it did.
    pub message: Option<String>,
    /// How long users could not be served, in milliseconds.
    pub interruption: Option<u64>,
    /// Whether the process that began it died, and another one ended it.
    #[serde(default)]
    pub recovered: bool,
}
