//! The promises, on real servers: `cargo test --test lab`, as root, after
//! `deployment/lab/lab build`.

mod calm;
mod channels;
mod content;
mod flow;
mod half_way;
mod health;
mod lab;
mod load;
mod local;
mod modules;
mod policy;
mod refusals;
mod revert;
mod secrets;
mod snapshot;
mod uninterrupted;
mod world;
