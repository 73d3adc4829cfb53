//! Where new clients go.

use crate::host::{EnvironmentName, HostName};

/// `[clients]`: how new clients are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clients {
    /// `domain`: hosts are `<client>.<domain>` and `<client>-test.<domain>`.
    pub domain: Option<HostName>,
    /// `reserved`: names that no client may have, besides those that nobody may.
    pub reserved: Vec<String>,
}

/// What new hosts a server takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// `environments`: only these; none is all where the server is reached by SSH, and
    /// nothing unasked where it is this machine.
    pub environments: Option<Vec<EnvironmentName>>,
    /// `max_hosts`: no new ones beyond this many.
    pub max_hosts: Option<u32>,
}
