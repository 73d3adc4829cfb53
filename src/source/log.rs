//! What lies between two commits.

use git2::{Commit, Oid, Sort};
use serde::{Deserialize, Serialize};

use super::{
    Cache, CommitId, CommitSummary, SourceError, text,
    trees::{bytes, objects_error, oid},
};

/// The commits between what runs and what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitLog {
    /// The newest of them, newest first: those that are added, or where the move is
    /// [`Backward`](Relation::Backward) those that are taken back.
    pub commits: Vec<CommitSummary>,
    /// How many there are besides.
    pub more: usize,
    /// How the two commits stand to each other.
    pub relation: Relation,
}

/// How the wanted commit stands to the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// It is the same or contains the old one.
    Forward,
    /// It is contained in the old one.
    Backward,
    /// Each has commits that the other lacks.
    Diverged,
    /// There is no old one, or the remote does not have it.
    Unknown,
}

impl Cache {
    /// Lists at most `limit` commits between two.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn log(
        &self,
        old: Option<CommitId>,
        new: CommitId,
        limit: usize,
    ) -> Result<CommitLog, SourceError> {
        let failed = || objects_error(|| format!("read the history of commit {}", new.short()));
        let old = old.filter(|old| self.contains(*old)).map(|old| oid(old.as_bytes()));
        let new = oid(new.as_bytes());
        let (relation, from, without) = match old {
            None => (Relation::Unknown, new, None),
            Some(old) => {
                let (added, taken) =
                    self.repository.graph_ahead_behind(new, old).map_err(failed())?;
                match (added, taken) {
                    (_, 0) => (Relation::Forward, new, Some(old)),
                    (0, _) => (Relation::Backward, old, Some(new)),
                    _ => (Relation::Diverged, new, Some(old)),
                }
            }
        };
        let (commits, more) = self.walk(from, without, limit).map_err(failed())?;
        Ok(CommitLog { commits, more, relation })
    }

    fn walk(
        &self,
        from: Oid,
        without: Option<Oid>,
        limit: usize,
    ) -> Result<(Vec<CommitSummary>, usize), git2::Error> {
        let mut walk = self.repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
        walk.push(from)?;
        if let Some(without) = without {
            walk.hide(without)?;
        }
        let (mut commits, mut more) = (Vec::new(), 0);
        for id in walk {
            let id = id?;
            if commits.len() < limit {
                commits.push(summary(&self.repository.find_commit(id)?));
            } else {
                more += 1;
            }
        }
        Ok((commits, more))
    }
}

fn summary(commit: &Commit<'_>) -> CommitSummary {
    let shown = |bytes: &[u8]| text::cleaned(&String::from_utf8_lossy(bytes));
    CommitSummary {
        id: CommitId::from_bytes(bytes(commit.id())),
        author: shown(commit.author().name_bytes()),
        subject: shown(commit.summary_bytes().unwrap_or_default()),
        time: commit.time().seconds(),
    }
}
