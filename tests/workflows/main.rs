//! The workflows do what the guide says: their shell steps are run as a runner runs them, with
//! the real `deploy` and doubles for what is elsewhere.
#![expect(clippy::unwrap_used, reason = "what cannot be read or run has to fail the test")]
#![expect(clippy::disallowed_methods, reason = "a runner writes files and starts programs")]

mod comment;
mod deploy;
mod install;
mod package;
mod plan;
mod rules;
mod runner;
mod workflow;
