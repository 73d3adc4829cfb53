mod fake;

use self::fake::Fake;
use super::*;
use crate::dns::{DnsPlan, Wanted, make_dns_plan};

const TOKEN: &str = "a-token-of-cloudflare";

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

fn host() -> HostName {
    name("h.example.com")
}

fn zone(fake: &Fake) -> Cloudflare {
    Cloudflare::new(name("example.com"), fake.endpoint(), Secret::new(TOKEN))
}

fn address(ip: &str, proxied: bool) -> Address {
    Address { ip: ip.parse().unwrap(), proxied, ttl: 1 }
}

fn wanted(name: &HostName, addresses: &[Address]) -> Wanted {
    let zone = HostName::parse("example.com").unwrap();
    Wanted { zone, name: name.clone(), addresses: addresses.to_vec() }
}

/// Brings the zone to what is wanted, and returns what changed.
fn apply(zone: &Cloudflare, wanted: &[Wanted]) -> DnsPlan {
    let names: Vec<_> = wanted.iter().map(|one| one.name.clone()).collect();
    let found = zone.look(&host(), &names).unwrap();
    let plan = make_dns_plan(&host(), wanted, &found).unwrap();
    for change in &plan.changes {
        zone.change(&host(), change).unwrap();
    }
    plan
}

#[test]
fn a_new_name_is_made_with_the_mark_and_then_nothing_changes() {
    let fake = Fake::new(TOKEN);
    let wish = [wanted(&host(), &[address("203.0.113.5", true), address("2001:db8::5", true)])];
    assert_eq!(apply(&zone(&fake), &wish).changes.len(), 1);
    let marked = "proxied managed-by=odoo-deploy host=h.example.com";
    assert_eq!(
        fake.records(),
        [
            format!("A h.example.com 203.0.113.5 1 {marked}"),
            format!("AAAA h.example.com 2001:db8::5 1 {marked}")
        ]
    );
    let before = fake.count();
    assert_eq!(apply(&zone(&fake), &wish), DnsPlan::default());
    // One for the zone's id, one for the name.
    assert_eq!(fake.count() - before, 2);
}

#[test]
fn a_record_keeps_its_id_where_its_address_or_its_flag_changes() {
    let fake = Fake::new(TOKEN);
    let zone = zone(&fake);
    apply(&zone, &[wanted(&host(), &[address("203.0.113.4", false)])]);
    let ids = fake.ids();
    apply(&zone, &[wanted(&host(), &[address("203.0.113.5", true)])]);
    assert_eq!(fake.ids(), ids);
    assert!(fake.records()[0].starts_with("A h.example.com 203.0.113.5 1 proxied"));
    let moved = [
        address("203.0.113.5", false),
        address("203.0.113.6", false),
        address("2001:db8::5", false),
    ];
    apply(&zone, &[wanted(&host(), &moved)]);
    assert_eq!(fake.ids()[0], ids[0]);
    let shown = |ip: &str| {
        let kind = if ip.contains(':') { "AAAA" } else { "A" };
        format!("{kind} h.example.com {ip} 1 - managed-by=odoo-deploy host=h.example.com")
    };
    let all = ["203.0.113.5", "203.0.113.6", "2001:db8::5"].map(shown);
    assert_eq!(fake.records(), all);
    apply(&zone, &[wanted(&host(), &[address("203.0.113.5", false)])]);
    assert_eq!(fake.records(), all[..1]);
}

#[test]
fn what_was_changed_is_taken_back_exactly() {
    let fake = Fake::new(TOKEN);
    let zone = zone(&fake);
    apply(&zone, &[wanted(&host(), &[address("203.0.113.4", false)])]);
    let before = fake.records();
    let plan = apply(&zone, &[wanted(&host(), &[address("203.0.113.5", true)])]);
    zone.change(&host(), &plan.changes[0].reversed()).unwrap();
    assert_eq!(fake.records(), before);
    // A name that was new goes.
    let alias = name("new.example.com");
    let own = wanted(&host(), &[address("203.0.113.4", false)]);
    let plan = apply(&zone, &[own, wanted(&alias, &[address("203.0.113.4", false)])]);
    zone.change(&host(), &plan.changes[0].reversed()).unwrap();
    assert_eq!(fake.records(), before);
}

