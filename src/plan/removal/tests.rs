use super::*;
use crate::plan::Provisioned;
use crate::{
    host::{DatabaseName, HostName},
    layout::ReleaseNumber,
    plan::{CopyName, DatabaseAccess, Obstacle},
};

fn database(text: &str) -> DatabaseName {
    DatabaseName::parse(text).unwrap()
}

fn question() -> RemovalQuestion {
    RemovalQuestion {
        host: HostName::parse("acme.example").unwrap(),
        user: "acme".into(),
        access: DatabaseAccess {
            system_user: "acme".into(),
            host: String::new(),
            port: None,
            user: String::new(),
            password: None,
        },
        databases: vec![database("acme-prod")],
        data_dir: "/var/lib/odoo/acme".into(),
        logfile: None,
    }
}

/// A host that the tool set up and that is live.
fn facts() -> RemovalFacts {
    let copy = CopyName::snapshot(&database("acme-prod"), ReleaseNumber(2));
    RemovalFacts {
        time: 0,
        lock: None,
        unfinished: None,
        live: Some(ReleaseNumber(2)),
        live_databases: Some(vec![database("acme-prod")]),
        live_data_dir: Some("/var/lib/odoo/acme".into()),
        recorded: vec![database("acme-prod")],
        directory: Some(MeasuredFiles::default()),
        has_unit: true,
        is_running: true,
        has_vhost: true,
        nginx_fault: None,
        has_conf_link: true,
        databases: Ok(vec![HostDatabase {
            name: database("acme-prod"),
            bytes: 1 << 20,
            deployed_by: Some("acme.example".into()),
        }]),
        copies: vec![(copy.clone(), 1 << 20)],
        role: Some(RoleBelongings {
            name: "acme".into(),
            owns: vec!["acme-prod".into(), copy.to_string()],
        }),
        data: Some(MeasuredFiles { files: 1, bytes: 10 }),
        filestores: vec!["acme-prod".into(), copy.to_string()],
        home: Some("/var/lib/odoo/acme".into()),
        logs: Vec::new(),
        certificate: None,
        certificate_files: Vec::new(),
        certificate_users: Vec::new(),
        provisioned: Provisioned { user: true, role: true, ..Provisioned::default() },
        neighbours: vec![neighbour()],
        free_for_archive: 1 << 30,
        archived: None,
    }
}

fn neighbour() -> RemovalNeighbour {
    RemovalNeighbour {
        host: HostName::parse("other.example").unwrap(),
        databases: vec![database("other")],
        data_dir: "/var/lib/odoo/other".into(),
        user: Some("other".into()),
        role: None,
        logfile: None,
    }
}

fn titles(removal: &Removal) -> Vec<String> {
    removal.steps.iter().map(RemovalStep::title).collect()
}

fn messages(obstacles: &[Obstacle]) -> Vec<&str> {
    obstacles.iter().map(|obstacle| obstacle.message.as_str()).collect()
}

#[test]
fn everything_goes_and_the_archive_comes_first() {
    let removal = make_removal(&question(), &facts());
    assert_eq!(
        titles(&removal),
        [
            "stop Odoo",
            "archive acme-prod and its files",
            "remove the unit",
            "remove the vhost and reload nginx",
            "drop the copy acme-prod~snap-2",
            "drop database acme-prod",
            "remove /var/lib/odoo/acme",
            "drop role acme",
            "remove system user acme",
            "remove the link to odoo.conf",
            "remove releases, journal and history",
        ]
    );
    assert!(removal.kept.is_empty() && removal.obstacles.is_empty(), "{removal:?}");
    let first_final = removal.steps.iter().position(RemovalStep::is_final);
    assert_eq!(first_final, Some(2));
}

