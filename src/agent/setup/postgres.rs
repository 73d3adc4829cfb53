//! PostgreSQL's settings and the role of Odoo.

use std::{thread, time::Duration};

use super::{configure, work::Work};
use crate::{
    agent::{
        server::{Output, ProgramError, Server},
        service::Systemd,
        step::StepError,
    },
    setup::ConfigFile,
};

/// How long PostgreSQL may take to answer after a restart.
const PATIENCE: u32 = 60;

/// Runs SQL of our own, without secrets, as PostgreSQL's administrator.
pub(super) fn psql(server: &Server, sql: &str) -> Result<Output, ProgramError> {
    let mut command = server.command("runuser");
    command
        .args(["-u", "postgres", "--", "psql", "-XAtqw", "-v", "ON_ERROR_STOP=1"])
        .args(["-d", "postgres", "-c", sql])
        .env("PGCONNECT_TIMEOUT", "5")
        .current_dir("/");
    server.output(&mut command)
}

/// Returns the settings that wait for a restart; none where PostgreSQL does not answer.
pub(super) fn waits(server: &Server) -> Option<bool> {
    let output = psql(server, "SELECT count(*) > 0 FROM pg_settings WHERE pending_restart").ok()?;
    output.status.success().then(|| output.stdout.trim() == "t")
}

/// Writes the settings, has PostgreSQL itself read them in a dry run, and makes them count.
pub(super) fn tune(work: &Work<'_>, version: u32, file: &ConfigFile) -> Result<(), StepError> {
    let server = work.server;
    let before = server.read(&file.path)?;
    let put_back = || match &before {
        Some(text) => configure::write(server, &ConfigFile { text: text.clone(), ..file.clone() }),
        None => server.remove_file(&file.path),
    };
    configure::write(server, file)?;
    if let Err(error) = check(server, version) {
        put_back()?;
        return Err(error);
    }
    let unit = format!("postgresql@{version}-main.service");
    let systemd = Systemd::new(server);
    if !systemd.state(&unit)?.is_running() {
        return start(server, &unit);
    }
    systemd.reload(&unit)?;
    // The main process takes a moment to mark what it cannot change while it runs.
    thread::sleep(Duration::from_secs(1));
    if waits(server) == Some(false) {
        return Ok(());
    }
    let restarted = systemd.restart(&unit).map_err(StepError::from).and_then(|()| answer(server));
    if let Err(error) = restarted {
        put_back()?;
        start(server, &unit)?;
        return Err(error);
    }
    Ok(())
}

fn start(server: &Server, unit: &str) -> Result<(), StepError> {
    Systemd::new(server).start(unit)?;
    answer(server)
}

/// Waits until PostgreSQL answers.
fn answer(server: &Server) -> Result<(), StepError> {
    let mut said = String::new();
    for _ in 0..PATIENCE {
        let output = psql(server, "SELECT 1")?;
        if output.status.success() {
            return Ok(());
        }
        said = output.message();
        thread::sleep(Duration::from_secs(1));
    }
    Err(StepError::found(format!("PostgreSQL does not answer: {said}"))
        .with_hint("its settings are as they were; /var/log/postgresql says more"))
}

/// Has PostgreSQL read its whole configuration without starting.
fn check(server: &Server, version: u32) -> Result<(), StepError> {
    let mut command = server.command("runuser");
    command
        .args(["-u", "postgres", "--"])
        .arg(format!("/usr/lib/postgresql/{version}/bin/postgres"))
        .args(["-C", "max_connections", "-c"])
        .arg(format!("config_file=/etc/postgresql/{version}/main/postgresql.conf"))
        .current_dir("/");
    let output = server.output(&mut command)?;
    if output.status.success() {
        return Ok(());
    }
    Err(StepError::found(format!("PostgreSQL rejects its settings: {}", output.message()))
        .with_hint("nothing of it is in place; the file it names is under /etc/postgresql"))
}

/// Creates a role that logs in as the system user of its name and may create databases.
pub(super) fn create_role(work: &Work<'_>, name: &str) -> Result<(), StepError> {
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let literal = format!("'{}'", name.replace('\'', "''"));
    let sql = format!(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = {literal}) THEN \
         ALTER ROLE {quoted} LOGIN CREATEDB; ELSE CREATE ROLE {quoted} LOGIN CREATEDB; END IF; \
         END $$"
    );
    let output = psql(work.server, &sql)?;
    if output.status.success() {
        return Ok(());
    }
    Err(StepError::found(format!("failed to create the role `{name}`: {}", output.message())))
}
