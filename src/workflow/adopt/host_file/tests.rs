use super::*;
use crate::{
    host::{DatabaseName, EnvironmentName, Host, host_file_path},
    plan::Checkout,
    source::CommitId,
    wire::FoundVhost,
};

fn instance() -> Instance {
    let plain = |value: &str| FoundValue::Plain(value.to_owned());
    let options = BTreeMap::from([
        ("admin_passwd".to_owned(), FoundValue::Secret),
        ("db_password".to_owned(), FoundValue::Secret),
        ("db_host".to_owned(), plain("localhost")),
        ("workers".to_owned(), plain("2")),
        ("max_cron_threads".to_owned(), plain("2")),
        ("logfile".to_owned(), plain("/var/log/odoo/odoo.log")),
        ("list_db".to_owned(), plain("False")),
    ]);
    Instance {
        unit: "odoo18.service".into(),
        enabled: true,
        is_script: false,
        unit_file: None,
        user: "odoo18".into(),
        group: "odoo18".into(),
        odoo_bin: "/opt/odoo18/odoo/odoo-bin".into(),
        python: Some("/opt/odoo18/venv/bin/python3".into()),
        version: Ok("Odoo 18.0".into()),
        conf: Some("/etc/odoo18.conf".into()),
        sections: BTreeMap::from([
            ("options".to_owned(), options),
            ("queue_job".to_owned(), BTreeMap::from([("channels".to_owned(), plain("root:2"))])),
        ]),
        from_command_line: Vec::new(),
        data_dir: "/var/lib/odoo18".into(),
        code: Vec::new(),
        databases: Ok(vec!["shop".into()]),
        vhosts: vec![FoundVhost {
            path: "/etc/nginx/sites-enabled/odoo".into(),
            link: None,
            names: vec!["shop.example".into(), "www.shop.example".into()],
            others: Vec::new(),
            certificate: Some(("/c/full.pem".into(), "/c/key.pem".into())),
            port: Some(80),
            body_size: Some("200m".into()),
        }],
        notes: Vec::new(),
    }
}

fn choice() -> Choice {
    let name = |text: &str| HostName::parse(text).unwrap();
    Choice {
        host: name("shop.example"),
        aliases: vec![name("www.shop.example")],
        environment: EnvironmentName::parse("production").unwrap(),
        databases: vec![DatabaseName::parse("shop").unwrap()],
        http_port: 8069,
        gevent_port: Some(8072),
        interface: String::new(),
    }
}

fn code(below: &str) -> Vec<CodePlace> {
    let checkout = Checkout {
        root: "/opt/odoo/custom_addons".into(),
        below: below.into(),
        remote: None,
        branch: Some("main".into()),
        head: CommitId::from_bytes([7; 20]),
        dirty: Vec::new(),
    };
    let place = |path: &str, in_repository: Option<&str>| CodePlace {
        path: path.into(),
        checkout: None,
        in_repository: in_repository.map(PathBuf::from),
    };
    let own =
        CodePlace { checkout: Some(checkout), ..place("/opt/odoo/custom_addons", Some(below)) };
    vec![own, place("/opt/enterprise", None)]
}

fn written(instance: &Instance, secrets: Secrets, code: &[CodePlace]) -> Written {
    let server = ServerName::parse("vps-1").unwrap();
    let choice = choice();
    let parts = Parts {
        instance,
        choice: &choice,
        server: &server,
        series: Series::V18,
        code,
        addons_directory: None,
        secrets,
    };
    parts.write()
}

#[test]
fn a_host_file_says_what_runs() {
    let written = written(&instance(), Secrets::Keep, &code("custom-addons"));
    assert_eq!(written.keep, ["admin_passwd", "db_password"]);
    insta::assert_snapshot!(written.text, @r"
    # Adopted from odoo18.service of vps-1. `deploy lint` says what could be better.
    [options]
    db_name = shop
    addons_path = custom-addons,/opt/enterprise
    data_dir = /var/lib/odoo18
    http_port = 8069
    db_host = localhost
    list_db = False
    logfile = /var/log/odoo/odoo.log
    workers = 2

    [deploy]
    environment = production
    server = vps-1
    odoo = 18.0
    user = odoo18
    odoo_bin = /opt/odoo18/odoo/odoo-bin
    python = /opt/odoo18/venv/bin/python3
    keep = admin_passwd, db_password

    [deploy.nginx]
    aliases = www.shop.example
    tls = files
    certificate = /c/full.pem
    certificate_key = /c/key.pem
    client_max_body_size = 200m

    [queue_job]
    channels = root:2
    ");
    let files = BTreeMap::from([(host_file_path(&choice().host), written.text.into_bytes())]);
    let host = Host::load(&files, &choice().host).unwrap();
    assert_eq!(host.deploy.keep, ["admin_passwd", "db_password"]);
    assert_eq!(host.nginx.unwrap().aliases.len(), 1);
}

#[test]
fn secrets_may_become_names() {
    let written = written(&instance(), Secrets::Environment, &code("custom-addons"));
    assert_eq!(written.names, ["SHOP_ADMIN_PASSWD", "SHOP_DB_PASSWORD"]);
    assert!(written.text.contains("db_password = ${SHOP_DB_PASSWORD}\n"), "{}", written.text);
    assert!(written.keep.is_empty());
    let digits = HostName::parse("3d-print.example").unwrap();
    assert_eq!(secret_name(&digits, "db_password"), "H_3D_PRINT_DB_PASSWORD");
}

#[test]
fn the_root_of_the_repository_may_hold_the_addons() {
    let written = written(&instance(), Secrets::Keep, &code(""));
    assert!(written.text.contains("addons_path = .,/opt/enterprise\n"), "{}", written.text);
    let files = BTreeMap::from([(host_file_path(&choice().host), written.text.into_bytes())]);
    let host = Host::load(&files, &choice().host).unwrap();
    assert_eq!(host.addons_path[0], crate::host::AddonsDirectory::InRelease(PathBuf::new()));
}

#[test]
fn a_master_password_of_nobodys_choice_opens_nothing() {
    let mut instance = instance();
    let options = instance.sections.get_mut("options").unwrap();
    options.remove("admin_passwd");
    options.remove("list_db");
    let written = written(&instance, Secrets::Keep, &code("custom-addons"));
    assert!(written.text.contains("list_db = False\n"), "{}", written.text);
}
