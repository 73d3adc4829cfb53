//! Starts transactions and relays what they tell. Whoever follows may go at any
//! time: a transaction belongs to the server.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task,
    time::sleep,
};

use super::{
    history,
    journal::{self, Begin, Entry},
    lock,
    own_unit::OwnUnit,
    recover::RecoverError,
    recovery_unit,
    server::{FileError, Server},
    service::Systemd,
    session::fault,
    step::{StepError, release},
    told::ToldTail,
    transaction::cancel_file,
};
use crate::{
    host::HostName,
    layout::{self, Layout},
    plan::{Event, Failure, Outcome, TransactionId},
    wire::{Attached, Channel, Fault, FaultKind, Order, Reply, Request, WireError},
};

/// How often the event log of a transaction is looked at.
const EVENT_INTERVAL: Duration = Duration::from_millis(10);

/// How many looks pass between two questions whether the transaction lives.
const LOOKS_PER_QUESTION: u32 = 100;

/// How often a recovery is looked at that is waited for.
const RECOVERY_INTERVAL: Duration = Duration::from_millis(100);

type AnyError = Box<dyn Error + Send + Sync>;

/// Starts the transaction in a unit of its own, so that neither a lost link
/// nor a closed laptop stops it, and relays its events.
pub(super) async fn execute<R, W>(
    server: &Server,
    order: Order,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let host = order.transaction.host.clone();
    let id = order.transaction.id.clone();
    let started = {
        let server = server.clone();
        task::spawn_blocking(move || start(&server, &order)).await
    };
    match started {
        Ok(Ok(())) => follow(server, &host, &id, channel).await,
        Ok(Err(StartError::Used)) => channel.send(&used()).await,
        Ok(Err(StartError::Other(error))) => channel.send(&fault(&*error)).await,
        Err(panic) => channel.send(&fault(&panic)).await,
    }
}

/// Why a transaction was not started.
enum StartError {
    /// It was begun before.
    Used,
    Other(AnyError),
}

/// A plan is used once, however many ask for it at the same moment: one of them makes
/// its file and its unit.
fn start(server: &Server, order: &Order) -> Result<(), StartError> {
    let transaction = &order.transaction;
    let layout = Layout::new(transaction.host.clone());
    let id = &transaction.id;
    let begun =
        || history::knows(server, &layout, id).map_err(|error| StartError::Other(error.into()));
    if begun()? {
        return Err(StartError::Used);
    }
    // A unit that is up already has the name: systemd starts no second one.
    start_unit(server, order).map_err(|error| match begun() {
        Ok(false) if !Systemd::new(server).is_up(&recovery_unit::of_transaction(id)) => {
            StartError::Other(error.into())
        }
        Ok(_) => StartError::Used,
        Err(error) => error,
    })
}

fn used() -> Reply {
    Reply::Fault(Fault {
        kind: FaultKind::Used,
        message: "the plan was applied already".to_owned(),
        hint: Some("make a new one by `deploy plan --out`".to_owned()),
    })
}

fn start_unit(server: &Server, order: &Order) -> Result<(), StepError> {
    let transaction = &order.transaction;
    let (host, id) = (&transaction.host, &transaction.id);
    let path = Path::new(layout::RUNTIME).join(format!("{id}.json"));
    let stop_post = recovery_unit::after_transaction(server, host);
    let unit = OwnUnit {
        name: &recovery_unit::of_transaction(id),
        description: format!("odoo-deploy transaction of {host}"),
        properties: vec![
            "TimeoutStopSec=10".to_owned(),
            "KillMode=control-group".to_owned(),
            format!("ExecStopPost={stop_post}"),
        ],
        arguments: &["transaction".as_ref(), path.as_ref()],
        order: &path,
        // A plan that found the lock held has told so, and may be applied again.
        told: Tail::of(server, host, id).path,
    };
    unit.start(server, order)
}

/// Shows the transaction that runs, else the last one, from its first event.
pub(super) async fn attach<R, W>(
    server: &Server,
    host: HostName,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let found = {
        let (server, host) = (server.clone(), host.clone());
        task::spawn_blocking(move || newest(&server, &host)).await
    };
    let (id, attached) = match found {
        Ok(Ok(Some(found))) => found,
        Ok(Ok(None)) => return channel.send(&Reply::Attached(None)).await,
        Ok(Err(error)) => return channel.send(&fault(&error)).await,
        Err(panic) => return channel.send(&fault(&panic)).await,
    };
    let running = attached.running;
    channel.send(&Reply::Attached(Some(Box::new(attached)))).await?;
    if running {
        return follow(server, &host, &id, channel).await;
    }
    let mut finished = false;
    for event in Tail::of(server, &host, &id).read() {
        finished |= matches!(event, Event::Finished { .. });
        channel.send(&Reply::Event(event)).await?;
    }
    if !finished {
        // Its event log could not be written to the end.
        channel.send(&died(server, &host, &id)).await?;
    }
    Ok(())
}

