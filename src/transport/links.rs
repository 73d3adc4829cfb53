//! Connections that several conversations share: one for each server.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex as AsyncMutex, Semaphore},
    task::JoinHandle,
    time::sleep,
};

use super::{Machine, TransportError, ssh::Connection};
use crate::{
    host::ServerName,
    settings::{Server, SshServer},
};

/// How many connections are being made at once. sshd turns some of more than ten away
/// (`MaxStartups 10:30:100`), and a jump host sees all of them.
const STARTS: usize = 8;
/// How long a server that was out of reach is not tried again.
const PAUSE: Duration = Duration::from_secs(30);
/// How often ssh is told that a connection nobody uses at the moment is wanted: often
/// enough for `OUTLIVE`, after which it would end. It costs no traffic.
const WANTED: Duration = Duration::from_secs(2);

/// Where conversations get their connections from. By itself each has its own.
#[derive(Debug, Clone, Default)]
pub struct Links {
    shared: Option<Arc<Shared>>,
    ahead: Arc<Mutex<HashMap<Target, Opening>>>,
}

/// A server as it is reached: what a branch says of it may differ from another's word.
type Target = (ServerName, SshServer);

/// A connection that is being made before somebody asks for it.
type Opening = JoinHandle<Result<Connection, TransportError>>;

#[derive(Debug)]
struct Shared {
    starts: Semaphore,
    slots: Mutex<HashMap<Target, Arc<AsyncMutex<Slot>>>>,
}

/// The connection of a server, or why there is none.
#[derive(Default)]
enum Slot {
    #[default]
    Untried,
    Open(Held),
    Failed {
        at: Instant,
        address: String,
        message: String,
        hint: Option<String>,
    },
}

/// A connection that stays while hosts of its server wait for their turn.
struct Held {
    connection: Connection,
    waking: JoinHandle<()>,
}

impl Held {
    fn new(connection: Connection) -> Self {
        let held = connection.clone();
        let waking = tokio::spawn(async move {
            while held.is_alive().await {
                sleep(WANTED).await;
            }
        });
        Self { connection, waking }
    }

    /// Closes the connection, unless somebody uses it.
    async fn close(self) {
        self.waking.abort();
        let _ = self.waking.await;
        self.connection.close().await;
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Untried => "Untried",
            Self::Open(_) => "Open",
            Self::Failed { .. } => "Failed",
        })
    }
}

impl Links {
    /// Shares one connection for each server until [`Links::close`].
    #[must_use]
    pub fn shared() -> Self {
        let shared = Shared { starts: Semaphore::new(STARTS), slots: Mutex::default() };
        Self { shared: Some(Arc::new(shared)), ahead: Arc::default() }
    }

    /// Begins to connect to a server that will be asked for, while something else is done.
    /// How it ends, whoever asks for it hears.
    pub fn begin(machine: &Machine, name: &ServerName, server: &Server) {
        let Server::Ssh(server) = server else { return };
        let target = (name.clone(), server.clone());
        let links = &machine.links;
        let shares = |shared: &Arc<Shared>| {
            shared.slots.lock().expect("no one panics").contains_key(&target)
        };
        if links.shared.as_ref().is_some_and(shares) {
            return;
        }
        let mut ahead = links.ahead.lock().expect("no one panics");
        ahead.entry(target.clone()).or_insert_with(|| {
            let machine = machine.clone();
            tokio::spawn(async move { machine.links.open(&target, &machine).await })
        });
    }

    /// Returns a connection to the server.
    pub(super) async fn connection(
        &self,
        name: &ServerName,
        server: &SshServer,
        machine: &Machine,
    ) -> Result<Connection, TransportError> {
        let target = (name.clone(), server.clone());
        let begun = self.ahead.lock().expect("no one panics").remove(&target);
        match begun {
            Some(opening) => opening.await.expect("connecting does not panic"),
            None => self.open(&target, machine).await,
        }
    }

    async fn open(&self, target: &Target, machine: &Machine) -> Result<Connection, TransportError> {
        let (name, server) = target;
        let Some(shared) = &self.shared else {
            return Connection::open(name, server, machine).await;
        };
        let slot = Arc::clone(
            shared.slots.lock().expect("no one panics").entry(target.clone()).or_default(),
        );
        // Whoever comes second waits for the first, and takes what that one got.
        let mut slot = slot.lock().await;
        match &*slot {
            Slot::Open(held) if held.connection.is_alive().await => {
                return Ok(held.connection.clone());
            }
            Slot::Failed { at, address, message, hint } if at.elapsed() < PAUSE => {
                return Err(TransportError::Unreachable {
                    server: name.clone(),
                    address: address.clone(),
                    message: message.clone(),
                    hint: hint.clone(),
                });
            }
            Slot::Untried | Slot::Open(_) | Slot::Failed { .. } => {}
        }
        let start = shared.starts.acquire().await.expect("it is never closed");
        let opened = Connection::open(name, server, machine).await;
        drop(start);
        *slot = match &opened {
            Ok(connection) => Slot::Open(Held::new(connection.clone())),
            Err(TransportError::Unreachable { address, message, hint, .. }) => Slot::Failed {
                at: Instant::now(),
                address: address.clone(),
                message: message.clone(),
                hint: hint.clone(),
            },
            Err(_) => Slot::Untried,
        };
        opened
    }

    /// Closes every connection that nobody uses any more, those among them that were begun
    /// and never asked for.
    pub async fn close(&self) {
        let ahead = std::mem::take(&mut *self.ahead.lock().expect("no one panics"));
        for opening in ahead.into_values() {
            opening.abort();
            let _ = opening.await;
        }
        let Some(shared) = &self.shared else { return };
        let slots = std::mem::take(&mut *shared.slots.lock().expect("no one panics"));
        for slot in slots.into_values() {
            if let Slot::Open(held) = std::mem::take(&mut *slot.lock().await) {
                held.close().await;
            }
        }
    }
}
