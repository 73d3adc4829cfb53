//! Runs over many hosts through the real binary, with directories for servers.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod hooks;
mod plan;
mod platform;
