//! The promises, on real servers: `cargo test --test lab`, as root, after
//! `deployment/lab/lab build`.

mod calm;
mod content;
mod lab;
mod load;
mod world;

mod channels;
mod flow;
mod local;
mod refusals;
mod uninterrupted;
