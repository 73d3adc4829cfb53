//! Has this executable carry an order out in a unit of its own, so that neither a lost link
//! nor a closed laptop stops it.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    recovery_unit,
    server::{FileError, Server},
    step::StepError,
};
use crate::layout;

/// The unit that carries an order out.
pub(super) struct OwnUnit<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// What `systemctl` shows of it.
    pub(super) description: String,
    /// Properties besides those that all have.
    pub(super) properties: Vec<String>,
    /// The words after `agent`.
    pub(super) arguments: &'a [&'a OsStr],
    /// Where the order is read from.
    pub(super) order: &'a Path,
    /// What an earlier one told, as this process finds it: it is forgotten.
    pub(super) told: PathBuf,
}

impl OwnUnit<'_> {
    /// Writes the order and starts the unit. An order that is there already belongs to
    /// somebody else.
    ///
    /// # Errors
    /// Fails when the order is there or cannot be written, and when systemd does not start
    /// the unit; then the order is gone again.
    pub(super) fn start(&self, server: &Server, order: &impl Serialize) -> Result<(), StepError> {
        write(server, self.order, order)?;
        let _ = fs::remove_file(&self.told);
        let mut command = server.command("systemd-run");
        command
            .args(["--quiet", "--collect"])
            .arg(format!("--unit={}", self.name))
            .arg(format!("--description={}", self.description))
            .arg("--property=OOMPolicy=continue")
            .args(self.properties.iter().map(|property| format!("--property={property}")))
            .arg("--")
            .arg(recovery_unit::running())
            .arg("agent")
            .args(self.arguments);
        if server.root() != Path::new("/") {
            command.arg("--root").arg(server.root());
        }
        server.run(&mut command).inspect_err(|_| {
            // It may hold secrets, and nobody else removes it now.
            let _ = fs::remove_file(server.path(self.order));
        })?;
        Ok(())
    }
}

/// Makes the directory of what is written to memory, for root alone.
///
/// # Errors
/// Fails when it cannot be made.
pub(super) fn make_runtime_directory(server: &Server) -> Result<(), FileError> {
    let directory = Path::new(layout::RUNTIME);
    let mut builder = fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(server.path(directory));
    made.map_err(FileError::at("create", directory))
}

/// Writes an order to memory, not to disk: it may hold secrets.
fn write(server: &Server, path: &Path, order: &impl Serialize) -> Result<(), FileError> {
    make_runtime_directory(server)?;
    let text = serde_json::to_vec(order).expect("an order is JSON");
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(server.path(path))
        .and_then(|mut file| file.write_all(&text))
        .map_err(FileError::at("write", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::agent::transaction;

    /// A machine whose `systemd-run` does this.
    fn server(script: &str) -> (tempfile::TempDir, Server) {
        let root = tempfile::tempdir().unwrap();
        let program = transaction::program(&format!("#!/bin/sh\n{script}\n"));
        std::os::unix::fs::symlink(program, root.path().join("systemd-run")).unwrap();
        let path = format!("{}:/usr/bin:/bin", root.path().display());
        let server = Server::below(root.path().into(), path.into());
        (root, server)
    }

    fn start(server: &Server) -> Result<(), StepError> {
        let unit = OwnUnit {
            name: "deploytx-1.service",
            description: "a test".to_owned(),
            properties: vec!["KillMode=control-group".to_owned()],
            arguments: &["transaction".as_ref(), "/run/odoo-deploy/1.json".as_ref()],
            order: Path::new("/run/odoo-deploy/1.json"),
            told: server.path(Path::new("/told")),
        };
        unit.start(server, &"the order")
    }

    #[test]
    fn an_order_is_for_root_alone_and_its_unit_is_told_where_it_is() {
        let (root, server) = server("echo \"$@\" >\"$(dirname \"$0\")/said\"");
        fs::write(root.path().join("told"), "of the last one").unwrap();
        start(&server).unwrap();
        let order = root.path().join("run/odoo-deploy/1.json");
        assert_eq!(fs::read_to_string(&order).unwrap(), "\"the order\"");
        assert_eq!(fs::metadata(&order).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!root.path().join("told").exists());
        let said = fs::read_to_string(root.path().join("said")).unwrap();
        assert!(said.contains("--unit=deploytx-1.service"), "{said}");
        assert!(said.contains("--property=KillMode=control-group -- /"), "{said}");
        assert!(said.contains("agent transaction /run/odoo-deploy/1.json --root"), "{said}");
    }

    #[test]
    fn an_order_that_is_there_is_neither_replaced_nor_removed() {
        let (root, server) = server("exit 0");
        start(&server).unwrap();
        fs::write(root.path().join("told"), "by the one that runs").unwrap();
        assert!(start(&server).is_err());
        assert!(root.path().join("run/odoo-deploy/1.json").exists());
        assert!(root.path().join("told").exists());
    }

    #[test]
    fn an_order_that_nobody_carries_out_does_not_stay() {
        let (root, server) = server("exit 1");
        assert!(start(&server).is_err());
        assert!(!root.path().join("run/odoo-deploy/1.json").exists());
    }
}
