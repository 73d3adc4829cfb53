//! Lines that move, one for each host that is worked on.

use std::{collections::BTreeMap, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The lines, by the places of their hosts.
#[derive(Default)]
pub(super) struct Lanes {
    all: MultiProgress,
    lanes: BTreeMap<usize, ProgressBar>,
}

impl Lanes {
    /// Says what goes on with a host.
    pub(super) fn show(&mut self, place: usize, text: String) {
        let lane = self.lanes.entry(place).or_insert_with(|| {
            let lane = self.all.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            lane.set_style(style.expect("the template is valid"));
            lane.enable_steady_tick(Duration::from_millis(120));
            lane
        });
        lane.set_message(text);
    }

    /// Nothing goes on with it any more.
    pub(super) fn end(&mut self, place: usize) {
        if let Some(lane) = self.lanes.remove(&place) {
            lane.finish_and_clear();
            self.all.remove(&lane);
        }
    }

    /// Nothing goes on at all.
    pub(super) fn clear(&mut self) {
        let places: Vec<_> = self.lanes.keys().copied().collect();
        places.into_iter().for_each(|place| self.end(place));
    }

    /// Prints above the lines.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        if self.lanes.is_empty() { print() } else { self.all.suspend(print) }
    }
}
