//! The distributions that a server may run, and where they differ.

use serde::{Deserialize, Serialize};

/// What `/etc/os-release` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// `ID`: `debian`, `ubuntu`.
    pub id: String,
    /// `VERSION_ID`: `13`, `24.04`.
    pub version: String,
    /// `PRETTY_NAME`.
    pub name: String,
}

impl OsRelease {
    /// Reads the text of the file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
        };
        Self { id: value("ID"), version: value("VERSION_ID"), name: value("PRETTY_NAME") }
    }
}

/// A distribution that `deploy server setup` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Debian 12, bookworm.
    Debian12,
    /// Debian 13, trixie.
    Debian13,
    /// Ubuntu 22.04, jammy.
    Ubuntu2204,
    /// Ubuntu 24.04, noble.
    Ubuntu2404,
}

impl Distribution {
    /// Recognizes a distribution; none where it is another one.
    #[must_use]
    pub fn of(os: &OsRelease) -> Option<Self> {
        match (os.id.as_str(), os.version.as_str()) {
            ("debian", "12") => Some(Self::Debian12),
            ("debian", "13") => Some(Self::Debian13),
            ("ubuntu", "22.04") => Some(Self::Ubuntu2204),
            ("ubuntu", "24.04") => Some(Self::Ubuntu2404),
            _ => None,
        }
    }

    /// Returns the version of PostgreSQL that it brings.
    pub(super) const fn postgres(self) -> u32 {
        match self {
            Self::Debian12 => 15,
            Self::Debian13 => 17,
            Self::Ubuntu2204 => 14,
            Self::Ubuntu2404 => 16,
        }
    }

    /// Tells whether its nginx can turn a TLS handshake down (1.19.4 and later): else
    /// unknown names need some certificate.
    pub(super) const fn rejects_handshakes(self) -> bool {
        !matches!(self, Self::Ubuntu2204)
    }

    /// Tells whether its own nginx.conf sets `server_tokens`: a second one is an error.
    pub(super) const fn hides_nginx_version(self) -> bool {
        matches!(self, Self::Debian13)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_known_by_its_os_release() {
        let text = "PRETTY_NAME=\"Ubuntu 24.04.3 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\n\
                    VERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n";
        let os = OsRelease::parse(text);
        assert_eq!(os.name, "Ubuntu 24.04.3 LTS");
        assert_eq!(Distribution::of(&os), Some(Distribution::Ubuntu2404));
        let text = "ID=debian\nVERSION_ID=\"13\"\n";
        assert_eq!(Distribution::of(&OsRelease::parse(text)), Some(Distribution::Debian13));
        let text = "ID=rocky\nVERSION_ID=\"9.4\"\n";
        assert_eq!(Distribution::of(&OsRelease::parse(text)), None);
    }
}
