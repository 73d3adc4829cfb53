//! The nginx vhost of a host.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{
    RenderError,
    template::{Escape, check_path, fill, socket_address},
};
use crate::{host::HostName, layout::Layout};

const NAME: &str = "nginx.conf";
const TEMPLATE: &str = include_str!("templates/nginx.conf.hbs");

/// Where a vhost answers its marker, to the server itself only.
pub const MARKER_PATH: &str = "/.well-known/odoo-deploy";

/// What a vhost is made of: the context of `nginx.conf.hbs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VhostInput {
    /// The host.
    pub host: HostName,
    /// Further hostnames that are answered.
    pub aliases: Vec<HostName>,
    /// Where plain HTTP is answered.
    pub port: u16,
    /// Whether the server has IPv6.
    pub ipv6: bool,
    /// The certificate; none: plain HTTP only.
    pub tls: Option<VhostTls>,
    /// Where Odoo listens, see [`upstream_address`].
    pub upstream_address: IpAddr,
    /// `http_port`.
    pub http_port: u16,
    /// `gevent_port`.
    pub gevent_port: u16,
    /// `workers`; a threaded Odoo (0) has no gevent process.
    pub workers: i32,
    /// `client_max_body_size`, a number with an optional `k`, `m` or `g`.
    pub client_max_body_size: String,
    /// Whether `/web/database` is passed on.
    pub database_manager: bool,
    /// The ranges of the proxy that visitors come through and whose word for their address
    /// counts; empty where they come by themselves.
    pub trusted_proxies: Vec<String>,
    /// Where answers to ACME challenges are served from; none: they are passed on to Odoo.
    pub acme_webroot: Option<PathBuf>,
}

/// The files of a certificate; HTTPS is on port 443.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VhostTls {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A vhost and how to tell that nginx runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vhost {
    /// The file's text.
    pub text: String,
    /// What [`MARKER_PATH`] answers on every port of this vhost: a hash of the text.
    pub marker: String,
}

/// What the vhost's template finds besides the input.
#[derive(Serialize)]
struct Context<'input> {
    #[serde(flatten)]
    input: &'input VhostInput,
    /// Part of every name that must be unique among the server's vhosts.
    id: String,
    /// The host and its aliases.
    server_names: String,
    /// `upstream_address` as it stands before a port.
    upstream: String,
    /// The port that speaks websocket.
    websocket_port: u16,
    /// The link to the live release.
    current: PathBuf,
    /// The file whose presence shows the maintenance page.
    maintenance_flag: PathBuf,
    /// Where the marker is answered.
    marker_path: &'static str,
    /// The marker.
    marker: &'input str,
}

/// Writes the host's vhost, from the given template or the built-in one.
///
/// # Errors
/// Refuses a value that would not stay within its directive, and a template that does not fit or
/// does not use the marker.
pub fn vhost(input: &VhostInput, template: Option<&str>) -> Result<Vhost, RenderError> {
    check(input)?;
    let template = template.unwrap_or(TEMPLATE);
    let without = render(input, template, "")?;
    let marker = blake3::hash(without.as_bytes()).to_hex()[..32].to_owned();
    let text = render(input, template, &marker)?;
    if !text.contains(&marker) {
        return Err(RenderError::NoMarker { name: NAME });
    }
    Ok(Vhost { text, marker })
}

fn render(input: &VhostInput, template: &str, marker: &str) -> Result<String, RenderError> {
    let layout = Layout::new(input.host.clone());
    let names: Vec<_> = std::iter::once(&input.host).chain(&input.aliases).collect();
    let mut server_names: Vec<&str> = Vec::new();
    for name in names {
        // nginx warns of a name that is there twice.
        if !server_names.contains(&name.as_str()) {
            server_names.push(name.as_str());
        }
    }
    let context = Context {
        input,
        id: blake3::hash(input.host.as_str().as_bytes()).to_hex()[..12].to_owned(),
        server_names: server_names.join(" "),
        upstream: socket_address(input.upstream_address),
        websocket_port: if input.workers == 0 { input.http_port } else { input.gevent_port },
        current: layout.current(),
        maintenance_flag: layout.maintenance_flag(),
        marker_path: MARKER_PATH,
        marker,
    };
    fill(NAME, template, Escape::Nothing, &context)
}

