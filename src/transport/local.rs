//! The agent as a child of this process.

use std::process::Stdio;

use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

use super::{Machine, Reader, TransportError, Writer};
use crate::wire::Channel;

/// The child process that is the agent.
pub(super) struct Line {
    child: Child,
}

/// Starts the agent as root, by sudo where this process is not root.
pub(super) fn start(machine: &Machine) -> Result<(Line, Channel<Reader, Writer>), TransportError> {
    let mut command = match &machine.local_root {
        None if !rustix::process::geteuid().is_root() => {
            let mut command = Command::new("sudo");
            command.arg("-n").arg(&machine.executable).arg("agent");
            command
        }
        root => {
            let mut command = Command::new(&machine.executable);
            command.arg("agent");
            if let Some((root, search_path)) = root {
                command.arg("--root").arg(root).arg("--path").arg(search_path);
            }
            command
        }
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("LC_ALL", "C")
        .spawn()
        .map_err(|source| TransportError::Local {
            operation: "run",
            path: machine.executable.clone(),
            source,
        })?;
    let reader = child.stdout.take().expect("stdout is piped");
    let writer = child.stdin.take().expect("stdin is piped");
    Ok((Line { child }, Channel::new(Box::new(reader), Box::new(writer))))
}

impl Line {
    /// Returns what the agent wrote to stderr.
    pub(super) async fn last_words(mut self) -> String {
        let mut said = String::new();
        if let Some(stderr) = self.child.stderr.as_mut() {
            let _ = stderr.read_to_string(&mut said).await;
        }
        said
    }

    /// Waits for the agent to end.
    pub(super) async fn close(mut self) {
        let _ = self.child.wait().await;
    }
}
