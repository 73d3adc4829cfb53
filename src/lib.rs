//! Puts Odoo instances live from Git: code, configuration, database modules and
//! service together, or not at all.
//!
//! The modules stand in the order in which data passes through them.

pub mod causes;
pub mod host;
pub mod layout;
pub mod odoo;
pub mod secret;
pub mod settings;
pub mod source;

pub mod client;
pub mod fleet;

pub mod plan;
pub mod render;
pub mod setup;
pub mod wire;

pub mod transport;

pub mod cloudflare;
pub mod hooks;
pub mod notify;

pub mod dns;

pub mod agent;
pub mod workflow;

pub mod cli;