#[test]
fn strangers_records_are_seen_and_stay() {
    let fake = Fake::new(TOKEN);
    fake.add("A", "h.example.com", "198.51.100.7", Some("by hand"));
    fake.add("CNAME", "www.example.com", "elsewhere.example", None);
    fake.add("NS", "example.com", "ns.example", None);
    fake.add("A", "example.com", "203.0.113.5", None);
    let zone = zone(&fake);
    let names = [host(), name("www.example.com"), name("example.com")];
    let found = zone.look(&host(), &names).unwrap();
    let wish = names.map(|name| wanted(&name, &[address("203.0.113.5", false)]));
    let obstacles = make_dns_plan(&host(), &wish, &found).unwrap_err();
    assert_eq!(obstacles.len(), 2, "the top of the zone is right: {obstacles:?}");
    let before = fake.records();
    let after = vec![address("203.0.113.5", false)];
    let (zone_name, name) = (name("example.com"), host());
    let change = Change { zone: zone_name, name, before: Vec::new(), after };
    let error = zone.change(&host(), &change).unwrap_err();
    assert!(matches!(error, DnsError::Overtaken { .. }), "{error}");
    assert_eq!(fake.records(), before);
}

#[test]
fn a_removal_leaves_what_a_stranger_put_beside_it() {
    let fake = Fake::new(TOKEN);
    let zone = zone(&fake);
    apply(&zone, &[wanted(&host(), &[address("203.0.113.5", false)])]);
    fake.add("A", "h.example.com", "198.51.100.7", None);
    fake.add("TXT", "h.example.com", "v=spf1 -all", None);
    let found = zone.look(&host(), &[host()]).unwrap();
    let plan = make_dns_plan(&host(), &[], &found).unwrap();
    zone.change(&host(), &plan.changes[0]).unwrap();
    assert_eq!(
        fake.records(),
        ["A h.example.com 198.51.100.7 1 - ", "TXT h.example.com v=spf1 -all 1 - "]
    );
}

#[test]
fn a_name_that_nobody_names_any_more_is_found_by_its_mark() {
    let fake = Fake::new(TOKEN);
    let zone = zone(&fake);
    let here = [address("203.0.113.5", false)];
    apply(&zone, &[wanted(&host(), &here), wanted(&name("old.example.com"), &here)]);
    let plan = apply(&zone, &[wanted(&host(), &here)]);
    assert_eq!(plan.changes[0].name, name("old.example.com"));
    assert_eq!(fake.records().len(), 1);
}

#[test]
fn every_page_of_a_list_is_read() {
    let fake = Fake::new(TOKEN);
    for last in 1..=7 {
        fake.add("A", "h.example.com", &format!("198.51.100.{last}"), None);
    }
    let found = zone(&fake).look(&host(), &[host()]).unwrap();
    assert_eq!(found[0].records.len(), 7);
    assert!(fake.count() > 3, "the pages are short");
}

#[test]
fn a_busy_api_is_asked_again_and_a_broken_one_is_not_for_a_change() {
    let fake = Fake::new(TOKEN);
    fake.fail_next(&[429, 503]);
    let zone = zone(&fake);
    assert_eq!(zone.look(&host(), &[host()]).unwrap()[0].records, []);
    let after = vec![address("203.0.113.5", false)];
    let (zone_name, name) = (name("example.com"), host());
    let change = Change { zone: zone_name, name, before: Vec::new(), after };
    fake.fail_posts(&[500]);
    let error = zone.change(&host(), &change).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Cloudflare did not change h.example.com in zone example.com: status 500"
    );
    fake.fail_posts(&[429, 429]);
    zone.change(&host(), &change).unwrap();
    assert_eq!(fake.records().len(), 1);
}

#[test]
fn a_token_that_is_wrong_is_named_and_never_shown() {
    let fake = Fake::new("another-token");
    let error = zone(&fake).look(&host(), &[host()]).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("Cloudflare refuses the token of zone example.com: "), "{said}");
    assert!(error.hint().unwrap().contains("DNS:Edit"));
    assert!(!said.contains(TOKEN), "{said}");
}

#[test]
fn a_zone_that_is_elsewhere_and_an_api_that_is_down_are_told_apart() {
    let fake = Fake::new(TOKEN);
    let other = Cloudflare::new(name("example.org"), fake.endpoint(), Secret::new(TOKEN));
    let error = other.look(&host(), &[host()]).unwrap_err();
    assert_eq!(error.to_string(), "Cloudflare holds no zone example.org");
    let endpoint = "http://127.0.0.1:9/client/v4".to_owned();
    let down = Cloudflare::new(name("example.com"), endpoint, Secret::new(TOKEN));
    let error = down.look(&host(), &[host()]).unwrap_err();
    assert!(matches!(error, DnsError::NoAnswer { .. }), "{error}");
}