fn check(input: &VhostInput) -> Result<(), RenderError> {
    if let Some(tls) = &input.tls {
        check_path("certificate", &tls.certificate)?;
        check_path("certificate_key", &tls.key)?;
        if input.port == 443 {
            return Err(RenderError::Value {
                field: "port",
                value: "443".into(),
                rule: "with a certificate, HTTPS is on port 443 and plain HTTP on another",
            });
        }
    }
    for range in &input.trusted_proxies {
        if !range.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b'/')) {
            return Err(RenderError::Value {
                field: "the range of a proxy",
                value: range.clone(),
                rule: "a range is an address, `/` and a length",
            });
        }
    }
    if let Some(webroot) = &input.acme_webroot {
        check_path("the directory of ACME challenges", webroot)?;
    }
    let size = &input.client_max_body_size;
    let digits = size.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']).unwrap_or(size);
    // 18 digits and a unit could overflow nginx's 64 bits; 12 are a terabyte in bytes.
    if !(1..=12).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RenderError::Value {
            field: "client_max_body_size",
            value: size.clone(),
            rule: "a size is a number with an optional `k`, `m` or `g`, such as `128m`",
        });
    }
    Ok(())
}

/// Tells where an Odoo with this `http_interface` is reached from its own server.
///
/// # Errors
/// Refuses what is neither an address nor `localhost`.
pub fn upstream_address(http_interface: &str) -> Result<IpAddr, RenderError> {
    if matches!(http_interface, "" | "localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    match http_interface.parse() {
        Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => Ok(Ipv4Addr::LOCALHOST.into()),
        Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => Ok(Ipv6Addr::LOCALHOST.into()),
        Ok(address) => Ok(address),
        Err(_) => Err(RenderError::Value {
            field: "http_interface",
            value: http_interface.to_owned(),
            rule: "an interface is an IP address or `localhost`",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        HostName::parse(text).expect("a good name")
    }

    fn input() -> VhostInput {
        VhostInput {
            host: name("shop.example.com"),
            aliases: vec![],
            port: 80,
            ipv6: false,
            tls: None,
            upstream_address: Ipv4Addr::LOCALHOST.into(),
            http_port: 8069,
            gevent_port: 8072,
            workers: 4,
            client_max_body_size: "128m".into(),
            database_manager: false,
            trusted_proxies: Vec::new(),
            acme_webroot: None,
        }
    }

    fn with_tls() -> VhostInput {
        VhostInput {
            aliases: vec![name("www.shop.example.com"), name("shop.example.com")],
            ipv6: true,
            tls: Some(VhostTls {
                certificate: "/etc/letsencrypt/live/shop/fullchain.pem".into(),
                key: "/etc/letsencrypt/live/shop/privkey.pem".into(),
            }),
            upstream_address: Ipv6Addr::LOCALHOST.into(),
            trusted_proxies: vec!["192.0.2.0/24".into(), "2001:db8::/32".into()],
            acme_webroot: Some("/var/www/acme".into()),
            ..input()
        }
    }

    #[test]
    fn a_host_with_workers() {
        insta::assert_snapshot!(vhost(&input(), None).unwrap().text);
    }

    #[test]
    fn a_threaded_host_with_the_database_manager() {
        let input = VhostInput { workers: 0, database_manager: true, ..input() };
        insta::assert_snapshot!(vhost(&input, None).unwrap().text);
    }

    #[test]
    fn a_host_with_a_certificate() {
        insta::assert_snapshot!(vhost(&with_tls(), None).unwrap().text);
    }

    #[test]
    fn the_marker_follows_every_change() {
        let first = vhost(&input(), None).unwrap();
        assert_eq!(first, vhost(&input(), None).unwrap());
        assert!(first.text.contains(&first.marker));
        let second = vhost(&VhostInput { http_port: 8070, ..input() }, None).unwrap();
        assert_ne!(first.marker, second.marker);
        let error = vhost(&input(), Some("server {}")).unwrap_err().to_string();
        assert!(error.contains("does not use `{{marker}}`"), "{error}");
    }

    #[test]
    fn no_value_breaks_out_of_its_directive() {
        for size in ["", "m", "1x", "1m; return 200", "1 m", "-1", "1\n", "99999999999999g"] {
            let input = VhostInput { client_max_body_size: size.into(), ..input() };
            assert!(vhost(&input, None).is_err(), "{size:?}");
        }
        let mut input = with_tls();
        input.tls.as_mut().expect("it has TLS").key = "/k; return 200".into();
        assert!(vhost(&input, None).is_err());
        assert!(
            vhost(&VhostInput { trusted_proxies: vec!["all;".into()], ..with_tls() }, None)
                .is_err()
        );
        assert!(vhost(&VhostInput { port: 443, ..with_tls() }, None).is_err());
    }

    #[test]
    fn an_interface_is_reached_from_its_own_server() {
        let reached = |interface| upstream_address(interface).unwrap().to_string();
        assert_eq!(reached(""), "127.0.0.1");
        assert_eq!(reached("0.0.0.0"), "127.0.0.1");
        assert_eq!(reached("::"), "::1");
        assert_eq!(reached("10.0.0.5"), "10.0.0.5");
        assert!(upstream_address("eth0; x").is_err());
    }

    #[test]
    fn every_documented_name_is_there() {
        let template = crate::render::template::documented_names("nginx.conf.hbs");
        vhost(&with_tls(), Some(&template)).unwrap();
    }
}
