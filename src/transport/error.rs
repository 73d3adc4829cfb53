//! Why an agent cannot be reached.

use std::{io, path::PathBuf};

use crate::{host::ServerName, layout, wire::WireError};

/// Why an agent cannot be reached, or is lost.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The SSH connection could not be made.
    #[error("failed to reach server {server} ({address}): {message}")]
    Unreachable {
        /// The server.
        server: ServerName,
        /// Where it was looked for.
        address: String,
        /// What ssh said.
        message: String,
        /// The next move.
        hint: Option<String>,
    },
    /// The login may not become root.
    #[error("the login on server {server} may not run the agent as root: {message}")]
    Sudo {
        /// The server.
        server: ServerName,
        /// What sudo said.
        message: String,
    },
    /// There is no agent on the server.
    #[error("there is no agent on server {server}")]
    NoAgent {
        /// The server.
        server: ServerName,
    },
    /// The agent could not be put on the server.
    #[error("failed to install the agent on server {server}: {message}")]
    Install {
        /// The server.
        server: ServerName,
        /// What went wrong.
        message: String,
    },
    /// The agent speaks no protocol of ours.
    #[error("the agent on server {server} (version {version}) speaks another protocol")]
    Protocol {
        /// The server.
        server: ServerName,
        /// The agent's version.
        version: String,
    },
    /// There is no agent that the key could use, and over a key that can only deploy
    /// nothing is installed.
    #[error("server {server} cannot be deployed to by this key: {message}")]
    DeployKey {
        /// The server.
        server: ServerName,
        /// What is wrong with the agent there.
        message: String,
    },
    /// The agent ended at once.
    #[error("the agent on server {server} did not answer: {message}")]
    Silent {
        /// The server.
        server: ServerName,
        /// What it said on stderr.
        message: String,
        /// How the conversation broke.
        #[source]
        source: WireError,
    },
    /// A program or file of this machine.
    #[error("failed to {operation} `{path}`")]
    Local {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// What is sent could not be read on this machine.
    #[error("failed to read what is sent to the server")]
    Payload(#[source] io::Error),
    /// The conversation broke.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl TransportError {
    /// Returns the next move, where there is one to name.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { hint, .. } => hint.clone(),
            Self::Sudo { .. } => {
                Some(format!("allow it in sudoers: `{}`", sudoers_line("<login>")))
            }
            Self::NoAgent { .. } | Self::Install { .. } | Self::Protocol { .. } => {
                Some(format!("put this executable there as `{}`, owned by root", layout::AGENT))
            }
            Self::DeployKey { server, .. } => Some(format!(
                "a deploy key replaces no agent: run `deploy server setup --server {server}` with \
                 a full login, and deploy again"
            )),
            Self::Payload(_) => Some("check the disk of this machine".to_owned()),
            Self::Wire(_) => Some(
                "what was begun on the server goes on there by itself and is recorded".to_owned(),
            ),
            Self::Silent { .. } | Self::Local { .. } => None,
        }
    }

    /// Tells whether the server was reached and a check of it failed.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Sudo { .. }
                | Self::NoAgent { .. }
                | Self::Install { .. }
                | Self::Protocol { .. }
                | Self::DeployKey { .. }
        )
    }

    /// Tells whether an agent has to be put on the server.
    pub(super) const fn calls_for_installation(&self) -> bool {
        matches!(self, Self::NoAgent { .. } | Self::Protocol { .. })
    }

    /// Reads what a program that should have been the agent wrote to stderr.
    pub(super) fn from_last_words(server: &ServerName, said: &str, source: WireError) -> Self {
        let server = server.clone();
        let message = last_lines(said);
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if has(&["command not found", "No such file or directory", "Exec format error"]) {
            Self::NoAgent { server }
        } else if said.contains("unexpected argument '--key'") {
            // An agent from before there were deploy keys.
            let message = "the agent there is too old to know deploy keys".to_owned();
            Self::DeployKey { server, message }
        } else if has(&[
            "password is required",
            "not allowed",
            "not in the sudoers",
            "a terminal is required",
        ]) {
            Self::Sudo { server, message }
        } else if message.is_empty() {
            Self::Silent { server, message: "it ended without a word".to_owned(), source }
        } else {
            Self::Silent { server, message, source }
        }
    }
}

fn sudoers_line(login: &str) -> String {
    format!("{login} ALL=(root) NOPASSWD: {} agent", layout::AGENT)
}

/// Tells how root lets a login run the agent, and nothing else.
#[must_use]
pub fn sudoers(login: &str) -> [String; 4] {
    [
        "# as root on the server: the agent, and leave to run it and nothing else".to_owned(),
        format!("install -D -m 0755 -o root -g root deploy {}", layout::AGENT),
        format!("echo '{}' >/etc/sudoers.d/odoo-deploy", sudoers_line(login)),
        "chmod 0440 /etc/sudoers.d/odoo-deploy && visudo -c".to_owned(),
    ]
}

/// Returns the last lines of a program's stderr on one line.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(4)..];
    last.join("; ").chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudos_words_are_understood() {
        let server = ServerName::parse("lab").unwrap();
        let read = |said| TransportError::from_last_words(&server, said, WireError::Closed);
        assert!(matches!(read("sudo: a password is required\n"), TransportError::Sudo { .. }));
        assert!(matches!(
            read("sudo: /usr/local/lib/odoo-deploy/deploy: command not found"),
            TransportError::NoAgent { .. }
        ));
        assert!(matches!(read("thread panicked"), TransportError::Silent { .. }));
        let old = read("error: unexpected argument '--key' found\n");
        assert!(matches!(old, TransportError::DeployKey { .. }) && !old.calls_for_installation());
        assert!(old.hint().unwrap().contains("deploy server setup --server lab"));
    }
}
