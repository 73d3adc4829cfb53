//! The configuration through the crate's public API.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod client;
mod dialect;
mod hooks;
mod host;
mod lint;
mod notifications;
mod platform;
mod python;
mod samples;
mod samples_of_dialect;
mod series;
