//! `[acme]`: who certifies hosts with `tls = letsencrypt`.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::parse::Check;

/// Let's Encrypt's own directory.
pub(super) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The authority that certifies hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// `email`: whom the authority writes to; none where it is not written.
    pub email: Option<String>,
    /// `directory`: the authority's URL (default: Let's Encrypt).
    pub directory: String,
    /// `ca`: the root that the directory's own certificate comes from, relative to the
    /// repository; none for a public one.
    pub ca: Option<PathBuf>,
}

impl Default for Acme {
    fn default() -> Self {
        Self { email: None, directory: LETS_ENCRYPT.to_owned(), ca: None }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenAcme {
    email: Option<Spanned<String>>,
    directory: Option<Spanned<String>>,
    ca: Option<Spanned<String>>,
}

impl Check<'_> {
    pub(super) fn acme(&mut self, written: &WrittenAcme) -> Acme {
        let default = Acme::default();
        let email = written.email.as_ref();
        let directory = written.directory.as_ref();
        let ca = written.ca.as_ref();
        Acme {
            email: email.and_then(|email| self.value(email, |text| parse_email(text))),
            directory: directory
                .and_then(|url| self.value(url, |text| parse_directory(text)))
                .unwrap_or(default.directory),
            ca: ca.and_then(|path| self.value(path, |text| parse_path(text))),
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.starts_with('-') && text.chars().all(|c| c.is_ascii_graphic() && !"\"'\\`$".contains(c))
}

pub(super) fn parse_email(text: &str) -> Result<String, String> {
    let is_address = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !host.contains(['@', ','])
    });
    if is_address && is_plain(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no address for mail"))
}

fn parse_directory(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").unwrap_or_default();
    if host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && is_plain(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no https:// URL"))
}

fn parse_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if inside && !text.is_empty() {
        return Ok(path.to_owned());
    }
    Err(format!("`{text}` is no path within the repository"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn parse(text: &str) -> Result<Acme, crate::host::ConfigError> {
        let settings = Settings::parse(text, Path::new("config/deploy.toml"));
        settings.map(|settings| settings.acme)
    }

    #[test]
    fn hosts_are_certified_by_lets_encrypt_unless_another_authority_is_named() {
        assert_eq!(parse("").unwrap(), Acme::default());
        let text = "[acme]\nemail = \"ops@somosblink.com\"\n\
                    directory = \"https://10.0.0.5:14000/dir\"\nca = \"config/pebble.pem\"\n";
        let acme = parse(text).unwrap();
        assert_eq!(acme.email.as_deref(), Some("ops@somosblink.com"));
        assert_eq!(acme.directory, "https://10.0.0.5:14000/dir");
        assert_eq!(acme.ca, Some("config/pebble.pem".into()));
    }

    #[test]
    fn a_value_of_acme_that_would_lead_elsewhere_is_refused() {
        for bad in [
            "email = \"ops\"",
            "email = \"-x@a.example\"",
            "email = \"a@b.example, c@d.example\"",
            "directory = \"http://a.example/dir\"",
            "directory = \"https://\"",
            "directory = \"https://a.example/$(id)\"",
            "ca = \"/etc/passwd\"",
            "ca = \"../root.pem\"",
            "roots = \"x\"",
        ] {
            assert!(parse(&format!("[acme]\n{bad}\n")).is_err(), "{bad}");
        }
    }
}