/// Finds the newest transaction that began.
fn newest(
    server: &Server,
    host: &HostName,
) -> Result<Option<(TransactionId, Attached)>, FileError> {
    let layout = Layout::new(host.clone());
    let journals = layout.journal();
    let Ok(entries) = fs::read_dir(server.path(&journals)) else { return Ok(None) };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut ids: Vec<_> = names.filter_map(|name| TransactionId::parse(&name)).collect();
    let held = lock::holder(server, &layout)?.map(|holder| holder.transaction);
    let unfinished = journal::unfinished(server, &journals)?;
    // Ids begin with the time, but clocks are set back: what runs comes first, then
    // what the history names last.
    let last = history::read(server, &layout)?.pop().map(|line| line.holder.transaction);
    let rank = |id: &TransactionId| {
        let is = |other: Option<&str>| other == Some(id.as_str());
        (is(held.as_deref()), unfinished.as_ref() == Some(id), is(last.as_deref()))
    };
    ids.sort_by_key(|id| (rank(id), id.clone()));
    for id in ids.into_iter().rev() {
        let entries = journal::read(server, &journals.join(id.as_str()))?;
        let Some(Entry::Begin(begin)) = entries.into_iter().next() else { continue };
        let running = held.as_deref() == Some(id.as_str()) || unfinished.as_ref() == Some(&id);
        return Ok(Some((id, describe(*begin, running))));
    }
    Ok(None)
}

fn describe(begin: Begin, running: bool) -> Attached {
    let transaction = begin.transaction;
    Attached {
        holder: transaction.holder,
        release: transaction.number,
        previous: transaction.previous,
        summary: transaction.summary,
        running,
    }
}

/// Stops whoever holds the lock, has what it began taken back, and shows how.
pub(super) async fn break_lock<R, W>(
    server: &Server,
    host: HostName,
    transaction: String,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let stopped = {
        let (server, host) = (server.clone(), host.clone());
        task::spawn_blocking(move || stop_holder(&server, &host, &transaction)).await
    };
    match stopped {
        Ok(Ok(())) => attach(server, host, channel).await,
        Ok(Err(reply)) => channel.send(&reply).await,
        Err(panic) => channel.send(&fault(&panic)).await,
    }
}

fn stop_holder(server: &Server, host: &HostName, transaction: &str) -> Result<(), Reply> {
    let layout = Layout::new(host.clone());
    let holder = lock::holder(server, &layout).map_err(|error| fault(&error))?;
    let holder = holder.ok_or_else(|| refused("nobody holds the lock", None))?;
    let id = TransactionId::parse(&holder.transaction)
        .filter(|id| id.as_str() == transaction)
        .ok_or_else(|| {
            let hint = "look again with `deploy lock status`";
            refused("another transaction holds the lock by now", Some(hint))
        })?;
    let systemd = Systemd::new(server);
    let units = [recovery_unit::of_transaction(&id), recovery_unit::of_recovery(&id)];
    for unit in &units {
        // A unit that is gone already is what is wanted.
        let _ = systemd.stop(unit);
    }
    if let Some(process) = lock::process(server, &layout).map_err(|error| fault(&error))? {
        let running = units.iter().any(|unit| Systemd::new(server).is_up(unit));
        if !running {
            return Err(refused(
                &format!("the lock is held by process {process}, which is no transaction"),
                Some("look at that process on the server"),
            ));
        }
    }
    settle(server, host).map_err(|error| fault(&error))
}

fn refused(message: &str, hint: Option<&str>) -> Reply {
    Reply::Fault(Fault {
        kind: FaultKind::Refused,
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
    })
}

/// Ends first what a dead transaction of the host left, before anything is looked at.
///
/// # Errors
/// Fails when the recovery cannot be started or watched.
pub(super) fn settle(server: &Server, host: &HostName) -> Result<(), RecoverError> {
    let journals = Layout::new(host.clone()).journal();
    let (systemd, mut started) = (Systemd::new(server), None);
    while let Some(id) = journal::unfinished(server, &journals)? {
        if systemd.is_up(&recovery_unit::of_transaction(&id)) {
            // It lives, or systemd is about to start its recovery.
            if systemd.state(&recovery_unit::of_transaction(&id))?.main_pid.is_some() {
                return Ok(());
            }
        } else if !systemd.is_up(&recovery_unit::of_recovery(&id)) {
            if started.as_ref() == Some(&id) {
                // It ended and could not end what was left: the plan says so.
                return Ok(());
            }
            recovery_unit::start(server, host, &id)?;
            started = Some(id);
        }
        thread::sleep(RECOVERY_INTERVAL);
    }
    Ok(())
}

