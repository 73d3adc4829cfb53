//! Lets the hosts of a run have their turns, by its rules.

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{select, sync::watch};

use super::{FleetHooks, FleetNotice, Hearing, HostReport, Kept, Surveyed, Wish, hear, one::Turn};
use crate::{
    fleet::{Course, End},
    workflow::{Project, deploy::DeployRequest},
};

/// What a run needs besides its hosts.
pub struct Drive<'a> {
    /// The platform repository.
    pub project: &'a Project,
    /// Who hears what goes on.
    pub hearing: &'a Hearing<'a>,
    /// What the operator wishes by now.
    pub wish: watch::Receiver<Wish>,
    /// The hooks; none where they are left out.
    pub hooks: Option<&'a FleetHooks<'a>>,
    /// Plans that are carried out as they are.
    pub kept: &'a Kept,
    /// Whether databases may go back, where hosts do.
    pub with_database: bool,
    /// Makes the request of a rollback: a new one for the same host.
    pub again: &'a dyn Fn(&DeployRequest) -> DeployRequest,
}

/// Carries a run out. The course says afterwards how each host's turn ended; hosts whose
/// checks failed have ended in it before.
///
/// Returns a report of each host that had a turn, by its place.
pub async fn carry_out(
    mut drive: Drive<'_>,
    surveyed: &[Surveyed],
    course: &mut Course,
) -> Vec<(usize, HostReport)> {
    let mut reports = Vec::new();
    {
        let shared = &drive;
        let mut turns = FuturesUnordered::new();
        let mut wish = drive.wish.clone();
        while !course.is_over() {
            while let Some(place) = course.begin() {
                hear(drive.hearing, FleetNotice::Began { place });
                turns.push(async move { (place, shared.deploy(place, &surveyed[place]).await) });
            }
            select! {
                Some((place, report)) = turns.next() => {
                    let stopped = course.stop();
                    course.end(place, report.end);
                    hear(drive.hearing, FleetNotice::Ended { place, report: &report });
                    reports.push((place, report));
                    if let (None, Some(stop)) = (stopped, course.stop()) {
                        hear(drive.hearing, FleetNotice::Stopped(stop));
                    }
                }
                Ok(()) = wish.changed() => {
                    let stopped = course.stop();
                    course.interrupt();
                    if let (None, Some(stop)) = (stopped, course.stop()) {
                        hear(drive.hearing, FleetNotice::Stopped(stop));
                    }
                }
            }
        }
    }
    drive.kept.leave().await;
    drive.take_back(surveyed, course, &mut reports).await;
    reports
}

impl<'a> Drive<'a> {
    fn turn(&self, place: usize) -> Turn<'a> {
        let Self { project, hearing, hooks, .. } = *self;
        Turn { project, place, hearing, hooks, wish: self.wish.clone() }
    }

    async fn deploy(&self, place: usize, surveyed: &Surveyed) -> HostReport {
        match &surveyed.found {
            Ok(digest) => {
                let kept = self.kept.take(place).await;
                self.turn(place).deploy(&surveyed.request, digest, kept).await
            }
            Err(report) => report.clone(),
        }
    }

    /// Takes hosts back, one after the other, as long as nobody interrupts.
    async fn take_back(
        &mut self,
        surveyed: &[Surveyed],
        course: &mut Course,
        reports: &mut Vec<(usize, HostReport)>,
    ) {
        for place in course.to_roll_back() {
            if *self.wish.borrow() > Wish::GoOn {
                return;
            }
            let Ok(digest) = &surveyed[place].found else { continue };
            hear(self.hearing, FleetNotice::RollingBack { place });
            let report = match digest.live {
                Some(to) => {
                    let request = (self.again)(&surveyed[place].request);
                    self.turn(place).roll_back(request, to, self.with_database).await
                }
                None => HostReport {
                    problem: Some(
                        "it had no release before: there is nothing to go back to".into(),
                    ),
                    ..HostReport::of_end(End::Refused, None)
                },
            };
            let report = stays_live(report, course, place);
            course.end(place, report.end);
            hear(self.hearing, FleetNotice::Ended { place, report: &report });
            reports.retain(|(other, _)| *other != place);
            reports.push((place, report));
        }
    }
}

/// A host that could not be taken back is as the run left it.
fn stays_live(report: HostReport, course: &Course, place: usize) -> HostReport {
    use crate::fleet::Turn as T;
    let is_untouched =
        matches!(report.end, End::Refused | End::Locked | End::Unreachable | End::Reverted);
    match course.runners()[place].turn {
        T::Ended(before) if is_untouched => {
            let problem = report.problem.map(|problem| format!("not taken back: {problem}"));
            HostReport { end: before, problem, ..report }
        }
        _ => report,
    }
}
