//! The vhosts of nginx that pass requests on to an Odoo.

use std::{collections::BTreeSet, fs, path::PathBuf};

use super::nginx_file::{Directive, parse};
use crate::{
    agent::{Nginx, server::Server},
    wire::FoundVhost,
};

/// Finds the files that serve an Odoo on these ports, and those that answer for one of
/// the same names.
pub(super) fn find(server: &Server, ports: &[u16]) -> Vec<FoundVhost> {
    let files: Vec<_> = files(server);
    let upstreams: BTreeSet<String> =
        files.iter().flat_map(|file| upstreams(&file.directives, ports)).collect();
    let mut names = BTreeSet::new();
    for server in files.iter().flat_map(File::servers) {
        if passes_on(server, ports, &upstreams) {
            names.extend(server_names(server));
        }
    }
    files.iter().filter_map(|file| file.found(&names)).collect()
}

struct File {
    path: PathBuf,
    link: Option<PathBuf>,
    directives: Vec<Directive>,
}

fn files(server: &Server) -> Vec<File> {
    let read = |path: PathBuf| {
        let link = fs::read_link(server.path(&path)).ok();
        let text = server.read(&path).ok()??;
        Some(File { path, link, directives: parse(&text) })
    };
    Nginx::new(server).sites().into_iter().filter_map(read).collect()
}

impl File {
    fn servers(&self) -> impl Iterator<Item = &Directive> {
        self.directives.iter().filter(|one| one.name() == "server")
    }

    /// Describes the file where it answers for one of the names.
    fn found(&self, names: &BTreeSet<String>) -> Option<FoundVhost> {
        let (ours, others): (Vec<_>, Vec<_>) = self
            .servers()
            .partition(|server| server_names(server).iter().any(|name| names.contains(name)));
        let first = ours.first()?;
        let listens: Vec<_> = ours.iter().flat_map(|server| listens(server)).collect();
        let certificate = |key: &str| {
            let values = ours.iter().flat_map(|server| &server.block);
            let value =
                values.filter(|one| one.name() == key).find_map(|one| one.arguments().first());
            value.map(PathBuf::from)
        };
        let plain = listens.iter().find(|(_, is_tls)| !is_tls).map(|(port, _)| *port);
        let every = |servers: &[&Directive]| {
            let mut all = Vec::new();
            for name in servers.iter().flat_map(|server| server_names(server)) {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
            all
        };
        let body = first.all().into_iter().find(|one| one.name() == "client_max_body_size");
        let proxied = ours.iter().flat_map(|server| server.all());
        let body =
            body.or_else(|| proxied.into_iter().find(|one| one.name() == "client_max_body_size"));
        Some(FoundVhost {
            path: self.path.clone(),
            link: self.link.clone(),
            names: every(&ours),
            others: every(&others),
            certificate: certificate("ssl_certificate").zip(certificate("ssl_certificate_key")),
            port: plain,
            body_size: body.and_then(|one| one.arguments().first().cloned()),
        })
    }
}

fn server_names(server: &Directive) -> Vec<String> {
    let names = server.block.iter().filter(|one| one.name() == "server_name");
    let names = names.flat_map(|one| one.arguments().iter().cloned());
    let is_shown = |name: &String| !name.chars().any(char::is_control);
    names.filter(|name| name != "_" && !name.is_empty()).filter(is_shown).collect()
}

/// Returns the ports, each with whether it speaks TLS.
fn listens(server: &Directive) -> Vec<(u16, bool)> {
    let listens = server.block.iter().filter(|one| one.name() == "listen");
    let port = |one: &Directive| {
        let address = one.arguments().first()?;
        let port = match address.rsplit_once(':') {
            Some((_, port)) if !port.contains(']') => port.parse().ok()?,
            _ => address.parse().unwrap_or(80),
        };
        Some((port, one.arguments().iter().any(|word| word == "ssl")))
    };
    listens.filter_map(port).collect()
}

fn is_own_port(address: &str, ports: &[u16]) -> bool {
    let address = address.split('/').next().unwrap_or_default();
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let is_here = matches!(host, "127.0.0.1" | "localhost" | "[::1]" | "0.0.0.0");
    is_here && port.parse().is_ok_and(|port| ports.contains(&port))
}

fn upstreams(directives: &[Directive], ports: &[u16]) -> Vec<String> {
    let upstreams = directives.iter().filter(|one| one.name() == "upstream");
    let leads_here = |upstream: &&Directive| {
        let servers = upstream.block.iter().filter(|one| one.name() == "server");
        servers.filter_map(|one| one.arguments().first()).any(|one| is_own_port(one, ports))
    };
    upstreams.filter(leads_here).filter_map(|one| one.arguments().first().cloned()).collect()
}

fn passes_on(server: &Directive, ports: &[u16], upstreams: &BTreeSet<String>) -> bool {
    let all = server.all();
    let passes = all.iter().filter(|one| one.name() == "proxy_pass");
    let targets = passes.filter_map(|one| one.arguments().first()?.split_once("://"));
    targets.map(|(_, target)| target).any(|target| {
        let name = target.split('/').next().unwrap_or_default();
        upstreams.contains(name) || is_own_port(target, ports)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const SHOP: &str = "upstream odoo { server 127.0.0.1:8069; }\n\
        server { listen 80; server_name shop.example www.shop.example; return 301 https://$host; }\n\
        server { listen 443 ssl; server_name shop.example www.shop.example;\n\
          ssl_certificate /c/full.pem; ssl_certificate_key /c/key.pem;\n\
          location / { client_max_body_size 200m; proxy_pass http://odoo; } }\n";

    fn server(files: &[(&str, &str)]) -> (tempfile::TempDir, Server) {
        let root = tempfile::tempdir().unwrap();
        let server = Server::below(root.path().into(), "".into());
        for (path, text) in files {
            let path = server.path(Path::new(path));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (root, server)
    }

    #[test]
    fn a_vhost_is_found_by_the_port_it_passes_requests_on_to() {
        let blog = "server { listen 80; server_name blog.example; location / { proxy_pass http://127.0.0.1:9000; } }";
        let (_root, server) = server(&[
            ("/etc/nginx/sites-enabled/shop", SHOP),
            ("/etc/nginx/sites-enabled/blog", blog),
            ("/etc/nginx/conf.d/notes.txt", SHOP),
        ]);
        let found = find(&server, &[8069, 8072]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].names, ["shop.example", "www.shop.example"]);
        assert_eq!(found[0].port, Some(80));
        assert_eq!(found[0].certificate, Some(("/c/full.pem".into(), "/c/key.pem".into())));
        assert_eq!(found[0].body_size.as_deref(), Some("200m"));
        assert!(found[0].others.is_empty() && find(&server, &[8070]).is_empty());
    }

    #[test]
    fn a_file_that_serves_others_too_says_so_and_a_redirect_elsewhere_is_found() {
        let both = "server { listen 80; server_name shop.example; location / { proxy_pass http://localhost:8069/; } }\n\
                    server { listen 80; server_name blog.example; root /srv; }";
        let redirect =
            "server { listen 8080; server_name shop.example; return 301 https://shop.example; }";
        let (_root, server) = server(&[
            ("/etc/nginx/sites-enabled/both", both),
            ("/etc/nginx/conf.d/redirect.conf", redirect),
        ]);
        let found = find(&server, &[8069]);
        let others: Vec<_> = found.iter().map(|one| one.others.clone()).collect();
        assert_eq!(others, [vec!["blog.example".to_owned()], vec![]]);
        assert_eq!(found[1].path, Path::new("/etc/nginx/conf.d/redirect.conf"));
    }
}
