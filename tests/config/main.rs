//! The configuration through the crate's public API.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod dialect;
mod host;
mod python;
mod samples_of_dialect;
