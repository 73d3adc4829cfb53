//! The agent over SSH: one connection, one channel.

use std::{path::Path, sync::Arc, time::Duration};

use openssh::{Child, ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Mutex, MutexGuard},
};

use super::{
    Machine, Reader, TransportError, Writer, control_directory::ControlDirectory, error::last_lines,
};
use crate::{causes::with_causes, host::ServerName, layout, settings::SshServer, wire::Channel};

/// How long a server may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a silent server is asked whether it is still there; ssh gives up
/// after three unanswered ones.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long ssh's master outlives a killed controller, in seconds.
const OUTLIVE: usize = 10;

/// A connection to a server.
#[derive(Clone)]
pub(super) struct Connection {
    session: Arc<Session>,
    server: ServerName,
    // The pinned host key and ssh's control socket.
    directory: Arc<ControlDirectory>,
    // Held by the one that puts the agent on the server.
    installs: Arc<Mutex<()>>,
}

/// The channel that carries the agent.
pub(super) struct Line {
    child: Child<Arc<Session>>,
    // The control socket has to be there until the session is closed.
    _directory: Arc<ControlDirectory>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects. The user's own ssh configuration, agent and jump hosts count;
    /// host keys are always checked.
    pub(super) async fn open(
        name: &ServerName,
        server: &SshServer,
        machine: &Machine,
    ) -> Result<Self, TransportError> {
        let directory = ControlDirectory::create_in(&machine.runtime_directory)
            .map_err(local("create a directory in", &machine.runtime_directory))?;
        let builder = builder(server, machine, directory.path())?;
        let session = builder
            .connect_mux(&server.address)
            .await
            .map_err(|error| unreachable(name, server, &error))?;
        Ok(Self {
            session: Arc::new(session),
            server: name.clone(),
            directory: Arc::new(directory),
            installs: Arc::default(),
        })
    }

    /// Tells whether it still stands, as far as this machine knows.
    pub(super) async fn is_alive(&self) -> bool {
        self.session.check().await.is_ok()
    }

    /// Closes it, unless somebody uses it.
    pub(super) async fn close(self) {
        if let Ok(session) = Arc::try_unwrap(self.session) {
            let _ = session.close().await;
        }
    }

    /// Starts the agent; the login is root already, or sudo makes it so.
    pub(super) async fn start_agent(
        &self,
    ) -> Result<(Line, Channel<Reader, Writer>), TransportError> {
        let script = format!(
            "if [ \"$(id -u)\" = 0 ]; then exec {agent} agent; \
             else LC_ALL=C exec sudo -n {agent} agent; fi",
            agent = layout::AGENT
        );
        let mut child = self.spawn(&script).await?;
        let reader = child.stdout().take().expect("stdout is piped");
        let writer = child.stdin().take().expect("stdin is piped");
        let line = Line { child, _directory: Arc::clone(&self.directory) };
        Ok((line, Channel::new(Box::new(reader), Box::new(writer))))
    }

    /// Tells whether the key runs what it is asked to. One that can only deploy starts
    /// the agent instead: a script that installs something would be its input.
    pub(super) async fn has_shell(&self) -> Result<bool, TransportError> {
        const ANSWER: &str = "odoo-deploy";
        let mut child = self.spawn(&format!("echo {ANSWER}")).await?;
        drop(child.stdin().take());
        let mut said = Vec::new();
        let stdout = child.stdout().take().expect("stdout is piped");
        let mut stdout = stdout.take(1 << 10);
        let _ = tokio::time::timeout(KEEP_ALIVE, stdout.read_to_end(&mut said)).await;
        Ok(said.trim_ascii() == ANSWER.as_bytes())
    }

    /// Waits for its turn to put the agent on the server, and tells whether nobody else had
    /// one at this moment.
    pub(super) async fn turn_to_install(&self) -> (MutexGuard<'_, ()>, bool) {
        match self.installs.try_lock() {
            Ok(turn) => (turn, true),
            Err(_) => (self.installs.lock().await, false),
        }
    }

    /// Puts this executable on the server. It takes its place as a whole: a
    /// connection that breaks in the middle leaves what was there, and two that do it at the
    /// same time do not disturb each other.
    pub(super) async fn install(&self, executable: &Path) -> Result<(), TransportError> {
        let mut file = File::open(executable).await.map_err(local("read", executable))?;
        let size = file.metadata().await.map_err(local("read", executable))?.len();
        let directory = Path::new(layout::AGENT).parent().expect("the agent has a directory");
        let script = format!(
            "set -e; export LC_ALL=C; s=; [ \"$(id -u)\" = 0 ] || s='sudo -n'; \
             [ \"$(uname -m)\" = {machine} ] || {{ echo \"the server is $(uname -m), this executable is {machine}\" >&2; exit 1; }}; \
             new={agent}.new.$$; trap '$s rm -f \"$new\"' EXIT HUP; \
             $s mkdir -p {directory}; $s sh -c \"umask 022; cat > $new\"; \
             [ \"$($s stat -c %s \"$new\")\" = {size} ]; \
             $s chmod 0755 \"$new\"; $s mv \"$new\" {agent}",
            machine = std::env::consts::ARCH,
            directory = directory.display(),
            agent = layout::AGENT,
        );
        let mut child = self.spawn(&script).await?;
        let mut stdin = child.stdin().take().expect("stdin is piped");
        // The far side closes early where sudo refuses; its words say more than our EPIPE.
        let _ = tokio::io::copy(&mut file, &mut stdin).await;
        let _ = stdin.shutdown().await;
        drop(stdin);
        let mut said = String::new();
        if let Some(stderr) = child.stderr().as_mut() {
            let _ = stderr.read_to_string(&mut said).await;
        }
        match child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(_) if said.contains("password is required") || said.contains("not allowed") => {
                Err(TransportError::Sudo {
                    server: self.server.clone(),
                    message: last_lines(&said),
                })
            }
            Ok(status) => Err(self.not_installed(format!("{status}: {}", last_lines(&said)))),
            Err(error) => Err(self.not_installed(error.to_string())),
        }
    }

    fn not_installed(&self, message: String) -> TransportError {
        TransportError::Install { server: self.server.clone(), message }
    }

    /// Runs a fixed text in the login's shell. Nothing of the configuration is
    /// ever part of it: values travel on stdin.
    async fn spawn(&self, script: &str) -> Result<Child<Arc<Session>>, TransportError> {
        let mut command = Arc::clone(&self.session).arc_command("sh");
        command.args(["-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().await.map_err(|error| TransportError::Unreachable {
            server: self.server.clone(),
            address: "its shell".to_owned(),
            message: with_causes(&error),
            hint: None,
        })
    }
}

