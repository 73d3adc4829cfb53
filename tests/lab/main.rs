//! The promises, on real servers: `cargo test --test lab`, as root, after
//! `deployment/lab/lab build`.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod adopt;
mod adopt_faults;
mod adopt_refusals;
mod authority;
mod calm;
mod channels;
mod client;
mod cloudflare;
mod content;
mod deaf_worker;
mod deploy_key;
mod dns;
mod drift;
mod faults;
mod fleet;
mod flow;
mod from_bare;
mod full_disk;
mod half_way;
mod health;
mod interrupt;
mod lab;
mod load;
mod local;
mod lock;
mod modules;
mod name_server;
mod ops;
mod packages;
mod policy;
mod power_cut;
mod provision;
mod pty;
mod recovery;
mod refusals;
mod retired;
mod revert;
mod rollback;
mod saved;
mod secrets;
mod setup;
mod snapshot;
mod tls;
mod trouble;
mod uninterrupted;
mod world;
