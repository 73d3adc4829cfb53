//! The logs of a host: what its transactions told, and what Odoo wrote.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    select, task,
    time::sleep,
};

use super::{
    live_secrets,
    log_source::{LogError, LogSource},
    log_tail::{FileTail, LogTail, last},
    observe,
    server::{FileError, Server},
    with_causes,
};
use crate::{
    layout::Layout,
    plan::Event,
    wire::{Channel, Fault, FaultKind, LogLine, LogsRequest, Reply, Request, WireError},
};

/// How long a follower waits between two looks.
const INTERVAL: Duration = Duration::from_millis(300);

/// How many lines go into one frame.
const LINES_PER_FRAME: usize = 1000;

/// Sends the logs; those that grow until the controller says anything or is gone.
///
/// # Errors
/// Fails when the controller is gone in the middle.
pub(super) async fn send<R, W>(
    server: &Server,
    request: &LogsRequest,
    channel: &mut Channel<R, W>,
) -> Result<(), WireError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut logs = match Logs::open(server, request) {
        Ok(logs) => logs,
        Err(error) => return channel.send(&fault(&error)).await,
    };
    loop {
        let read = task::spawn_blocking(move || (logs.read(), logs)).await;
        let lines = match read {
            Ok((Ok(lines), same)) => {
                logs = same;
                lines
            }
            Ok((Err(error), _)) => return channel.send(&fault(&error)).await,
            Err(panic) => return channel.send(&fault(&panic)).await,
        };
        for piece in lines.chunks(LINES_PER_FRAME) {
            channel.send(&Reply::LogLines(piece.to_vec())).await?;
        }
        if !request.follow {
            return channel.send(&Reply::EndOfLog).await;
        }
        select! {
            received = channel.receive::<Request>() => return match received {
                Ok(_) => channel.send(&Reply::EndOfLog).await,
                Err(WireError::Closed) => Ok(()),
                Err(error) => Err(error),
            },
            () = sleep(INTERVAL) => {}
        }
    }
}

/// Reads the events of one transaction, as far as it told any.
pub(super) fn events(server: &Server, layout: &Layout, transaction: &str) -> Vec<Event> {
    let mut file = FileTail::new(layout.journal().join(transaction).join("events.jsonl"));
    file.read(server).map(parse).unwrap_or_default()
}

fn parse(lines: Vec<String>) -> Vec<Event> {
    lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What is read, and how far.
struct Logs {
    server: Server,
    layout: Layout,
    deploys: Option<DeployTail>,
    odoo: Option<LogTail>,
}

impl Logs {
    fn open(server: &Server, request: &LogsRequest) -> Result<Self, LogError> {
        let layout = Layout::new(request.host.clone());
        let logfile = observe::kept_option(server, &layout, "logfile")?;
        let source = LogSource {
            unit: layout.unit_name(),
            file: logfile.map(Into::into).filter(|path: &std::path::PathBuf| path.is_absolute()),
        };
        let odoo = request.odoo.then(|| LogTail::new(server, source, request.lines));
        Ok(Self {
            server: server.clone(),
            deploys: request.deploys.then(|| DeployTail::new(request.lines)),
            odoo: odoo.transpose()?,
            layout,
        })
    }

    /// Returns what is new, secrets masked.
    fn read(&mut self) -> Result<Vec<LogLine>, LogError> {
        let mut lines = Vec::new();
        if let Some(deploys) = &mut self.deploys {
            let events = deploys.read(&self.server, &self.layout.journal())?;
            lines.extend(events.into_iter().map(|(transaction, entry)| LogLine::Deploy {
                transaction,
                entry: Box::new(entry),
            }));
        }
        let said = match &mut self.odoo {
            Some(odoo) => odoo.read(&self.server)?,
            None => Vec::new(),
        };
        if !said.is_empty() {
            let redactor = live_secrets::of_host(&self.server, &self.layout);
            lines.extend(said.iter().map(|line| LogLine::Odoo { text: redactor.redact(line) }));
        }
        Ok(lines)
    }
}

/// Follows the events of every transaction. They were masked when they were told.
struct DeployTail {
    files: BTreeMap<String, FileTail>,
    /// How many events are wanted; all that are new after the first time.
    lines: usize,
}

impl DeployTail {
    fn new(lines: usize) -> Self {
        Self { files: BTreeMap::new(), lines }
    }

    fn read(
        &mut self,
        server: &Server,
        journals: &Path,
    ) -> Result<Vec<(String, Event)>, FileError> {
        // A transaction's id begins with its time.
        let entries = fs::read_dir(server.path(journals)).into_iter().flatten().flatten();
        for entry in entries {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = journals.join(&name).join("events.jsonl");
            self.files.entry(name).or_insert_with(|| FileTail::new(path));
        }
        let mut events = Vec::new();
        for (name, file) in &mut self.files {
            let new = parse(file.read(server)?);
            events.extend(new.into_iter().map(|event| (name.clone(), event)));
        }
        let events = last(events, self.lines);
        self.lines = usize::MAX;
        Ok(events)
    }
}

fn fault(error: &dyn std::error::Error) -> Reply {
    Reply::Fault(Fault {
        kind: FaultKind::Internal,
        message: format!("failed to read the logs: {}", with_causes(error)),
        hint: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;

    fn server() -> (tempfile::TempDir, Server, LogsRequest) {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let host = HostName::parse("a.example").unwrap();
        let request = LogsRequest { host, deploys: true, odoo: false, lines: 2, follow: true };
        (root, server, request)
    }

    fn tell(server: &Server, transaction: &str, event: &Event) {
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        let directory = server.path(&layout.journal().join(transaction));
        fs::create_dir_all(&directory).unwrap();
        let mut text = fs::read_to_string(directory.join("events.jsonl")).unwrap_or_default();
        text.push_str(&serde_json::to_string(event).unwrap());
        text.push('\n');
        fs::write(directory.join("events.jsonl"), text).unwrap();
    }

    #[test]
    fn the_last_events_come_first_and_later_ones_once() {
        let (_root, server, request) = server();
        tell(&server, "t1", &Event::Reverting);
        tell(&server, "t2", &Event::Progress { text: "half".into() });
        tell(&server, "t2", &Event::Committed);
        let mut logs = Logs::open(&server, &request).unwrap();
        let names = |lines: Vec<LogLine>| -> Vec<String> {
            let name = |line| match line {
                LogLine::Deploy { transaction, .. } => transaction,
                LogLine::Odoo { text } => text,
            };
            lines.into_iter().map(name).collect()
        };
        assert_eq!(names(logs.read().unwrap()), ["t2", "t2"]);
        tell(&server, "t3", &Event::Committed);
        assert_eq!(names(logs.read().unwrap()), ["t3"]);
        assert!(logs.read().unwrap().is_empty());
    }

    #[tokio::test]
    async fn following_ends_when_the_controller_is_gone() {
        let (_root, server, request) = server();
        let (ours, theirs) = tokio::io::duplex(1024);
        let (reader, writer) = tokio::io::split(ours);
        let mut channel = Channel::new(reader, writer);
        let following = tokio::spawn(async move { send(&server, &request, &mut channel).await });
        drop(theirs);
        following.await.unwrap().unwrap();
    }
}
