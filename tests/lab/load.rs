//! Visitors: what users notice of a deploy.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    lab::{Server, ask},
    world::HOST,
};

/// How many visitors there are, and how long each rests between two pages: visitors,
/// not an attack, since the server has work of its own.
const VISITORS: (usize, Duration) = (4, Duration::from_millis(20));
/// The same where the load is only to be there.
const FEW_VISITORS: (usize, Duration) = (1, Duration::from_millis(300));
/// How many failures are told in words.
const SHOWN: usize = 10;

/// Visitors who ask for a page through nginx, again and again, each time on a new connection.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    visitors: Vec<JoinHandle<LoadReport>>,
}

/// What the visitors saw.
#[derive(Debug, Default)]
pub(crate) struct LoadReport {
    pub(crate) requests: usize,
    /// Answers other than 200 and 303, and connections that broke.
    pub(crate) failed: usize,
    pub(crate) longest: Duration,
    /// The first failures, in words.
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// Lets visitors ask for a page from now on.
    pub(crate) fn start(server: &Server, path: &str) -> Self {
        Self::of(VISITORS, server, path)
    }

    /// Lets few visitors ask for a page from now on.
    pub(crate) fn start_light(server: &Server, path: &str) -> Self {
        Self::of(FEW_VISITORS, server, path)
    }

    fn of((visitors, rest): (usize, Duration), server: &Server, path: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let visitors = (0..visitors).map(|_| {
            let (stop, address, path) =
                (Arc::clone(&stop), server.address().to_owned(), path.to_owned());
            thread::spawn(move || visit(&address, &path, rest, &stop))
        });
        Self { visitors: visitors.collect(), stop }
    }

    /// Sends the visitors home and adds up what they saw.
    pub(crate) fn stop(self) -> LoadReport {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = LoadReport::default();
        for visitor in self.visitors {
            let seen = visitor.join().unwrap();
            sum.requests += seen.requests;
            sum.failed += seen.failed;
            sum.longest = sum.longest.max(seen.longest);
            sum.failures.extend(seen.failures);
        }
        sum.failures.truncate(SHOWN);
        sum
    }
}

fn visit(address: &str, path: &str, rest: Duration, stop: &AtomicBool) -> LoadReport {
    let mut seen = LoadReport::default();
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let failure = match ask(address, HOST, path) {
            Ok(answer) if matches!(answer.status, 200 | 303) => None,
            Ok(answer) => Some(format!("{} {}", answer.status, answer.body)),
            Err(error) => Some(error),
        };
        seen.requests += 1;
        seen.longest = seen.longest.max(begun.elapsed());
        if let Some(failure) = failure {
            seen.failed += 1;
            if seen.failures.len() < SHOWN {
                seen.failures.push(failure);
            }
        }
        thread::sleep(rest);
    }
    seen
}
