//! How the agent reaches PostgreSQL.

use serde::{Deserialize, Serialize};

/// Where a host's databases are and who opens them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseAccess {
    /// The system user that runs Odoo; local sockets know it by peer authentication.
    pub system_user: String,
    /// `db_host`; empty is the local socket.
    pub host: String,
    /// `db_port`.
    pub port: Option<u16>,
    /// `db_user`; empty is the system user's name.
    pub user: String,
    /// `db_password`, if any; travels on the channel's stdin only.
    pub password: Option<String>,
}

impl DatabaseAccess {
    /// Tells whether the cluster is on the server itself.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "" | "localhost" | "127.0.0.1" | "::1")
            || self.host.starts_with('/')
    }
}

impl std::fmt::Debug for DatabaseAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseAccess")
            .field("system_user", &self.system_user)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "********"))
            .finish()
    }
}