#[test]
fn a_removal_that_died_goes_on_with_what_is_left() {
    let rest = RemovalFacts {
        is_running: false,
        has_unit: false,
        has_vhost: false,
        databases: Ok(Vec::new()),
        copies: Vec::new(),
        archived: Some("/var/backups/x.tar.gz".into()),
        ..facts()
    };
    let removal = make_removal(&question(), &rest);
    assert_eq!(titles(&removal)[0], "remove /var/lib/odoo/acme");
    let last = RemovalFacts {
        live: None,
        live_databases: None,
        live_data_dir: None,
        recorded: Vec::new(),
        data: None,
        filestores: Vec::new(),
        role: None,
        home: None,
        has_conf_link: false,
        archived: None,
        ..rest
    };
    let removal = make_removal(&question(), &last);
    assert_eq!(titles(&removal), ["remove releases, journal and history"]);
    let nothing = RemovalFacts { directory: None, ..last };
    assert!(make_removal(&question(), &nothing).steps.is_empty());
}

#[test]
fn what_a_neighbour_uses_stays() {
    let shared = RemovalFacts {
        neighbours: vec![RemovalNeighbour {
            databases: vec![database("acme-prod")],
            data_dir: "/var/lib/odoo/acme".into(),
            user: Some("acme".into()),
            ..neighbour()
        }],
        ..facts()
    };
    let removal = make_removal(&question(), &shared);
    assert_eq!(
        removal.kept,
        [
            "database acme-prod: other.example has it, too",
            "/var/lib/odoo/acme, but for the files of the databases: other.example uses it, too",
            "role acme: other.example connects as it, too",
            "system user acme: other.example runs as it, too",
        ]
    );
    assert!(!titles(&removal).iter().any(|title| title.contains("acme")), "{removal:?}");
}

#[test]
fn what_the_tool_did_not_make_stays() {
    let made_by_hand = RemovalFacts {
        provisioned: Provisioned::default(),
        certificate: Some(ObtainedBy::Somebody),
        ..facts()
    };
    let removal = make_removal(&question(), &made_by_hand);
    assert_eq!(
        removal.kept,
        [
            "/var/lib/odoo/acme, but for the files of the databases: it is the home of system \
             user acme",
            "the certificate of its name: the tool did not get it",
            "role acme: the tool did not make it",
            "system user acme: the tool did not make it",
        ]
    );
    let names = vec!["acme-prod".to_owned(), "acme-prod~snap-2".to_owned()];
    let data_dir = "/var/lib/odoo/acme".into();
    assert!(removal.steps.contains(&RemovalStep::RemoveFilestores { data_dir, names }));
}

/// A host that has a certificate of certbot's from a private authority.
fn certified(by: ObtainedBy) -> RemovalFacts {
    let certificate_files = vec!["/etc/odoo-deploy/acme-roots/acme.example.pem".into()];
    RemovalFacts { certificate: Some(by), certificate_files, ..facts() }
}

#[test]
fn a_certificate_goes_with_its_host_where_a_deploy_obtained_it() {
    let root = "remove /etc/odoo-deploy/acme-roots/acme.example.pem".to_owned();
    let removed = titles(&make_removal(&question(), &certified(ObtainedBy::Tool)));
    let place = |title: &str| removed.iter().position(|other| other == title);
    assert!(place("remove the vhost and reload nginx") < place("remove the certificate"));
    assert_eq!(place(&root), place("remove the certificate").map(|place| place + 1));
    // What the tool wrote itself goes beside somebody else's certificate, too.
    let removal = make_removal(&question(), &certified(ObtainedBy::Somebody));
    assert_eq!(removal.kept, ["the certificate of its name: the tool did not get it"]);
    assert!(titles(&removal).contains(&root), "{removal:?}");
    assert!(!removal.steps.contains(&RemovalStep::RemoveCertificate));
}

#[test]
fn a_certificate_that_another_site_names_stays_with_all_that_it_needs() {
    let certificate_users = vec!["/etc/nginx/sites-enabled/www.acme.example".into()];
    let shared = RemovalFacts { certificate_users, ..certified(ObtainedBy::Tool) };
    let removal = make_removal(&question(), &shared);
    let kept = "the certificate of its name: /etc/nginx/sites-enabled/www.acme.example names it, \
                too";
    assert_eq!(removal.kept, [kept]);
    assert_eq!(titles(&removal), titles(&make_removal(&question(), &facts())));
}

