//! Each rule of the lint: a file that it finds fault with, and one that it does not.

use std::collections::{BTreeMap, BTreeSet};

use odoo_deploy::host::{
    Host,
    lint::{
        Finding, RuleId,
        Severity::{self, Error, Warning},
        lint, lint_fleet,
    },
};

use crate::host::load_named;

/// A host without findings, with some of its options and some of `[deploy]` changed.
///
/// An option `-key` is left out.
pub(crate) fn host(name: &str, series: &str, options: &str, deploy: &str) -> Host {
    let mut keys = BTreeMap::from([
        ("db_name", format!("{name}-db")),
        ("addons_path", "custom-addons".to_owned()),
        ("data_dir", format!("/var/lib/odoo/{name}")),
        ("http_interface", "127.0.0.1".to_owned()),
        ("proxy_mode", "True".to_owned()),
        ("list_db", "False".to_owned()),
    ]);
    let mut sections = String::new();
    for line in options.lines() {
        match line.split_once(" = ") {
            None if line.starts_with('-') => drop(keys.remove(&line[1..])),
            Some((key, value)) if sections.is_empty() => drop(keys.insert(key, value.to_owned())),
            _ => sections.push_str(&format!("{line}\n")),
        }
    }
    let mut text = "[options]\n".to_owned();
    for (key, value) in keys {
        text.push_str(&format!("{key} = {value}\n"));
    }
    text.push_str(&sections);
    text.push_str(&format!(
        "[deploy]\nenvironment = production\nserver = s1\nodoo = {series}\n{deploy}\n"
    ));
    load_named(name, &text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn findings(series: &str, options: &str) -> Vec<Finding> {
    let (options, deploy) = options.split_once("\n[deploy]\n").unwrap_or((options, ""));
    lint(&host("h", series, options, deploy))
}

/// One rule: the series, what triggers it and how badly, and what does not.
type Case = (RuleId, &'static str, Severity, &'static str, &'static str);

use RuleId as R;

const KEYS: &[Case] = &[
    (R::UnknownOption, "18.0", Warning, "my_module_key = 1", "workers = 2\ndb_maxconn = 8"),
    (R::UnknownOption, "18.0", Error, "proxy_mod = True", "proxy_access_token = ${X}"),
    (R::UnknownOption, "17.0", Warning, "db_replica_host = x", "db_host = x"),
    (R::UnknownOption, "18.0", Warning, "with_demo = False", "without_demo = all"),
    (R::OptionMoved, "19.0", Warning, "without_demo = True", "with_demo = False"),
    (R::OptionMoved, "18.0", Error, "db_filter = ^a$", "dbfilter = ^a$"),
    (R::OptionMoved, "19.0", Warning, "import_image_timeout = 3", "import_file_timeout = 3"),
    (R::LongpollingPort, "17.0", Warning, "longpolling_port = 8172", "gevent_port = 8172"),
    (R::LongpollingPort, "17.0", Error, "longpolling_port = 8172\ngevent_port = 8072", ""),
    (R::LongpollingPort, "18.0", Error, "longpolling_port = 8072", ""),
    (R::LongpollingPort, "19.0", Error, "longpolling_port = 8072", ""),
    (R::XmlrpcPort, "18.0", Warning, "xmlrpc_port = 8169", "http_port = 8169"),
    (R::XmlrpcPort, "18.0", Error, "xmlrpc_port = 8169\nhttp_port = 8069", ""),
    (R::XmlrpcPort, "19.0", Error, "xmlrpc_interface = 127.0.0.1", ""),
    (R::IgnoredInFile, "18.0", Warning, "update = all", ""),
    (R::IgnoredInFile, "18.0", Warning, "dev_mode = xml", ""),
    (R::IgnoredInFile, "19.0", Warning, "stop_after_init = True", ""),
    (
        R::KeptOptionSet,
        "18.0",
        Warning,
        "admin_passwd = ${X}\n[deploy]\nkeep = admin_passwd",
        "\n[deploy]\nkeep = admin_passwd",
    ),
    (R::SectionNotRead, "19.0", Warning, "[queue_job]\nchannels = root:2", ""),
];

const VALUES: &[Case] = &[
    (R::InlineComment, "18.0", Error, "limit_request = 4 ; four", "limit_request = 4"),
    (R::InlineComment, "19.0", Error, "dbfilter = ^a$  # c", "dbfilter = ^a#;b$"),
    (R::InlineComment, "18.0", Error, "smtp_password = ${B} # c", "smtp_password = ${B}"),
    (R::InlineComment, "18.0", Warning, "smtp_password = a # b", "smtp_password = a#b"),
    (R::QuotedValue, "18.0", Error, "smtp_password = \"${B}\"", ""),
    (R::BooleanSpelling, "19.0", Error, "unaccent = ${B}", "db_host = ${B}"),
    (R::InlineComment, "18.0", Warning, "my_module_key = a ; b", "email_from = a;b@example.com"),
    (R::QuotedValue, "18.0", Error, "email_from = \"a@b\"", "email_from = \"A\" <a@b>"),
    (R::QuotedValue, "19.0", Error, "db_host = 'x'", "db_host = x'"),
    (R::BooleanSpelling, "18.0", Error, "list_db = 0", "list_db = false"),
    (R::BooleanSpelling, "17.0", Error, "unaccent = yes", "unaccent = true"),
    (R::BooleanSpelling, "18.0", Error, "list_db = FALSE", "list_db = False"),
    (R::BooleanSpelling, "19.0", Warning, "unaccent = yes", "unaccent = True"),
    (R::BooleanSpelling, "19.0", Error, "unaccent = maybe", "stop_after_init = maybe"),
    (R::BooleanSpelling, "19.0", Error, "unaccent = ", ""),
    (R::NoneValue, "18.0", Error, "db_password = None", "logfile = None"),
    (R::NoneValue, "18.0", Error, "limit_request = None", "server_wide_modules = None"),
    (R::NoneValue, "19.0", Warning, "db_password = None", ""),
    (R::NoneValue, "19.0", Error, "log_handler = None", "log_handler = :INFO"),
    (R::FalseValue, "18.0", Error, "limit_request = False", "db_host = False"),
    (R::FalseValue, "19.0", Warning, "db_host = False", "db_host = localhost"),
    (R::IntValue, "18.0", Error, "limit_memory_hard = 2048MB", "limit_memory_hard = 2684354560"),
    (R::IntValue, "19.0", Error, "limit_memory_hard = 2048 * 1024", "limit_memory_hard = 0"),
    (R::IntValue, "18.0", Error, "limit_request = 010", "limit_time_real_cron = -1"),
    (R::IntValue, "18.0", Error, "limit_request = ", "limit_request = 10"),
    (R::FloatValue, "18.0", Error, "transient_age_limit = 1,5", "transient_age_limit = 1.5"),
    (R::ChoiceValue, "18.0", Error, "log_level = warning", "log_level = warn"),
    (R::ChoiceValue, "19.0", Error, "db_sslmode = required", "db_sslmode = require"),
    (R::LogHandler, "18.0", Error, "log_handler = odoo.sql_db", "log_handler = :INFO,a.b:DEBUG"),
    (R::LogHandler, "19.0", Error, "log_handler = odoo:VERBOSE", "log_handler = :INFO,"),
    (R::RelativePath, "18.0", Error, "upgrade_path = up", "upgrade_path = {{release.code}}/up"),
    (R::PathExpansion, "18.0", Warning, "logfile = ~/odoo.log", "logfile = /var/log/odoo.log"),
    (R::PathExpansion, "18.0", Warning, "geoip_city_db = $HOME/x", ""),
];

const SERVER: &[Case] = &[
    (R::DbNameSpaces, "18.0", Error, "db_name = aa, bb", "db_name = aa,bb"),
    (R::DbNameSpaces, "17.0", Error, "db_name = aa,", "db_name = aa"),
    (R::DbUserPostgres, "18.0", Error, "db_user = postgres", "db_user = odoo"),
    (R::DbfilterUnanchored, "18.0", Warning, "dbfilter = %d", "dbfilter = ^%d$"),
    (R::DbfilterUnanchored, "19.0", Warning, "dbfilter = ^%h", "dbfilter = (^a$|^b$)"),
    (R::DbMaxconnTimesWorkers, "18.0", Warning, "workers = 4", "workers = 4\ndb_maxconn = 14"),
    (R::HttpInterfaceUnset, "19.0", Warning, "-http_interface", "http_interface = 0.0.0.0"),
    (R::HttpInterfaceUnset, "18.0", Warning, "http_interface = ", ""),
    (R::HttpInterfaceUnset, "18.0", Warning, "http_interface = False", ""),
    (
        R::ProxyModeOffBehindNginx,
        "18.0",
        Warning,
        "proxy_mode = False",
        "proxy_mode = False\n[deploy]\n[deploy.nginx]\nenabled = False",
    ),
    (R::GeventPortEqualsHttpPort, "18.0", Error, "http_port = 8072", "http_port = 8070"),
    (
        R::XSendfile,
        "18.0",
        Warning,
        "x_sendfile = True\n[deploy]\n[deploy.nginx]\nenabled = False",
        "x_sendfile = True",
    ),
    (R::DataDirUnset, "18.0", Error, "-data_dir", ""),
    (R::DataDirUnset, "19.0", Error, "-data_dir", ""),
    (
        R::ServerWideModulesWithoutRpc,
        "19.0",
        Warning,
        "server_wide_modules = base,web",
        "server_wide_modules = base, rpc ,web",
    ),
    (R::LogfileAndSyslog, "19.0", Error, "logfile = /x\nsyslog = True", "logfile = /x"),
    (R::LogfileAndSyslog, "18.0", Warning, "logfile = /x\nsyslog = True", "syslog = True"),
    (R::DevMode, "19.0", Error, "dev_mode = all", "dev_mode = "),
    (R::TestMode, "18.0", Error, "test_tags = /sale", "test_tags = None"),
    (R::TestMode, "17.0", Error, "stop_after_init = True", "stop_after_init = False"),
    (
        R::DemoData,
        "18.0",
        Warning,
        "\n[deploy]\ninstall = sale",
        "without_demo = all\n[deploy]\ninstall = sale",
    ),
    (
        R::DemoData,
        "19.0",
        Warning,
        "with_demo = True\n[deploy]\ninstall = sale",
        "\n[deploy]\ninstall = sale",
    ),
    (R::OverwriteTranslations, "19.0", Error, "overwrite_existing_translations = True", ""),
    (R::LimitMemoryUnits, "18.0", Error, "limit_memory_hard = 2048", "limit_memory_hard = 0"),
    (R::LimitMemoryOrder, "18.0", Warning, "limit_memory_hard = 1677721600", ""),
    (R::LimitTimeOrder, "18.0", Warning, "limit_time_cpu = 600", "limit_time_cpu = 60"),
    (R::SecretInClear, "18.0", Warning, "db_password = hunter2", "db_password = ${DB}"),
    (R::SecretInClear, "18.0", Warning, "admin_passwd = x1", "admin_passwd = $pbkdf2-sha512$6$a$b"),
    (R::SecretInClear, "18.0", Warning, "[x]\napi_key = abc", "[x]\ntoken_days = 30"),
    (R::SecretInClear, "18.0", Warning, "[x]\nurl = redis://:a@b/0", "[x]\nurl = redis://b/0"),
    (R::SecretInClear, "18.0", Warning, "smtp_password = 123456", "smtp_password = False"),
    (R::AdminPasswdDefault, "18.0", Error, "admin_passwd = admin", ""),
    (
        R::AdminPasswdDefault,
        "18.0",
        Error,
        "list_db = True",
        "list_db = True\n[deploy]\nkeep = admin_passwd",
    ),
    (R::ListDbOpen, "18.0", Warning, "-list_db", ""),
    (R::UserRoot, "18.0", Error, "\n[deploy]\nuser = root", "\n[deploy]\nuser = odoo"),
];

const TLS: &[Case] = &[
    (
        R::LetsencryptPort,
        "18.0",
        Error,
        "\n[deploy]\n[deploy.nginx]\ntls = letsencrypt\nport = 8080",
        "\n[deploy]\n[deploy.nginx]\ntls = letsencrypt",
    ),
    (
        R::LetsencryptName,
        "18.0",
        Error,
        "\n[deploy]\n[deploy.nginx]\ntls = letsencrypt",
        "\n[deploy]\n[deploy.nginx]\ntls = none",
    ),
    (
        R::OriginWithoutCloudflare,
        "18.0",
        Warning,
        "\n[deploy]\n[deploy.nginx]\ntls = cloudflare-origin",
        "\n[deploy]\n[deploy.nginx]\ntls = cloudflare-origin\ncloudflare = True",
    ),
    (
        R::PlainBehindCloudflare,
        "18.0",
        Warning,
        "\n[deploy]\n[deploy.nginx]\ncloudflare = True",
        "\n[deploy]\n[deploy.nginx]\ntls = letsencrypt\ncloudflare = True",
    ),
    (
        R::ProxiedWithoutCloudflare,
        "18.0",
        Warning,
        "\n[deploy]\n[deploy.dns]\nproxied = True",
        "\n[deploy]\n[deploy.dns]\nproxied = True\n[deploy.nginx]\ntls = letsencrypt\ncloudflare = True",
    ),
];

#[test]
fn a_name_that_no_authority_certifies_is_found_among_aliases_too() {
    let found = |name: &str, aliases: &str| {
        let deploy = format!("[deploy.nginx]\ntls = letsencrypt\naliases = {aliases}");
        lint(&host(name, "18.0", "", &deploy)).len()
    };
    assert_eq!(found("a.example.com", "www.a.example.com"), 0);
    for private in ["intranet", "a.localhost", "10.0.0.5"] {
        assert_eq!(found("a.example.com", private), 1, "{private}");
    }
}

#[test]
fn a_rule_finds_what_it_is_for_and_nothing_else() {
    for (rule, series, severity, bad, good) in [KEYS, VALUES, SERVER, TLS].concat() {
        let found = findings(series, bad);
        let found = found.iter().find(|finding| finding.rule == rule);
        let found = found.unwrap_or_else(|| panic!("{rule} does not find {bad:?} on {series}"));
        assert_eq!(found.severity, severity, "{rule}: {bad:?} on {series}");
        assert!(!found.hint.is_empty() && !found.message.ends_with('.'), "{found:?}");
        let wrong = findings(series, good);
        let wrong = wrong.iter().find(|finding| finding.rule == rule);
        assert_eq!(wrong, None, "{rule} finds {good:?} on {series}");
    }
}

#[test]
fn a_clean_host_has_no_findings() {
    for series in ["17.0", "18.0", "19.0"] {
        assert_eq!(findings(series, ""), [], "{series}");
    }
}

#[test]
fn a_finding_never_shows_a_secret() {
    for value in ["hunter2", "'hunter2'", "hunter2 # c"] {
        let shown = format!("{:?}", findings("18.0", &format!("db_password = {value}")));
        assert!(shown.contains("db_password") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn findings_are_in_the_order_of_their_lines() {
    let found = findings("18.0", "workers = 4\nlog_level = warning\nlist_db = 0");
    let lines = found.iter().map(|finding| finding.origin.line).collect::<Vec<_>>();
    assert!(lines.is_sorted() && lines.len() > 2, "{lines:?}");
}

#[test]
fn two_hosts_of_a_server_share_nothing() {
    let one = || host("a.example.com", "18.0", "", "");
    let other = "http_port = 8169\ngevent_port = 8172";
    let rules = |options: &str, deploy: &str| {
        let deploy = format!("user = b\n{deploy}");
        let hosts = [one(), host("b.example.com", "18.0", options, &deploy)];
        lint_fleet(&hosts).iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(other, ""), []);
    assert_eq!(rules("", ""), [R::SharedPort, R::SharedPort]);
    assert_eq!(rules("http_port = 8169\ngevent_port = 8069", ""), [R::SharedPort]);
    assert_eq!(rules("http_interface = 10.0.0.1", ""), []);
    let database = format!("{other}\ndb_name = a.example.com-db");
    assert_eq!(rules(&database, ""), [R::SharedDatabase]);
    let data_dir = format!("{other}\ndata_dir = /var/lib/odoo/a.example.com/");
    assert_eq!(rules(&data_dir, ""), [R::SharedDataDir]);
    assert_eq!(rules(other, "[deploy.nginx]\naliases = a.example.com"), [R::SharedName]);
}

#[test]
fn a_system_user_of_two_clients_is_found_and_one_of_one_client_is_not() {
    let fleet = |hosts: &[(&str, &str)]| {
        let hosts = hosts.iter().enumerate().map(|(index, (name, environment))| {
            let port = 8069 + index * 10;
            let ports = format!("http_port = {port}\ngevent_port = {}", port + 3);
            let mut host = host(name, "18.0", &ports, "");
            host.environment = odoo_deploy::host::EnvironmentName::parse(environment).unwrap();
            host
        });
        let found = lint_fleet(&hosts.collect::<Vec<_>>());
        assert!(found.iter().all(|one| (one.rule, one.severity) == (R::SharedUser, Warning)));
        found.len()
    };
    let acme = ("acme.example.com", "production");
    let acme_test = ("acme-test.example.com", "test");
    assert_eq!(fleet(&[acme, acme_test]), 0);
    assert_eq!(fleet(&[("shop.acme.com", "production"), acme_test]), 0);
    assert_eq!(fleet(&[("shop.acme.com", "production"), acme]), 1);
    assert_eq!(fleet(&[acme, ("bolt-test.example.com", "test")]), 1);
    assert_eq!(fleet(&[acme, acme_test, ("bolt.example.com", "production")]), 1);
}

#[test]
fn two_servers_share_a_database_only_on_a_common_database_server() {
    let pair = |db_host: &str| {
        let options = format!("db_name = same\ndb_host = {db_host}");
        let mut other = host("b.example.com", "18.0", &options, "");
        other.server = odoo_deploy::host::ServerName::parse("s2").unwrap();
        lint_fleet(&[host("a.example.com", "18.0", &options, ""), other]).len()
    };
    assert_eq!(pair("localhost"), 0);
    assert_eq!(pair("10.0.0.5"), 1);
}

#[test]
fn every_rule_has_a_test() {
    let tested = [KEYS, VALUES, SERVER, TLS].concat().into_iter().map(|case| case.0);
    let fleet = [R::SharedPort, R::SharedDatabase, R::SharedDataDir, R::SharedName, R::SharedUser];
    let tested = tested.chain(fleet).collect::<BTreeSet<_>>();
    assert_eq!(tested, RuleId::ALL.iter().copied().collect());
}

#[test]
fn every_rule_is_documented_and_every_documented_rule_exists() {
    let page = include_str!("../../docs/reference/lint.md");
    let documented = page
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.split('`').next())
        .collect::<BTreeSet<_>>();
    let rules = RuleId::ALL.iter().map(|rule| rule.as_str()).collect::<BTreeSet<_>>();
    assert_eq!(documented, rules);
}
