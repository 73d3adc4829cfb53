//! Tells people how a run ended. Runs, messages and what is on the wires are pure; the
//! services and the desktop do I/O.

mod deliver;
mod desktop;
mod error;
mod mail;
mod message;
mod run;
mod service;
mod webhook;
mod wire;
mod words;

pub use deliver::{Delivery, LONGEST, deliver};
pub use desktop::{Session, show_on_desktop};
pub use error::NotifyError;
pub use message::Message;
pub use run::{Action, Ending, HostSummary, RunSummary};
pub use service::Service;
pub use webhook::{Patience, Post, Webhook};
