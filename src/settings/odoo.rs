//! Where Odoo of a series comes from, and which series a server is to have.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where Odoo of one series comes from (`[odoo."19.0"]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OdooOrigin {
    /// `package`: a name that the server's own package sources know.
    Package(String),
    /// `package`: a `.deb` that the server downloads.
    Url(String),
    /// `package`: a `.deb` of the repository; relative to its root.
    File(PathBuf),
    /// `repository` and `key`: the vendor's own package source.
    Repository {
        /// Where it is.
        uri: String,
        /// Its suite, and its components where it has any.
        suite: String,
        /// Where its signing key is.
        key: String,
    },
    /// `source`: a Git repository, of which the branch of the series is checked out.
    Source(String),
}

impl OdooOrigin {
    /// Tells whether Odoo becomes a package of the server: one series at most can.
    #[must_use]
    pub const fn is_package(&self) -> bool {
        !matches!(self, Self::Source(_))
    }

    /// Reads what `package` says.
    pub(super) fn package(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return trusted_url(text).map(Self::Url);
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
        let path = std::path::Path::new(text);
        let is_deb = path.extension().is_some_and(|extension| extension == "deb");
        let is_below =
            path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if is_deb && is_below && !text.starts_with('-') && !text.contains(char::is_control) {
            return Ok(Self::File(path.to_owned()));
        }
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if text.len() > 1 && starts_well && !is_deb && text.chars().all(is_name) {
            return Ok(Self::Package(text.to_owned()));
        }
        Err(format!(
            "`{}` is neither a package's name, nor a URL, nor a `.deb` below the repository",
            text.escape_debug()
        ))
    }

    /// Reads what `repository` says: a URI and a suite, as a line of `sources.list` has them.
    pub(super) fn repository(text: &str, key: String) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (uri, suite) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>().join(" "));
        let is_word = |c: char| c.is_ascii_alphanumeric() || " ./_-".contains(c);
        if suite.is_empty() || suite.starts_with('-') || !suite.chars().all(is_word) {
            return Err("a repository is its URI and its suite, such as \
                 `https://nightly.odoo.com/19.0/nightly/deb/ ./`"
                .to_owned());
        }
        // Its packages are signed: it may come over http.
        let uri = match uri.strip_prefix("http://") {
            Some(_) => plain_url(uri)?,
            None => trusted_url(uri)?,
        };
        Ok(Self::Repository { uri, suite, key })
    }
}

/// Reads the address of something that will run as root: it comes over TLS, or from a machine
/// of one's own.
pub(super) fn trusted_url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").and_then(|rest| rest.split(['/', ':']).next());
    let is_near = host.is_some_and(|host| {
        let address = host.parse::<std::net::Ipv4Addr>();
        host == "localhost" || address.is_ok_and(|it| it.is_private() || it.is_loopback())
    });
    if text.starts_with("https://") || is_near {
        return plain_url(text);
    }
    Err(format!(
        "`{}` would be run as root: it has to come by `https://`, or from a private address",
        text.escape_debug()
    ))
}

/// Reads the address of a Git repository.
pub(super) fn source_url(text: &str) -> Result<String, String> {
    if text.starts_with("file:///") { plain_url(text) } else { trusted_url(text) }
}

fn plain_url(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic() && !"\"'\\`<>{}|^".contains(c);
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(format!("`{}` is no plain URL", text.escape_debug()))
}
