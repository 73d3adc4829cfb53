//! `deploy client add` and `remove` through the real binary, without a server.

use crate::platform::Platform;

#[test]
fn a_client_gets_its_files_and_nothing_is_committed() {
    let platform = Platform::new();
    let head = platform.git(&["rev-parse", "HEAD"]);
    let run = platform.add(&["acme"]).expect(0, "deploy --host acme-test.somosblink.com");
    assert!(run.said.contains("production on aws-1"), "{}", run.said);
    let production = platform.read("config/hosts/acme.somosblink.com.conf");
    assert!(production.starts_with("extends = ../base.conf\n"), "{production}");
    assert!(production.contains("\nserver = aws-1\n") && production.contains("user = acme\n"));
    assert!(platform.read("docs/clients/acme.md").contains("| acme-test.somosblink.com | test |"));
    let map = platform.read("docs/host-environment-map.md");
    assert!(
        map.contains("| acme.somosblink.com | production | main | aws-1 | acme-prod |"),
        "{map}"
    );
    assert_eq!(platform.git(&["rev-parse", "HEAD"]), head);
    let state = platform.git(&["status", "--porcelain", "--untracked-files=all"]);
    let changed: Vec<_> = state.lines().map(str::trim).collect();
    assert_eq!(
        changed,
        [
            "M docs/host-environment-map.md",
            "?? config/hosts/acme-test.somosblink.com.conf",
            "?? config/hosts/acme.somosblink.com.conf",
            "?? docs/clients/acme.md",
        ]
    );
    platform.run(&["lint"]).expect(0, "0 errors");
}

