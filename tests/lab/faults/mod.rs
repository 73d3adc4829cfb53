//! Faults: the transaction killed and the power cut, at every step and at random
//! moments of a deploy. Afterwards the host is exactly as before or as after it.

mod editions;
pub(crate) mod pause;
mod record;
mod series;
mod standing;
mod subject;
mod tally;
mod writer;

use series::{Blow, Selection};
use subject::Kind;
use tally::Tally;

#[test]
fn an_upgrade_that_is_killed_at_any_step_ends_old_or_new() {
    series::kills(Kind::Upgrade, Selection::EachStep, None, &Tally::default());
}

#[test]
fn a_deploy_of_code_that_is_killed_at_any_step_ends_old_or_new() {
    series::kills(Kind::CodeOnly, Selection::EachStep, None, &Tally::default());
}

#[test]
fn a_rollback_that_is_killed_at_any_step_ends_old_or_new() {
    series::kills(Kind::Rollback, Selection::EachStep, None, &Tally::default());
}

#[test]
fn an_upgrade_ends_old_or_new_when_the_power_goes_at_any_step() {
    series::cuts(Kind::Upgrade, Selection::EachStep, None, &Tally::default());
}

#[test]
fn a_deploy_of_code_ends_old_or_new_when_the_power_goes_at_any_step() {
    series::cuts(Kind::CodeOnly, Selection::EachStep, None, &Tally::default());
}

#[test]
fn a_rollback_ends_old_or_new_when_the_power_goes_at_any_step() {
    series::cuts(Kind::Rollback, Selection::EachStep, None, &Tally::default());
}

#[test]
fn an_upgrade_ends_old_or_new_when_the_power_goes_while_it_is_taken_back() {
    series::blows_to_recovery(Kind::Upgrade, Blow::Cut, None, &Tally::default());
}
