//! What can go wrong with PostgreSQL.

use std::{fmt, io};

use crate::agent::FileError;

/// A failed operation on a database.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// PostgreSQL refused, or could not be reached.
    #[error("failed to {operation} `{database}`")]
    Refused {
        /// What was tried: `copy database`, `read facts of`, …
        operation: &'static str,
        /// The database, or the role, it was tried on.
        database: String,
        /// PostgreSQL's own words.
        #[source]
        source: ServerMessage,
    },
    /// psql could not be run.
    #[error("failed to run `psql` (is postgresql-client installed?)")]
    Program(#[source] io::Error),
    /// psql answered what was not asked for.
    #[error("failed to understand what `psql` answered about `{database}`")]
    Answer {
        /// The database it was asked about.
        database: String,
        /// Where reading stopped.
        #[source]
        source: serde_json::Error,
    },
    /// The accounts of the server could not be read.
    #[error("failed to look up the system user `{user}`")]
    Accounts {
        /// The user.
        user: String,
        /// Why.
        #[source]
        source: FileError,
    },
    /// The host's system user does not exist.
    #[error("there is no system user `{0}` on the server")]
    NoAccount(String),
    /// The database does not exist.
    #[error("there is no database `{0}`")]
    Missing(String),
    /// Sessions could not be ended.
    #[error("sessions remain on database `{database}`: {}", sessions.join(", "))]
    Busy {
        /// The database.
        database: String,
        /// Role, application and process id of each.
        sessions: Vec<String>,
    },
    /// A name leads to another database than it did.
    #[error("database `{database}` has object id {found}, not {expected}: it is another one")]
    Exchanged {
        /// The name.
        database: String,
        /// The id that was journaled.
        expected: u32,
        /// The id that is there.
        found: u32,
    },
    /// A name that should be free is taken.
    #[error("a database `{0}` exists already")]
    Occupied(String),
    /// Scheduled jobs are no longer held back.
    #[error("the session that holds back the scheduled jobs of `{database}` ended: {message}")]
    HoldLost {
        /// The database.
        database: String,
        /// psql's last words.
        message: String,
    },
}

impl PostgresError {
    /// Returns PostgreSQL's error code, where it gave one.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        match self {
            Self::Refused { source, .. } => source.state.as_deref(),
            _ => None,
        }
    }
}

/// An error as PostgreSQL words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMessage {
    /// The five characters of SQLSTATE; none where no connection came about.
    pub state: Option<String>,
    /// The message, its detail and its hint.
    pub text: String,
}

impl ServerMessage {
    /// Reads what psql with `VERBOSITY=verbose` wrote on stderr.
    ///
    /// The words `ERROR`, `DETAIL`, … are in the server's language; the code
    /// between colons is not, so that is what a message is found by. What
    /// follows the message are its parts, of which those that quote the
    /// statement (`LINE 1:` and the caret) and name PostgreSQL's source are left out.
    #[must_use]
    pub(super) fn parse(stderr: &str) -> Self {
        let lines: Vec<_> = stderr.trim().lines().collect();
        let found = lines.iter().enumerate().find_map(|(at, line)| Some((at, coded(line)?)));
        let Some((at, (state, message))) = found else {
            let text = stderr.trim().trim_start_matches("psql: error: ").to_owned();
            return Self { state: None, text };
        };
        let parts = lines[at + 1..]
            .iter()
            .map(|line| line.trim())
            .take_while(|line| !line.contains("server closed the connection"))
            .filter(|line| !is_location(line) && !is_excerpt(line) && !["", "^"].contains(line));
        let text = std::iter::once(message).chain(parts.take(6)).collect::<Vec<_>>().join("; ");
        Self { state: Some(state.to_owned()), text }
    }
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.state.as_ref().map_or(Ok(()), |state| write!(f, " (SQLSTATE {state})"))
    }
}

impl std::error::Error for ServerMessage {}

/// Splits `psql:<stdin>:1: ERROR:  42P04: database "x" already exists`.
/// Warnings (class 01) and notices (class 00) are not what stopped psql.
fn coded(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(":  ")?;
    let (state, message) = rest.split_once(": ")?;
    let is_state = state.len() == 5
        && state.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        && !state.starts_with("00")
        && !state.starts_with("01");
    is_state.then_some((state, message))
}

/// Finds `LOCATION:  createdb, dbcommands.c:1042` in any language.
fn is_location(line: &str) -> bool {
    line.rsplit_once(".c:").is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// Finds `LINE 1: SELECT …` in any language.
fn is_excerpt(line: &str) -> bool {
    line.split_once(": ").and_then(|(head, _)| head.rsplit_once(' ')).is_some_and(
        |(word, number)| number.parse::<u32>().is_ok() && word.chars().all(char::is_alphabetic),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_code_message_detail_and_hint() {
        let stderr = "psql:<stdin>:1: ERROR:  55006: source database \"acme\" is being accessed by other users\n\
                      DETAIL:  There is 1 other session using the database.\n\
                      LOCATION:  createdb, dbcommands.c:1301\n";
        let message = ServerMessage::parse(stderr);
        assert_eq!(
            message.to_string(),
            "source database \"acme\" is being accessed by other users; \
             DETAIL:  There is 1 other session using the database. (SQLSTATE 55006)"
        );
    }

    #[test]
    fn a_message_in_another_language_is_found_by_its_code() {
        let stderr = "psql:<stdin>:3: HINWEIS:  00000: egal\n\
                      psql:<stdin>:4: FEHLER:  42601: Syntaxfehler bei »x«\n\
                      ZEILE 1: x\n        ^\nORT:  scanner_yyerror, scan.l:1244\n";
        let message = ServerMessage::parse(stderr);
        assert_eq!(message.state.as_deref(), Some("42601"));
        assert!(message.text.starts_with("Syntaxfehler bei »x«"), "{message}");
        assert!(!message.text.contains("ZEILE"), "{message}");
    }

    #[test]
    fn a_refused_connection_has_no_code() {
        let stderr = "psql: error: connection to server on socket \"/run/x\" failed: FATAL:  role \"odoo\" does not exist\n";
        let message = ServerMessage::parse(stderr);
        assert_eq!(message.state, None);
        assert!(message.text.ends_with("role \"odoo\" does not exist"), "{message}");
    }
}
