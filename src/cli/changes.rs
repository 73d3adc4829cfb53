//! `deploy changes`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{ExitCode, surroundings::surroundings, terminal::Terminal};
use crate::workflow::{
    Project, WorkflowError,
    changes::{Fate, HostChanges, changes},
};

#[derive(Debug, Clone, Args)]
pub(super) struct ChangesArguments {
    /// A check-out of what it is compared with, as `git worktree add` makes it.
    #[arg(long, value_name = "DIR")]
    pub(super) since: PathBuf,
}

pub(super) fn run(
    directory: &Path,
    arguments: &ChangesArguments,
    terminal: &mut Terminal,
) -> Result<ExitCode, WorkflowError> {
    let base = Project::open(&arguments.since, surroundings())?;
    let head = Project::open(directory, surroundings())?;
    let hosts = changes(&base, &head)?;
    terminal.result(&match hosts.len() {
        0 => "no host changes".to_owned(),
        1 => "1 host changes:".to_owned(),
        number => format!("{number} hosts change:"),
    });
    for host in &hosts {
        terminal.result(&headline(host));
    }
    for host in &hosts {
        for file in &host.files {
            if host.fate == Fate::Stays {
                terminal.result(&format!("\n{} {}\n{}", host.host, file.name, file.hunks));
            }
        }
    }
    Ok(ExitCode::Success)
}

/// Says in one line what becomes of a host.
fn headline(changes: &HostChanges) -> String {
    let HostChanges { host, place, fate, files, modules } = changes;
    let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
    let list = |what: &str, names: Vec<&str>| {
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    let said = match fate {
        Fate::Comes => vec!["new".to_owned()],
        Fate::Goes => vec!["its file is gone; it stays on its server".to_owned()],
        Fate::Unreadable { why } => vec![why.clone()],
        Fate::Stays => {
            let files = list("changes", files.iter().map(|file| file.name.as_str()).collect());
            let modules = list("modules", modules.iter().map(String::as_str).collect());
            files.into_iter().chain(modules).collect()
        }
    };
    format!("  {host}{place}: {}", said.join("; "))
}
