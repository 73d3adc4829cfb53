//! The promises, on real servers: `cargo test --test lab`, as root, after
//! `deployment/lab/lab build`.

mod calm;
mod content;
mod lab;
mod load;
mod world;

mod channels;
mod flow;
mod half_way;
mod health;
mod local;
mod refusals;
mod revert;
mod secrets;
mod snapshot;
mod uninterrupted;