impl Line {
    /// Returns what the agent's program wrote to stderr.
    pub(super) async fn last_words(mut self) -> String {
        let mut said = String::new();
        if let Some(stderr) = self.child.stderr().as_mut() {
            let _ = tokio::time::timeout(KEEP_ALIVE, stderr.read_to_string(&mut said)).await;
        }
        said
    }

    /// Closes the connection, unless it is shared. Whoever closes has heard all that he
    /// asked for: the agent's end, which would be a round trip more, is not waited for.
    pub(super) async fn close(self) {
        let session = self.child.session();
        let _ = self.child.disconnect().await;
        if let Ok(session) = Arc::try_unwrap(session) {
            let _ = session.close().await;
        }
    }
}

fn builder(
    server: &SshServer,
    machine: &Machine,
    directory: &Path,
) -> Result<SessionBuilder, TransportError> {
    let mut builder = SessionBuilder::default();
    builder
        .known_hosts_check(KnownHosts::Strict)
        .connect_timeout(CONNECT_TIMEOUT)
        .server_alive_interval(KEEP_ALIVE)
        .control_directory(directory)
        .control_persist(ControlPersist::IdleFor(OUTLIVE.try_into().expect("10 is not 0")));
    if let Some(user) = &server.user {
        builder.user(user.clone());
    }
    if let Some(port) = server.port {
        builder.port(port);
    }
    if let Some(identity) = &server.identity {
        let identity = match identity.strip_prefix("~") {
            Ok(below) => machine.home.join(below),
            Err(_) => identity.clone(),
        };
        builder.keyfile(identity);
    }
    if let Some(config) = &server.ssh_config {
        builder.config_file(config);
    }
    if !server.jump.is_empty() {
        builder.jump_hosts(&server.jump);
    }
    if let Some(key) = &server.host_key {
        // The file serves this one connection, so the key is that of whatever
        // name, address or alias ssh looks for.
        let path = directory.join("known_hosts");
        std::fs::write(&path, format!("* {key}\n")).map_err(local("write", &path))?;
        builder.user_known_hosts_file(&path);
    }
    Ok(builder)
}

fn unreachable(name: &ServerName, server: &SshServer, error: &openssh::Error) -> TransportError {
    let said = with_causes(error);
    let has = |word: &str| said.contains(word);
    let hint = if has("Host key verification failed") || has("HOST IDENTIFICATION HAS CHANGED") {
        Some(match server.host_key {
            Some(_) => format!(
                "the server's key is not the `host_key` of [servers.{name}]: find out why before you change it"
            ),
            None => format!(
                "write the server's key into [servers.{name}] as `host_key` (`ssh-keyscan {}` shows it; compare it on the server)",
                server.address
            ),
        })
    } else if has("Permission denied") {
        Some(
            "check `user` and `identity` of the server; keys of your ssh agent are tried too"
                .into(),
        )
    } else if has("Could not resolve") {
        Some(format!("check `address` of [servers.{name}]"))
    } else {
        Some("try the same by hand: ssh to the server with the same user and key".into())
    };
    TransportError::Unreachable {
        server: name.clone(),
        address: server.address.clone(),
        message: host_key_problem(&said).unwrap_or_else(|| last_lines(&said)),
        hint,
    }
}

/// Says in one line what ssh says in twenty, of which the last ones advise to
/// forget the key.
fn host_key_problem(said: &str) -> Option<String> {
    if !said.contains("Host key verification failed") {
        return None;
    }
    let offered = said.split_whitespace().find(|word| word.starts_with("SHA256:"));
    let offered = offered.map(|key| format!(": it shows {}", key.trim_end_matches('.')));
    Some(format!("the server's host key is not the known one{}", offered.unwrap_or_default()))
}

fn local(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> TransportError {
    let path = path.to_owned();
    move |source| TransportError::Local { operation, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_host_key_is_told_without_the_advice_to_forget_it() {
        let said = "@@@\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n\
                    The fingerprint for the ED25519 key sent by the remote host is\n\
                    SHA256:abc+/def.\n  remove with:\n  ssh-keygen -f x -R y\n\
                    Host key verification failed.\n";
        let problem = "the server's host key is not the known one: it shows SHA256:abc+/def";
        assert_eq!(host_key_problem(said).as_deref(), Some(problem));
        assert_eq!(host_key_problem("Connection refused"), None);
    }
}
