//! Turns `config/deploy.toml` into [`Settings`]. Pure.

mod types;

pub use types::{Environment, NotifyChannel, NotifyEvent, Server, Settings, SshServer};
