//! The host's history: one line for each transaction.

use std::{fs::OpenOptions, io::Write as _};

use super::{
    journal,
    server::{FileError, Server},
};
use crate::{
    layout::Layout,
    plan::{HistoryLine, Outcome, Transaction, TransactionId},
};

/// Returns the word for an outcome.
#[must_use]
pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Deployed => "deployed",
        Outcome::Locked { .. } => "locked",
        Outcome::Refused { .. } => "refused",
        Outcome::Reverted { .. } => "reverted",
        Outcome::Broken { .. } => "broken",
    }
}

/// Describes a transaction that ended.
#[must_use]
pub(super) fn line(
    transaction: &Transaction,
    outcome: &Outcome,
    interruption: Option<u64>,
    recovered: bool,
) -> HistoryLine {
    let message = match outcome {
        Outcome::Deployed | Outcome::Locked { .. } => None,
        Outcome::Refused { failure }
        | Outcome::Reverted { failure, .. }
        | Outcome::Broken { failure, .. } => {
            Some(format!("failed to {}: {}", failure.step, failure.message))
        }
    };
    HistoryLine {
        schema: 1,
        holder: transaction.holder.clone(),
        release: transaction.number.map(|number| number.0),
        previous: transaction.previous.map(|number| number.0),
        summary: transaction.summary.clone(),
        outcome: word(outcome).to_owned(),
        message,
        interruption,
        recovered,
    }
}

/// Reads the lines, oldest first; a damaged one is left out.
///
/// # Errors
/// Fails when the history cannot be read.
pub(super) fn read(server: &Server, layout: &Layout) -> Result<Vec<HistoryLine>, FileError> {
    let text = server.read(&layout.history())?.unwrap_or_default();
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Returns the highest number that a release ever had; 0 before the first.
///
/// # Errors
/// Fails when the history cannot be read.
pub(super) fn highest_release(server: &Server, layout: &Layout) -> Result<u32, FileError> {
    Ok(read(server, layout)?.iter().filter_map(|line| line.release).max().unwrap_or(0))
}

/// Tells whether a transaction of the host was ever begun. Journals are pruned, the
/// history is not.
///
/// # Errors
/// Fails when the history cannot be read.
pub(super) fn knows(
    server: &Server,
    layout: &Layout,
    id: &TransactionId,
) -> Result<bool, FileError> {
    if server.path(&layout.journal().join(id.as_str()).join("journal")).exists() {
        return Ok(true);
    }
    let lines = read(server, layout)?;
    Ok(lines.iter().any(|line| line.holder.transaction == id.as_str()))
}

/// Returns the last lines of the host's history, newest first. A damaged line
/// is passed over.
///
/// # Errors
/// Fails when the history cannot be read.
pub(super) fn newest(
    server: &Server,
    layout: &Layout,
    limit: usize,
) -> Result<Vec<HistoryLine>, FileError> {
    Ok(read(server, layout)?.into_iter().rev().take(limit).collect())
}

/// Adds a line to the host's history, unless that very line is there: the
/// process that wrote it may have died before it could note so.
///
/// # Errors
/// Fails when it could not be written.
pub(super) fn append(
    server: &Server,
    layout: &Layout,
    line: &HistoryLine,
) -> Result<(), FileError> {
    let path = layout.history();
    let present = server.read(&path)?.unwrap_or_default();
    let is_there = |earlier: &str| {
        serde_json::from_str::<HistoryLine>(earlier).is_ok_and(|earlier| {
            earlier.holder.transaction == line.holder.transaction && earlier.outcome == line.outcome
        })
    };
    if present.lines().any(is_there) {
        return Ok(());
    }
    // What a power cut tore must not swallow this line.
    let torn = if present.is_empty() || present.ends_with('\n') { "" } else { "\n" };
    let text = serde_json::to_string(line).expect("a history line is JSON");
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(server.path(&path))
        .and_then(|mut file| {
            file.write_all(format!("{torn}{text}\n").as_bytes())?;
            file.sync_data()
        })
        .map_err(FileError::at("write", &path))?;
    journal::sync_directory(server, &layout.base())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::HostName, plan::Holder};

    fn number(release: u32) -> HistoryLine {
        HistoryLine {
            schema: 1,
            holder: Holder {
                who: "ana".into(),
                from: "laptop".into(),
                url: None,
                message: None,
                transaction: format!("t{release}"),
                since: i64::from(release),
            },
            release: Some(release),
            previous: None,
            summary: crate::plan::Summary::default(),
            outcome: "deployed".into(),
            message: None,
            interruption: None,
            recovered: false,
        }
    }

    #[test]
    fn the_newest_lines_come_first_and_a_damaged_one_does_not_hide_the_others() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        assert_eq!(newest(&server, &layout, 2).unwrap(), []);
        std::fs::create_dir_all(server.path(&layout.base())).unwrap();
        append(&server, &layout, &number(1)).unwrap();
        append(&server, &layout, &number(2)).unwrap();
        let path = server.path(&layout.history());
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"schema\":1,\"hold\xff\n");
        std::fs::write(&path, text).unwrap();
        append(&server, &layout, &number(3)).unwrap();
        let releases = |limit| {
            let lines = newest(&server, &layout, limit).unwrap();
            lines.into_iter().filter_map(|line| line.release).collect::<Vec<_>>()
        };
        assert_eq!(releases(2), [3, 2]);
        assert_eq!(releases(20), [3, 2, 1]);
    }
}
