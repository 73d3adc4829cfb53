//! Files of configuration: in place as a whole, and only where their reader likes them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::work::Work;
use crate::{
    agent::{
        server::{FileError, Server},
        step::{StepError, file::lock_nginx, release},
    },
    setup::{ConfigFile, Reader},
};

/// Writes and removes files, asks their reader, and puts everything back where it objects.
pub(super) fn apply(
    work: &Work<'_>,
    reader: Reader,
    files: &[ConfigFile],
    remove: &[PathBuf],
) -> Result<(), StepError> {
    let server = work.server;
    let _lock = match reader {
        Reader::Nginx => Some(lock_nginx(server)?),
        _ => None,
    };
    if reader == Reader::Sudo {
        files.iter().try_for_each(|file| check_sudoers(server, file))?;
    }
    let mut before = Vec::new();
    for path in files.iter().map(|file| &file.path).chain(remove) {
        before.push(Kept::of(server, path)?);
    }
    let done = replace_all(server, files, remove).and_then(|()| check(server, reader, files));
    if let Err(error) = done {
        for kept in &before {
            kept.put_back(server)?;
        }
        return Err(error);
    }
    work.reload(reader)
}

fn replace_all(server: &Server, files: &[ConfigFile], remove: &[PathBuf]) -> Result<(), StepError> {
    for file in files {
        write(server, file)?;
    }
    for path in remove {
        server.remove_file(path)?;
    }
    Ok(())
}

/// Puts a file in its place, as a whole.
pub(super) fn write(server: &Server, file: &ConfigFile) -> Result<(), FileError> {
    let parent = file.path.parent().expect("a file has a directory");
    super::create_directory(server, parent, 0o755)?;
    release::replace(server, &file.path, &file.text, file.mode)
}

/// What was in a place before.
enum Kept {
    Nothing(PathBuf),
    Link(PathBuf, PathBuf),
    File(ConfigFile),
}

impl Kept {
    fn of(server: &Server, path: &Path) -> Result<Self, FileError> {
        use std::os::unix::fs::PermissionsExt as _;
        let real = server.path(path);
        let Ok(metadata) = fs::symlink_metadata(&real) else {
            return Ok(Self::Nothing(path.to_owned()));
        };
        if metadata.is_symlink() {
            let to = fs::read_link(&real).map_err(FileError::at("read", path))?;
            return Ok(Self::Link(path.to_owned(), to));
        }
        let text = server.read(path)?.unwrap_or_default();
        let mode = metadata.permissions().mode() & 0o777;
        Ok(Self::File(ConfigFile { path: path.to_owned(), text, mode }))
    }

    fn put_back(&self, server: &Server) -> Result<(), FileError> {
        match self {
            Self::Nothing(path) => server.remove_file(path),
            Self::File(file) => write(server, file),
            Self::Link(path, to) => {
                server.remove_file(path)?;
                std::os::unix::fs::symlink(to, server.path(path))
                    .map_err(FileError::at("restore", path))
            }
        }
    }
}

/// A broken file of sudo's would lock everybody out: it never is in place.
fn check_sudoers(server: &Server, file: &ConfigFile) -> Result<(), StepError> {
    let staged = tempfile::NamedTempFile::new()
        .and_then(|staged| fs::write(staged.path(), &file.text).map(|()| staged))
        .map_err(FileError::at("stage", &file.path))?;
    let mut command = server.command("visudo");
    ask(server, Reader::Sudo, command.arg("-cf").arg(staged.path()))
}

fn check(server: &Server, reader: Reader, files: &[ConfigFile]) -> Result<(), StepError> {
    match reader {
        Reader::Nginx => ask(server, reader, server.command("nginx").arg("-t")),
        Reader::Fail2ban => ask(server, reader, server.command("fail2ban-client").arg("-t")),
        Reader::Apt => ask(server, reader, server.command("apt-config").arg("dump")),
        Reader::Logrotate => files.iter().try_for_each(|file| {
            ask(server, reader, server.command("logrotate").arg("--debug").arg(&file.path))
        }),
        Reader::Sudo => ask(server, reader, server.command("visudo").arg("-c")),
    }
}

fn ask(server: &Server, reader: Reader, command: &mut Command) -> Result<(), StepError> {
    let output = server.output(command)?;
    if output.status.success() {
        return Ok(());
    }
    let said = output.message();
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("without a word");
    Err(StepError::found(format!("{reader} rejects the configuration: {first}"))
        .with_details(said.lines().map(str::to_owned).collect())
        .with_hint("nothing of it is in place; mend what it names and run the setup again"))
}
