//! Where a host's things lie on its server. Pure.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::host::HostName;

/// The agent's executable on a server.
pub const AGENT: &str = "/usr/local/lib/odoo-deploy/deploy";

/// The directory of a server's hosts.
pub const HOSTS: &str = "/opt/odoo";

/// What lies in memory only: plans that wait, and permits.
pub const RUNTIME: &str = "/run/odoo-deploy";

/// Where answers to an authority's challenges are served from, for all hosts of a server.
pub const ACME_WEBROOT: &str = "/var/lib/odoo-deploy/acme";

/// Where certbot keeps what it obtained.
pub const LETSENCRYPT: &str = "/etc/letsencrypt";

/// The roots of private authorities, a file for each host that is certified by one.
pub const ACME_ROOTS: &str = "/etc/odoo-deploy/acme-roots";

/// What deploy keys may do, one file each.
pub const KEYS: &str = "/etc/odoo-deploy/keys";

/// The number of a release; numbers of a host only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseNumber(pub u32);

impl ReleaseNumber {
    /// Returns the number that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the name of the release's directory, at least four digits.
    #[must_use]
    pub fn directory_name(self) -> String {
        format!("{:04}", self.0)
    }

    /// Reads the name of a release's directory.
    #[must_use]
    pub fn from_directory_name(name: &str) -> Option<Self> {
        let number = Self(name.parse().ok()?);
        (number.directory_name() == name).then_some(number)
    }
}

impl fmt::Display for ReleaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns the file by which a Python environment is known to be whole.
#[must_use]
pub fn environment_is_complete(environment: &Path) -> PathBuf {
    environment.join("complete")
}

/// The paths of one host on its server, all absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    host: HostName,
}

impl Layout {
    /// Lays out the given host.
    #[must_use]
    pub const fn new(host: HostName) -> Self {
        Self { host }
    }

    /// Returns the host.
    #[must_use]
    pub const fn host(&self) -> &HostName {
        &self.host
    }

    /// Returns `/opt/odoo/<host>`.
    #[must_use]
    pub fn base(&self) -> PathBuf {
        PathBuf::from(HOSTS).join(self.host.as_str())
    }

    /// Returns the object store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.base().join("repo.git")
    }

    /// Returns the directory that holds the releases.
    #[must_use]
    pub fn releases(&self) -> PathBuf {
        self.base().join("releases")
    }

    /// Returns one release's directory.
    #[must_use]
    pub fn release(&self, number: ReleaseNumber) -> PathBuf {
        self.releases().join(number.directory_name())
    }

    /// Returns the place of the last release that was pruned: its code becomes the next one's.
    #[must_use]
    pub fn retired(&self) -> PathBuf {
        self.releases().join("retired")
    }

    /// Returns the root of one release's code: the repository's tree.
    #[must_use]
    pub fn code(&self, number: ReleaseNumber) -> PathBuf {
        self.release(number).join("code")
    }

    /// Returns the directory of a release's files as they were deployed: root's only.
    #[must_use]
    pub fn as_deployed(&self, number: ReleaseNumber) -> PathBuf {
        self.release(number).join("as-deployed")
    }

    /// Returns the link that names the live release.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.base().join("current")
    }

    /// Returns the file whose lock a transaction holds.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.base().join("deploy.lock")
    }

    /// Returns the file that keeps Odoo from starting between two states.
    #[must_use]
    pub fn hold(&self) -> PathBuf {
        self.base().join("hold")
    }

    /// Returns the file that lets Odoo start in spite of the hold: for the moment of
    /// a start within a transaction.
    #[must_use]
    pub fn start_permit(&self) -> PathBuf {
        PathBuf::from(RUNTIME).join(format!("{}.start", self.host))
    }

    /// Returns the flag that nginx tests to show the maintenance page.
    #[must_use]
    pub fn maintenance_flag(&self) -> PathBuf {
        self.base().join("maintenance")
    }

    /// Returns the directory of journals, event logs and upgrade logs.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.base().join("journal")
    }

    /// Returns the record of every deploy, one line each.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.base().join("history.jsonl")
    }

    /// Returns the directory of the host's Python environments.
    #[must_use]
    pub fn environments(&self) -> PathBuf {
        self.base().join("python")
    }

    /// Returns the note of what the tool created for the host.
    #[must_use]
    pub fn provisioned(&self) -> PathBuf {
        self.base().join("provisioned.json")
    }

    /// Returns the file whose space is given up when the disk is full.
    #[must_use]
    pub fn ballast(&self) -> PathBuf {
        self.base().join("ballast")
    }

    /// Returns the well-known place of the host's odoo.conf, a link into `current`.
    #[must_use]
    pub fn conf_link(&self) -> PathBuf {
        PathBuf::from("/etc/odoo").join(format!("{}.conf", self.host))
    }

    /// Returns the name of the host's service.
    #[must_use]
    pub fn unit_name(&self) -> String {
        format!("odoo-{}.service", self.host)
    }

    /// Returns the service's unit file.
    #[must_use]
    pub fn unit(&self) -> PathBuf {
        PathBuf::from("/etc/systemd/system").join(self.unit_name())
    }

    /// Returns the drop-in that ties the service to the hold file.
    #[must_use]
    pub fn unit_drop_in(&self) -> PathBuf {
        PathBuf::from("/etc/systemd/system")
            .join(format!("{}.d/odoo-deploy.conf", self.unit_name()))
    }

    /// Returns the directory of the certificate that certbot obtained for the host.
    #[must_use]
    pub fn acme_certificate(&self) -> PathBuf {
        PathBuf::from(LETSENCRYPT).join("live").join(self.host.as_str())
    }

    /// Returns the directory of the certificates that Cloudflare issued for the host.
    #[must_use]
    pub fn origin_certificates(&self) -> PathBuf {
        PathBuf::from("/etc/ssl/odoo-deploy").join(self.host.as_str())
    }

    /// Returns the link to the directory of the one that counts.
    #[must_use]
    pub fn origin_certificate(&self) -> PathBuf {
        self.origin_certificates().join("current")
    }

    /// Returns where the key of a certificate waits until Cloudflare has issued it: in memory.
    #[must_use]
    pub fn waiting_key(&self) -> PathBuf {
        PathBuf::from(RUNTIME).join(format!("{}.key", self.host))
    }

    /// Returns the root of the private authority that certifies the host.
    #[must_use]
    pub fn acme_root(&self) -> PathBuf {
        PathBuf::from(ACME_ROOTS).join(format!("{}.pem", self.host))
    }

    /// Returns every file and directory of certificates that the tool writes for the host
    /// itself: those that certbot keeps are not among them.
    #[must_use]
    pub fn certificate_files(&self) -> [PathBuf; 3] {
        [self.origin_certificates(), self.acme_root(), self.waiting_key()]
    }

    /// Returns the host's nginx vhost.
    #[must_use]
    pub fn vhost(&self) -> PathBuf {
        PathBuf::from("/etc/nginx/sites-enabled").join(self.host.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_directory_names_its_number() {
        assert_eq!(ReleaseNumber(42).directory_name(), "0042");
        assert_eq!(ReleaseNumber::from_directory_name("12345"), Some(ReleaseNumber(12345)));
        assert_eq!(ReleaseNumber::from_directory_name("42"), None);
        assert_eq!(ReleaseNumber::from_directory_name("0042.partial"), None);
    }
}
