//! The agent's side of the conversation. It answers and relays; plans are
//! executed by a process of their own.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task,
    time::sleep,
};

use super::{
    inspect::Inspector,
    observe::observe,
    server::{FileError, Server},
    service::Systemd,
    with_causes,
};
use crate::{
    host::{HostName, UserName},
    layout::{self, Layout},
    plan::{Event, Transaction},
    source::Store,
    wire::{
        Channel, CompareRequest, Fault, FaultKind, PROTOCOLS, Reply, Request, Welcome, WireError,
    },
};

/// Where plans wait to be executed: memory, not disk, for they hold secrets.
const PLANS: &str = "/run/odoo-deploy";

/// How often the event log of a transaction is looked at.
const EVENT_INTERVAL: Duration = Duration::from_millis(25);

/// How many looks pass between two questions whether the transaction lives.
const LOOKS_PER_QUESTION: u32 = 40;

/// Answers requests until the controller hangs up.
///
/// # Errors
/// Fails when the controller is gone in the middle or breaks the protocol.
pub(super) async fn serve<R, W>(server: &Server, reader: R, writer: W) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut channel = Channel::new(reader, writer);
    loop {
        let request: Request = match channel.receive().await {
            Ok(request) => request,
            Err(WireError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        match request {
            Request::Execute(transaction) => {
                execute(server, *transaction, &mut channel).await?;
            }
            Request::Pack { host, bytes } => {
                let reply = receive_pack(server, &host, bytes, &mut channel).await?;
                channel.send(&reply).await?;
            }
            request => {
                let server = server.clone();
                let answered = task::spawn_blocking(move || answer(&server, request)).await;
                let reply = answered.unwrap_or_else(|panic| fault(&panic));
                channel.send(&reply).await?;
            }
        }
    }
}

fn answer(server: &Server, request: Request) -> Reply {
    match request {
        Request::Hello(hello) => {
            let protocol = PROTOCOLS.iter().find(|ours| hello.protocols.contains(ours)).copied();
            Reply::Welcome(Welcome { protocol, version: env!("CARGO_PKG_VERSION").to_owned() })
        }
        Request::Observe(request) => match observe(server, &request) {
            Ok(observed) => Reply::Observed(Box::new(observed)),
            Err(error) => fault(&error),
        },
        Request::Compare(request) => compare(server, &request),
        Request::Pack { .. }
        | Request::Execute(_)
        | Request::Attach { .. }
        | Request::Cancel
        | Request::BreakLock { .. } => Reply::Fault(Fault {
            kind: FaultKind::Protocol,
            message: "this request is not answered here".to_owned(),
            hint: None,
        }),
    }
}

fn compare(server: &Server, request: &CompareRequest) -> Reply {
    let service = &request.service;
    let names = (UserName::parse(&service.user), UserName::parse(&service.group));
    let (Ok(user), Ok(group)) = names else {
        return Reply::Fault(Fault {
            kind: FaultKind::Protocol,
            message: "the request names no valid user".to_owned(),
            hint: None,
        });
    };
    let inspector = Inspector { server, python: &service.python, user: &user, group: &group };
    match inspector.compare(&request.pairs) {
        Ok(changes) => Reply::Compared(changes),
        Err(error) => fault(&error),
    }
}

/// Takes a pack into the host's object store. It lies there unused until a
/// transaction names a tree of it.
async fn receive_pack<R, W>(
    server: &Server,
    host: &HostName,
    bytes: u64,
    channel: &mut Channel<R, W>,
) -> Result<Reply, WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut file = tempfile::tempfile().map_err(WireError::Io)?;
    let mut left = bytes;
    while left > 0 {
        let piece = channel.receive_bytes().await?;
        left = left.checked_sub(piece.len() as u64).ok_or(WireError::Closed)?;
        file.write_all(&piece).map_err(WireError::Io)?;
    }
    let (server, layout) = (server.clone(), Layout::new(host.clone()));
    let stored = task::spawn_blocking(move || store_pack(&server, &layout, file)).await;
    Ok(match stored {
        Ok(Ok(())) => Reply::Received,
        Ok(Err(reply)) => reply,
        Err(panic) => fault(&panic),
    })
}

