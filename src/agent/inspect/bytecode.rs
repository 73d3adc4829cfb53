//! Bytecode beside its source: root writes what Odoo's user compiled.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use super::{FileError, Server};

/// Whether a check leaves bytecode in the release. Odoo cannot write its own
/// there; without any, every start compiles every file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytecode {
    /// `__pycache__` is written; its files hold for as long as their source's
    /// content, so they may be hard-linked to the next release with it.
    Write,
    /// Nothing is written.
    Leave,
}

/// Writes one file's bytecode; a name that is none is passed over, as it comes
/// from a process that read code nobody vouches for.
pub(super) fn write(
    server: &Server,
    root: &Path,
    source: &str,
    tag: &str,
    data: &[u8],
) -> Result<(), FileError> {
    let Some(target) = cache_file(source, tag) else { return Ok(()) };
    let target = root.join(target);
    let path = server.path(&target);
    let directory = path.parent().unwrap_or(&path);
    let readable = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    match fs::create_dir(directory).and_then(|()| readable(directory, 0o755)) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(FileError::at("create the directory of", &target)(error));
        }
        _ => {}
    }
    // A link into an older release must not be written through.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(FileError::at("replace", &target)(error));
        }
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(data))
        // Whatever the agent's own mask: Odoo's user reads it.
        .and_then(|()| readable(&path, 0o644))
        .map_err(FileError::at("write", &target))
}

/// Returns where Python looks for the bytecode of a source file.
fn cache_file(source: &str, tag: &str) -> Option<PathBuf> {
    let source = Path::new(source);
    let plain = source.components().all(|part| matches!(part, Component::Normal(_)));
    let known = tag.starts_with(|c: char| c.is_ascii_lowercase())
        && tag.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let name = source.file_name()?.to_str()?.strip_suffix(".py")?;
    (plain && known).then(|| source.with_file_name("__pycache__").join(format!("{name}.{tag}.pyc")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytecode_lies_where_python_looks_for_it() {
        let path = cache_file("addons/sale/models/order.py", "cpython-313");
        let expected = "addons/sale/models/__pycache__/order.cpython-313.pyc";
        assert_eq!(path.as_deref(), Some(Path::new(expected)));
    }

    #[test]
    fn an_answer_cannot_name_a_file_elsewhere() {
        for (source, tag) in
            [("../x.py", "cpython-313"), ("/etc/x.py", "cpython-313"), ("x.py", "../y"), ("x", "c")]
        {
            assert_eq!(cache_file(source, tag), None, "{source} {tag}");
        }
    }
}
