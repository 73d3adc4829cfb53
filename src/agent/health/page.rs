//! What a page of Odoo tells. Pure.

use crate::host::HostName;

/// Tells whether the page asks for a login and a password.
pub(super) fn is_login_form(body: &str) -> bool {
    body.contains("name=\"login\"") && body.contains("name=\"password\"")
}

/// Returns the bundles of scripts and style sheets a page needs, each once.
pub(super) fn assets(body: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (start, _) in body.match_indices("=\"/web/assets/") {
        let path = &body[start + 2..];
        let path = &path[..path.find('"').unwrap_or(0)];
        let bundle = path.ends_with(".js") || path.ends_with(".css");
        if bundle && !found.iter().any(|known| known == path) {
            found.push(path.to_owned());
        }
    }
    found
}

/// Returns the path of a redirect that stays on the host; none where it leaves
/// it, or where Odoo does not know which database is meant.
pub(super) fn own_path(location: &str, host: &HostName) -> Option<String> {
    let path = if location.starts_with('/') && !location.starts_with("//") {
        location
    } else {
        let rest = location.split_once("://")?.1;
        let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
        let name = authority.split_once(':').map_or(authority, |(name, _)| name);
        if name != host.as_str() {
            return None;
        }
        rest.get(authority.len()..).filter(|path| !path.is_empty()).unwrap_or("/")
    };
    (!path.starts_with("/web/database")).then(|| path.to_owned())
}

/// Reads the version that `/web/version` (19.0) or `/web/webclient/version_info` tells.
pub(super) fn version(body: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(body).ok()?;
    let version = answer.get("version").or_else(|| answer.get("result")?.get("server_version"))?;
    version.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_page_is_known_by_its_fields() {
        let page = r#"<form class="oe_login_form"><input name="login"/><input name="password"/>"#;
        assert!(is_login_form(page));
        assert!(!is_login_form("<title>Odoo</title>500: Internal Server Error"));
    }

    #[test]
    fn bundles_are_found_once_however_they_are_loaded() {
        let page = r#"<link rel="preload" href="/web/static/a.woff2"/>
            <link rel="stylesheet" href="/web/assets/15213f5/web.assets_frontend.min.css"/>
            <script src="/web/assets/1/a.min.js"></script>
            <script data-src="/web/assets/1/a.min.js"></script>"#;
        assert_eq!(
            assets(page),
            ["/web/assets/15213f5/web.assets_frontend.min.css", "/web/assets/1/a.min.js"]
        );
    }

    #[test]
    fn a_redirect_may_not_leave_the_host_or_ask_for_a_database() {
        let host = HostName::parse("acme.example.test").unwrap();
        let own = |location: &str| own_path(location, &host);
        assert_eq!(own("/es/web/login").as_deref(), Some("/es/web/login"));
        assert_eq!(own("https://acme.example.test/a?b=c").as_deref(), Some("/a?b=c"));
        assert_eq!(own("http://acme.example.test").as_deref(), Some("/"));
        assert_eq!(own("https://login.example.net/acme.example.test/"), None);
        assert_eq!(own("//login.example.net/"), None);
        assert_eq!(own("/web/database/selector"), None);
        assert_eq!(own("http://acme.example.test/web/database/create"), None);
    }

    #[test]
    fn the_version_is_read_in_both_forms() {
        let new = r#"{"version_info": [19, 0, 0, "final", 0, ""], "version": "19.0"}"#;
        let old =
            r#"{"jsonrpc": "2.0", "id": null, "result": {"server_version": "18.0-20250821"}}"#;
        assert_eq!(version(new).as_deref(), Some("19.0"));
        assert_eq!(version(old).as_deref(), Some("18.0-20250821"));
        assert_eq!(version("<html>"), None);
    }
}
