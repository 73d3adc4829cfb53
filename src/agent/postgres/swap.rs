//! The way back to a snapshot: two renames in one transaction.

use serde::{Deserialize, Serialize};

use crate::host::DatabaseName;
use crate::plan::CopyName;

use super::{
    Call, DatabaseEntry, Postgres, PostgresError,
    quote::quote_identifier,
    snapshot::{IN_USE, allow_connections_sql, transaction},
};

/// Which database takes whose place, by name and object id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// The name that Odoo uses.
    pub original: DatabaseName,
    /// The database that had it when the snapshot was taken.
    pub original_oid: u32,
    /// The snapshot's name.
    pub snapshot: CopyName,
    /// The snapshot.
    pub snapshot_oid: u32,
    /// The name under which the failed database is kept.
    pub failed: CopyName,
}

/// What a swap came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swapped {
    /// The databases changed places.
    Now,
    /// They had done so before.
    Already,
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Both,
    SnapshotOnly,
    Nothing,
}

/// How often the renames are tried while somebody gets in between.
const ATTEMPTS: usize = 5;

impl Postgres {
    /// Puts the snapshot back under the original's name and keeps the failed
    /// database aside, closed. Either both happen or neither; done again, it
    /// does nothing. Whoever is connected loses the session.
    ///
    /// # Errors
    /// Refuses where a name leads to another database than was journaled.
    pub fn swap_back(&self, swap: &Swap) -> Result<Swapped, PostgresError> {
        for attempt in 1.. {
            let rest = swap.rest(&self.databases()?)?;
            if rest == Rest::Nothing {
                self.open(&swap.original)?;
                return Ok(Swapped::Already);
            }
            if rest == Rest::Both {
                self.close(&swap.original)?;
            }
            self.end_sessions(swap.snapshot.as_str())?;
            let call = Call::cluster("put the snapshot back as database", swap.original.as_str());
            match self.execute(&call, &swap.sql(rest)) {
                Ok(_) => break,
                Err(error) if attempt < ATTEMPTS && error.state() == Some(IN_USE) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Swapped::Now)
    }
}

impl Swap {
    /// Returns the swap that takes this one back, and does nothing where it never took place.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            original: self.original.clone(),
            original_oid: self.snapshot_oid,
            snapshot: self.failed.clone(),
            snapshot_oid: self.original_oid,
            failed: self.snapshot.clone(),
        }
    }

    fn rest(&self, entries: &[DatabaseEntry]) -> Result<Rest, PostgresError> {
        let oid = |name: &str| entries.iter().find(|entry| entry.name == name).map(|e| e.oid);
        let original = oid(self.original.as_str());
        if original == Some(self.snapshot_oid) {
            return Ok(Rest::Nothing);
        }
        let snapshot = oid(self.snapshot.as_str())
            .ok_or_else(|| PostgresError::Missing(self.snapshot.to_string()))?;
        expect_oid(self.snapshot.as_str(), self.snapshot_oid, snapshot)?;
        let Some(original) = original else { return Ok(Rest::SnapshotOnly) };
        expect_oid(self.original.as_str(), self.original_oid, original)?;
        if oid(self.failed.as_str()).is_some() {
            return Err(PostgresError::Occupied(self.failed.to_string()));
        }
        Ok(Rest::Both)
    }

    fn sql(&self, rest: Rest) -> String {
        let rename = |from: &str, to: &str| {
            format!("ALTER DATABASE {} RENAME TO {};", quote_identifier(from), quote_identifier(to))
        };
        let original = self.original.as_str();
        let mut statements = Vec::new();
        if rest == Rest::Both {
            statements.push(rename(original, self.failed.as_str()));
        }
        statements.push(rename(self.snapshot.as_str(), original));
        statements.push(allow_connections_sql(original, true));
        transaction(&statements)
    }
}

pub(super) fn expect_oid(name: &str, expected: u32, found: u32) -> Result<(), PostgresError> {
    if expected == found {
        return Ok(());
    }
    Err(PostgresError::Exchanged { database: name.to_owned(), expected, found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::ReleaseNumber;

    fn swap() -> Swap {
        let original = DatabaseName::parse("acme").unwrap();
        Swap {
            original_oid: 10,
            snapshot: CopyName::snapshot(&original, ReleaseNumber(2)),
            snapshot_oid: 20,
            failed: CopyName::failed(&original, ReleaseNumber(2)),
            original,
        }
    }

    fn entries(names: &[(&str, u32)]) -> Vec<DatabaseEntry> {
        let entry = |&(name, oid): &(&str, u32)| DatabaseEntry {
            oid,
            name: name.to_owned(),
            owner: "odoo".to_owned(),
            open: true,
        };
        names.iter().map(entry).collect()
    }

    #[test]
    fn a_swap_goes_on_from_wherever_it_was() {
        let rest = |names: &[(&str, u32)]| swap().rest(&entries(names)).unwrap();
        assert_eq!(rest(&[("acme", 10), ("acme~snap-2", 20)]), Rest::Both);
        assert_eq!(rest(&[("acme~failed-2", 10), ("acme~snap-2", 20)]), Rest::SnapshotOnly);
        assert_eq!(rest(&[("acme", 20), ("acme~failed-2", 10)]), Rest::Nothing);
        assert_eq!(rest(&[("acme", 20)]), Rest::Nothing);
    }

    /// Where a database goes back to a snapshot's copy, before and after it did.
    const BEFORE: [(&str, u32); 2] = [("acme", 10), ("acme~failed-3", 20)];
    const AFTER: [(&str, u32); 2] = [("acme", 20), ("acme~snap-3", 10)];

    /// Puts the copy of a snapshot in the place of its database, as a rollback does.
    fn forward() -> Swap {
        let original = DatabaseName::parse("acme").unwrap();
        Swap {
            original_oid: 10,
            snapshot: CopyName::failed(&original, ReleaseNumber(3)),
            snapshot_oid: 20,
            failed: CopyName::snapshot(&original, ReleaseNumber(3)),
            original,
        }
    }

    #[test]
    fn a_reversed_swap_is_right_before_and_after_the_swap() {
        let (there, back) = (forward(), forward().reversed());
        assert_eq!(there.rest(&entries(&BEFORE)).unwrap(), Rest::Both);
        assert_eq!(there.rest(&entries(&AFTER)).unwrap(), Rest::Nothing);
        assert_eq!(back.rest(&entries(&BEFORE)).unwrap(), Rest::Nothing);
        assert_eq!(back.rest(&entries(&AFTER)).unwrap(), Rest::Both);
        assert_eq!(back.reversed(), there);
        // The copy is given up after the way back, which may be gone once more.
        assert_eq!(back.rest(&entries(&BEFORE[..1])).unwrap(), Rest::Nothing);
        assert!(back.sql(Rest::Both).contains(
            "ALTER DATABASE \"acme\" RENAME TO \"acme~failed-3\";\n\
             ALTER DATABASE \"acme~snap-3\" RENAME TO \"acme\";"
        ));
    }

    #[test]
    fn another_database_under_the_name_is_left_alone() {
        let error = |names: &[(&str, u32)]| swap().rest(&entries(names)).unwrap_err().to_string();
        assert!(error(&[("acme", 11), ("acme~snap-2", 20)]).contains("object id 11"));
        assert!(error(&[("acme", 10), ("acme~snap-2", 21)]).contains("object id 21"));
        assert!(error(&[("acme", 10)]).contains("no database `acme~snap-2`"));
        let taken = [("acme", 10), ("acme~snap-2", 20), ("acme~failed-2", 30)];
        assert!(error(&taken).contains("`acme~failed-2` exists already"));
    }
}
