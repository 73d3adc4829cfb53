//! Where the certificate comes from, and who stands before nginx.

use super::{Finding, RuleId, Severity, view::View};
use crate::host::{HostName, NginxOptions, Tls};

pub(super) fn check(view: &View<'_>, findings: &mut Vec<Finding>) {
    let Some(nginx) = &view.host.nginx else { return };
    if nginx.tls == Tls::LetsEncrypt {
        findings.extend(port(view, nginx));
        let names = std::iter::once(&view.host.name).chain(&nginx.aliases);
        findings.extend(names.filter_map(|name| private_name(view, name)));
    }
    findings.extend(origin_without_cloudflare(view, nginx));
    findings.extend(plain_behind_cloudflare(view, nginx));
    findings.extend(proxied_without_cloudflare(view, nginx));
}

/// Authorities look at port 80, and nowhere else (RFC 8555, section 8.3).
fn port(view: &View<'_>, nginx: &NginxOptions) -> Option<Finding> {
    (nginx.port != 80).then(|| {
        let message = format!(
            "plain HTTP is answered on port {}: an authority asks for proof on port 80",
            nginx.port
        );
        let hint = "remove `port`, or bring a certificate of your own by `tls = files`";
        view.finding(RuleId::LetsencryptPort, Severity::Error, "tls", (message, hint))
    })
}

fn private_name(view: &View<'_>, name: &HostName) -> Option<Finding> {
    let text = name.as_str();
    let is_private = !text.contains('.')
        || text.ends_with(".localhost")
        || text.parse::<std::net::Ipv4Addr>().is_ok();
    is_private.then(|| {
        let message = format!("no authority certifies `{name}`: it is no name of the public DNS");
        let hint = "use a full hostname, or `tls = none`";
        view.finding(RuleId::LetsencryptName, Severity::Error, "tls", (message, hint))
    })
}

fn origin_without_cloudflare(view: &View<'_>, nginx: &NginxOptions) -> Option<Finding> {
    (nginx.tls == Tls::CloudflareOrigin && !nginx.cloudflare).then(|| {
        let message = "the certificate is trusted by Cloudflare only, and visitors are taken to come without it";
        let hint = "write `cloudflare = True`, or `tls = letsencrypt`";
        view.finding(RuleId::OriginWithoutCloudflare, Severity::Warning, "tls", (message, hint))
    })
}

fn plain_behind_cloudflare(view: &View<'_>, nginx: &NginxOptions) -> Option<Finding> {
    (nginx.tls == Tls::None && nginx.cloudflare).then(|| {
        let message = "between Cloudflare and the server everything goes unencrypted, and Odoo writes http:// links";
        let hint = "write `tls = cloudflare-origin` and choose `Full (strict)` at Cloudflare";
        view.finding(RuleId::PlainBehindCloudflare, Severity::Warning, "tls", (message, hint))
    })
}

fn proxied_without_cloudflare(view: &View<'_>, nginx: &NginxOptions) -> Option<Finding> {
    let dns = view.host.dns;
    (dns.manage && dns.proxied == Some(true) && !nginx.cloudflare).then(|| {
        let message = "the host's records lead visitors through Cloudflare, and Odoo would take Cloudflare's addresses for theirs";
        let hint = "write `cloudflare = True` in `[deploy.nginx]`, or `proxied = False`";
        view.finding(RuleId::ProxiedWithoutCloudflare, Severity::Warning, "proxied", (message, hint))
    })
}