#[test]
fn the_samples_map_is_what_the_tool_writes() {
    let platform = Platform::new();
    let map = platform.read("docs/host-environment-map.md");
    platform.add(&["acme"]).expect(0, "");
    let lines = platform.read("docs/host-environment-map.md");
    let others: String = lines
        .lines()
        .filter(|line| !line.contains("acme"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(others, map);
}

#[test]
fn every_host_of_a_server_gets_ports_of_its_own() {
    let platform = Platform::new();
    for name in ["one", "two", "three"] {
        platform.add(&[name, "--server", "vps-1"]).expect(0, "");
    }
    platform.run(&["lint"]).expect(0, "11 hosts, 0 errors");
}

#[test]
fn a_branch_holds_exactly_the_new_files_and_the_working_tree_is_left_alone() {
    let platform = Platform::new();
    platform.write("config/hosts/busy.somosblink.com.conf", &{
        let text = platform.read("config/hosts/demo.somosblink.com.conf");
        text.replace("db_name = demo", "db_name = busy")
            .replace("8269", "8079")
            .replace("8272", "8082")
    });
    platform.git(&["add", "config"]);
    platform.write("README.md", "half written");
    let (files, state) = (platform.files(), platform.git(&["status", "--porcelain"]));
    let run = platform.add(&["acme", "--server", "vps-1", "--branch", "--json"]).expect(0, "");
    assert_eq!(run.event("client-added")["branch"], "client/acme");
    // What is not committed yet is not free either.
    assert_eq!(run.event("client-added")["hosts"][0]["http_port"], 8089);
    assert_eq!(platform.files(), files);
    assert_eq!(platform.git(&["status", "--porcelain"]), state);
    let diff = platform.git(&["diff", "--name-status", "HEAD", "client/acme"]);
    assert_eq!(
        diff.lines().collect::<Vec<_>>(),
        [
            "A\tconfig/hosts/acme-test.somosblink.com.conf",
            "A\tconfig/hosts/acme.somosblink.com.conf",
            "A\tdocs/clients/acme.md",
            "M\tdocs/host-environment-map.md",
        ]
    );
    let map = platform.git(&["show", "client/acme:docs/host-environment-map.md"]);
    assert!(map.contains("acme") && !map.contains("busy"), "{map}");
    assert_eq!(
        platform.git(&["log", "-1", "--format=%an %s", "client/acme"]),
        "Ana Add client acme"
    );
    platform.add(&["acme", "--branch"]).expect(2, "there is a branch `client/acme` already");
}

#[test]
fn every_refusal_touches_nothing() {
    let platform = Platform::new();
    platform.add(&["acme"]).expect(0, "");
    platform.write("config/templates/demo.template.conf", "a = <client>\nb = <nothing>\n");
    let before = platform.files();
    let long = "a".repeat(40);
    for (arguments, said) in [
        (&["www"][..], "`www` is reserved"),
        (&["production"], "reserved"),
        (&["demo"], "reserved"),
        (&["Acme"], "cannot be a client's name"),
        (&["a_b"], "cannot be a client's name"),
        (&["acme-test"], "would read as the test host of a client `acme`"),
        (&["acme"], "there is a host `acme.somosblink.com` already"),
        (&["3m"], "`3m` is not a valid user name"),
        (&[&long], "at most 32"),
        (&["beta", "--domain", "somosblink.com"], "the platform's own domain"),
        (&["beta", "--domain", "www.somosblink.com"], "the platform's own domain"),
        (&["beta", "--domain", "mail.somosblink.com"], "`mail` is reserved"),
        (&["beta", "--domain", "acme.somosblink.com"], "there is a host `acme.somosblink.com`"),
        (&["beta", "--domain", "x/y"], "not a valid hostname"),
        (&["beta", "--server", "aws-2"], "there is no server `aws-2`"),
        (&["beta", "--environment", "tset"], "there is no environment `tset`"),
        (&["beta", "--environment", "test,test"], "two environments would have the host"),
        (&["beta", "--environment", "internal"], "there is no template for hosts of internal"),
        (&["beta", "--environment", "demo"], "`<nothing>` stands for nothing"),
        (&["beta", "--odoo", "12.0"], "is not 17.0, 18.0 or 19.0"),
    ] {
        let run = platform.add(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.said);
        assert!(run.said.contains(said), "{arguments:?}: {}", run.said);
        assert_eq!(platform.files(), before, "{arguments:?}");
    }
}

#[test]
fn what_two_hosts_would_share_is_refused() {
    let platform = Platform::new();
    let template = platform.read("config/templates/test.template.conf");
    for (from, to, said) in [
        ("db_name = <client>-test", "db_name = demo", "database `demo`"),
        ("/var/lib/odoo/<client>-test", "/var/lib/odoo/demo.somosblink.com", "data directory"),
        ("http_port = <http_port>", "http_port = 8269", "8269"),
    ] {
        platform.write("config/templates/test.template.conf", &template.replace(from, to));
        let before = platform.files();
        let arguments = ["acme", "--environment", "test", "--server", "vps-1"];
        platform.add(&arguments).expect(2, said);
        assert_eq!(platform.files(), before, "{said}");
    }
}

#[test]
fn policy_decides_where_a_host_goes() {
    let platform = Platform::new();
    let settings = platform.read("config/deploy.toml");
    let limited = settings.replace(
        "[servers.vps-1]",
        "environments = [\"production\"]\nmax_hosts = 2\n\n[servers.vps-1]\nenvironments = [\"test\"]",
    );
    platform.write("config/deploy.toml", &limited);
    let run = platform.add(&["one", "--json"]).expect(0, "");
    let hosts = &run.event("client-added")["hosts"];
    assert_eq!((&hosts[0]["server"], &hosts[1]["server"]), (&"aws-1".into(), &"vps-1".into()));
    platform.add(&["two"]).expect(2, "aws-1 is full: it has 2 of 2 hosts");
    let run = platform.add(&["two", "--environment", "test", "--server", "aws-1"]);
    run.expect(2, "server `aws-1` takes new hosts of production only");
}

#[test]
fn missing_secrets_are_named_and_values_never_shown() {
    let platform = Platform::new();
    let template = platform.read("config/templates/production.template.conf");
    let more = "db_host = db.example\ndb_password = ${<CLIENT>_DB_PASSWORD}\n";
    let template = template.replace("workers = 4\n", &format!("workers = 4\n{more}"));
    platform.write("config/templates/production.template.conf", &template);
    let arguments = ["corte-perfecto", "--environment", "production"];
    let run = platform.add(&arguments).expect(0, "\n  CORTE_PERFECTO_DB_PASSWORD=\n");
    assert!(
        !run.said.contains("ODOO_ADMIN_PASSWD") && !run.said.contains("s3cr3t"),
        "{}",
        run.said
    );
}

#[test]
fn a_server_that_cannot_be_asked_is_told_of() {
    let platform = Platform::new();
    let settings = platform.read("config/deploy.toml");
    let settings =
        settings.replace("address = \"vps-1.example.net\"", "address = \"127.0.0.1\"\nport = 1");
    platform.write("config/deploy.toml", &settings);
    let arguments = ["client", "add", "acme", "--environment", "test", "--server", "vps-1"];
    platform.run(&arguments).expect(0, "server vps-1 could not be asked");
}

#[test]
fn an_environment_is_added_to_a_client_that_is_there() {
    let platform = Platform::new();
    platform.add(&["acme", "--environment", "production"]).expect(0, "");
    let page = platform.read("docs/clients/acme.md");
    platform.write("docs/clients/acme.md", &format!("{page}\nCall Ana first.\n"));
    platform.add(&["acme", "--environment", "test"]).expect(0, "updated  docs/clients/acme.md");
    let page = platform.read("docs/clients/acme.md");
    assert!(page.contains("| acme.somosblink.com |") && page.contains("| acme-test."), "{page}");
    assert!(page.ends_with("\nCall Ana first.\n"), "{page}");
}

#[test]
fn a_removal_needs_somebody_who_is_sure() {
    let platform = Platform::new();
    platform.add(&["acme"]).expect(0, "");
    let before = platform.files();
    for (arguments, said) in [
        (&["acme"][..], "give `--confirm acme`"),
        // Production asks for confirmation.
        (&["acme", "--yes"], "give `--confirm acme`"),
        (&["acme", "--confirm", "acne"], "is not the client's name"),
        (&["nobody", "--confirm", "nobody"], "there is no client `nobody`"),
        (&["acme", "--confirm", "acme", "--environment", "demo"], "has no such host"),
        (&["acme", "--confirm", "acme", "--host", "demo.somosblink.com"], "has no such host"),
        (&["../acme", "--confirm", "../acme"], "cannot be a client's name"),
    ] {
        let run = platform.run(&[&["client", "remove"], arguments].concat());
        run.expect(2, said);
        assert_eq!(platform.files(), before, "{arguments:?}");
    }
    // A server that cannot be reached keeps its host, and the repository its files.
    let run = platform.run(&["client", "remove", "acme", "--confirm", "acme"]);
    assert_eq!(run.code, 5, "{}", run.said);
    assert_eq!(platform.files(), before);
}
