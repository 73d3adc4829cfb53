//! Certificates on the server: whose they are, and until when they are valid.

use std::path::{Path, PathBuf};

use super::{
    certbot::{self, Lineage},
    server::{FileError, Server},
    with_causes,
};
use crate::{
    layout::Layout,
    plan::{CertificateFacts, IssuedCertificate},
    wire::Certificate,
};

/// Looks at the certificates that were obtained for a host.
///
/// # Errors
/// Fails when what they are renewed by cannot be read.
pub(super) fn facts(server: &Server, layout: &Layout) -> Result<CertificateFacts, FileError> {
    let lineage = Lineage::new(server, layout.host());
    let acme = lineage.version().and_then(|_| issued(server, &lineage.live().join("cert.pem")));
    let directory = lineage.directory()?;
    Ok(CertificateFacts {
        has_certbot: certbot::is_there(server),
        acme: acme.map(|issued| IssuedCertificate { directory, ..issued }),
        origin: issued(server, &layout.origin_certificate().join("certificate.pem")),
    })
}

/// Reads a certificate; none where it is none.
fn issued(server: &Server, path: &Path) -> Option<IssuedCertificate> {
    if !server.path(path).exists() {
        return None;
    }
    let mut command = server.command("openssl");
    command.args(["x509", "-noout", "-enddate", "-ext", "subjectAltName", "-in"]);
    let said = server.run(command.arg(server.path(path))).ok()?;
    let until = said.lines().find_map(end)?;
    let names = said.split([',', '\n']).filter_map(|part| part.trim().strip_prefix("DNS:"));
    Some(IssuedCertificate { names: names.map(str::to_owned).collect(), until, directory: None })
}

/// Looks at the certificate that a vhost names; none where it names none.
pub(super) fn certificate(server: &Server, vhost: &str) -> Option<Certificate> {
    let path = path(vhost)?;
    let until = until(server, &path);
    Some(Certificate { path, until })
}

/// Finds `ssl_certificate /path/fullchain.pem;`.
fn path(vhost: &str) -> Option<PathBuf> {
    let mut lines = vhost.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.find_map(|line| {
        let value = line.strip_prefix("ssl_certificate")?;
        let value = value.starts_with(char::is_whitespace).then_some(value)?;
        let value = value.split(';').next()?.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| PathBuf::from(value))
    })
}

fn until(server: &Server, path: &Path) -> Result<i64, String> {
    let mut command = server.command("openssl");
    command.args(["x509", "-noout", "-enddate", "-in"]).arg(server.path(path));
    let said = server.run(&mut command).map_err(|error| with_causes(&error))?;
    end(&said).ok_or_else(|| format!("`openssl x509` said `{}`", said.trim()))
}

/// Reads `notAfter=Feb  3 04:05:06 2027 GMT`.
fn end(said: &str) -> Option<i64> {
    let text = said.trim().strip_prefix("notAfter=")?.strip_suffix(" GMT")?;
    let time = jiff::civil::DateTime::strptime("%b %d %H:%M:%S %Y", text).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_the_one_the_vhost_names() {
        let vhost = "  # ssl_certificate /old.pem;\n  ssl_certificate_key /k.pem;\n  \
                     ssl_certificate  /etc/letsencrypt/live/a/fullchain.pem; # by certbot\n";
        assert_eq!(path(vhost), Some("/etc/letsencrypt/live/a/fullchain.pem".into()));
        assert_eq!(path("listen 80;\n"), None);
    }

    #[test]
    fn the_words_of_openssl_are_a_time() {
        assert_eq!(end("notAfter=Feb  3 04:05:06 2027 GMT\n"), Some(1_801_627_506));
        assert_eq!(end("notAfter=Nov 22 12:00:00 2026 GMT"), Some(1_795_348_800));
        assert_eq!(end("unable to load certificate"), None);
    }
}
