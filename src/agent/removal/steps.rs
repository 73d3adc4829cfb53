//! The steps that remove something. Each does nothing where it was done.

use super::execute::Doing;
use crate::{
    agent::{
        Account,
        certbot::Lineage,
        filestore::remove_tree,
        nginx::Nginx,
        postgres::{Postgres, RoleGone},
        server::Server,
        service::Systemd,
        step::{StepError, file::lock_nginx},
    },
    host::UserName,
    plan::RemovalStep,
};

/// Does a step.
///
/// # Errors
/// Fails when it could not be done.
pub(super) fn apply(doing: &mut Doing<'_>, step: &RemovalStep) -> Result<(), StepError> {
    let (server, layout) = (doing.server, doing.layout.clone());
    match step {
        RemovalStep::StopService => Ok(Systemd::new(server).stop_odoo(&layout.unit_name())?),
        // It gives something back, and is done by whoever calls.
        RemovalStep::Archive(_) => Ok(()),
        RemovalStep::RemoveUnit => remove_unit(doing),
        RemovalStep::RemoveVhost => remove_vhost(doing),
        RemovalStep::DropCopy { copy } => {
            let postgres = postgres(doing)?;
            postgres.end_sessions(copy.as_str())?;
            Ok(postgres.drop_copy(copy)?)
        }
        RemovalStep::DropDatabase { database } => Ok(postgres(doing)?.drop_for_good(database)?),
        RemovalStep::RemoveData { data_dir } => Ok(remove_tree(server, data_dir)?),
        RemovalStep::RemoveFilestores { data_dir, names } => {
            for name in names {
                remove_tree(server, &data_dir.join("filestore").join(name))?;
            }
            Ok(())
        }
        RemovalStep::RemoveLog { path } => Ok(remove_tree(server, path)?),
        RemovalStep::RemoveCertificate => Ok(Lineage::new(server, layout.host()).forget()?),
        RemovalStep::RemoveCertificateFiles { paths } => {
            paths.iter().try_for_each(|path| Ok(remove_tree(server, path)?))
        }
        RemovalStep::DropRole { role } => drop_role(doing, role),
        RemovalStep::RemoveUser { user } => remove_user(server, user),
        RemovalStep::RemoveConfLink => Ok(server.remove_file(&layout.conf_link())?),
        RemovalStep::RemoveDirectory => {
            server.remove_file(&layout.start_permit())?;
            Ok(server.remove_directory(&layout.base())?)
        }
    }
}

fn postgres(doing: &Doing<'_>) -> Result<Postgres, StepError> {
    let application = format!("odoo-deploy-{}", doing.order.id);
    Ok(Postgres::for_removal(doing.server, &doing.access, &application)?)
}

/// The unit's own file goes first: as long as it is there, nothing is gone yet.
fn remove_unit(doing: &Doing<'_>) -> Result<(), StepError> {
    let (server, layout) = (doing.server, &doing.layout);
    let (systemd, unit) = (Systemd::new(server), layout.unit_name());
    if server.path(&layout.unit()).exists() {
        systemd.disable(&unit)?;
    }
    server.remove_file(&layout.unit())?;
    if let Some(drop_ins) = layout.unit_drop_in().parent() {
        server.remove_directory(drop_ins)?;
    }
    systemd.daemon_reload()?;
    // One that was started by hand runs without its file.
    if systemd.state(&unit)?.main_pid.is_some() {
        systemd.stop_odoo(&unit)?;
    }
    // A failed unit is remembered without its file.
    server.output(server.command("systemctl").args(["reset-failed", "--", &unit]))?;
    Ok(())
}

/// A failed reload says so: nginx goes on with what it has, for every host.
fn remove_vhost(doing: &Doing<'_>) -> Result<(), StepError> {
    let server = doing.server;
    let _lock = lock_nginx(server)?;
    server.remove_file(&doing.layout.vhost())?;
    let runs = Systemd::new(server).state("nginx.service")?.main_pid.is_some();
    if runs {
        let nginx = Nginx::new(server);
        nginx.test()?;
        nginx.reload()?;
    }
    Ok(())
}

fn drop_role(doing: &mut Doing<'_>, role: &str) -> Result<(), StepError> {
    if let RoleGone::Needed(why) = postgres(doing)?.drop_unneeded_role(role)? {
        doing.told.warn(format!("role {role} stays: {why}"));
    }
    Ok(())
}

fn remove_user(server: &Server, user: &str) -> Result<(), StepError> {
    let user = UserName::parse(user).map_err(|error| StepError::found(error.to_string()))?;
    if Account::find(server, user.as_str())?.is_none() {
        return Ok(());
    }
    server.run(server.command("userdel").args(["--", user.as_str()]))?;
    Ok(())
}
