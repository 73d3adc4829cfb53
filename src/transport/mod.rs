//! Reaches the agent: over SSH, or as a child of this process. Does I/O.
#![expect(
    clippy::disallowed_methods,
    reason = "the transport is the adapter that starts ssh and the local agent"
)]

mod control_directory;
mod error;
mod links;
mod local;
mod payload;
mod ssh;

use std::{io::Read, path::PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};

pub use error::{TransportError, sudoers};
pub use links::Links;

use crate::{
    causes::with_causes,
    host::ServerName,
    settings::Server,
    wire::{Channel, Hello, PROTOCOLS, Reply, Request, Welcome},
};

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// What a transport needs of the machine it runs on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// This executable: what is installed as agent where there is none.
    pub executable: PathBuf,
    /// A directory with a short path for ssh's control socket.
    pub runtime_directory: PathBuf,
    /// The user's home directory.
    pub home: PathBuf,
    /// A directory that stands for the local machine, and the search path of
    /// its programs; tests only.
    pub local_root: Option<(PathBuf, std::ffi::OsString)>,
    /// Where connections come from.
    pub links: Links,
}

/// A conversation with an agent.
pub struct Agent {
    channel: Channel<Reader, Writer>,
    line: Line,
}

/// What the conversation runs over.
enum Line {
    Ssh(ssh::Line),
    Local(local::Line),
}

impl Agent {
    /// Connects to the server's agent and says hello together with the first
    /// request, so that both cost one round trip. An agent that is not there
    /// yet, or too old to be understood, is put there where the login may.
    ///
    /// # Errors
    /// Fails when the server cannot be reached, or its agent not be started.
    pub async fn connect(
        name: &ServerName,
        server: &Server,
        machine: &Machine,
        first: &Request,
    ) -> Result<(Self, Reply), TransportError> {
        match server {
            Server::Local => {
                let (line, channel) = local::start(machine)?;
                let mut agent = Self { channel, line: Line::Local(line) };
                match agent.greet(first).await {
                    Ok(Greeting::Understood(reply)) => Ok((agent, reply)),
                    Ok(Greeting::Stranger(welcome)) => Err(TransportError::Protocol {
                        server: name.clone(),
                        version: welcome.version,
                    }),
                    Err(source) => Err(agent.why_gone(name, source).await),
                }
            }
            Server::Ssh(server) => Self::over_ssh(name, server, machine, first).await,
        }
    }

    async fn over_ssh(
        name: &ServerName,
        server: &crate::settings::SshServer,
        machine: &Machine,
        first: &Request,
    ) -> Result<(Self, Reply), TransportError> {
        let connection = machine.links.connection(name, server, machine).await?;
        let mut met = Self::meet(&connection, name, first).await;
        let (_turn, is_first) = match &met {
            Err(error) if error.calls_for_installation() => connection.turn_to_install().await,
            _ => return met,
        };
        if !is_first {
            met = Self::meet(&connection, name, first).await;
        }
        let why = match met {
            Err(error) if error.calls_for_installation() => error,
            met => return met,
        };
        if !connection.has_shell().await? {
            return Err(TransportError::DeployKey {
                server: name.clone(),
                message: with_causes(&why),
            });
        }
        connection.install(&machine.executable).await?;
        Self::meet(&connection, name, first).await
    }

    /// Starts the agent and says hello together with the first request.
    async fn meet(
        connection: &ssh::Connection,
        name: &ServerName,
        first: &Request,
    ) -> Result<(Self, Reply), TransportError> {
        let (server, mut agent) = (name.clone(), Self::start(connection).await?);
        match agent.greet(first).await {
            Ok(Greeting::Understood(reply)) => Ok((agent, reply)),
            Ok(Greeting::Stranger(Welcome { version, restricted: true, .. })) => {
                let message =
                    format!("the agent there (version {version}) speaks another protocol");
                Err(TransportError::DeployKey { server, message })
            }
            Ok(Greeting::Stranger(Welcome { version, .. })) => {
                Err(TransportError::Protocol { server, version })
            }
            Err(source) => Err(agent.why_gone(name, source).await),
        }
    }

    async fn start(connection: &ssh::Connection) -> Result<Self, TransportError> {
        let (line, channel) = connection.start_agent().await?;
        Ok(Self { channel, line: Line::Ssh(line) })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Fails when the connection is gone.
    pub async fn send(&mut self, request: &Request) -> Result<(), TransportError> {
        self.channel.send(request).await.map_err(TransportError::Wire)
    }

    /// Announces a payload and sends all of it; what the agent says to it is its next reply.
    ///
    /// # Errors
    /// Fails when the payload cannot be read, or the connection is gone.
    pub async fn send_payload(
        &mut self,
        announced: &Request,
        payload: &mut (impl Read + Send),
        bytes: u64,
    ) -> Result<(), TransportError> {
        self.send(announced).await?;
        payload::send(&mut self.channel, payload, bytes).await
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// Fails when the connection is gone.
    pub async fn receive(&mut self) -> Result<Reply, TransportError> {
        self.channel.receive().await.map_err(TransportError::Wire)
    }

    /// Ends the conversation and the connection below it, unless that one is shared.
    pub async fn close(self) {
        drop(self.channel);
        match self.line {
            Line::Ssh(line) => line.close().await,
            Line::Local(line) => line.close().await,
        }
    }

    async fn greet(&mut self, first: &Request) -> Result<Greeting, crate::wire::WireError> {
        let hello =
            Hello { protocols: PROTOCOLS.to_vec(), version: env!("CARGO_PKG_VERSION").to_owned() };
        self.channel.send(&Request::Hello(hello)).await?;
        self.channel.send(first).await?;
        match self.channel.receive().await? {
            Reply::Welcome(Welcome { protocol: Some(_), .. }) => {
                Ok(Greeting::Understood(self.channel.receive().await?))
            }
            Reply::Welcome(welcome) => Ok(Greeting::Stranger(welcome)),
            Reply::Fault(fault) => Ok(Greeting::Understood(Reply::Fault(fault))),
            _ => Err(crate::wire::WireError::Closed),
        }
    }

    /// Finds out why an agent said nothing: from what its program wrote to stderr.
    async fn why_gone(self, name: &ServerName, source: crate::wire::WireError) -> TransportError {
        drop(self.channel);
        let said = match self.line {
            Line::Ssh(line) => line.last_words().await,
            Line::Local(line) => line.last_words().await,
        };
        TransportError::from_last_words(name, &said, source)
    }
}

enum Greeting {
    Understood(Reply),
    Stranger(Welcome),
}
