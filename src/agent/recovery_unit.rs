//! The units that end what a dead transaction left: one at boot, and one for each
//! transaction that dies while the server lives.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    server::{FileError, ProgramError, Server},
    service::Systemd,
    step::{StepError, release},
};
use crate::{
    host::HostName,
    layout::{self, Layout},
    plan::TransactionId,
};

/// The unit that recovers at boot. Not `odoo-…`: a drop-in for all of a server's
/// `odoo-` units is not meant for it.
const AT_BOOT: &str = "deploy-recover.service";

/// How long a recovery that failed waits for its next try: what stood in the way,
/// a PostgreSQL that is down for one, may come back.
const NEXT_TRY: Duration = Duration::from_secs(60);

/// Returns the name of a transaction's unit.
pub(super) fn of_transaction(id: &TransactionId) -> String {
    format!("deploytx-{id}.service")
}

/// Returns the name of the unit that ends a dead transaction.
pub(super) fn of_recovery(id: &TransactionId) -> String {
    format!("deployrc-{id}.service")
}

/// Has the server recover at boot. Done again, it does nothing.
///
/// # Errors
/// Fails when the unit cannot be written or enabled.
pub(super) fn install(server: &Server) -> Result<(), StepError> {
    let path = Path::new("/etc/systemd/system").join(AT_BOOT);
    let text = at_boot(server);
    if server.read(&path)?.as_ref() == Some(&text) {
        return Ok(());
    }
    fs::create_dir_all(server.path(path.parent().expect("it is in a directory")))
        .map_err(FileError::at("create", &path))?;
    release::replace(server, &path, &text, 0o644)?;
    let systemd = Systemd::new(server);
    systemd.daemon_reload()?;
    Ok(systemd.enable(AT_BOOT)?)
}

/// It is not ordered before the units that it starts, which would wait for it
/// while it waits for them.
fn at_boot(server: &Server) -> String {
    format!(
        "# Written by odoo-deploy: ends what deploys left when the server went down.\n\
         [Unit]\n\
         Description=Recovery of interrupted deploys\n\
         After=postgresql.service network.target\n\
         RequiresMountsFor=/opt/odoo\n\
         \n\
         [Service]\n\
         Type=exec\n\
         ExecStart={} agent recover\n\
         Restart=on-failure\n\
         RestartSec=1\n\
         OOMPolicy=continue\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        quoted(&installed(server))
    )
}

/// Returns what systemd is to run when the transaction's unit has ended, however
/// it ended. It only starts the recovery, which may take longer than a stop may.
pub(super) fn after_transaction(server: &Server, host: &HostName) -> String {
    let mut line = format!("{} agent recover --host {host} --in-background", quoted(&running()));
    if server.root() != Path::new("/") {
        line.push_str(&format!(" --root {}", quoted(server.root())));
    }
    line
}

/// Returns what systemd is to run when the unit of a removal has ended, however it ended.
pub(super) fn after_removal(server: &Server, host: &HostName) -> String {
    let mut line = format!("-{} agent after-removal --host {host}", quoted(&running()));
    if server.root() != Path::new("/") {
        line.push_str(&format!(" --root {}", quoted(server.root())));
    }
    line
}

/// Starts the recovery of a transaction in a unit of its own, unless it runs already.
///
/// # Errors
/// Fails when systemd does not start it.
pub(super) fn start(
    server: &Server,
    host: &HostName,
    transaction: &TransactionId,
) -> Result<(), ProgramError> {
    let unit = of_recovery(transaction);
    if Systemd::new(server).state(&unit)?.exists() {
        // It runs, or was killed and is about to be started again.
        return Ok(());
    }
    let mut command = server.command("systemd-run");
    command
        .args(["--quiet", "--collect", "--no-block"])
        .arg(format!("--unit={unit}"))
        .arg(format!("--description=odoo-deploy recovery of {host}"))
        .args(["--property=OOMPolicy=continue", "--property=TimeoutStopSec=10"])
        .args(["--property=Restart=on-failure", "--property=RestartSec=1", "--"])
        .arg(running())
        .args(["agent", "recover", "--host", host.as_str()]);
    if server.root() != Path::new("/") {
        command.arg("--root").arg(server.root());
    }
    server.run(&mut command).map(drop)
}

/// Has a recovery that failed be tried again.
///
/// # Errors
/// Fails when systemd does not take the order.
pub(super) fn start_later(
    server: &Server,
    host: &HostName,
    transaction: &TransactionId,
) -> Result<(), ProgramError> {
    let mut command = server.command("systemd-run");
    command
        .args(["--quiet", "--collect"])
        .arg(format!("--unit=deploynx-{transaction}"))
        .arg(format!("--description=next try of the odoo-deploy recovery of {host}"))
        .arg(format!("--on-active={}", NEXT_TRY.as_secs()))
        .arg("--")
        .arg(running())
        .args(["agent", "recover", "--host", host.as_str(), "--in-background"]);
    if server.root() != Path::new("/") {
        command.arg("--root").arg(server.root());
    }
    server.run(&mut command).map(drop)
}

/// Returns the executable of this process: what it starts is of the same version.
pub(super) fn running() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| layout::AGENT.into())
}

/// Returns the executable that will be there at the next boot.
fn installed(server: &Server) -> PathBuf {
    let agent = Path::new(layout::AGENT);
    if server.path(agent).exists() { agent.to_owned() } else { running() }
}

/// Writes a path as a word of a unit file.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

/// Lists the hosts of the server whose last transaction did not end.
///
/// # Errors
/// Fails when the directory of the hosts cannot be read.
pub(super) fn hosts(server: &Server) -> Result<Vec<HostName>, FileError> {
    let base = Path::new(layout::HOSTS);
    let entries = match fs::read_dir(server.path(base)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(FileError::at("list", base))?,
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let hosts = names.filter_map(|name| HostName::parse(&name).ok());
    Ok(hosts.filter(|host| server.path(&Layout::new(host.clone()).journal()).exists()).collect())
}
