//! One run of psql.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use serde::de::DeserializeOwned;

use super::{Postgres, PostgresError, Server, ServerMessage};

/// The database every cluster has; Odoo itself needs it, too.
const MAINTENANCE: &str = "postgres";

/// Where libpq, and so Odoo, goes when no port is given.
pub(super) const LIBPQ_PORT: u16 = 5432;

/// What a run is about, for messages, and where it connects to.
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) object: &'a str,
    pub(super) connect_to: &'a str,
    pub(super) patience: Patience,
    /// Whether nothing is called of what others may have put into the database.
    pub(super) own_words_only: bool,
}

/// How long statements may take, whatever the role's own settings say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Three seconds: what is only good to know.
    Moment,
    /// A minute: look-ups and changes of single rows.
    Minute,
    /// No limit: copies.
    Unlimited,
}

impl<'a> Call<'a> {
    /// Concerns the cluster or a whole database, and connects to neither of ours.
    pub(super) const fn cluster(operation: &'static str, object: &'a str) -> Self {
        Self { connect_to: MAINTENANCE, ..Self::inside(operation, object) }.own_words_only()
    }

    /// Concerns what is in a database.
    pub(super) const fn inside(operation: &'static str, database: &'a str) -> Self {
        Self {
            operation,
            object: database,
            connect_to: database,
            patience: Patience::Minute,
            own_words_only: false,
        }
    }

    pub(super) const fn own_words_only(self) -> Self {
        Self { own_words_only: true, ..self }
    }

    pub(super) const fn patient(self) -> Self {
        Self { patience: Patience::Unlimited, ..self }
    }

    pub(super) fn refused(&self, source: ServerMessage) -> PostgresError {
        PostgresError::Refused {
            operation: self.operation,
            database: self.object.to_owned(),
            source,
        }
    }

    pub(super) fn options(&self) -> String {
        let statement_timeout = match self.patience {
            Patience::Moment => "3s",
            Patience::Minute => "60s",
            Patience::Unlimited => "0",
        };
        let mut options = format!(
            "-c statement_timeout={statement_timeout} -c lock_timeout=15s \
             -c idle_in_transaction_session_timeout=0 -c synchronous_commit=on \
             -c standard_conforming_strings=on -c default_transaction_read_only=off"
        );
        if self.own_words_only {
            options.push_str(" -c search_path=pg_catalog");
        }
        options
    }
}

impl Postgres {
    /// Runs statements and reads the one JSON value they print.
    pub(super) fn query<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        sql: &str,
    ) -> Result<T, PostgresError> {
        let text = self.execute(call, sql)?;
        serde_json::from_str(&text)
            .map_err(|source| PostgresError::Answer { database: call.object.to_owned(), source })
    }

    /// Runs statements and reads every JSON value they print.
    pub(super) fn values(
        &self,
        call: &Call<'_>,
        sql: &str,
    ) -> Result<Vec<serde_json::Value>, PostgresError> {
        let text = self.execute(call, sql)?;
        serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|source| PostgresError::Answer { database: call.object.to_owned(), source })
    }

    /// Runs statements up to the first that fails, and returns what they print.
    pub(super) fn execute(&self, call: &Call<'_>, sql: &str) -> Result<String, PostgresError> {
        let mut command = self.psql(call);
        let output = feed(&mut command, sql.as_bytes()).map_err(PostgresError::Program)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let text = if stderr.trim().is_empty() {
            format!("psql ended with {}", output.status)
        } else {
            stderr.into_owned()
        };
        Err(call.refused(ServerMessage::parse(&text)))
    }

    /// Prepares psql: its arguments name no database, role, value or secret.
    pub(super) fn psql(&self, call: &Call<'_>) -> Command {
        let mut command = self.server.command(program(&self.server));
        command
            .args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1"])
            .args(["-v", "VERBOSITY=verbose"]);
        self.connect(&mut command, call);
        command
    }
}

/// Where Debian has the programs of each version of PostgreSQL.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Returns psql itself: Debian's `psql` is a Perl program that looks for it, which takes
/// longer than all that is asked. The newest understands every server.
fn program(server: &Server) -> PathBuf {
    let versions = fs::read_dir(server.path(VERSIONS.as_ref())).into_iter().flatten().flatten();
    let psql = |version: u32| Path::new(VERSIONS).join(version.to_string()).join("bin/psql");
    let mut numbers: Vec<u32> =
        versions.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    let newest = numbers.into_iter().rev().map(psql).find(|path| server.path(path).exists());
    newest.unwrap_or_else(|| "psql".into())
}

/// Runs a program on an input that may be larger than a pipe holds.
fn feed(command: &mut Command, input: &[u8]) -> io::Result<Output> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().expect("stdin was piped");
    thread::scope(|scope| {
        // A program that ended early says why on stderr; the broken pipe adds nothing.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plan::DatabaseAccess;

    #[test]
    fn the_newest_psql_is_run_without_debians_wrapper() {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().to_owned(), "/bin".into());
        assert_eq!(program(&server), Path::new("psql"));
        for version in ["9.6", "15", "9", "17"] {
            let bin = root.path().join("usr/lib/postgresql").join(version).join("bin");
            fs::create_dir_all(&bin).unwrap();
            if version != "17" {
                fs::write(bin.join("psql"), "").unwrap();
            }
        }
        assert_eq!(program(&server), Path::new("/usr/lib/postgresql/15/bin/psql"));
    }

    fn psql(host: &str, port: Option<u16>) -> Command {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "odoo:x:106:111::/var/lib/odoo:/bin/sh\n")
            .unwrap();
        let server = Server::below(root.path().to_owned(), "/bin".into());
        let access = DatabaseAccess {
            system_user: "odoo".to_owned(),
            host: host.to_owned(),
            port,
            user: String::new(),
            password: Some("geheim".to_owned()),
        };
        let postgres = Postgres::new(&server, &access, "odoo-deploy-7").unwrap();
        postgres.psql(&Call::inside("read", "acme"))
    }

    fn environment(command: &Command, name: &str) -> Option<String> {
        let (_, value) = command.get_envs().find(|(key, _)| *key == name)?;
        value.map(|value| value.to_string_lossy().into_owned())
    }

    #[test]
    fn no_name_and_no_secret_is_an_argument() {
        let command = psql("db.example.net", Some(6432));
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        assert!(
            !arguments.iter().any(|a| ["acme", "geheim", "odoo"].iter().any(|s| a.contains(s)))
        );
        assert_eq!(environment(&command, "PGPASSWORD").as_deref(), Some("geheim"));
        assert_eq!(environment(&command, "PGDATABASE").as_deref(), Some("acme"));
        assert_eq!(environment(&command, "PGHOST").as_deref(), Some("db.example.net"));
        assert_eq!(environment(&command, "PGPORT").as_deref(), Some("6432"));
        assert_eq!(environment(&command, "HOME").as_deref(), Some("/var/lib/odoo"));
    }

    #[test]
    fn without_a_host_the_local_socket_of_the_usual_port_is_used() {
        let command = psql("", None);
        assert_eq!(environment(&command, "PGHOST"), None);
        assert_eq!(environment(&command, "PGPORT").as_deref(), Some("5432"));
        assert_eq!(environment(&command, "PGUSER").as_deref(), Some("odoo"));
    }
}
