//! Starts a removal and relays what it tells. It belongs to the server: whoever follows may
//! go at any time.

use std::{fs, path::Path, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task,
    time::sleep,
};

use super::told;
use crate::{
    agent::{
        own_unit::OwnUnit, recovery_unit, server::Server, service::Systemd, session::fault,
        step::StepError, told::ToldTail,
    },
    layout,
    plan::{RemovalOrder, RemovalStep, RemovalTold, TransactionId},
    wire::{Channel, Fault, FaultKind, Reply, WireError},
};

/// How often the log is looked at.
const INTERVAL: Duration = Duration::from_millis(25);

/// How many looks pass between two questions whether the unit lives.
const LOOKS_PER_QUESTION: u32 = 40;

fn unit(id: &TransactionId) -> String {
    format!("deployrm-{id}.service")
}

/// Starts the removal in a unit of its own and relays what it tells.
pub(in crate::agent) async fn execute<R, W>(
    server: &Server,
    order: RemovalOrder,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let id = order.id.clone();
    let started = {
        let server = server.clone();
        task::spawn_blocking(move || start(&server, &order)).await
    };
    match started {
        Ok(Ok(())) => follow(server, &id, channel).await,
        Ok(Err(error)) => channel.send(&fault(&error)).await,
        Err(panic) => channel.send(&fault(&panic)).await,
    }
}

fn start(server: &Server, order: &RemovalOrder) -> Result<(), StepError> {
    let path = Path::new(layout::RUNTIME).join(format!("removal-{}.json", order.id));
    let host = &order.question.host;
    let mut properties = vec!["KillMode=control-group".to_owned()];
    if order.steps.contains(&RemovalStep::StopService) {
        properties.push(format!("ExecStopPost={}", recovery_unit::after_removal(server, host)));
    }
    let unit = OwnUnit {
        name: &unit(&order.id),
        description: format!("odoo-deploy removal of {host}"),
        properties,
        arguments: &["removal".as_ref(), path.as_ref()],
        order: &path,
        told: server.path(&told::path(&order.id)),
    };
    unit.start(server, order)
}

async fn follow<R, W>(
    server: &Server,
    id: &TransactionId,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let path = server.path(&told::path(id));
    let mut tail = ToldTail::of(path.clone());
    let (mut looks, mut gone) = (0, false);
    loop {
        for told in tail.read() {
            let finished = matches!(told, RemovalTold::Finished(_));
            channel.send(&Reply::Removing(Box::new(told))).await?;
            if finished {
                let _ = fs::remove_file(&path);
                return Ok(());
            }
        }
        if gone {
            return channel.send(&died(id)).await;
        }
        looks += 1;
        if looks % LOOKS_PER_QUESTION == 0 {
            let (server, unit) = (server.clone(), unit(id));
            let looked = task::spawn_blocking(move || Systemd::new(&server).is_up(&unit)).await;
            // The log is read once more: its last line may have come meanwhile.
            gone = looked.is_ok_and(|is_up| !is_up);
        }
        sleep(INTERVAL).await;
    }
}

fn died(id: &TransactionId) -> Reply {
    Reply::Fault(Fault {
        kind: FaultKind::Internal,
        message: format!("removal {id} was killed"),
        hint: Some("run the command again: it goes on with what is left".to_owned()),
    })
}