#[test]
fn a_shared_account_is_never_removed() {
    for name in ["odoo", "postgres"] {
        let question = RemovalQuestion { user: name.into(), ..question() };
        let role = Some(RoleBelongings { name: name.into(), owns: Vec::new() });
        let facts = RemovalFacts { role, home: Some("/var/lib/odoo".into()), ..facts() };
        let removal = make_removal(&question, &facts);
        assert_eq!(removal.kept.len(), 2, "{removal:?}");
    }
}

#[test]
fn a_role_that_owns_something_else_stays() {
    let role = Some(RoleBelongings { name: "acme".into(), owns: vec!["books".into()] });
    let removal = make_removal(&question(), &RemovalFacts { role, ..facts() });
    assert_eq!(removal.kept, ["role acme: it owns database books"]);
}

#[test]
fn a_database_that_is_not_known_to_be_the_hosts_stays() {
    let of = |deployed_by: Option<&str>, recorded| RemovalFacts {
        recorded,
        databases: Ok(vec![HostDatabase {
            name: database("acme-prod"),
            bytes: 1,
            deployed_by: deployed_by.map(str::to_owned),
        }]),
        copies: Vec::new(),
        role: None,
        ..facts()
    };
    let kept = |facts: RemovalFacts| make_removal(&question(), &facts).kept;
    assert_eq!(
        kept(of(None, Vec::new()))[0],
        "database acme-prod: nothing says that it is this host's"
    );
    let others = of(Some("other.example"), vec![database("acme-prod")]);
    assert_eq!(kept(others)[0], "database acme-prod: it belongs to other.example");
    assert!(kept(of(None, vec![database("acme-prod")])).is_empty());
    assert!(kept(of(Some("acme.example"), vec![database("acme-prod")])).is_empty());
}

#[test]
fn a_data_directory_above_a_neighbours_or_of_the_system_stays() {
    for (data_dir, kept) in [
        ("/var/lib/odoo", "the data of other.example is below or above it"),
        ("/srv/odoo", "it is a directory of the system"),
    ] {
        let question = RemovalQuestion { data_dir: data_dir.into(), ..question() };
        let facts = RemovalFacts { live_data_dir: Some(data_dir.into()), ..facts() };
        let removal = make_removal(&question, &facts);
        assert_eq!(removal.kept.len(), 1, "{removal:?}");
        assert!(removal.kept[0].ends_with(kept), "{removal:?}");
    }
}

#[test]
fn a_log_that_two_hosts_write_stays() {
    let log: std::path::PathBuf = "/var/log/odoo/acme.log".into();
    let question = RemovalQuestion { logfile: Some(log.clone()), ..question() };
    let logs = vec![log.clone(), "/var/log/odoo/acme.log.1.gz".into()];
    let own = RemovalFacts { logs, ..facts() };
    let removed = titles(&make_removal(&question, &own));
    assert!(removed.contains(&"remove /var/log/odoo/acme.log.1.gz".to_owned()), "{removed:?}");
    let neighbours = vec![RemovalNeighbour { logfile: Some(log), ..neighbour() }];
    let removal = make_removal(&question, &RemovalFacts { neighbours, ..own });
    assert_eq!(removal.kept, ["/var/log/odoo/acme.log: other.example logs there, too"]);
}

#[test]
fn nothing_begins_where_something_stands_in_the_way() {
    let blocked = RemovalFacts {
        unfinished: Some("t1".into()),
        live_data_dir: Some("/elsewhere".into()),
        nginx_fault: Some("unknown directive".into()),
        free_for_archive: 1 << 20,
        ..facts()
    };
    let removal = make_removal(&question(), &blocked);
    assert_eq!(
        messages(&removal.obstacles),
        [
            "transaction t1 did not end on acme.example",
            "acme.example runs with another database or data directory than its file says",
            "nginx does not take its configuration: unknown directive",
            "the archive may need 66 MB, and there are 1 MB free for it",
        ]
    );
    let unreachable = RemovalFacts { databases: Err("no such file".into()), ..facts() };
    let removal = make_removal(&question(), &unreachable);
    assert_eq!(messages(&removal.obstacles), ["PostgreSQL cannot be reached: no such file"]);
}
