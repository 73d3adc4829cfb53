//! The firewall: sshd's port is open before any port is closed.

use super::{look, work::Work};
use crate::agent::{server::Server, step::StepError};

/// Opens the ports and has ufw turn everything else away.
pub(super) fn close(work: &Work<'_>, open: &[u16]) -> Result<(), StepError> {
    let server = work.server;
    for port in open {
        ufw(server, &["allow", &format!("{port}/tcp")])?;
    }
    ufw(server, &["default", "deny", "incoming"])?;
    ufw(server, &["default", "allow", "outgoing"])?;
    ufw(server, &["--force", "enable"])?;
    let found = look::firewall(server).unwrap_or_default();
    let missing: Vec<_> = open.iter().filter(|port| !found.open.contains(port)).collect();
    if found.active && missing.is_empty() {
        return Ok(());
    }
    // Better open than shut to the one who could mend it.
    ufw(server, &["--force", "disable"])?;
    Err(StepError::found(format!("ufw does not filter as told (not open: {missing:?})"))
        .with_hint("it was disabled again; `ufw status verbose` on the server says more"))
}

fn ufw(server: &Server, arguments: &[&str]) -> Result<(), StepError> {
    server.run(server.command("ufw").args(arguments))?;
    Ok(())
}