fn store_pack(server: &Server, layout: &Layout, mut file: fs::File) -> Result<(), Reply> {
    let refused = |error: &dyn std::error::Error| {
        Reply::Fault(Fault {
            kind: FaultKind::Refused,
            message: format!("failed to store the code: {}", with_causes(error)),
            hint: None,
        })
    };
    std::io::Seek::rewind(&mut file).map_err(|error| refused(&error))?;
    let base = layout.base();
    fs::create_dir_all(server.path(&base))
        .map_err(|error| refused(&FileError::at("create", &base)(error)))?;
    let store =
        Store::open_or_create(&server.path(&layout.store())).map_err(|error| refused(&error))?;
    store.receive(&mut file).map_err(|error| refused(&error))?;
    Ok(())
}

/// Starts the transaction in a unit of its own, so that neither a lost link
/// nor a closed laptop stops it, and relays its events.
async fn execute<R, W>(
    server: &Server,
    transaction: Transaction,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let layout = Layout::new(transaction.host.clone());
    let events = layout.journal().join(transaction.id.as_str()).join("events.jsonl");
    let unit = format!("deploytx-{}", transaction.id);
    let started = {
        let (server, unit) = (server.clone(), unit.clone());
        task::spawn_blocking(move || start(&server, &transaction, &unit)).await
    };
    match started {
        Ok(Ok(())) => follow(server, &events, &unit, channel).await,
        Ok(Err(error)) => channel.send(&fault(&*error)).await,
        Err(panic) => channel.send(&fault(&panic)).await,
    }
}

fn start(
    server: &Server,
    transaction: &Transaction,
    unit: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let plan = write_plan(server, transaction)?;
    let mut command = server.command("systemd-run");
    command
        .args(["--quiet", "--collect"])
        .arg(format!("--unit={unit}"))
        .arg(format!("--description=odoo-deploy transaction of {}", transaction.host))
        .args(["--property=OOMPolicy=continue", "--property=TimeoutStopSec=10"])
        .arg("--property=KillMode=control-group")
        .arg("--")
        .arg(agent_executable(server))
        .args(["agent", "transaction"])
        .arg(&plan);
    if server.root() != Path::new("/") {
        command.arg("--root").arg(server.root());
    }
    server.run(&mut command)?;
    Ok(())
}

/// The transaction runs the executable that this session runs.
fn agent_executable(server: &Server) -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| server.path(Path::new(layout::AGENT)))
}

fn write_plan(server: &Server, transaction: &Transaction) -> Result<PathBuf, FileError> {
    let directory = Path::new(PLANS);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(server.path(directory))
        .map_err(FileError::at("create", directory))?;
    let path = directory.join(format!("{}.json", transaction.id));
    let text = serde_json::to_vec(transaction).expect("a transaction is JSON");
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(server.path(&path))
        .and_then(|mut file| file.write_all(&text))
        .map_err(FileError::at("write", &path))?;
    Ok(path)
}

/// Relays the events of a transaction until it is finished.
async fn follow<R, W>(
    server: &Server,
    events: &Path,
    unit: &str,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut tail = Tail { path: server.path(events), offset: 0 };
    let mut looks = 0;
    let mut gone = false;
    loop {
        for event in tail.read() {
            let finished = matches!(event, Event::Finished { .. });
            channel.send(&Reply::Event(event)).await?;
            if finished {
                return Ok(());
            }
        }
        if gone {
            return channel.send(&died(unit)).await;
        }
        looks += 1;
        if looks % LOOKS_PER_QUESTION == 0 {
            let (server, unit) = (server.clone(), format!("{unit}.service"));
            let state = task::spawn_blocking(move || Systemd::new(&server).state(&unit)).await;
            gone = matches!(state, Ok(Ok(state)) if state.main_pid.is_none());
        }
        sleep(EVENT_INTERVAL).await;
    }
}

fn died(unit: &str) -> Reply {
    Reply::Fault(Fault {
        kind: FaultKind::Internal,
        message: format!("the transaction `{unit}` ended without saying how"),
        hint: Some(format!(
            "on the server, `journalctl -u {unit}` and the host's journal say more"
        )),
    })
}

/// Reads a growing file of lines from where it stopped.
struct Tail {
    path: PathBuf,
    offset: usize,
}

impl Tail {
    fn read(&mut self) -> Vec<Event> {
        let Ok(bytes) = fs::read(&self.path) else { return Vec::new() };
        let new = bytes.get(self.offset..).unwrap_or_default();
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.offset += whole;
        let lines = new[..whole].split(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

fn fault(error: &dyn std::error::Error) -> Reply {
    let message = with_causes(error);
    Reply::Fault(Fault { kind: FaultKind::Internal, message, hint: None })
}
