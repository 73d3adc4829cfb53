//! What a host that is new to the server may need to have created.

use super::{APPLICATION, SeenDatabases, cluster};
use crate::{
    agent::{
        Account,
        account::group_of,
        postgres::{Postgres, is_on_this_server},
        server::Server,
    },
    plan::{DatabaseAccess, ProvisionFacts, RoleFacts},
    wire::ObserveRequest,
};

/// Looks at the host's accounts and directories.
pub(super) fn facts(server: &Server, request: &ObserveRequest, role: RoleFacts) -> ProvisionFacts {
    let service = &request.service;
    let logfile = service.logfile.as_deref();
    ProvisionFacts {
        has_group: matches!(group_of(server, &service.group), Ok(Some(_))),
        has_data_dir: server.path(&service.data_dir).exists(),
        has_logfile: logfile.is_none_or(|path| server.path(path).exists()),
        role,
    }
}

/// Looks at the cluster where the host's own user or role cannot, because one of them does
/// not exist: as the superuser of a cluster on this server, and as nobody where a password
/// is enough. None where neither can, or both user and role exist: then the host's own
/// error is the one that counts.
pub(super) fn seen_by_others(
    server: &Server,
    request: &ObserveRequest,
    access: &DatabaseAccess,
) -> Option<(SeenDatabases, RoleFacts)> {
    let has_user = Account::find(server, &access.system_user).ok()?.is_some();
    if !is_on_this_server(access) {
        return (!has_user).then(|| seen_by_nobody(server, request, access))?;
    }
    let superuser = Postgres::superuser_of(server, access, APPLICATION)?;
    let role = superuser.role(access.role()).ok()?;
    if has_user && role.is_some() {
        return None;
    }
    let (mut facts, databases, newest) = cluster(&superuser, request, None).ok()?;
    facts.may_create = role.as_ref().is_some_and(|role| role.may_create);
    let role = if role.is_some() { RoleFacts::Present } else { RoleFacts::Missing };
    Some(((facts, databases, newest), role))
}

fn seen_by_nobody(
    server: &Server,
    request: &ObserveRequest,
    access: &DatabaseAccess,
) -> Option<(SeenDatabases, RoleFacts)> {
    let access = DatabaseAccess {
        system_user: "nobody".to_owned(),
        user: access.role().to_owned(),
        ..access.clone()
    };
    let postgres = Postgres::new(server, &access, APPLICATION).ok()?;
    Some((cluster(&postgres, request, None).ok()?, RoleFacts::Present))
}
