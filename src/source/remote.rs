//! Where the code comes from.

use std::{fmt, path::Path};

use super::{SourceError, git::GitSetting, text, url};

/// The name under which Git sees the remote while it fetches.
pub(super) const NAME: &str = "odoo-deploy";

/// What kind of remote it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteKind {
    /// A remote of the user's repository, by name.
    Named(String),
    /// The user's repository itself, because it has no remote.
    Itself,
    /// An address given by itself.
    Address,
    /// A submodule, whose address stands in the repository it is in.
    Submodule,
}

/// An address to fetch from, with the user's own settings for it.
///
/// `Display` and `Debug` mask credentials.
#[derive(Clone)]
pub struct Remote {
    address: String,
    kind: RemoteKind,
    /// Settings of the user's repository that concern the network.
    inherited: Vec<GitSetting>,
    /// Whether submodules may come from paths on this machine.
    local_allowed: bool,
}

impl Remote {
    /// Takes an address as it stands.
    ///
    /// # Errors
    /// Refuses what Git would read as an option or as a program to run.
    pub fn at(address: &str) -> Result<Self, SourceError> {
        url::check(address).map_err(|reason| SourceError::Git {
            operation: format!("use the remote `{}`", text::cleaned(&url::masked(address))),
            complaint: reason.to_owned(),
        })?;
        Ok(Self::new(address, RemoteKind::Address, Vec::new()))
    }

    pub(super) fn itself(root: &Path) -> Self {
        Self::new(&root.to_string_lossy(), RemoteKind::Itself, Vec::new())
    }

    /// Takes a remote of the user's repository, with the settings that Git sees there.
    pub(super) fn named(name: &str, address: &str, root: &Path, settings: &[GitSetting]) -> Self {
        let is_path = url::is_local(address) && !address.starts_with("file://");
        let address = if is_path && !address.contains("::") {
            root.join(address).to_string_lossy().into_owned()
        } else {
            address.to_owned()
        };
        let inherited = settings.iter().filter_map(|(key, value)| {
            let key = network_setting(key, name)?;
            Some((key, value.clone()))
        });
        Self::new(&address, RemoteKind::Named(name.to_owned()), inherited.collect())
    }

    fn new(address: &str, kind: RemoteKind, inherited: Vec<GitSetting>) -> Self {
        let local_allowed = url::is_local(address);
        Self { address: address.to_owned(), kind, inherited, local_allowed }
    }

    /// Returns the remote of a submodule whose address stands in `.gitmodules`.
    pub(super) fn of_submodule(&self, address: &str) -> Result<Self, &'static str> {
        let address = url::resolved(&self.address, address)?;
        url::check(&address)?;
        if url::is_local(&address) && !address.starts_with('/') && !address.starts_with("file://") {
            return Err("it is neither an address nor an absolute path");
        }
        if url::is_local(&address) && !self.local_allowed {
            return Err("it is a path on this machine");
        }
        Ok(Self { address, kind: RemoteKind::Submodule, ..self.clone() })
    }

    /// Returns its address reduced to host and path.
    #[must_use]
    pub fn plain_address(&self) -> String {
        url::plain_address(&self.address)
    }

    /// Returns what kind of remote it is.
    #[must_use]
    pub const fn kind(&self) -> &RemoteKind {
        &self.kind
    }

    /// Tells whether the operator chose the address, or at least a path of this machine like it.
    pub(super) fn is_trusted(&self) -> bool {
        self.kind != RemoteKind::Submodule || self.local_allowed
    }

    /// Returns a name for the directory that caches this remote; a new token does not change it.
    pub(super) fn directory_name(&self) -> String {
        let (address, _) = url::without_credentials(&self.address);
        format!("{}.git", &blake3::hash(address.as_bytes()).to_hex()[..32])
    }

    /// Returns the settings for a fetch, less those that Git sees by itself.
    ///
    /// Credentials go into a header instead of the address: Git passes the
    /// address on as an argument, which every user of the machine can read.
    pub(super) fn settings(&self, seen: &[GitSetting]) -> Vec<GitSetting> {
        let known = |setting: &&GitSetting| !seen.contains(setting);
        let mut settings: Vec<_> = self.inherited.iter().filter(known).cloned().collect();
        let (address, credentials) = url::without_credentials(&self.address);
        if let (Some(credentials), Some(origin)) = (credentials, url::origin(&address)) {
            if let Some(password) = credentials.password {
                let pair = format!("{}:{password}", credentials.user);
                let header = format!("Authorization: Basic {}", url::base64(pair.as_bytes()));
                let key = format!("http.{origin}.extraHeader");
                // The empty value drops headers of other settings: two of them are refused.
                settings.extend([(key.clone(), String::new()), (key, header)]);
            } else {
                settings.push((format!("credential.{origin}.username"), credentials.user));
            }
        }
        settings.push((format!("remote.{NAME}.url"), address));
        settings
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::cleaned(&url::masked(&self.address)))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({self}, {:?})", self.kind)
    }
}

