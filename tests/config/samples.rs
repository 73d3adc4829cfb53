//! The configuration of this repository, which is also its example.

use std::{collections::BTreeMap, path::Path};

use odoo_deploy::{
    host::{
        Host, HostName, WorkingTree, host_names,
        lint::{lint, lint_fleet},
    },
    settings::{Server, Settings},
};

fn repository() -> WorkingTree {
    WorkingTree::open(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn hosts() -> Vec<Host> {
    let tree = repository();
    let names = host_names(&tree).unwrap();
    names.iter().map(|name| Host::load(&tree, name).unwrap()).collect()
}

#[test]
fn the_samples_have_no_findings() {
    let hosts = hosts();
    assert!(hosts.len() >= 5);
    for host in &hosts {
        assert_eq!(lint(host), [], "{}", host.name);
    }
    assert_eq!(lint_fleet(&hosts), []);
}

#[test]
fn the_samples_name_servers_and_environments_that_exist() {
    let settings = Settings::load(&repository()).unwrap();
    for host in hosts() {
        assert!(settings.environment(&host.environment).is_ok(), "{}", host.environment);
        assert!(settings.servers.contains_key(&host.server), "{}", host.server);
    }
    let local = HostName::parse("localhost").unwrap();
    let local = Host::load(&repository(), &local).unwrap();
    assert_eq!(settings.servers[&local.server], Server::Local);
}

#[test]
fn the_samples_say_what_the_defaults_are() {
    let settings = Settings::load(&repository()).unwrap();
    assert_eq!(settings.environments, Settings::default().environments);
}

#[test]
fn a_filled_template_has_no_findings() {
    for (template, environment) in [
        (include_str!("../../config/templates/production.template.conf"), "production"),
        (include_str!("../../config/templates/test.template.conf"), "test"),
    ] {
        let filled = template
            .replace("<client>", "acme")
            .replace("<CLIENT>", "ACME")
            .replace("<hostname>", "acme.example.com")
            .replace("<server>", "aws-1")
            .replace("<odoo>", "19.0")
            .replace("<http_port>", "8169")
            .replace("<gevent_port>", "8172");
        let base = include_bytes!("../../config/base.conf").to_vec();
        let files = BTreeMap::from([
            ("config/hosts/acme.example.com.conf".into(), filled.into_bytes()),
            ("config/base.conf".into(), base),
        ]);
        let host = Host::load(&files, &HostName::parse("acme.example.com").unwrap()).unwrap();
        assert_eq!(host.environment.as_str(), environment);
        assert_eq!(lint(&host), []);
    }
}
