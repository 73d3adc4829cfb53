//! The door to the server: its files and its programs.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitStatus, Stdio},
};

use crate::host::UserName;

/// The server the agent runs on. With another root than `/`, every path is
/// below it and programs are found on the given search path.
#[derive(Debug, Clone)]
pub struct Server {
    root: PathBuf,
    search_path: OsString,
}

/// The search path of a system service; the login's own is not trusted.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program that could not be run, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It did not start.
    #[error("failed to run `{program}`")]
    Start {
        /// The program's name.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended with another status than success.
    #[error("`{program}` failed ({status}): {message}")]
    Status {
        /// The program and its first argument.
        program: String,
        /// Its exit status or signal.
        status: ExitStatus,
        /// The last lines of what it said on stderr, else on stdout.
        message: String,
    },
}

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {operation} `{path}`")]
pub struct FileError {
    /// What was tried: `read`, `write`, …
    pub operation: &'static str,
    /// The file, as seen on the server.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Returns a closure that wraps an I/O error, for `map_err`.
    pub fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { operation, path, source }
    }
}

/// What a program printed.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Returns the last lines of stderr, or of stdout where stderr is empty.
    #[must_use]
    pub fn message(&self) -> String {
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<_> = text.trim().lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Server {
    /// Opens the machine itself.
    #[must_use]
    pub fn this() -> Self {
        Self { root: PathBuf::from("/"), search_path: SEARCH_PATH.into() }
    }

    /// Opens a directory that stands for a machine.
    #[must_use]
    pub fn below(root: PathBuf, search_path: OsString) -> Self {
        Self { root, search_path }
    }

    /// Returns the root, `/` but for tests.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns where an absolute path of the server lies for this process.
    #[must_use]
    pub fn path(&self, absolute: &Path) -> PathBuf {
        self.root.join(absolute.strip_prefix("/").unwrap_or(absolute))
    }

    /// Reads a file; none when it is absent.
    ///
    /// # Errors
    /// Returns every other failure with the path.
    pub fn read(&self, path: &Path) -> Result<Option<String>, FileError> {
        match fs::read(self.path(path)) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::at("read", path)(error)),
        }
    }

    /// Removes a file or a link; one that is gone already is fine.
    ///
    /// # Errors
    /// Returns every other failure with the path.
    pub fn remove_file(&self, path: &Path) -> Result<(), FileError> {
        removed(path, fs::remove_file(self.path(path)))
    }

    /// Removes a directory with all that is in it; one that is gone already is fine. No link
    /// in it is followed.
    ///
    /// # Errors
    /// Returns every other failure with the path.
    pub fn remove_directory(&self, path: &Path) -> Result<(), FileError> {
        removed(path, fs::remove_dir_all(self.path(path)))
    }

    /// Opens a file whose lock stands for something, and takes no lock yet.
    ///
    /// # Errors
    /// Fails when it cannot be opened or made.
    pub fn open_lock(&self, path: &Path) -> Result<File, FileError> {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(self.path(path));
        file.map_err(FileError::at("open", path))
    }

    /// Waits for the lock of a file, which is held as long as the answer lives.
    ///
    /// # Errors
    /// Fails when the file cannot be opened or locked.
    pub fn lock(&self, path: &Path) -> Result<File, FileError> {
        let file = self.open_lock(path)?;
        file.lock().map_err(FileError::at("lock", path))?;
        Ok(file)
    }

    /// Prepares a program with a clean environment; nothing is ever split or
    /// expanded by a shell.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let program = self.resolve(program.as_ref());
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", &self.search_path)
            .env("LANG", "C.UTF-8")
            .env("HOME", "/root")
            .stdin(Stdio::null());
        command
    }

    /// Prepares a program that runs as another user, with no way back to root.
    #[must_use]
    pub fn command_as(
        &self,
        user: &UserName,
        group: &UserName,
        program: impl AsRef<OsStr>,
    ) -> Command {
        let mut command = self.command("setpriv");
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"))
            .args(["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--"])
            .arg(program)
            .env("HOME", "/nonexistent");
        command
    }

    /// Runs a program to its end, whatever its status.
    ///
    /// # Errors
    /// Fails when it cannot be started.
    pub fn output(&self, command: &mut Command) -> Result<Output, ProgramError> {
        Ok(command.output().map_err(not_started(command))?.into())
    }

    /// Starts a program and does not wait for it.
    ///
    /// # Errors
    /// Fails when it cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, ProgramError> {
        command.spawn().map_err(not_started(command))
    }

    /// Runs a program that must succeed and returns its standard output.
    ///
    /// # Errors
    /// Fails when it cannot be started or does not end with success.
    pub fn run(&self, command: &mut Command) -> Result<String, ProgramError> {
        let output = self.output(command)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(ProgramError::Status {
            program: describe(command),
            status: output.status,
            message: output.message(),
        })
    }

    /// Finds a program by name on the search path; an absolute one is looked
    /// for below the root.
    fn resolve(&self, program: &OsStr) -> OsString {
        if self.root == Path::new("/") {
            return program.to_owned();
        }
        let path = Path::new(program);
        if path.is_absolute() { self.path(path).into_os_string() } else { program.to_owned() }
    }
}

impl From<process::Output> for Output {
    fn from(output: process::Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn not_started(command: &Command) -> impl FnOnce(io::Error) -> ProgramError {
    let program = command.get_program().to_string_lossy().into_owned();
    move |source| ProgramError::Start { program, source }
}

fn removed(path: &Path, result: io::Result<()>) -> Result<(), FileError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::at("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn describe(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    if let Some(first) = command.get_args().next() {
        text.push(' ');
        text.push_str(&first.to_string_lossy());
    }
    text
}
