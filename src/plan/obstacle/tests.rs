mod databases;

use std::path::PathBuf;

use super::*;
use crate::{
    host::EnvironmentName,
    plan::{
        Listener, Neighbour, Space,
        sample::{Sample, database, host},
    },
};

/// Asserts that exactly this stands in the way once the sample is changed.
fn refuses(change: impl FnOnce(&mut Sample), expected: &str) {
    let mut sample = Sample::matching();
    change(&mut sample);
    assert_eq!(sample.refusal(), expected);
}

/// Asserts that nothing stands in the way though the sample is changed.
fn allows(change: impl FnOnce(&mut Sample)) {
    let mut sample = Sample::matching();
    change(&mut sample);
    sample.plan();
}

#[test]
fn nothing_stands_in_the_way_of_the_good_cases() {
    for sample in [
        Sample::matching(),
        Sample::first_deploy(),
        Sample::new_host(),
        Sample::matching().with_upgrade_of("taller"),
        Sample::matching().with_database("acme-shop").with_upgrade_of("taller"),
    ] {
        sample.plan();
    }
}

#[test]
fn the_server_has_what_the_host_needs() {
    refuses(
        |sample| sample.observed.server.has_user = false,
        "the system user `odoo` does not exist on the server\n  \
         hint: this host has been deployed before, so the user is not created: create it again, or \
         name another one by `user = …` in `[deploy]`",
    );
    refuses(
        |sample| sample.observed.server.has_nginx = false,
        "nginx is not installed on the server\n  \
         hint: install it, or write `enabled = False` in `[deploy.nginx]`",
    );
    allows(|sample| {
        sample.observed.server.has_nginx = false;
        sample.desired.files.vhost = None;
        sample.desired.compared.vhost = None;
    });
}

#[test]
fn odoo_is_of_the_series_that_the_hosts_file_says() {
    refuses(
        |sample| sample.observed.server.odoo_version = Ok("Odoo Server 18.0-20250101".into()),
        "the server has Odoo Server 18.0-20250101, the host's file says 19.0\n  \
         hint: correct `odoo = …` in `[deploy]`, or install that series on the server",
    );
    refuses(
        |sample| sample.observed.server.odoo_version = Err("`/usr/bin/odoo` is not there".into()),
        "Odoo cannot be asked for its version: `/usr/bin/odoo` is not there\n  \
         hint: `odoo_bin` in `[deploy]` names Odoo's program on the server",
    );
}

#[test]
fn a_host_between_two_states_is_left_alone() {
    refuses(
        |sample| sample.observed.host.unfinished = Some("20260101T000000Z-1".into()),
        "transaction 20260101T000000Z-1 did not end on this host, and could not be taken back\n  \
         hint: `deploy attach --host acme.example.com` shows what stands in the way; the server \
         tries again every minute, and before it plans",
    );
}

#[test]
fn a_port_is_free_or_the_hosts_own() {
    let listens = |port, unit: Option<&str>| Listener { port, unit: unit.map(str::to_owned) };
    refuses(
        |sample| sample.observed.server.listeners = vec![listens(8069, Some("apache2.service"))],
        "port 8069 is taken by apache2.service\n  \
         hint: choose another `http_port` or `gevent_port`",
    );
    refuses(
        |sample| {
            sample.desired.network.gevent_port = Some(8079);
            sample.observed.server.listeners = vec![listens(8079, None)];
        },
        "port 8079 is taken by another program\n  \
         hint: choose another `http_port` or `gevent_port`",
    );
    // A process of the host's own ended between the look at the port and the look at it.
    allows(|sample| sample.observed.server.listeners = vec![listens(8072, None)]);
    allows(|sample| {
        let own = Some("odoo-acme.example.com.service");
        sample.observed.server.listeners =
            vec![listens(8069, own), listens(8072, own), listens(22, None)];
    });
    allows(|sample| {
        sample.desired.network.gevent_port = None;
        sample.observed.server.listeners = vec![listens(8072, None)];
    });
}

#[test]
fn what_a_host_is_does_not_change_by_a_deploy() {
    let moves = "\n  hint: a host that moves is not a deploy: change it on the server first, or undo the change";
    refuses(
        |sample| {
            let record = &mut sample.observed.host.releases[0].record;
            record.databases = vec![database("acme-old")];
        },
        &format!("the host serves database acme-old, its file says acme-prod{moves}"),
    );
    refuses(
        |sample| sample.observed.host.releases[0].record.data_dir = "/srv/odoo".into(),
        &format!("the host's data directory is /srv/odoo, its file says /var/lib/odoo/acme{moves}"),
    );
    refuses(
        |sample| {
            let record = &mut sample.observed.host.releases[0].record;
            record.environment = EnvironmentName::parse("test").unwrap();
        },
        &format!("the host is test, its file says production{moves}"),
    );
    let mut sample = Sample::first_deploy();
    sample.observed.host.current = Some(RunningFrom::Elsewhere("/srv/odoo".into()));
    assert_eq!(sample.refusal(), "`current` of this host names /srv/odoo, which is no release");
}

