//! The promises, on real servers: `cargo test --test lab`, as root, after
//! `deployment/lab/lab build`.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod calm;
mod content;
mod lab;
mod load;
mod world;

mod channels;
mod flow;
mod local;
mod lock;
mod modules;
mod policy;
mod refusals;
mod uninterrupted;
