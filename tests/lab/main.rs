//! The promises, on real servers: `cargo test --test lab`, as root, after
//! `deployment/lab/lab build`.

mod content;
mod lab;
mod load;
mod world;

mod flow;
mod modules;
mod policy;
