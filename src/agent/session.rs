//! The agent's side of the conversation. It answers and relays; plans are
//! executed by a process of their own.

use std::{fs, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task,
    time::timeout,
};

use super::{
    adopt, follow, history,
    inspect::Inspector,
    keys, logs,
    observe::{new_rows, observe, releases_of_host},
    occupancy::occupancy,
    removal,
    restricted::Guard,
    server::{FileError, Server},
    setup, status,
    step::origin::signing_request,
    with_causes,
};
use crate::{
    host::{HostName, UserName},
    layout::Layout,
    source::Store,
    wire::{
        Channel, CompareRequest, Fault, FaultKind, Hello, PROTOCOLS, Reply, Request, Welcome,
        WireError,
    },
};

/// How long whoever holds a deploy key may take to say hello: a person, or a program that
/// wants a file, waits for something that never comes.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// Answers requests until the controller hangs up; under a deploy key those that the guard
/// lets pass.
///
/// # Errors
/// Fails when the controller is gone in the middle or breaks the protocol.
pub(super) async fn serve<R, W>(
    server: &Server,
    guard: Option<&Guard>,
    reader: R,
    writer: W,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut channel = Channel::new(reader, writer);
    let mut is_first = true;
    // Whether a transaction can be begun: it may be asked for behind its code.
    let mut has_code = true;
    loop {
        let received = if guard.is_some() && is_first {
            let hello = timeout(HELLO_PATIENCE, channel.receive()).await;
            hello.unwrap_or(Err(WireError::NoHello))
        } else {
            channel.receive().await
        };
        is_first = false;
        let mut request: Request = match received {
            Ok(request) => request,
            Err(WireError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        if let Some(Err(fault)) = guard.map(|guard| guard.check(server, &mut request)) {
            channel.send(&Reply::Fault(fault)).await?;
            if matches!(request, Request::Pack { .. }) {
                // What comes next is no request.
                return Ok(());
            }
            continue;
        }
        match request {
            Request::Hello(hello) => {
                channel.send(&welcome(&hello, guard.is_some())).await?;
            }
            Request::Execute(_) if !has_code => {
                channel.send(&without_code()).await?;
            }
            Request::Execute(order) => follow::execute(server, *order, &mut channel).await?,
            Request::Attach { host } => follow::attach(server, host, &mut channel).await?,
            Request::BreakLock { host, transaction } => {
                follow::break_lock(server, host, transaction, &mut channel).await?;
            }
            Request::Remove(order) => removal::execute(server, *order, &mut channel).await?,
            // It came too late: what it was meant for has ended.
            Request::Cancel => {}
            Request::Pack { host, bytes } => {
                let reply = receive_pack(server, &host, bytes, &mut channel).await?;
                has_code = matches!(reply, Reply::Received);
                channel.send(&reply).await?;
            }
            Request::Logs(request) => logs::send(server, &request, &mut channel).await?,
            Request::Server(request) => setup::serve(server, request, &mut channel).await?,
            request => {
                let server = server.clone();
                let answered = task::spawn_blocking(move || answer(&server, request)).await;
                let reply = answered.unwrap_or_else(|panic| fault(&panic));
                channel.send(&reply).await?;
            }
        }
    }
}

fn welcome(hello: &Hello, restricted: bool) -> Reply {
    let protocol = PROTOCOLS.iter().find(|ours| hello.protocols.contains(ours)).copied();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Reply::Welcome(Welcome { protocol, version, restricted })
}

fn without_code() -> Reply {
    Reply::Fault(Fault {
        kind: FaultKind::Refused,
        message: "the code did not arrive".to_owned(),
        hint: None,
    })
}

fn answer(server: &Server, request: Request) -> Reply {
    match request {
        Request::Observe(request) => {
            let settled = follow::settle(server, &request.host).map_err(|error| fault(&error));
            let observed =
                settled.and_then(|()| observe(server, &request).map_err(|error| fault(&error)));
            observed.map_or_else(|reply| reply, |observed| Reply::Observed(Box::new(observed)))
        }
        Request::Compare(request) => compare(server, &request),
        Request::Status(request) => {
            reply(status::status(server, &request), |facts| Reply::Status(Box::new(facts)))
        }
        Request::History { host, limit } => {
            reply(history::newest(server, &Layout::new(host), limit), Reply::History)
        }
        Request::LockState { host } => reply(status::lock(server, &Layout::new(host)), |facts| {
            Reply::LockState(facts.map(Box::new))
        }),
        Request::Releases { host } => {
            reply(releases_of_host(server, &Layout::new(host)), |releases| {
                Reply::Releases(Box::new(releases))
            })
        }
        Request::CountRows(request) => reply(new_rows(server, &request), Reply::Counted),
        Request::MakeSigningRequest { host, names } => {
            reply(signing_request(server, &host, &names), Reply::SigningRequest)
        }
        Request::Occupancy(request) => {
            reply(occupancy(server, &request), |occupancy| Reply::Occupancy(Box::new(occupancy)))
        }
        Request::Removal(question) => {
            let settled = follow::settle(server, &question.host).map_err(|error| fault(&error));
            let facts = settled
                .and_then(|()| removal::facts(server, &question).map_err(|error| fault(&error)));
            facts.map_or_else(|reply| reply, |facts| Reply::Removal(Box::new(facts)))
        }
        Request::Survey(request) => match adopt::survey(server, &request) {
            Ok(survey) => Reply::Survey(Box::new(survey)),
            Err(error) => refused(&error),
        },
        Request::Adopt(request) => adopt::record(server, &request),
        Request::Authorize(request) => keys::answer_authorize(server, &request),
        Request::Keys => keys::answer_keys(server),
        Request::Revoke(which) => keys::answer_revoke(server, &which),
        Request::Hello(_)
        | Request::Pack { .. }
        | Request::Remove(_)
        | Request::Logs(_)
        | Request::Server(_)
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

/// Puts what was found into words, or why nothing was.
fn reply<T, E: std::error::Error>(found: Result<T, E>, words: impl FnOnce(T) -> Reply) -> Reply {
    found.map_or_else(|error| fault(&error), words)
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
    channel.receive_into(&mut file, bytes).await?;
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

fn refused(error: &dyn std::error::Error) -> Reply {
    let message = with_causes(error);
    Reply::Fault(Fault { kind: FaultKind::Refused, message, hint: None })
}

pub(super) fn fault(error: &dyn std::error::Error) -> Reply {
    let message = with_causes(error);
    Reply::Fault(Fault { kind: FaultKind::Internal, message, hint: None })
}

#[cfg(test)]
mod tests {
    use tokio::io::{duplex, split};

    use super::*;
    use crate::agent::restricted::sample::the;

    #[tokio::test]
    async fn a_transaction_whose_code_did_not_arrive_does_not_begin() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "".into());
        let order = the("an upgrade").order;
        let host = order.transaction.host.clone();
        let (ours, theirs) = duplex(1 << 20);
        let (reader, writer) = split(theirs);
        let agent = serve(&server, None, reader, writer);
        let asking = async {
            let (reader, writer) = split(ours);
            let mut channel = Channel::new(reader, writer);
            channel.send(&Request::Pack { host, bytes: 4 }).await.unwrap();
            channel.send_bytes(b"none"[..].into()).await.unwrap();
            channel.send(&Request::Execute(Box::new(order))).await.unwrap();
            [channel.receive().await.unwrap(), channel.receive().await.unwrap()]
        };
        let (ended, replies) = tokio::join!(agent, asking);
        ended.unwrap();
        let [Reply::Fault(pack), Reply::Fault(begin)] = replies else { panic!("{replies:?}") };
        assert!(pack.message.contains("failed to store the code"), "{pack}");
        assert_eq!(begin.message, "the code did not arrive");
        assert!(!root.path().join("run").exists(), "no order was written");
    }
}
