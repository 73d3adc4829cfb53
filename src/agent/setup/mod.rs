//! The server as a machine: looks at it, and sets it up in a unit of its own, so that a lost
//! link leaves nothing half done.

mod apt;
mod configure;
mod events;
mod examine;
mod firewall;
mod look;
mod odoo;
mod parse;
mod postgres;
mod users;
mod work;

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task,
    time::sleep,
};

use super::{
    own_unit::OwnUnit,
    server::{FileError, Server},
    service::Systemd,
    session::fault,
    step::StepError,
};
use crate::{
    plan::{Failure, Holder},
    setup::{SetupOrder, SetupTold},
    wire::{Channel, Reply, ServerReply, ServerRequest, WireError},
};

pub use work::run_setup;

/// The unit that sets a server up. Not `odoo-…`, as those of hosts are.
const UNIT: &str = "deploysetup.service";
/// What is to be done.
const ORDER: &str = "/run/odoo-deploy/setup.json";
/// Held by the one who sets up, as long as that takes.
const LOCK: &str = "/run/lock/odoo-deploy-setup.lock";
/// Held for the moment of a start.
const START_LOCK: &str = "/run/lock/odoo-deploy-setup-start.lock";
/// Packages on their way.
const CACHE: &str = "/var/cache/odoo-deploy";
/// The package that a controller sent.
const SENT: &str = "/var/cache/odoo-deploy/sent.deb";

/// How often what a setup tells is looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// How many looks pass between two questions whether it lives.
const LOOKS_PER_QUESTION: u32 = 20;

/// Answers one request.
pub(super) async fn serve<R, W>(
    server: &Server,
    request: ServerRequest,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let here = server.clone();
    match request {
        ServerRequest::Look(request) => {
            let facts = task::spawn_blocking(move || look::machine(&here, &request)).await;
            let reply = facts.map(|facts| ServerReply::Machine(Box::new(facts)));
            channel.send(&reply.map_or_else(|panic| fault(&panic), Reply::Server)).await
        }
        ServerRequest::Examine(request) => {
            let found = task::spawn_blocking(move || examine::examine(&here, &request)).await;
            let reply = found.map(|found| ServerReply::Examined(Box::new(found)));
            channel.send(&reply.map_or_else(|panic| fault(&panic), Reply::Server)).await
        }
        ServerRequest::File { bytes } => receive(server, bytes, channel).await,
        ServerRequest::SetUp(order) => {
            match task::spawn_blocking(move || start(&here, &order)).await {
                Ok(Ok(Started::Running)) => follow(server, channel).await,
                Ok(Ok(Started::Busy(holder))) => tell(channel, SetupTold::Busy(holder)).await,
                Ok(Err(error)) => channel.send(&fault(&error)).await,
                Err(panic) => channel.send(&fault(&panic)).await,
            }
        }
        ServerRequest::Follow => follow(server, channel).await,
    }
}

async fn tell<R, W>(channel: &mut Channel<R, W>, told: SetupTold) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    channel.send(&Reply::Server(ServerReply::Setup(Box::new(told)))).await
}

/// What became of an order.
enum Started {
    Running,
    Busy(Option<Holder>),
}

fn start(server: &Server, order: &SetupOrder) -> Result<Started, StepError> {
    let _lock = server.lock(Path::new(START_LOCK))?;
    if runs(server) {
        return Ok(Started::Busy(read_order(server).map(|order| order.holder)));
    }
    // The order of a setup that died.
    let path = Path::new(ORDER);
    server.remove_file(path)?;
    let unit = OwnUnit {
        name: UNIT,
        description: "odoo-deploy sets this server up".to_owned(),
        properties: vec!["TimeoutStopSec=10".to_owned()],
        arguments: &["setup".as_ref()],
        order: path,
        told: server.path(Path::new(events::EVENTS)),
    };
    unit.start(server, order)?;
    Ok(Started::Running)
}

fn read_order(server: &Server) -> Option<SetupOrder> {
    let text = server.read(Path::new(ORDER)).ok()??;
    serde_json::from_str(&text).ok()
}

/// Tells whether this server is being set up.
fn runs(server: &Server) -> bool {
    Systemd::new(server).is_up(UNIT)
}

/// Takes the lock of the one who sets up; none where somebody has it.
fn take_lock(server: &Server) -> Result<Option<File>, FileError> {
    let file = server.open_lock(Path::new(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(FileError::at("lock", Path::new(LOCK))(error)),
    }
}

fn create_directory(server: &Server, path: &Path, mode: u32) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(mode);
    builder.create(server.path(path)).map_err(FileError::at("create", path))
}

/// Relays what the setup tells until it ends.
async fn follow<R, W>(server: &Server, channel: &mut Channel<R, W>) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut tail = events::tail(server);
    let mut looks = 0;
    let mut was_gone = false;
    loop {
        for told in tail.read() {
            let ended = matches!(told, SetupTold::Ended(_));
            tell(channel, told).await?;
            if ended {
                return Ok(());
            }
        }
        looks += 1;
        if looks % LOOKS_PER_QUESTION == 0 {
            let here = server.clone();
            let lives = task::spawn_blocking(move || runs(&here)).await.unwrap_or(true);
            if was_gone && !lives {
                return tell(channel, SetupTold::Ended(Some(died()))).await;
            }
            was_gone = !lives;
        }
        sleep(INTERVAL).await;
    }
}

fn died() -> Failure {
    Failure {
        step: "set the server up".to_owned(),
        message: "it was killed on the server".to_owned(),
        hint: Some("run it again: it goes on where it was".to_owned()),
        details: Vec::new(),
    }
}

/// Takes a package of Odoo that the setup that follows installs.
async fn receive<R, W>(
    server: &Server,
    bytes: u64,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let directory = server.path(Path::new(CACHE));
    fs::create_dir_all(&directory).map_err(WireError::Io)?;
    let mut file = tempfile::NamedTempFile::new_in(&directory).map_err(WireError::Io)?;
    channel.receive_into(file.as_file_mut(), bytes).await?;
    let kept = file.persist(server.path(Path::new(SENT)));
    kept.map_err(|error| WireError::Io(error.error))?;
    channel.send(&Reply::Received).await
}