fn neighbour() -> Neighbour {
    Neighbour {
        host: host("other.example.com"),
        databases: vec![database("other-prod")],
        data_dir: "/var/lib/odoo/other".into(),
        ports: vec![8169, 8172],
        aliases: Vec::new(),
    }
}

#[test]
fn two_hosts_share_nothing() {
    allows(|sample| sample.observed.neighbours = vec![neighbour()]);
    let hint = "two hosts of a server must not share a database, data directory, port or name";
    let cases = [
        ("database acme-prod", Neighbour { databases: vec![database("acme-prod")], ..neighbour() }),
        (
            "data directory /var/lib/odoo/acme",
            Neighbour { data_dir: "/var/lib/odoo/acme".into(), ..neighbour() },
        ),
        ("port 8072", Neighbour { ports: vec![8072], ..neighbour() }),
        (
            "hostname acme.example.com",
            Neighbour { aliases: vec![host("acme.example.com")], ..neighbour() },
        ),
        (
            "hostname www.acme.example.com",
            Neighbour { aliases: vec![host("www.acme.example.com")], ..neighbour() },
        ),
    ];
    for (thing, other) in cases {
        refuses(
            |sample| sample.observed.neighbours = vec![other],
            &format!("other.example.com on the same server already has {thing}\n  hint: {hint}"),
        );
    }
}

#[test]
fn an_alias_that_is_another_hosts_name_is_taken() {
    let mut sample = Sample::matching();
    sample.desired.network.aliases = vec![host("other.example.com")];
    sample.observed.neighbours = vec![neighbour()];
    assert!(sample.refusal().contains("already has hostname other.example.com"));
}

#[test]
fn the_disk_has_room_for_a_release() {
    let full = |bytes, inodes| Space { bytes, inodes, device: 1 };
    refuses(
        |sample| sample.observed.server.code_space = full(100 << 20, 1_000_000),
        "the disk of /opt/odoo is full: 100 MB and 1000000 inodes are free, 256 MB and 20000 are needed\n  \
         hint: free some space on the server",
    );
    refuses(
        |sample| sample.observed.server.code_space = full(50 << 30, 100),
        "the disk of /opt/odoo is full: 51200 MB and 100 inodes are free, 256 MB and 20000 are needed\n  \
         hint: free some space on the server",
    );
}

#[test]
fn postgresql_has_room_for_the_snapshots() {
    let space = Space { bytes: 500 << 20, inodes: 0, device: 2 };
    let mut sample = Sample::matching().with_upgrade_of("taller");
    sample.observed.server.database_space = space;
    assert_eq!(
        sample.refusal(),
        "the disk of PostgreSQL is too full for a snapshot: 500 MB is free, 556 MB is needed\n  \
         hint: free some space, or drop old snapshots"
    );
    allows(|sample| sample.observed.server.database_space = space);
}

#[test]
fn a_snapshot_can_be_taken_where_one_is_needed() {
    let why = "sessions of role `report` are open";
    let mut sample = Sample::matching().with_upgrade_of("taller");
    sample.facts().snapshot_obstacles = vec![why.into()];
    assert_eq!(sample.refusal(), format!("no snapshot of database acme-prod can be taken: {why}"));
    allows(|sample| sample.facts().snapshot_obstacles = vec![why.into()]);
}

#[test]
fn everything_that_stands_in_the_way_is_told_at_once() {
    let mut sample = Sample::matching();
    sample.observed.server.has_user = false;
    sample.observed.neighbours = vec![Neighbour { ports: vec![8069], ..neighbour() }];
    sample.facts().partially_updated = true;
    assert_eq!(sample.refusal().matches("hint: ").count(), 3);
}

#[test]
fn the_record_of_a_release_that_is_not_there_is_not_made_up() {
    let mut sample = Sample::matching();
    assert_eq!(
        live_record(&sample.observed).unwrap().data_dir,
        PathBuf::from("/var/lib/odoo/acme")
    );
    sample.observed.host.releases.clear();
    assert!(live_record(&sample.observed).is_none());
}
