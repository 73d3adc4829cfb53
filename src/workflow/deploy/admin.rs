//! The password of user `admin`, which only a deploy needs that creates a database.

use super::{Observed, Project, Redactor, Target, WorkflowError};
use crate::plan::AdminPassword;

/// Resolves the password where a database will be created; none where none will be, or
/// the host's file names no secret.
pub(super) fn password(
    project: &Project,
    target: &Target,
    observed: &Observed,
    redactor: &mut Redactor,
) -> Result<Option<AdminPassword>, WorkflowError> {
    let host = &target.host;
    let is_created = |name| !observed.databases.contains_key(name);
    let creates = observed.host.current.is_none() && host.databases.iter().any(is_created);
    let Some(name) = host.deploy.admin_password.as_ref().filter(|_| creates) else {
        return Ok(None);
    };
    let secrets = &project.secrets;
    let missing = secrets.require([name.as_str()]).err();
    if let Some(missing) = missing {
        return Err(WorkflowError::usage(
            format!("{missing}, the password of user admin of {}", host.name),
            missing.hint(),
        ));
    }
    let value = secrets.get(name).expect("it was required");
    if let Some(fault) = value.fault() {
        let message = format!("the value of `{name}` {fault}");
        return Err(WorkflowError::usage(message, "change the secret"));
    }
    redactor.add(value);
    Ok(Some(AdminPassword { name: name.clone(), value: value.expose().to_owned() }))
}
