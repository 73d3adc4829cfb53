//! Roles: how a host gets one of its own, and how it goes again.

use postgres_protocol::password::scram_sha_256;
use serde::Deserialize;

use super::{
    Call, Postgres, PostgresError,
    quote::{quote_identifier, quote_literal},
};
use crate::{agent::Server, plan::DatabaseAccess};

/// Who administrates a cluster, as Debian and everybody else sets it up.
const SUPERUSER: &str = "postgres";

/// A role of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Role {
    /// Whether it may create databases.
    pub may_create: bool,
    /// Its comment.
    pub comment: Option<String>,
}

/// Tells whether a cluster is reached by a socket or a loopback address.
pub(in crate::agent) fn is_on_this_server(access: &DatabaseAccess) -> bool {
    let host = access.host.as_str();
    host.starts_with('/') || matches!(host, "" | "localhost" | "127.0.0.1" | "::1")
}

impl Postgres {
    /// Opens a cluster of this server as its superuser, by the system user `postgres` and
    /// peer authentication; none where that does not work.
    pub fn superuser_of(
        server: &Server,
        access: &DatabaseAccess,
        application: &str,
    ) -> Option<Self> {
        let superuser = Self::as_superuser(server, access, application)?;
        let call = Call::cluster("ask for the rights in", "PostgreSQL");
        let sql = "SELECT to_json(rolsuper) FROM pg_roles WHERE rolname = current_user;";
        superuser.query::<bool>(&call, sql).ok()?.then_some(superuser)
    }

    /// Prepares that access without trying it.
    pub fn as_superuser(
        server: &Server,
        access: &DatabaseAccess,
        application: &str,
    ) -> Option<Self> {
        if !is_on_this_server(access) {
            return None;
        }
        let socket = access.host.starts_with('/');
        let access = DatabaseAccess {
            system_user: SUPERUSER.to_owned(),
            host: if socket { access.host.clone() } else { String::new() },
            user: String::new(),
            password: None,
            ..access.clone()
        };
        Self::new(server, &access, application).ok()
    }

    /// Opens the cluster as the host does, and as its superuser where the host's user or
    /// role does not exist (any more).
    ///
    /// # Errors
    /// Fails when neither user exists.
    pub fn for_the_way_back(
        server: &Server,
        access: &DatabaseAccess,
        application: &str,
    ) -> Result<Self, PostgresError> {
        let superuser = || Self::as_superuser(server, access, application);
        let own = match Self::new(server, access, application) {
            Err(error) => return superuser().ok_or(error),
            Ok(own) => own,
        };
        if own.version().is_ok() {
            return Ok(own);
        }
        let is_gone = |superuser: &Self| superuser.role(access.role()).is_ok_and(|r| r.is_none());
        Ok(superuser().filter(is_gone).unwrap_or(own))
    }

    /// Finds a role; none where there is no such one.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn role(&self, name: &str) -> Result<Option<Role>, PostgresError> {
        let sql = format!(
            "SELECT coalesce((SELECT json_build_object('may_create', rolcreatedb OR rolsuper, \
               'comment', shobj_description(oid, 'pg_authid')) \
               FROM pg_roles WHERE rolname = {}), 'null');",
            quote_literal(name)
        );
        self.query(&Call::cluster("look up role", name), &sql)
    }

    /// Creates a role that may create databases, and nothing else. `mark` becomes its
    /// comment, in the same moment. Of a password only the verifier leaves this process:
    /// what PostgreSQL keeps, and what its log may show.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses, as it does where the name is taken.
    pub fn create_role(
        &self,
        name: &str,
        password: Option<&str>,
        mark: &str,
    ) -> Result<(), PostgresError> {
        let role = quote_identifier(name);
        let password = password.map_or_else(String::new, |password| {
            format!(" PASSWORD {}", quote_literal(&scram_sha_256(password.as_bytes())))
        });
        let sql = format!(
            "BEGIN;\n\
             CREATE ROLE {role} LOGIN CREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION{password};\n\
             COMMENT ON ROLE {role} IS {};\n\
             COMMIT;",
            quote_literal(mark)
        );
        self.execute(&Call::cluster("create role", name), &sql)?;
        Ok(())
    }

    /// Drops a role that [`Self::create_role`] created with this mark; one that is gone, or
    /// is somebody else's, is left alone.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses, as it does where the role still owns something.
    pub fn drop_role(&self, name: &str, mark: &str) -> Result<(), PostgresError> {
        if self.role(name)?.is_none_or(|role| role.comment.as_deref() != Some(mark)) {
            return Ok(());
        }
        let sql = format!("DROP ROLE {};", quote_identifier(name));
        self.execute(&Call::cluster("drop role", name), &sql)?;
        Ok(())
    }
}
