//! What a removal asks of PostgreSQL.

use std::{
    fs::File,
    io::Read as _,
    process::{Command, Stdio},
};

use crate::{
    host::DatabaseName,
    plan::{CopyName, DatabaseAccess, HostDatabase, RoleFacts},
};

use super::{
    Call, Postgres, PostgresError, Server, ServerMessage,
    quote::{quote_identifier, quote_literal},
};

/// SQLSTATE of a role that something still depends on.
const DEPENDED_ON: &str = "2BP01";

/// What became of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleGone {
    /// It is gone.
    Yes,
    /// PostgreSQL keeps it, for the reason it gives.
    Needed(String),
}

impl Postgres {
    /// Opens the cluster as whoever may drop what the host has: its superuser where it is on
    /// this server, else the host itself.
    ///
    /// # Errors
    /// Fails when neither can be had.
    pub fn for_removal(
        server: &Server,
        access: &DatabaseAccess,
        application: &str,
    ) -> Result<Self, PostgresError> {
        if access.is_local() {
            let socket = Some(&access.host).filter(|host| host.starts_with('/'));
            let superuser = DatabaseAccess {
                system_user: "postgres".to_owned(),
                host: socket.cloned().unwrap_or_default(),
                user: String::new(),
                password: None,
                ..access.clone()
            };
            if let Ok(superuser) = Self::new(server, &superuser, application)
                && superuser.version().is_ok()
            {
                return Ok(superuser);
            }
        }
        Self::new(server, access, application)
    }

    /// Finds those of the databases that exist.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn host_databases(
        &self,
        names: &[DatabaseName],
    ) -> Result<Vec<HostDatabase>, PostgresError> {
        let call = Call::cluster("measure the databases of", "PostgreSQL");
        let list: Vec<_> = names.iter().map(|name| quote_literal(name.as_str())).collect();
        let sizes: Vec<(String, u64)> = self.query(
            &call,
            &format!(
                "SELECT coalesce(json_agg(json_build_array(datname, pg_database_size(oid)) \
                 ORDER BY datname), '[]') FROM pg_database WHERE datname IN ({});",
                list.join(", ")
            ),
        )?;
        let database = |(name, bytes): (String, u64)| {
            let name = DatabaseName::parse(&name).ok()?;
            // One that lets nobody in does not say whose it is.
            let facts = self.facts(&name).ok().flatten();
            let deployed_by = facts.and_then(|facts| facts.deployed_by);
            Some(HostDatabase { name, bytes, deployed_by })
        };
        Ok(sizes.into_iter().filter_map(database).collect())
    }

    /// Lists the copies that the tool made of these databases, with their bytes.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn copies_of_all(
        &self,
        names: &[DatabaseName],
    ) -> Result<Vec<(CopyName, u64)>, PostgresError> {
        let copy = |entry: super::OverviewEntry| {
            let copy = CopyName::parse(&entry.name).ok()?;
            let is_wanted = names.iter().any(|name| copy.is_of(name));
            is_wanted.then(|| (copy, entry.bytes.unwrap_or(0)))
        };
        Ok(self.overview()?.databases.into_iter().filter_map(copy).collect())
    }

    /// Looks a role up; none where there is no such role.
    ///
    /// # Errors
    /// Fails when PostgreSQL cannot be reached.
    pub fn role(&self, name: &str) -> Result<Option<RoleFacts>, PostgresError> {
        let call = Call::cluster("look up role", name);
        let sql = format!(
            "SELECT coalesce((SELECT json_build_array(rolname, (SELECT coalesce( \
               json_agg(datname ORDER BY datname), '[]') FROM pg_database \
               WHERE datdba = pg_roles.oid)) FROM pg_roles WHERE rolname = {}), 'null');",
            quote_literal(name)
        );
        let found: Option<(String, Vec<String>)> = self.query(&call, &sql)?;
        Ok(found.map(|(name, owns)| RoleFacts { name, owns }))
    }

    /// Drops a database, whoever is connected to it; one that is gone already is fine.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses.
    pub fn drop_for_good(&self, database: &DatabaseName) -> Result<(), PostgresError> {
        if self.find(database)?.is_none() {
            return Ok(());
        }
        self.close(database)?;
        self.drop_database(database.as_str())
    }

    /// Drops a role; one that is gone already is fine, and one that owns something stays.
    ///
    /// # Errors
    /// Fails when PostgreSQL refuses for another reason.
    pub fn drop_role(&self, name: &str) -> Result<RoleGone, PostgresError> {
        let call = Call::cluster("drop role", name);
        match self.execute(&call, &format!("DROP ROLE IF EXISTS {};", quote_identifier(name))) {
            Ok(_) => Ok(RoleGone::Yes),
            Err(PostgresError::Refused { source, .. })
                if source.state.as_deref() == Some(DEPENDED_ON) =>
            {
                Ok(RoleGone::Needed(source.text))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a dump of a database, in PostgreSQL's own format, into a file.
    ///
    /// # Errors
    /// Fails when `pg_dump` does, or is not there.
    pub fn dump(&self, database: &DatabaseName, into: File) -> Result<(), PostgresError> {
        let call = Call::inside("dump database", database.as_str()).patient();
        let mut command = self.server.command("pg_dump");
        command.args(["--format=custom", "--no-password", "--lock-wait-timeout=60s"]);
        self.connect(&mut command, &call);
        let mut child =
            command.stdout(into).stderr(Stdio::piped()).spawn().map_err(PostgresError::Program)?;
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        let status = child.wait().map_err(PostgresError::Program)?;
        if status.success() {
            return Ok(());
        }
        let said =
            if said.trim().is_empty() { format!("pg_dump ended with {status}") } else { said };
        Err(call.refused(ServerMessage::parse(&said)))
    }

    /// Has a program connect as psql does.
    pub(super) fn connect(&self, command: &mut Command, call: &Call<'_>) {
        command
            .env("PGDATABASE", call.connect_to)
            .env("PGAPPNAME", &self.application)
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGCLIENTENCODING", "UTF8")
            .env("PGOPTIONS", call.options());
        self.account.run(command);
        let access = &self.access;
        let user = if access.user.is_empty() { &self.account.name } else { &access.user };
        command.env("PGUSER", user);
        if !access.host.is_empty() {
            command.env("PGHOST", &access.host);
        }
        // Always said: on Debian `psql` is a wrapper that otherwise takes the
        // cluster it likes best, which need not be the one libpq and Odoo take.
        command.env("PGPORT", access.port.unwrap_or(super::psql::LIBPQ_PORT).to_string());
        if let Some(password) = &access.password {
            command.env("PGPASSWORD", password);
        }
    }
}
