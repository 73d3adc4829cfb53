//! Turns `config/deploy.toml` into [`Settings`]. Pure: files come through a [`FileSource`].
//!
//! [`FileSource`]: crate::host::FileSource

mod acme;
mod clients;
mod dns;
mod load;
mod notify;
mod odoo;
mod parse;
mod policy;
mod types;
mod values;

pub use acme::Acme;
pub use clients::{Clients, Placement};
pub use dns::{DnsProvider, DnsZone, TsigAlgorithm};
pub use load::SETTINGS_FILE;
pub use notify::{
    MailSecurity, MailServer, NotifyChannel, NotifyEvent, NotifyService, WebhookKind,
};
pub use odoo::OdooOrigin;
pub use policy::PolicyError;
use policy::default_environments;
pub use types::{Environment, Server, Settings, SshServer};
