//! Everything that can end a story.

use crate::{
    causes::with_causes,
    dns::DnsError,
    fleet::SelectionError,
    host::{ConfigError, HostName, ServerName},
    plan::{Holder, Obstacle},
    render::RenderError,
    settings::PolicyError,
    source::SourceError,
    transport::TransportError,
    wire::{Fault, FaultKind},
};

/// Why a story ended before its plan was carried out, or without an outcome.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The platform repository or its remote.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What an environment takes.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Which hosts are meant.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A template.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Something the operator asked for that cannot be.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// The next move.
        hint: Option<String>,
    },
    /// Findings of the linter that a deploy does not go past.
    #[error("{} in the configuration of the host", count(.0.len(), "error"))]
    Lint(Vec<crate::host::lint::Finding>),
    /// The way to the server.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The agent could not answer.
    #[error("{}", said(.0))]
    Fault(#[from] Fault),
    /// The agent answered something else.
    #[error("the agent answered something else than it was asked")]
    OutOfTurn,
    /// The records in the DNS.
    #[error("{}", with_causes(error))]
    Dns {
        /// Why they could not be looked at or changed.
        error: DnsError,
        /// What of them could not be taken back.
        left: Vec<String>,
    },
    /// Another deploy holds the lock.
    #[error("another deploy of this host is running")]
    Locked(Option<Holder>),
    /// Pre-deployment checks that did not hold; nothing was touched.
    #[error("{} found before anything was touched", count(.0.len(), "obstacle"))]
    Obstacles(Vec<Obstacle>),
    /// A saved plan is not the one that would be made now.
    #[error("the plan is stale: since it was made, {} changed", .0.join(", "))]
    Stale(Vec<String>),
    /// A saved plan was carried out before.
    #[error("the plan was applied already")]
    Used,
    /// The operator said no.
    #[error("nothing was changed")]
    Declined,
    /// The connection broke while a transaction was followed.
    #[error("the connection to the server was lost while {host} was deployed to")]
    LostSight {
        /// The host.
        host: HostName,
        /// How it broke.
        #[source]
        source: TransportError,
    },
    /// A removal goes on without being watched: the operator left, or the link broke.
    #[error("the removal of {host} goes on by itself on the server")]
    RemovalGoesOn {
        /// The host.
        host: HostName,
        /// How the link broke, where it did.
        #[source]
        source: Option<TransportError>,
    },
    /// A host is gone from its server, and its records in the DNS are not.
    #[error("nothing of {host} is left on its server, and its DNS records are not removed")]
    RecordsLeft {
        /// The host.
        host: HostName,
        /// Why they are not.
        #[source]
        source: DnsError,
    },
    /// Another setup of the server runs.
    #[error("this server is being set up already")]
    SetupRuns(Option<Holder>),
    /// The connection broke while a setup was followed.
    #[error("the connection to server {server} was lost while it was set up")]
    SetupLost {
        /// The server.
        server: ServerName,
        /// How it broke.
        #[source]
        source: TransportError,
    },
    /// The operator left a setup running.
    #[error("the setup of {server} goes on by itself on the server")]
    SetupLeft {
        /// The server.
        server: ServerName,
    },
    /// The operator left a transaction running.
    #[error("the deploy of {host} goes on by itself on the server")]
    LeftRunning {
        /// The host.
        host: HostName,
    },
}

impl From<DnsError> for WorkflowError {
    fn from(error: DnsError) -> Self {
        Self::Dns { error, left: Vec::new() }
    }
}

impl WorkflowError {
    /// Describes something the operator asked for that cannot be.
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// Returns the next move, where the error is all that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Usage { hint, .. } => return hint.clone(),
            Self::Source(source) => return source.hint(),
            Self::Policy(policy) => policy.hint(),
            Self::Selection(selection) => selection.hint(),
            Self::Transport(transport) => return transport.hint(),
            Self::Fault(fault) => return fault.hint.clone(),
            Self::Dns { error, .. } => return error.hint(),
            Self::LostSight { host, .. } => format!(
                "what was begun goes on by itself on the server; \
                 `deploy attach --host {host}` shows it"
            ),
            Self::RemovalGoesOn { .. } => {
                "run the command again: it says what is left to do".to_owned()
            }
            Self::RecordsLeft { host, .. } => format!(
                "`deploy dns remove --host {host}` removes them, as does this command when it is \
                 run again: the host's file is kept until then"
            ),
            Self::SetupLost { .. } | Self::SetupLeft { .. } => {
                "run `deploy server setup` again to follow it".to_owned()
            }
            Self::LeftRunning { host } => format!("`deploy attach --host {host}` shows it"),
            Self::Stale(_) | Self::Used => "make a new one by `deploy plan --out`".to_owned(),
            Self::Config(_)
            | Self::Render(_)
            | Self::Lint(_)
            | Self::OutOfTurn
            | Self::Locked(_)
            | Self::Obstacles(_)
            | Self::Declined
            | Self::SetupRuns(_) => return None,
        };
        Some(text)
    }
}

/// What the agent refuses is no failure of its own.
fn said(fault: &Fault) -> String {
    match fault.kind {
        FaultKind::Refused => fault.to_string(),
        FaultKind::Protocol | FaultKind::Internal | FaultKind::Used => {
            format!("the agent failed: {fault}")
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