/// Relays the events of a transaction until it is finished, whoever finishes it.
async fn follow<R, W>(
    server: &Server,
    host: &HostName,
    id: &TransactionId,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut tail = Tail::of(server, host, id);
    let mut looks = 0;
    let mut still = Stillness::default();
    loop {
        for event in tail.read() {
            let finished = matches!(event, Event::Finished { .. });
            channel.send(&Reply::Event(event)).await?;
            if finished {
                return Ok(());
            }
        }
        if still.is_certain() {
            return channel.send(&died(server, host, id)).await;
        }
        looks += 1;
        if looks % LOOKS_PER_QUESTION == 0 {
            let (server, host, id) = (server.clone(), host.clone(), id.clone());
            let looked = task::spawn_blocking(move || look(&server, &host, &id)).await;
            still.note(looked.unwrap_or(false));
        }
        tokio::select! {
            request = channel.receive() => match request? {
                Request::Cancel => cancel(server, host, id),
                _ => return channel.send(&refused("a transaction is being followed", None)).await,
            },
            () = sleep(EVENT_INTERVAL) => {}
        }
    }
}

/// Between a transaction's end and the start of its recovery nothing seems to run:
/// only a second look makes certain that nothing does.
#[derive(Default)]
struct Stillness(u32);

impl Stillness {
    fn note(&mut self, still: bool) {
        self.0 = if still { self.0 + 1 } else { 0 };
    }

    const fn is_certain(&self) -> bool {
        self.0 > 1
    }
}

/// Tells whether nothing of the transaction runs any more. A recovery that is
/// missing is started.
fn look(server: &Server, host: &HostName, id: &TransactionId) -> bool {
    // As long as its own process holds the lock, systemd need not be asked.
    let holder = lock::holder(server, &Layout::new(host.clone())).ok().flatten();
    if holder.is_some_and(|holder| holder.transaction == id.as_str()) {
        return false;
    }
    let units = [recovery_unit::of_transaction(id), recovery_unit::of_recovery(id)];
    if units.iter().any(|unit| Systemd::new(server).is_up(unit)) {
        return false;
    }
    let journals = Layout::new(host.clone()).journal();
    let unfinished = journal::unfinished(server, &journals).ok().flatten();
    let told = Tail::of(server, host, id).read();
    let broken = told.iter().any(|event| matches!(event, Event::Finished { .. }));
    if unfinished.as_ref() == Some(id) && !broken {
        return recovery_unit::start(server, host, id).is_err();
    }
    true
}

/// Has the transaction take everything back at the next step.
fn cancel(server: &Server, host: &HostName, id: &TransactionId) {
    let directory = Layout::new(host.clone()).journal().join(id.as_str());
    // A full disk leaves the transaction running, as a lost link would.
    let _ = release::write(server, &cancel_file(&directory), "", 0o600);
}

/// Says how a transaction ended that did not say so itself.
fn died(server: &Server, host: &HostName, id: &TransactionId) -> Reply {
    let directory = Layout::new(host.clone()).journal().join(id.as_str());
    if journal::read(server, &directory).is_ok_and(|entries| entries.is_empty()) {
        let failure = Failure {
            step: "begin".to_owned(),
            message: "the transaction was killed before it began".to_owned(),
            hint: Some("deploy again".to_owned()),
            details: Vec::new(),
        };
        let outcome = Outcome::Refused { failure };
        return Reply::Event(Event::Finished { outcome, interruption: None });
    }
    Reply::Fault(Fault {
        kind: FaultKind::Internal,
        message: format!("transaction {id} ended without saying how"),
        hint: Some(format!("`deploy history --host {host}` and its journal say more")),
    })
}

/// Reads the events of a transaction, those of its recovery among them.
struct Tail {
    path: PathBuf,
    told: ToldTail<Event>,
}

impl Tail {
    fn of(server: &Server, host: &HostName, id: &TransactionId) -> Self {
        let journals = Layout::new(host.clone()).journal();
        let path = server.path(&journals.join(id.as_str()).join("events.jsonl"));
        Self { told: ToldTail::of(path.clone()), path }
    }

    /// Returns what is new. An end that was not the end, because a later recovery
    /// went on, is left out.
    fn read(&mut self) -> Vec<Event> {
        let mut events = self.told.read();
        let last = events.len().saturating_sub(1);
        let mut index = 0;
        events.retain(|event| {
            index += 1;
            index > last || !matches!(event, Event::Finished { .. })
        });
        events
    }
}
