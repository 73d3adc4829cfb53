//! A vhost that answers an authority's challenges while everything else stays as it is.

use serde::Serialize;

use super::{
    RenderError,
    nginx_text::{ServerBlock, server_blocks},
    template::{Escape, fill},
};
use crate::{host::HostName, layout::ACME_WEBROOT};

const NAME: &str = "challenge.conf";
const TEMPLATE: &str = include_str!("templates/challenge.conf.hbs");

/// The directory below the webroot, and the path below the host, of answers (RFC 8555).
pub const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/";

/// Where a server that is there already finds answers, by a rewrite of its own.
const INTERNAL_PATH: &str = "/.odoo-deploy-challenge/";

#[derive(Serialize)]
struct Context {
    server_names: String,
    ipv6: bool,
    webroot: &'static str,
}

/// Writes the vhost by which all names answer challenges: the present one, where there is
/// one, with a location for them, and a server of their own for names it does not answer.
///
/// # Errors
/// Fails where the template cannot be filled in.
pub fn challenge_vhost(
    present: Option<&str>,
    names: &[HostName],
    ipv6: bool,
) -> Result<String, RenderError> {
    let mut text = present.unwrap_or_default().to_owned();
    let blocks = server_blocks(&text);
    let answers =
        |block: &ServerBlock, name: &HostName| block.on_port_80 && block.answers(name.as_str());
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !blocks.iter().any(|block| answers(block, name)))
        .map(HostName::as_str)
        .collect();
    let asked = blocks.iter().filter(|block| names.iter().any(|name| answers(block, name)));
    // From the end, so that places before it stay.
    for block in asked.collect::<Vec<_>>().into_iter().rev() {
        if !text[block.body.clone()].contains(ACME_WEBROOT) {
            text.insert_str(block.body.start, &answering());
        }
    }
    if !missing.is_empty() {
        let context = Context { server_names: missing.join(" "), ipv6, webroot: ACME_WEBROOT };
        text.push_str(&fill(NAME, TEMPLATE, Escape::Nothing, &context)?);
    }
    Ok(text)
}

/// Writes what has a server answer challenges, whatever else is in it: a `return` of the
/// server itself comes before any location, and somebody else's location may be of that path.
fn answering() -> String {
    format!(
        "
    rewrite ^/\\.well-known/acme-challenge/(.*)$ {INTERNAL_PATH}$1 last;
    location ^~ {INTERNAL_PATH} {{
        internal;
        auth_basic off;
        allow all;
        default_type text/plain;
        alias {ACME_WEBROOT}{CHALLENGE_PATH};
    }}
"
    )
}

impl ServerBlock {
    /// Tells whether requests for a name may come to this server.
    fn answers(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| match pattern.split_at_checked(1) {
            Some(("~", _)) => true,
            Some(("*", suffix)) => name.ends_with(suffix),
            Some((".", suffix)) => name == suffix || name.ends_with(pattern.as_str()),
            _ => pattern == name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{VhostInput, VhostTls, vhost};

    fn names(texts: &[&str]) -> Vec<HostName> {
        texts.iter().map(|text| HostName::parse(text).expect("a good name")).collect()
    }

    fn input(tls: bool) -> VhostInput {
        VhostInput {
            host: HostName::parse("a.example").expect("a good name"),
            aliases: names(&["www.a.example"]),
            port: 80,
            ipv6: false,
            tls: tls.then(|| VhostTls { certificate: "/c.pem".into(), key: "/k.pem".into() }),
            upstream_address: std::net::Ipv4Addr::LOCALHOST.into(),
            http_port: 8069,
            gevent_port: 8072,
            workers: 2,
            client_max_body_size: "128m".into(),
            database_manager: false,
            trusted_proxies: Vec::new(),
            acme_webroot: None,
        }
    }

    #[test]
    fn a_new_host_answers_challenges_and_nothing_else() {
        let text = challenge_vhost(None, &names(&["a.example", "b.example"]), true).unwrap();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_live_host_keeps_its_vhost_and_answers_challenges_too() {
        for tls in [false, true] {
            let present = vhost(&input(tls), None).unwrap().text;
            let text =
                challenge_vhost(Some(&present), &names(&["a.example", "www.a.example"]), true);
            let text = text.unwrap();
            assert_eq!(text.matches(CHALLENGE_PATH).count(), 1, "{text}");
            assert_eq!(text.replace(&answering(), ""), present);
        }
    }

    #[test]
    fn a_name_that_is_new_has_a_server_of_its_own() {
        let present = vhost(&input(false), None).unwrap().text;
        let text = challenge_vhost(Some(&present), &names(&["a.example", "b.example"]), false);
        let text = text.unwrap();
        assert_eq!(text.matches(CHALLENGE_PATH).count(), 2, "{text}");
        assert!(text.contains("\n    server_name b.example;\n"), "{text}");
        assert!(text.contains("return 503;"), "{text}");
    }

    #[test]
    fn a_vhost_that_answers_already_stays_as_it_is() {
        let input = VhostInput { acme_webroot: Some(ACME_WEBROOT.into()), ..input(true) };
        let present = vhost(&input, None).unwrap().text;
        let text = challenge_vhost(Some(&present), &names(&["a.example"]), true).unwrap();
        assert_eq!(text, present);
    }

    #[test]
    fn a_vhost_of_somebody_elses_answers_before_it_redirects() {
        let present = "server { listen 80; server_name a.example; return 301 https://$host; }\n\
                       server { listen 443 ssl; server_name a.example; }\n";
        let text = challenge_vhost(Some(present), &names(&["a.example"]), true).unwrap();
        assert_eq!(text.matches("rewrite").count(), 1, "{text}");
        assert!(text.find("rewrite") < text.find("return 301"), "{text}");
        assert_eq!(text.replace(&answering(), ""), present);
    }

    #[test]
    fn names_that_a_pattern_answers_are_not_taken_from_it() {
        for pattern in ["*.example", ".example", "~^a"] {
            let present = format!("server {{ server_name {pattern}; }}");
            let text = challenge_vhost(Some(&present), &names(&["a.example"]), true).unwrap();
            assert_eq!(server_blocks(&text).len(), 1, "{text}");
            assert!(text.contains(CHALLENGE_PATH), "{text}");
        }
    }
}
