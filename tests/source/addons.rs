//! Addons and their signatures.

use std::path::PathBuf;

use odoo_deploy::source::{Addon, Signature, SourceError, SourceTree};

use crate::fixture::{Place, Repo};

fn addons(tree: &SourceTree) -> Vec<Addon> {
    tree.addons(&[PathBuf::from("custom"), PathBuf::from("oca"), PathBuf::from("missing")]).unwrap()
}

fn signature(place: &Place, origin: &Repo) -> Signature {
    origin.commit("next");
    addons(&place.tree(origin).unwrap()).remove(0).signature
}

#[test]
fn the_first_directory_wins_and_links_are_followed() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin.addon("custom/sale_x").addon("oca/sale_x").addon("oca/web_y").addon("repos/z/stock_z");
    origin
        .link("oca/stock_z", "../repos/z/stock_z")
        .write("oca/not-a-module/__manifest__.py", "{}");
    origin.write("oca/readme/x.txt", "").write("oca/setup.py", "").commit("addons");
    let tree = place.tree(&origin).unwrap();
    let found = addons(&tree);
    let paths: Vec<_> = found.iter().map(|addon| addon.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["custom/sale_x", "oca/stock_z", "oca/web_y"]);
    assert_eq!(found[0].manifest.version, "1.1");
}

#[test]
fn a_broken_manifest_is_named_with_its_line() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin.write("custom/x/__manifest__.py", "{\n 'name': _('x'),\n}").commit("broken");
    let error = place.tree(&origin).unwrap().addons(&[PathBuf::from("custom")]).unwrap_err();
    assert_eq!(error.to_string(), "failed to read the manifest `custom/x/__manifest__.py`");
    let SourceError::Manifest { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.line, 2);
}

#[test]
fn a_signature_changes_only_with_what_a_database_can_notice() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin.addon("custom/x").write("oca/lib/x.py", "1");
    let first = signature(&place, &origin);
    assert_eq!(first.translations.keys().collect::<Vec<_>>(), ["i18n/es.po"]);

    let quiet = [
        "static/x.js",
        "static/src/new.xml",
        "tests/test_x.py",
        "README.rst",
        "README",
        "models/notes.md",
        "doc/index.txt",
        "docs/a/b",
        "readme/x.rst",
        "i18n/x.pot",
        "CHANGES.rst",
    ];
    for path in quiet {
        origin.write(&format!("custom/x/{path}"), "changed");
        assert_eq!(signature(&place, &origin), first, "{path}");
    }
    let mut seen = vec![first.clone()];
    let loud = [
        "models/x.py",
        "__manifest__.py",
        "data/x.xml",
        "models/static/x.py",
        "security/ir.csv",
        "migrations/1.2/post-x.py",
        "lib/tests/x.py",
    ];
    for path in loud {
        origin.write(&format!("custom/x/{path}"), "{'name': 'changed'}");
        let next = signature(&place, &origin);
        assert!(!seen.contains(&next), "{path}");
        seen.push(next);
    }
    origin.write("custom/x/i18n/es.po", "changed");
    let translated = signature(&place, &origin);
    assert_eq!(translated.tree, seen.last().unwrap().tree);
    assert_ne!(translated.translations, first.translations);
}

#[test]
fn what_an_addon_links_to_outside_itself_is_part_of_it() {
    let place = Place::new();
    let origin = place.repository("origin");
    origin.addon("custom/x").write("shared/lib/x.py", "1").link("custom/x/lib", "../../shared/lib");
    let before = signature(&place, &origin);
    origin.write("shared/lib/x.py", "2");
    assert_ne!(signature(&place, &origin), before);
}

#[test]
fn reduced_trees_can_be_compared() {
    let place = Place::new();
    let origin = place.repository("origin");
    let before = signature(&place, origin.addon("custom/x"));
    origin.write("custom/x/models/x.py", "changed").write("custom/x/static/x.js", "changed");
    let after = signature(&place, &origin);
    let changes = place.tree(&origin).unwrap().changes(before.tree, after.tree).unwrap();
    let paths: Vec<_> = changes.iter().map(|change| change.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["models/x.py"]);
    assert!(changes[0].old.is_some() && changes[0].new.is_some());
}
