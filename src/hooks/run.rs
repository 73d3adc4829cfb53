//! Runs a hook to its end. Does I/O.

use std::{
    future::Future,
    io,
    path::PathBuf,
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    select,
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{Hook, HookError};

/// The variable that names the hook.
pub const NAME_VARIABLE: &str = "ODOO_DEPLOY_HOOK";

/// The variable that says what a deploy came to, in hooks after it.
pub const RESULT_VARIABLE: &str = "ODOO_DEPLOY_RESULT";

/// How long a hook that is told to end may take for it.
const GRACE: Duration = Duration::from_secs(5);

/// How long output is waited for once the program has ended.
const REST: Duration = Duration::from_secs(1);

/// The most bytes of a line.
const LONGEST_LINE: u64 = 4096;

/// A hook that is to be run.
#[derive(Debug, Clone)]
pub struct HookRun {
    /// The hook.
    pub hook: Hook,
    /// Its program.
    pub program: PathBuf,
    /// Where it runs: the root of the repository.
    pub directory: PathBuf,
    /// All that it has of an environment.
    pub environment: Vec<(String, String)>,
    /// What it reads on stdin.
    pub input: String,
    /// How long it may take.
    pub limit: Duration,
}

/// How the wait for a program ended.
enum End {
    Exited(io::Result<ExitStatus>),
    TooLong,
    Interrupted,
}

impl HookRun {
    /// Runs the program and hands over each line it writes. Where it takes too long, or
    /// something else says that it has to stop, its whole process group is ended; and so is
    /// what it leaves behind that still writes.
    ///
    /// # Errors
    /// Fails where it cannot be started, is ended, or ends with another status than 0.
    pub async fn run(
        self,
        stop: impl Future<Output = ()>,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), HookError> {
        let hook = self.hook;
        let mut child = self.start().map_err(|source| HookError::Start { hook, source })?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(stdin) = child.stdin.take() {
            tokio::spawn(hand_over(stdin, self.input));
        }
        let mut lines = lines_of(&mut child);
        let mut stop = pin!(stop);
        let mut too_long = pin!(sleep(self.limit));
        let end = loop {
            select! {
                Some(line) = lines.recv() => tell(&line),
                status = child.wait() => break End::Exited(status),
                () = &mut too_long => break End::TooLong,
                () = &mut stop => break End::Interrupted,
            }
        };
        if !matches!(end, End::Exited(_)) {
            signal(group, Signal::TERM);
            let _ = timeout(GRACE, child.wait()).await;
            signal(group, Signal::KILL);
        }
        if timeout(REST, rest(&mut lines, tell)).await.is_err() {
            signal(group, Signal::KILL);
        }
        let failed = |ended: String| HookError::Failed { hook, ended };
        match end {
            End::Exited(Ok(status)) if status.success() => Ok(()),
            End::Exited(Ok(status)) => Err(failed(words(status))),
            End::Exited(Err(source)) => Err(failed(source.to_string())),
            End::TooLong => Err(HookError::TooLong { hook, limit: self.limit }),
            End::Interrupted => Err(HookError::Interrupted(hook)),
        }
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(NAME_VARIABLE, self.hook.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// Writes what the program reads. One that does not read it is none of our business.
async fn hand_over(mut stdin: ChildStdin, input: String) {
    let _ = stdin.write_all(input.as_bytes()).await;
}

fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (tell, lines) = mpsc::channel(64);
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(read(stdout, tell.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(read(stderr, tell));
    }
    lines
}

/// Reads lines, without what could move a terminal's cursor; a longer one is several.
async fn read(stream: impl AsyncRead + Unpin, tell: mpsc::Sender<String>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut bytes = Vec::new();
        match (&mut stream).take(LONGEST_LINE).read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        if tell.send(line).await.is_err() {
            return;
        }
    }
}

async fn rest(lines: &mut mpsc::Receiver<String>, tell: &mut dyn FnMut(&str)) {
    while let Some(line) = lines.recv().await {
        tell(&line);
    }
}

/// Sends a signal to every process of a group that is left.
fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // Nobody is left where it fails.
        let _ = kill_process_group(group, signal);
    }
}

fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests;
