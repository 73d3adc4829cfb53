//! Looks into a release's Python and XML with the server's own Python, as the
//! user that runs Odoo and without importing any of it. Does I/O.

mod bytecode;

use std::{
    collections::HashSet,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use serde::{Deserialize, Serialize};

pub use bytecode::Bytecode;

pub use crate::plan::{CodeChange, SourcePair};

use super::{FileError, ProgramError, Server, server::Output};
use crate::{host::UserName, odoo::Series};

const CHECK: &str = include_str!("check.py");
const COMPARE: &str = include_str!("compare.py");

/// Runs Python over code that is not trusted: as Odoo's user, within limits.
#[derive(Debug, Clone)]
pub struct Inspector<'a> {
    /// The server.
    pub server: &'a Server,
    /// The interpreter Odoo runs under.
    pub python: &'a Path,
    /// The user it runs as.
    pub user: &'a UserName,
    /// The group it runs as.
    pub group: &'a UserName,
}

/// Which files of a release are checked.
#[derive(Debug, Clone, Serialize)]
pub struct CheckRequest {
    /// The root of the release's code, as seen on the server.
    pub root: PathBuf,
    /// The series it runs under: migration scripts of others are not read.
    pub series: Series,
    /// New or changed files of addons, relative to the root. Only Python and XML is looked at.
    pub files: Vec<String>,
    /// Directories of addons, relative to the root, whose manifests are checked.
    pub addons: Vec<String>,
}

/// Something in a release that would not load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file, relative to the root of the code.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// An inspection that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// A program did not start.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Python ended early, or said something else than it should.
    #[error("`{python}` did not inspect the code ({status}): {message}")]
    Interpreter {
        /// The interpreter.
        python: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of its stderr, or what of its answer was not understood.
        message: String,
    },
}

/// An interpreter that runs a script and waits for its job; without one it ends.
#[derive(Debug)]
pub struct Waiting {
    running: Running,
    answer: File,
}

/// A program under way, which does not outlive this.
#[derive(Debug)]
struct Running(Option<Child>);

impl Running {
    /// Writes its input and waits for its end.
    fn end(mut self, input: &[u8]) -> io::Result<Output> {
        let mut child = self.0.take().expect("it is taken once");
        // One that ended already says why.
        let _ = child.stdin.take().expect("its input is a pipe").write_all(input);
        Ok(child.wait_with_output()?.into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// One line of the answer to `check`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Problem { problem: Problem },
    Bytecode { bytecode: String, tag: String, size: u64 },
    Done {},
}

impl Inspector<'_> {
    /// Starts the interpreter that checks: it is there when the files are.
    ///
    /// # Errors
    /// Fails when it cannot be started.
    pub fn await_check(&self) -> Result<Waiting, InspectError> {
        self.start(CHECK)
    }

    /// Has an interpreter that waits compile the Python, parse the XML and read the manifests
    /// named, and writes the bytecode where that is asked for.
    ///
    /// # Errors
    /// Fails when Python does not run to its end or bytecode cannot be written;
    /// broken code is no error but a [`Problem`].
    pub fn check(
        &self,
        waiting: Waiting,
        request: &CheckRequest,
        bytecode: Bytecode,
    ) -> Result<Vec<Problem>, InspectError> {
        #[derive(Serialize)]
        struct Job<'a> {
            #[serde(flatten)]
            request: &'a CheckRequest,
            bytecode: bool,
        }
        let job = Job { request, bytecode: bytecode == Bytecode::Write };
        let (status, mut answer) = self.ask(waiting, &job)?;
        let asked: HashSet<_> = request.files.iter().map(String::as_str).collect();
        let mut problems = Vec::new();
        let mut line = String::new();
        loop {
            line.clear();
            answer.read_line(&mut line).map_err(Self::scratch)?;
            match serde_json::from_str(&line).map_err(|error| self.misunderstood(status, &error))? {
                Line::Problem { problem } => problems.push(problem),
                Line::Bytecode { bytecode: path, tag, size } => {
                    let mut data = Vec::new();
                    answer.by_ref().take(size).read_to_end(&mut data).map_err(Self::scratch)?;
                    if asked.contains(path.as_str()) {
                        bytecode::write(self.server, &request.root, &path, &tag, &data)?;
                    }
                }
                Line::Done { .. } => return Ok(problems),
            }
        }
    }

    /// Says for each pair how far its versions differ, in the same order.
    ///
    /// # Errors
    /// Fails when Python does not run to its end.
    pub fn compare(&self, pairs: &[SourcePair]) -> Result<Vec<CodeChange>, InspectError> {
        let (status, answer) = self.ask(self.start(COMPARE)?, pairs)?;
        let changes: Vec<_> =
            serde_json::from_reader(answer).map_err(|error| self.misunderstood(status, &error))?;
        if changes.len() == pairs.len() {
            return Ok(changes);
        }
        Err(self.misunderstood(status, &"the answer has another length than the question"))
    }

    /// Starts a script. What it answers goes into a file that has no name, so that neither
    /// side waits for the other.
    fn start(&self, script: &str) -> Result<Waiting, InspectError> {
        let answer = tempfile::tempfile().map_err(Self::scratch)?;
        let mut command = self.command();
        command.arg("-c").arg(script).stdin(Stdio::piped()).stderr(Stdio::piped());
        command.stdout(answer.try_clone().map_err(Self::scratch)?);
        Ok(Waiting { running: Running(Some(self.server.spawn(&mut command)?)), answer })
    }

    /// Gives a script its job and returns its answer.
    fn ask<T: Serialize + ?Sized>(
        &self,
        waiting: Waiting,
        job: &T,
    ) -> Result<(ExitStatus, BufReader<File>), InspectError> {
        let Waiting { running, mut answer } = waiting;
        let job = serde_json::to_vec(job).map_err(|error| Self::scratch(error.into()))?;
        let output = running.end(&job).map_err(Self::scratch)?;
        if !output.status.success() {
            return Err(self.misunderstood(output.status, &output.message()));
        }
        answer.rewind().map_err(Self::scratch)?;
        Ok((output.status, BufReader::new(answer)))
    }

    /// Prepares an isolated interpreter with limits, and without privileges and installed
    /// packages: what it reads is not trusted.
    fn command(&self) -> Command {
        let mut command = self.server.command_as(self.user, self.group, "prlimit");
        command
            .args(["--cpu=600", "--as=2147483648", "--fsize=2147483648", "--"])
            .arg(self.python)
            .args(["-I", "-S"]);
        command
    }

    fn misunderstood(&self, status: ExitStatus, why: &dyn fmt::Display) -> InspectError {
        InspectError::Interpreter {
            python: self.python.to_owned(),
            status,
            message: why.to_string(),
        }
    }

    fn scratch(error: io::Error) -> InspectError {
        FileError::at("use", Path::new("a temporary file"))(error).into()
    }
}

#[cfg(test)]
mod tests;
