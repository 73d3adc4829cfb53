//! What nginx gets besides the vhosts of hosts.

use std::path::{Path, PathBuf};

use super::{
    distribution::Distribution,
    facts::MachineFacts,
    step::{ConfigFile, Reader, SetupStep},
    texts,
};

const OWN: &str = "/etc/nginx/conf.d/odoo-deploy.conf";
const PACKAGE_SITE: &str = "/etc/nginx/sites-enabled/default";

/// What of nginx has to change, and what the operator should know.
#[derive(Debug, Default)]
pub(super) struct NginxPlan {
    pub(super) step: Option<SetupStep>,
    pub(super) warnings: Vec<String>,
}

/// Compares nginx's files with what they should be. What others wrote is left alone.
pub(super) fn plan_nginx(distribution: Distribution, facts: &MachineFacts) -> NginxPlan {
    let mut plan = NginxPlan::default();
    let foreign = |path: &&PathBuf| **path != Path::new(OWN) && **path != Path::new(PACKAGE_SITE);
    let set_elsewhere = |directive: &str| {
        let mut others = facts.nginx.iter().filter(|(path, _)| foreign(path));
        others.any(|(_, text)| has_directive(text, directive))
    };
    let site = facts.nginx.get(Path::new(PACKAGE_SITE));
    let is_edited = site.is_some_and(|text| !is_package_site(text));
    let mut default_elsewhere = facts
        .nginx
        .iter()
        .filter(|(path, text)| foreign(path) && listens_by_default(text))
        .map(|(path, _)| path.display().to_string());
    let default = default_elsewhere.next().or_else(|| is_edited.then(|| PACKAGE_SITE.to_owned()));
    if let Some(path) = &default {
        plan.warnings.push(format!(
            "`{path}` answers for names that no host has; it is left alone, and so it stays"
        ));
    }
    let is_new = facts.nginx.is_empty();
    let mut text = texts::head().to_owned();
    if !set_elsewhere("server_names_hash_bucket_size") {
        text.push_str("server_names_hash_bucket_size 128;\n");
    }
    let hidden =
        if is_new { distribution.hides_nginx_version() } else { set_elsewhere("server_tokens") };
    if !hidden {
        text.push_str("server_tokens off;\n");
    }
    if default.is_none() {
        text.push_str(&default_servers(distribution, facts.ipv6));
    }
    let remove = is_new || (site.is_some() && !is_edited);
    let remove: Vec<PathBuf> = remove.then(|| PACKAGE_SITE.into()).into_iter().collect();
    let is_right = facts.nginx.get(Path::new(OWN)) == Some(&text);
    if !is_right || !remove.is_empty() {
        let files = vec![ConfigFile { path: OWN.into(), text, mode: 0o644 }];
        plan.step = Some(SetupStep::Configure { reader: Reader::Nginx, files, remove });
    }
    plan
}

/// Hangs up on whoever asks for a name that no host has: neither a host nor its certificate
/// answers for it.
fn default_servers(distribution: Distribution, ipv6: bool) -> String {
    let listen = |port: &str| {
        let mut text = format!("    listen {port};\n");
        if ipv6 {
            text.push_str(&format!("    listen [::]:{port};\n"));
        }
        text
    };
    let unknown = if distribution.rejects_handshakes() {
        "    ssl_reject_handshake on;\n"
    } else {
        "    ssl_certificate /etc/ssl/certs/ssl-cert-snakeoil.pem;\n    \
         ssl_certificate_key /etc/ssl/private/ssl-cert-snakeoil.key;\n    return 444;\n"
    };
    format!(
        "\nserver {{\n{}    server_name _;\n    return 444;\n}}\n\
         \nserver {{\n{}    server_name _;\n{unknown}}}\n",
        listen("80 default_server"),
        listen("443 ssl default_server"),
    )
}

fn statements(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim())
}

fn has_directive(text: &str, directive: &str) -> bool {
    statements(text).any(|line| line.split_whitespace().next() == Some(directive))
}

fn listens_by_default(text: &str) -> bool {
    statements(text).any(|line| line.starts_with("listen") && line.contains("default_server"))
}

/// Tells whether a site is the one that the package brings: it only shows a page.
fn is_package_site(text: &str) -> bool {
    let known = ["listen", "root", "index", "location", "try_files", "server", "}"];
    statements(text).filter(|line| !line.is_empty()).all(|line| {
        let word = line.split_whitespace().next().unwrap_or_default();
        known.contains(&word) || line == "server_name _;"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "server {\n\tlisten 80 default_server;\n\tlisten [::]:80 default_server;\n\
        \t# listen 443 ssl default_server;\n\troot /var/www/html;\n\tindex index.html;\n\
        \tserver_name _;\n\tlocation / {\n\t\ttry_files $uri $uri/ =404;\n\t}\n}\n";

    fn facts(files: &[(&str, &str)]) -> MachineFacts {
        let files = files.iter().map(|(path, text)| (path.into(), (*text).to_owned()));
        MachineFacts { nginx: files.collect(), ipv6: true, ..MachineFacts::default() }
    }

    fn written(plan: &NginxPlan) -> (&str, &[PathBuf]) {
        match plan.step.as_ref().unwrap() {
            SetupStep::Configure { files, remove, .. } => (&files[0].text, remove),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_new_nginx_hangs_up_on_unknown_names() {
        let plan = plan_nginx(Distribution::Debian13, &facts(&[]));
        let (text, remove) = written(&plan);
        assert!(text.contains("listen [::]:443 ssl default_server"), "{text}");
        assert!(text.contains("ssl_reject_handshake on"), "{text}");
        assert!(!text.contains("server_tokens"), "its nginx.conf has it: {text}");
        assert_eq!(remove, [PathBuf::from(PACKAGE_SITE)]);
        let plan = plan_nginx(Distribution::Ubuntu2204, &facts(&[]));
        let (text, _) = written(&plan);
        assert!(text.contains("snakeoil") && !text.contains("reject"), "{text}");
        assert!(text.contains("server_tokens off"), "{text}");
    }

    #[test]
    fn a_matching_nginx_needs_no_step() {
        let main = ("/etc/nginx/nginx.conf", "http {\n  server_tokens off;\n}\n");
        let plan = plan_nginx(Distribution::Debian13, &facts(&[main]));
        let (text, remove) = written(&plan);
        assert!(remove.is_empty());
        let plan = plan_nginx(Distribution::Debian13, &facts(&[main, (OWN, text)]));
        assert!(plan.step.is_none());
        let edited = text.replace("444", "404");
        let plan = plan_nginx(Distribution::Debian13, &facts(&[main, (OWN, &edited)]));
        assert!(plan.step.is_some());
    }

    #[test]
    fn what_others_wrote_stays_and_is_not_said_twice() {
        let bucket = ("/etc/nginx/conf.d/x.conf", "server_names_hash_bucket_size 256;\n");
        let plan = plan_nginx(Distribution::Debian13, &facts(&[bucket]));
        assert!(!written(&plan).0.contains("bucket"));
        let own_site = SITE.replace("root /var/www/html;", "proxy_pass http://127.0.0.1:8069;");
        let plan = plan_nginx(Distribution::Debian13, &facts(&[(PACKAGE_SITE, &own_site)]));
        let (text, remove) = written(&plan);
        assert!(remove.is_empty() && !text.contains("default_server"), "{text}");
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn the_packages_site_is_known_by_what_it_does() {
        assert!(is_package_site(SITE));
        assert!(!is_package_site(&SITE.replace("server_name _", "server_name a.example")));
    }
}
