//! Works out which certificate a host is to have.

use std::path::PathBuf;

use super::{WorkflowError, desire::Target};
use crate::{
    host::{HostName, NginxOptions, Tls},
    layout::Layout,
    plan::{AcmeIssuer, Issuer, Observed, OriginIssuer, WantedCertificate, adopted_live},
    render,
    secret::{Redactor, Secrets},
    settings::{DnsProvider, DnsZone},
};

/// What is known of a host's certificate before its server is asked.
pub(super) struct CertificateWish {
    names: Vec<HostName>,
    from: From,
}

/// Who is asked for it.
enum From {
    Acme(Authority),
    Cloudflare(OriginIssuer),
}

/// The authority of `[acme]`.
struct Authority {
    email: String,
    directory: String,
    root: Option<String>,
}

impl CertificateWish {
    /// Reads it from the host and `[acme]`; none where the tool obtains no certificate.
    pub(super) fn of(target: &Target, secrets: &Secrets) -> Result<Option<Self>, WorkflowError> {
        let Some(nginx) = &target.host.nginx else { return Ok(None) };
        let from = match nginx.tls {
            Tls::None | Tls::Files { .. } => return Ok(None),
            Tls::LetsEncrypt => From::Acme(authority(target)?),
            Tls::CloudflareOrigin => From::Cloudflare(cloudflare(target, secrets)?),
        };
        Ok(Some(Self { names: names(&target.host.name, nginx), from }))
    }

    /// Completes it by what is on the server.
    pub(super) fn on(
        self,
        observed: &Observed,
        redactor: &mut Redactor,
    ) -> Result<WantedCertificate, WorkflowError> {
        let issuer = match self.from {
            From::Cloudflare(issuer) => {
                redactor.add(&issuer.token);
                Issuer::CloudflareOrigin(issuer)
            }
            From::Acme(authority) => {
                let (present, aside) = present_vhost(&self.names[0], observed);
                let ipv6 = observed.server.has_ipv6;
                Issuer::Acme(AcmeIssuer {
                    challenge_vhost: render::challenge_vhost(present, &self.names, ipv6)?,
                    aside,
                    email: authority.email,
                    directory: authority.directory,
                    root: authority.root,
                })
            }
        };
        Ok(WantedCertificate { names: self.names, issuer })
    }
}

fn names(host: &HostName, nginx: &NginxOptions) -> Vec<HostName> {
    let mut names = vec![host.clone()];
    for alias in &nginx.aliases {
        if !names.contains(alias) {
            names.push(alias.clone());
        }
    }
    names
}

/// Whom to trust is policy: like all of it, it comes from the environment's own branch.
fn authority(target: &Target) -> Result<Authority, WorkflowError> {
    let acme = &target.settings.acme;
    let Some(email) = &acme.email else {
        return Err(WorkflowError::usage(
            format!("{} is to have a certificate, and [acme] names no email", target.host.name),
            "write `email = \"…\"` below `[acme]` in config/deploy.toml: the authority writes \
             there; commit and push it",
        ));
    };
    let root = acme.ca.as_ref().map(|path| {
        let branch = &target.environment()?.branch;
        let tree = target.cache.tree(target.cache.tip(branch)?)?;
        let text = tree.read(path)?.and_then(|bytes| String::from_utf8(bytes).ok());
        text.filter(|text| is_certificate(text)).ok_or_else(|| {
            WorkflowError::usage(
                format!("`{}` of [acme] is no certificate on branch `{branch}`", path.display()),
                "`ca` names a file with the authority's root as PEM; commit it under a name that .gitignore \
                 does not match (`*.crt` rather than `*.pem`), and push it",
            )
        })
    });
    Ok(Authority {
        email: email.clone(),
        directory: acme.directory.clone(),
        root: root.transpose()?,
    })
}

/// The zone of the host says how Cloudflare is reached, for records and certificates alike.
fn cloudflare(target: &Target, secrets: &Secrets) -> Result<OriginIssuer, WorkflowError> {
    let name = &target.host.name;
    let Some((_, DnsZone { provider: DnsProvider::Cloudflare { token, endpoint, .. }, .. })) =
        target.settings.zone_of(name)
    else {
        return Err(WorkflowError::usage(
            format!("Cloudflare is to certify {name}, and no zone in config/deploy.toml is its"),
            "write `[dns.\"ZONE\"]` with `provider = \"cloudflare\"` and its `token`; commit and push it",
        ));
    };
    let token = secrets
        .resolve(token)
        .map_err(|missing| WorkflowError::usage(missing.to_string(), missing.hint()))?;
    Ok(OriginIssuer { endpoint: endpoint.clone(), token })
}

fn is_certificate(text: &str) -> bool {
    let mut lines = text.trim().lines();
    lines.next() == Some("-----BEGIN CERTIFICATE-----")
        && lines.next_back() == Some("-----END CERTIFICATE-----")
}

/// Finds what serves users, which goes on, and whose place that takes: before its first
/// deploy a host is served by what was adopted. A vhost whose certificate is gone serves
/// nobody any more.
fn present_vhost<'a>(host: &HostName, observed: &'a Observed) -> (Option<&'a str>, Vec<PathBuf>) {
    if let Some(adopted) = adopted_live(observed)
        && let Some(vhost) = &adopted.vhost
    {
        let paths = adopted.record.vhosts.iter().map(|vhost| vhost.path.clone());
        return (Some(vhost), paths.collect());
    }
    let facts = &observed.host;
    let certificate = Layout::new(host.clone()).acme_certificate();
    let is_lost = |vhost: &str| {
        facts.certificates.acme.is_none() && vhost.contains(&*certificate.to_string_lossy())
    };
    (facts.vhost.as_deref().filter(|vhost| !is_lost(vhost)), Vec::new())
}
