//! Copies of a release's files as they were deployed, to tell later what became of the
//! originals. odoo.conf has secrets: only root reads them.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use super::{
    server::{FileError, Server},
    step::release,
};
use crate::{
    layout::{Layout, ReleaseNumber},
    plan::AsDeployed,
};

const ODOO_CONF: &str = "odoo.conf";
const UNIT: &str = "odoo.service";
const UNIT_DROP_IN: &str = "drop-in.conf";
/// The name of the vhost's copy.
pub(super) const VHOST: &str = "nginx.conf";

/// The mode of each copy.
pub(super) const MODE: u32 = 0o600;

/// Writes the copies of a release that nothing names yet.
///
/// # Errors
/// Fails when they cannot be written.
pub(super) fn write(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
    files: &AsDeployed,
) -> Result<(), FileError> {
    let directory = layout.as_deployed(number);
    let path = server.path(&directory);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o700)))
        .map_err(FileError::at("create", &directory))?;
    let texts = [
        (ODOO_CONF, &files.odoo_conf),
        (UNIT, &files.unit),
        (UNIT_DROP_IN, &files.unit_drop_in),
        (VHOST, &files.vhost),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            release::write(server, &directory.join(name), text, MODE)?;
        }
    }
    Ok(())
}

/// Notes the vhost that was deployed by itself; nothing where the release has no copies.
///
/// # Errors
/// Fails when it cannot be written.
pub(super) fn note_vhost(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
    vhost: Option<&str>,
) -> Result<(), FileError> {
    let directory = layout.as_deployed(number);
    if !server.path(&directory).exists() {
        return Ok(());
    }
    let path = directory.join(VHOST);
    if let Some(text) = vhost {
        return release::replace(server, &path, text, MODE);
    }
    server.remove_file(&path)?;
    super::journal::sync_directory(server, &directory)
}

/// Reads the copies of a release, secrets included; none where it has none.
///
/// # Errors
/// Fails when one that is there cannot be read.
pub(super) fn read(
    server: &Server,
    layout: &Layout,
    number: ReleaseNumber,
) -> Result<Option<AsDeployed>, FileError> {
    let directory = layout.as_deployed(number);
    if !server.path(&directory).exists() {
        return Ok(None);
    }
    let text = |name: &str| server.read(&directory.join(Path::new(name)));
    Ok(Some(AsDeployed {
        odoo_conf: text(ODOO_CONF)?,
        unit: text(UNIT)?,
        unit_drop_in: text(UNIT_DROP_IN)?,
        vhost: text(VHOST)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;

    fn mode(server: &Server, path: &Path) -> u32 {
        fs::metadata(server.path(path)).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn copies_are_read_back_and_only_root_reads_them() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        let number = ReleaseNumber(1);
        assert_eq!(read(&server, &layout, number).unwrap(), None);
        let text = |text: &str| Some(text.to_owned());
        let files = AsDeployed { odoo_conf: text("geheim"), unit: text("u"), ..Default::default() };
        write(&server, &layout, number, &files).unwrap();
        assert_eq!(read(&server, &layout, number).unwrap(), Some(files.clone()));
        let directory = layout.as_deployed(number);
        assert_eq!(mode(&server, &directory), 0o700);
        assert_eq!(mode(&server, &directory.join(ODOO_CONF)), 0o600);
    }

    #[test]
    fn a_vhost_by_itself_is_noted_where_there_are_copies() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        let layout = Layout::new(HostName::parse("a.example").unwrap());
        let number = ReleaseNumber(1);
        note_vhost(&server, &layout, number, Some("v")).unwrap();
        assert_eq!(read(&server, &layout, number).unwrap(), None);
        write(&server, &layout, number, &AsDeployed::default()).unwrap();
        for vhost in [Some("v"), Some("w"), None, None] {
            note_vhost(&server, &layout, number, vhost).unwrap();
            let files = read(&server, &layout, number).unwrap().unwrap();
            assert_eq!(files.vhost.as_deref(), vhost);
        }
    }
}
