//! What certbot 4.0 says, and what it leaves.

use super::*;

const DIRECTORY: &str = "https://acme.example/dir";

fn said(text: &str) -> (String, String, Vec<String>) {
    let error = refusal(text, DIRECTORY);
    (error.to_string(), error.hint().expect("every refusal has a hint"), error.details())
}

#[test]
fn the_authority_s_own_words_say_which_name_could_not_be_checked() {
    let (message, hint, details) = said(
        "Requesting a certificate for a.example and 2 more domains\n\n\
         Certbot failed to authenticate some domains (authenticator: webroot). The Certificate \
         Authority reported these problems:\n  Domain: a.example\n  Type:   dns\n  \
         Detail: DNS problem: NXDOMAIN looking up A for a.example\n\n  Domain: b.example\n  \
         Type:   connection\n  Detail: 192.0.2.1: Fetching http://b.example/: Timeout\n\n\
         Hint: The Certificate Authority failed to download the temporary challenge files.\n\
         Some challenges have failed.\nAsk for help or search for solutions at https://c.example.\n",
    );
    assert_eq!(
        message,
        "https://acme.example/dir could not check a.example: DNS problem: NXDOMAIN looking up A for a.example"
    );
    assert!(hint.contains("has to lead to port 80"), "{hint}");
    assert_eq!(details, ["b.example: 192.0.2.1: Fetching http://b.example/: Timeout"]);
}

#[test]
fn an_authority_that_is_away_or_not_trusted_or_tired_is_told_apart() {
    let after = |line: &str| {
        said(&format!(
            "Saving debug log to /var/log/letsencrypt/letsencrypt.log\n\
             An unexpected error occurred:\n{line}\nAsk for help or search for solutions.\n"
        ))
    };
    let (message, _, _) = after("ValueError: Requesting acme.example/dir: Connection refused");
    assert_eq!(
        message,
        "https://acme.example/dir cannot be reached: Requesting acme.example/dir: Connection refused"
    );
    let (message, hint, _) = after(
        "requests.exceptions.SSLError: HTTPSConnectionPool(host='acme.example', port=443): Max \
         retries exceeded (Caused by SSLError(SSLCertVerificationError(1, '[SSL: \
         CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate')))",
    );
    assert!(message.starts_with("https://acme.example/dir is not trusted: "), "{message}");
    assert!(hint.contains("`ca` in `[acme]`"), "{hint}");
    let (message, hint, _) = after(
        "Error creating new order :: too many certificates (5) already issued for this exact set \
         of identifiers in the last 168h0m0s, retry after 2026-11-30 00:00:00 UTC",
    );
    assert!(message.contains("refuses: Error creating new order :: too many"), "{message}");
    assert!(hint.contains("limits"), "{hint}");
    let (message, _, _) = after("The server will not issue certificates for the identifier");
    assert!(
        message.ends_with("refuses: The server will not issue certificates for the identifier")
    );
    assert_eq!(said("").0, "https://acme.example/dir refuses: certbot says nothing");
}

/// Lays a certificate with two versions out as certbot does.
fn lineage(root: &Path, name: &str) -> Server {
    let server = Server::below(root.to_owned(), "".into());
    let base = root.join("etc/letsencrypt");
    for directory in ["renewal", &format!("live/{name}"), &format!("archive/{name}")] {
        fs::create_dir_all(base.join(directory)).unwrap();
    }
    fs::write(base.join(format!("renewal/{name}.conf")), "server = https://d\n").unwrap();
    for file in FILES {
        for version in [1, 2] {
            let path = base.join(format!("archive/{name}/{file}{version}.pem"));
            fs::write(path, version.to_string()).unwrap();
        }
        let target = format!("../../archive/{name}/{file}2.pem");
        symlink(target, base.join(format!("live/{name}/{file}.pem"))).unwrap();
    }
    server
}

#[test]
fn a_certificate_goes_back_to_the_version_before_and_stays_there() {
    let directory = tempfile::tempdir().unwrap();
    let server = lineage(directory.path(), "a.example");
    let name = HostName::parse("a.example").expect("a good name");
    let lineage = Lineage::new(&server, &name);
    assert_eq!(lineage.version(), Some(2));
    assert_eq!(lineage.directory().unwrap().as_deref(), Some("https://d"));
    // Half of a renewal is undone, too.
    let link = server.path(&lineage.live().join("cert.pem"));
    fs::remove_file(&link).unwrap();
    symlink("../../archive/a.example/cert1.pem", &link).unwrap();
    assert_eq!(lineage.version(), None);
    lineage.go_back_to(1).unwrap();
    assert_eq!(lineage.version(), Some(1));
    let key = server.read(&lineage.live().join("privkey.pem")).unwrap();
    assert_eq!(key.as_deref(), Some("1"));
    assert!(!server.path(&lineage.archive().join("privkey2.pem")).exists());
}

#[test]
fn a_forgotten_certificate_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let server = lineage(directory.path(), "a.example");
    let name = HostName::parse("a.example").expect("a good name");
    Lineage::new(&server, &name).forget().unwrap();
    Lineage::new(&server, &name).forget().unwrap();
    let base = directory.path().join("etc/letsencrypt");
    for part in ["renewal", "live", "archive"] {
        assert_eq!(fs::read_dir(base.join(part)).unwrap().count(), 0, "{part}");
    }
}

#[test]
fn a_certificate_is_the_tools_where_it_is_renewed_from_the_tools_webroot() {
    let directory = tempfile::tempdir().unwrap();
    let server = lineage(directory.path(), "a.example");
    let name = HostName::parse("a.example").expect("a good name");
    let lineage = Lineage::new(&server, &name);
    let renewal = server.path(&lineage.renewal());
    for (text, by) in [
        ("webroot_path = /var/lib/odoo-deploy/acme,\n", ObtainedBy::Tool),
        ("[[webroot_map]]\na.example = /var/lib/odoo-deploy/acme/\n", ObtainedBy::Tool),
        ("webroot_path = /var/lib/odoo-deploy/acme-of-others,\n", ObtainedBy::Somebody),
        ("authenticator = nginx\n", ObtainedBy::Somebody),
        ("", ObtainedBy::Somebody),
    ] {
        fs::write(&renewal, text).unwrap();
        assert_eq!(lineage.obtained_by().unwrap(), Some(by), "{text}");
    }
    // Half of one, and half of a removal.
    fs::remove_file(&renewal).unwrap();
    assert_eq!(lineage.obtained_by().unwrap(), Some(ObtainedBy::Somebody));
    fs::remove_dir_all(server.path(&lineage.live())).unwrap();
    fs::remove_dir_all(server.path(&lineage.archive())).unwrap();
    assert_eq!(lineage.obtained_by().unwrap(), None);
    fs::write(&renewal, "webroot_path = /var/lib/odoo-deploy/acme,\n").unwrap();
    assert_eq!(lineage.obtained_by().unwrap(), Some(ObtainedBy::Tool));
    lineage.forget().unwrap();
    assert_eq!(lineage.obtained_by().unwrap(), None);
}
