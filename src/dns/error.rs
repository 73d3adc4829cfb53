//! What can go wrong at a provider. Pure.

use std::{error::Error, io};

use crate::host::HostName;

/// Why records could not be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// No answer came.
    #[error("no answer from {provider}, which holds zone {zone}")]
    NoAnswer {
        /// The zone.
        zone: HostName,
        /// Cloudflare, or the name server.
        provider: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The provider does not accept who asks.
    #[error("{provider} refuses {what} of zone {zone}: {said}")]
    Credentials {
        /// The zone.
        zone: HostName,
        /// Cloudflare, or the name server.
        provider: String,
        /// The token, or the key.
        what: String,
        /// What it said.
        said: String,
        /// The next move.
        hint: &'static str,
    },
    /// The provider holds no such zone.
    #[error("{provider} holds no zone {zone}")]
    NoZone {
        /// The zone.
        zone: HostName,
        /// Cloudflare, or the name server.
        provider: String,
    },
    /// The provider says no to what was asked.
    #[error("{provider} did not {what} in zone {zone}: {said}")]
    Rejected {
        /// The zone.
        zone: HostName,
        /// Cloudflare, or the name server.
        provider: String,
        /// What was asked.
        what: String,
        /// What it said.
        said: String,
    },
    /// Somebody changed the records in between.
    #[error("somebody else changed the DNS records of {name} meanwhile")]
    Overtaken {
        /// The name.
        name: HostName,
    },
    /// Something of `deploy.toml` that cannot be used.
    #[error("{message}")]
    Setting {
        /// What is wrong.
        message: String,
        /// The next move.
        hint: String,
    },
}

impl DnsError {
    /// Returns the next move.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoAnswer { .. } => {
                Some("nothing is wrong with the host: try again once it answers".to_owned())
            }
            Self::Credentials { hint, .. } => Some((*hint).to_owned()),
            Self::NoZone { zone, .. } => Some(format!(
                "correct [dns.\"{zone}\"] of config/deploy.toml, or let its token or key see the \
                 zone"
            )),
            Self::Rejected { .. } => None,
            Self::Overtaken { .. } => Some("look at the plan again".to_owned()),
            Self::Setting { hint, .. } => Some(hint.clone()),
        }
    }
}

/// Says that an answer makes no sense.
pub(super) fn senseless(text: impl Into<String>) -> Box<dyn Error + Send + Sync> {
    io::Error::new(io::ErrorKind::InvalidData, text.into()).into()
}
