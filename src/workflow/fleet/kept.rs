//! The plans of the hosts that begin at once, which are carried out as they were made. Those
//! of all others are made anew when their turn comes, so that memory does not follow their
//! diffs.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::LOOKS_PER_SERVER;
use crate::{fleet::Rules, host::ServerName, workflow::deploy::Prepared};

/// How old a plan may get: an operator may think about it for long, and what was seen of the
/// server is no longer what is there.
const FRESH: Duration = Duration::from_secs(30);

/// Plans by their hosts' places, each with its conversation.
pub struct Kept(RefCell<Shelf<(Instant, Prepared)>>);

impl Kept {
    /// Keeps none.
    #[must_use]
    pub fn none() -> Self {
        Self(RefCell::new(Shelf::new(0, 0, 0)))
    }

    /// Keeps those of the hosts that begin at once, out of so many.
    #[must_use]
    pub fn of(rules: &Rules, hosts: usize) -> Self {
        let first_part = rules.parts(hosts).first().copied().unwrap_or(0);
        // Beside them, others of the same server are looked at.
        let per_server = rules.per_server.get().min(LOOKS_PER_SERVER);
        Self(RefCell::new(Shelf::new(first_part, rules.max_parallel.get(), per_server)))
    }

    /// Keeps a plan, or leaves it, or another one that begins later.
    pub(super) async fn keep(&self, place: usize, server: ServerName, prepared: Prepared) {
        let left = self.0.borrow_mut().put(place, server, (Instant::now(), prepared));
        if let Some((_, prepared)) = left {
            prepared.leave().await;
        }
    }

    /// Returns the plan that was kept for a host, if it still counts.
    pub(super) async fn take(&self, place: usize) -> Option<Prepared> {
        let (made, prepared) = self.0.borrow_mut().take(place)?;
        if made.elapsed() < FRESH {
            return Some(prepared);
        }
        prepared.leave().await;
        None
    }

    /// Leaves all that nobody took.
    pub async fn leave(&self) {
        let left = std::mem::take(&mut self.0.borrow_mut().kept);
        for (_, (_, prepared)) in left.into_values() {
            prepared.leave().await;
        }
    }
}

/// What is kept of the first places.
struct Shelf<T> {
    /// Places from here on are not meant.
    end: usize,
    most: usize,
    per_server: usize,
    kept: BTreeMap<usize, (ServerName, T)>,
}

impl<T> Shelf<T> {
    const fn new(end: usize, most: usize, per_server: usize) -> Self {
        Self { end, most, per_server, kept: BTreeMap::new() }
    }

    /// Returns what has no room any more: of too many, the last one.
    fn put(&mut self, place: usize, server: ServerName, one: T) -> Option<T> {
        if place >= self.end {
            return Some(one);
        }
        self.kept.insert(place, (server.clone(), one));
        let on_server: Vec<_> = self
            .kept
            .iter()
            .filter(|(_, (other, _))| *other == server)
            .map(|(at, _)| *at)
            .collect();
        let last = if on_server.len() > self.per_server {
            on_server.last().copied()
        } else if self.kept.len() > self.most {
            self.kept.keys().last().copied()
        } else {
            None
        };
        self.take(last?)
    }

    fn take(&mut self, place: usize) -> Option<T> {
        self.kept.remove(&place).map(|(_, one)| one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts places on servers in some order and returns those that stay.
    fn kept(mut shelf: Shelf<usize>, order: &[(usize, &str)]) -> Vec<usize> {
        for (place, server) in order {
            shelf.put(*place, ServerName::parse(server).unwrap(), *place);
        }
        shelf.kept.into_keys().collect()
    }

    #[test]
    fn the_first_places_stay_whichever_comes_first() {
        let order = [(4, "e"), (2, "c"), (0, "a"), (5, "f"), (1, "b"), (9, "j")];
        assert_eq!(kept(Shelf::new(9, 3, 1), &order), [0, 1, 2]);
        assert_eq!(kept(Shelf::new(1, 3, 1), &order), [0]);
        assert!(kept(Shelf::new(0, 0, 0), &order).is_empty());
    }

    #[test]
    fn a_server_has_no_more_than_may_begin_on_it() {
        let order = [(3, "a"), (1, "a"), (2, "b"), (0, "a"), (4, "b")];
        assert_eq!(kept(Shelf::new(9, 9, 2), &order), [0, 1, 2, 4]);
        assert_eq!(kept(Shelf::new(9, 9, 1), &order), [0, 2]);
    }

    #[test]
    fn what_has_no_room_is_given_back() {
        let mut shelf = Shelf::new(9, 1, 1);
        let server = ServerName::parse("a").unwrap();
        assert_eq!(shelf.put(1, server.clone(), "one"), None);
        assert_eq!(shelf.put(2, server.clone(), "two"), Some("two"));
        assert_eq!(shelf.put(0, server, "zero"), Some("one"));
        assert_eq!(shelf.take(0), Some("zero"));
        assert_eq!(shelf.take(0), None);
    }
}