/// Returns the key to pass on, if the setting decides how a remote is reached.
///
/// CI checkouts keep their token in the repository's own settings, and people
/// choose keys by `includeIf "gitdir:…"`; neither applies to the cache's directory.
fn network_setting(key: &str, remote: &str) -> Option<String> {
    const SECTIONS: [&str; 5] = ["credential.", "http.", "url.", "ssh.", "protocol."];
    const KEYS: [&str; 3] = ["core.sshcommand", "core.askpass", "core.gitproxy"];
    if SECTIONS.iter().any(|section| key.starts_with(section)) || KEYS.contains(&key) {
        return Some(key.to_owned());
    }
    let variable = key.strip_prefix("remote.")?.strip_prefix(remote)?.strip_prefix('.')?;
    let decides = ["proxy", "proxyauthmethod", "uploadpack"].contains(&variable);
    decides.then(|| format!("remote.{NAME}.{variable}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_in_no_text_and_in_no_address() {
        let remote = Remote::at("https://me:s3cret@h/o/r.git").unwrap();
        assert_eq!(remote.to_string(), "https://***@h/o/r.git");
        assert!(!format!("{remote:?}").contains("s3cret"));
        let settings = remote.settings(&[]);
        assert!(settings.contains(&("remote.odoo-deploy.url".into(), "https://h/o/r.git".into())));
        assert!(settings.iter().all(|(_, value)| !value.contains("s3cret")));
    }

    #[test]
    fn a_new_token_keeps_the_cache() {
        let name = |url| Remote::at(url).unwrap().directory_name();
        assert_eq!(name("https://x:1@h/r"), name("https://x:2@h/r"));
        assert_ne!(name("https://h/r"), name("https://h/s"));
    }

    #[test]
    fn a_setting_of_the_network_is_passed_on_once() {
        let seen = ("http.proxy".to_owned(), "p".to_owned());
        let own = ("core.sshcommand".to_owned(), "ssh -i k".to_owned());
        let other = ("core.worktree".to_owned(), "/x".to_owned());
        let settings = [seen.clone(), own.clone(), other];
        let remote = Remote::named("origin", "git@h:r", Path::new("/r"), &settings);
        let passed = remote.settings(&[seen]);
        assert_eq!(passed, [own, ("remote.odoo-deploy.url".into(), "git@h:r".into())]);
    }

    #[test]
    fn a_submodule_of_a_far_repository_is_no_local_path() {
        let remote = Remote::at("https://h/o/r.git").unwrap();
        assert!(remote.of_submodule("/etc").is_err());
        assert!(remote.of_submodule("file:///etc").is_err());
        assert!(remote.of_submodule("ext::sh").is_err());
        assert_eq!(remote.of_submodule("../s.git").unwrap().to_string(), "https://h/o/s.git");
        assert!(Remote::at("/srv/r").unwrap().of_submodule("../s").is_ok());
    }
}
