//! Deploy keys: keys that can deploy some hosts, and nothing else.

use serde::{Deserialize, Serialize};

use super::PublicKey;
use crate::host::{HostPattern, KeyName, UserName};

/// Which key is to be authorized, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// The name of the key on the server.
    pub name: KeyName,
    /// The key.
    pub key: PublicKey,
    /// The hosts that it may deploy.
    pub hosts: Vec<HostPattern>,
    /// The login that it opens.
    pub login: UserName,
    /// Who authorizes it, and from where.
    pub by: String,
}

/// A key that is authorized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizedKey {
    /// Its name on the server.
    pub name: KeyName,
    /// The login that it opens.
    pub login: UserName,
    /// The hosts that it may deploy; none where it is being revoked.
    pub hosts: Vec<HostPattern>,
    /// The key.
    pub key: PublicKey,
    /// Its fingerprint, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// Who authorized it, and from where.
    pub by: String,
    /// When, in seconds since the epoch by the server's clock.
    pub since: i64,
}

/// What an authorization changed on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyChange {
    /// The key is new.
    Added,
    /// The name was there with another key, or with other hosts.
    Changed,
    /// All was as it should be.
    Nothing,
}

/// Which key is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhichKey {
    /// The one of this name.
    Name(KeyName),
    /// The key itself.
    Key(PublicKey),
}
