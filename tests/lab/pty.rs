//! The program on a terminal, as a person uses it.

#![expect(clippy::disallowed_methods, reason = "runs the program on a terminal")]

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How long a terminal may take to show something.
const PATIENCE: Duration = Duration::from_secs(120);
/// What Ctrl-C types.
pub(crate) const CTRL_C: &str = "\u{3}";

/// A program on a terminal of its own.
pub(crate) struct Pty {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Pty {
    /// Starts a program as `command` would, on a terminal.
    pub(crate) fn start(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words = words.map(|word| format!("'{}'", word.to_str().expect("words are UTF-8")));
        // Without `exec` a shell would stand between, and hear of Ctrl-C, too.
        let line = format!("exec {}", words.collect::<Vec<_>>().join(" "));
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        script.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        for (name, value) in command.get_envs() {
            script.env(name, value.unwrap_or_default());
        }
        if let Some(directory) = command.get_current_dir() {
            script.current_dir(directory);
        }
        let mut child = script.spawn().unwrap();
        let keyboard = child.stdin.take().expect("stdin is piped");
        let mut output = child.stdout.take().expect("stdout is piped");
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(bytes @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..bytes]));
            }
        });
        Self { child, keyboard, screen }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits until a text was shown so many times.
    pub(crate) fn wait_for(&self, text: &str, times: usize) {
        let begun = Instant::now();
        while self.screen().matches(text).count() < times {
            assert!(begun.elapsed() < PATIENCE, "`{text}` never came:\n{}", self.screen());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits for the program's end and returns its exit code and what was shown.
    pub(crate) fn end(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or(-1), self.screen())
    }

    fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }
}
