//! Hosts: what their files mean, and what becomes of them in `odoo.conf`.

use std::{collections::BTreeMap, path::PathBuf};

use odoo_deploy::{
    host::{AddonsDirectory, ConfigError, Context, Host, HostFile, HostName, Tls},
    odoo::Series,
    secret::Secrets,
    source::Branch,
};

/// A host that is complete; `options` and `deploy` are added to its sections.
pub(crate) fn host_text(series: &str, options: &str, deploy: &str) -> String {
    format!(
        "[options]\ndb_name = h-prod\naddons_path = custom-addons\ndata_dir = /var/lib/odoo/h\n\
         {options}\n[deploy]\nenvironment = production\nserver = s1\nodoo = {series}\n{deploy}\n"
    )
}

pub(crate) fn load(text: &str) -> Result<Host, ConfigError> {
    load_named("h.example.com", text)
}

pub(crate) fn load_named(name: &str, text: &str) -> Result<Host, ConfigError> {
    let path = PathBuf::from(format!("config/hosts/{name}.conf"));
    let files = BTreeMap::from([(path, text.as_bytes().to_vec())]);
    Host::load(&files, &HostName::parse(name).unwrap())
}

fn context() -> Context {
    Context {
        server_address: "s1.example.net".to_owned(),
        branch: Branch::parse("main").unwrap(),
        release_number: 42,
        release_path: PathBuf::from("/opt/odoo/h/releases/0042"),
        release_code: PathBuf::from("/opt/odoo/h/releases/0042/code"),
    }
}

fn secrets(pairs: &[(&str, &str)]) -> Secrets {
    Secrets::from_environment(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
}

fn faults(text: &str) -> Vec<String> {
    load(text).unwrap_err().faults().map(ToString::to_string).collect()
}

#[test]
fn a_small_file_has_defaults_for_the_rest() {
    let host = load(&host_text("18.0", "", "")).unwrap();
    assert_eq!(host.odoo, Series::V18);
    assert_eq!((host.http_port, host.gevent_port, host.workers), (8069, 8072, 0));
    assert_eq!(host.http_interface, "");
    assert_eq!(host.addons_path, [AddonsDirectory::InRelease("custom-addons".into())]);
    assert_eq!(host.deploy.user.as_str(), "odoo");
    assert_eq!(host.deploy.group.as_str(), "odoo");
    assert_eq!(host.deploy.health_timeout.as_secs(), 120);
    assert_eq!(host.deploy.health_settle.as_secs(), 8);
    assert!(host.deploy.load_check);
    assert_eq!(host.nginx.unwrap().tls, Tls::None);
    assert_eq!(load(&host_text("19.0", "", "")).unwrap().http_interface, "0.0.0.0");
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let found = faults("[options]\n");
    for key in ["environment", "server", "odoo", "db_name", "addons_path"] {
        let one = format!("config/hosts/h.example.com.conf: `{key}` is missing");
        assert!(found.iter().any(|fault| fault.starts_with(&one)), "{key}: {found:?}");
    }
}

#[test]
fn a_list_of_databases_names_each_once() {
    let with = |names: &str| {
        load(&host_text("19.0", "", "").replace("h-prod", names)).map(|host| host.databases.len())
    };
    assert_eq!(with("aa, bb,").unwrap(), 2);
    for bad in ["aa,aa", ",", "a b", "aa\n  bb", "False", "None", "\"aa\"", "${DB}"] {
        assert!(with(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_unknown_key_of_the_tool_is_refused_with_the_near_one() {
    let error = load(&host_text("18.0", "", "keep_realeses = 3\n[deploy.nginx]\nport_ = 80"));
    let error = error.unwrap_err();
    let hints = error.faults().map(|fault| fault.hint.as_deref().unwrap()).collect::<Vec<_>>();
    assert_eq!(hints, ["did you mean `keep_releases`?", "did you mean `port`?"]);
}

#[test]
fn a_host_may_count_as_healthy_at_its_first_answers() {
    let host = load(&host_text("18.0", "", "health_settle = 0s")).unwrap();
    assert!(host.deploy.health_settle.is_zero());
    assert!(load(&host_text("18.0", "", "health_settle = 0")).is_err());
    let error = load(&host_text("18.0", "", "health_settle = 0m")).unwrap_err();
    assert!(error.to_string().contains("or `0s` for not at all"), "{error}");
}

#[test]
fn a_release_may_be_switched_to_without_loading_it_before() {
    let host = load(&host_text("18.0", "", "load_check = False")).unwrap();
    assert!(!host.deploy.load_check);
    assert!(load(&host_text("18.0", "", "load_check = no")).is_err());
}

#[test]
fn a_bad_value_is_refused_where_it_stands() {
    for (options, deploy) in [
        ("workers = 4 ; four", ""),
        ("workers = 0x4", ""),
        ("http_port = 80690", ""),
        ("http_port = False", ""),
        ("http_port = ${PORT}", ""),
        ("http_interface = 127.0.0.1;", ""),
        ("", "upgrade_timeout = 1 hour"),
        ("", "user = Odoo"),
        ("", "keep_releases = -1"),
        ("", "keep_snapshots = many"),
        ("", "odoo_bin = odoo"),
        ("", "install = sale-extra"),
        ("", "keep = db_name"),
        ("", "[deploy.nginx]\ntls = files"),
        ("", "[deploy.nginx]\ncertificate = /etc/x.pem"),
        ("", "[deploy.nginx]\naliases = A.example.com"),
        ("", "[deploy.nginx]\nclient_max_body_size = 1t"),
        ("", "[deploy.nginx]\nenabled = maybe"),
    ] {
        let text = host_text("18.0", options, deploy);
        let error = load(&text).expect_err(&text);
        assert!(error.faults().all(|fault| fault.origin.line > 0), "{text}: {error}");
    }
}

#[test]
fn a_value_that_says_where_a_host_runs_may_not_depend_on_the_release() {
    for options in [
        "http_port = 80{{release.number}}",
        "workers = {{#if release.number}}{{release.number}}{{/if}}",
        "gevent_port = {{#if (eq environment.branch \"a\")}}1{{else}}2{{/if}}",
        "http_interface = {{server.address}}",
    ] {
        let found = faults(&host_text("18.0", options, ""));
        assert!(found[0].contains("may not depend on what is being deployed"), "{found:?}");
    }
    let text = host_text("18.0", "", "").replace("h-prod", "{{environment.name}}-{{server.name}}");
    assert_eq!(load(&text).unwrap().databases[0].as_str(), "production-s1");
}

#[test]
fn an_addons_path_is_in_the_release_or_on_the_server() {
    let with = |path: &str| {
        load(&host_text("18.0", "", "").replace("custom-addons", path)).map(|host| host.addons_path)
    };
    let in_release = |path: &str| AddonsDirectory::InRelease(path.into());
    assert_eq!(
        with("{{release.code}}/a,\n  ./b/../c ,/usr/lib/odoo/addons/,").unwrap(),
        [
            in_release("a"),
            in_release("c"),
            AddonsDirectory::OnServer("/usr/lib/odoo/addons".into())
        ]
    );
    assert_eq!(with("{{release.code}}").unwrap(), [in_release("")]);
    for bad in ["../x", "~/x", "$HOME/x", "${X}/x", "{{release.path}}/x", "{{release.code}}/../x"] {
        assert!(with(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_old_names_of_ports_count_in_the_series_that_read_them() {
    let ports = |series: &str| {
        let text = host_text(series, "longpolling_port = 8172\nxmlrpc_port = 8169", "");
        let host = load(&text).unwrap();
        (host.http_port, host.gevent_port)
    };
    assert_eq!(ports("17.0"), (8169, 8172));
    assert_eq!(ports("18.0"), (8169, 8072));
    assert_eq!(ports("19.0"), (8069, 8072));
}

#[test]
fn a_rendered_file_is_read_by_odoo_as_it_was_meant() {
    let options = "list_db = false\ndb_password = ${DB}\nadmin_passwd = $pbkdf2-sha512$6$a$b\n\
                   logfile = None\nsmtp_user = False\nreport = {{host.name}} {{release.number}}\n\
                   dbfilter = ^%d$\nlong = a\n\n  b = c\nempty =\n[queue_job]\nchannels = root:2";
    let host = load(&host_text("18.0", options, "")).unwrap();
    let rendered = host.render_options(&context()).unwrap();
    assert_eq!(rendered.secret_names().collect::<Vec<_>>(), ["DB"]);
    let text = rendered.text(&secrets(&[("DB", "#p;=[x] {{y}} ${DB}")])).unwrap();
    assert_same(
        text.expose(),
        "[options]\ndb_name = h-prod\naddons_path = /opt/odoo/h/releases/0042/code/custom-addons\n\
         data_dir = /var/lib/odoo/h\nlist_db = False\ndb_password = #p;=[x] {{y}} ${DB}\n\
         admin_passwd = $pbkdf2-sha512$6$a$b\nreport = h.example.com 42\ndbfilter = ^%d$\n\
         long = a\n    \n    b = c\nempty =\n\n[queue_job]\nchannels = root:2\n",
    );
    let masked = rendered.masked_text();
    assert!(
        masked.contains("db_password = ********") && masked.contains("admin_passwd = ********")
    );
    assert!(!masked.contains("pbkdf2"));
    assert!(!format!("{rendered:?}").contains("pbkdf2"));
}

fn assert_same(actual: &str, expected: &str) {
    assert_eq!(actual, expected, "\n{actual}");
}

#[test]
fn a_secret_cannot_change_the_meaning_of_the_file() {
    let host = load(&host_text("18.0", "db_password = ${DB}", "")).unwrap();
    let rendered = host.render_options(&context()).unwrap();
    for bad in ["a\nadmin_passwd = x", " a", "a ", "", "a\0"] {
        let error = rendered.text(&secrets(&[("DB", bad)])).unwrap_err();
        assert!(error.to_string().contains("the value of `DB`"), "{bad:?}: {error}");
    }
    let error = rendered.text(&secrets(&[])).unwrap_err();
    assert!(error.to_string().contains("no value for `DB`"), "{error}");
}

#[test]
fn a_template_cannot_change_the_options() {
    let host = load(&host_text("18.0", "list_db = False", "keep = admin_passwd")).unwrap();
    let rendered = host.render_options(&context()).unwrap();
    let text = rendered.text(&secrets(&[])).unwrap();
    let text = text.expose();
    assert!(rendered.verify(&format!("# by hand\n{text}"), &secrets(&[])).is_ok());
    for changed in [
        text.replace("list_db = False", "list_db = True"),
        text.replace("list_db = False", "# list_db = False"),
        format!("{text}workers = 9\n"),
        format!("{text}[extra]\na = 1\n"),
        format!("[DEFAULT]\nproxy_mode = True\n{text}"),
    ] {
        assert!(rendered.verify(&changed, &secrets(&[])).is_err(), "{changed}");
    }
    assert_eq!(rendered.keep, ["admin_passwd"]);
}

#[test]
fn a_kept_option_is_not_rendered() {
    let host = load(&host_text("18.0", "admin_passwd = x", "keep = Admin_Passwd")).unwrap();
    let rendered = host.render_options(&context()).unwrap();
    assert!(!rendered.sections["options"].contains_key("admin_passwd"));
}

#[test]
fn a_boolean_is_spelled_as_every_series_reads_it_and_never_changes_its_meaning() {
    let rendered = |series: &str| {
        let text = host_text(series, "list_db = 0\nproxy_mode = true\nunaccent = YES", "");
        let rendered = load(&text).unwrap().render_options(&context()).unwrap();
        ["list_db", "proxy_mode", "unaccent"].map(|key| rendered.sections["options"][key].masked())
    };
    assert_eq!(rendered("18.0"), ["0", "True", "YES"]);
    assert_eq!(rendered("19.0"), ["False", "True", "True"]);
}

#[test]
fn an_error_never_shows_a_secret() {
    let text = host_text("18.0", "db_password = hunter2\ndb_password = hunter3", "");
    let error = load(&text).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    let host = load(&host_text("18.0", "db_password = hunter2", "")).unwrap();
    assert!(!format!("{host:?}").contains("hunter2"));
}

#[test]
fn the_rendered_text_is_in_our_own_dialect() {
    let host = load(&host_text("19.0", "log_handler = a:INFO,\n  b:DEBUG", "")).unwrap();
    let text = host.render_options(&context()).unwrap().masked_text();
    assert!(HostFile::parse("odoo.conf".as_ref(), text.as_bytes()).is_ok());
}

#[test]
fn a_certificate_comes_from_where_the_file_says() {
    let nginx = |text: &str| host_text("18.0", "", &format!("[deploy.nginx]\n{text}"));
    let tls = |text: &str| load(&nginx(text)).unwrap().nginx.map(|nginx| nginx.tls);
    assert_eq!(tls("tls = letsencrypt"), Some(Tls::LetsEncrypt));
    assert_eq!(tls("tls = cloudflare-origin\ncertificate = /c.pem"), Some(Tls::CloudflareOrigin));
    assert_eq!(tls("tls = none\ncertificate = /c.pem"), Some(Tls::None));
    let files = Tls::Files { certificate: "/c.pem".into(), key: "/k.pem".into() };
    assert_eq!(tls("certificate = /c.pem\ncertificate_key = /k.pem"), Some(files));
    assert_eq!(tls("enabled = False"), None);
    let fault = |text: &str| faults(&nginx(text)).concat();
    assert!(fault("tls = acme").contains("none of `letsencrypt`, `cloudflare-origin`"));
    assert!(fault("tls = files\ncertificate = /c.pem").contains("needs `certificate`"));
    assert!(fault("tls = letsencrypt\nenabled = False").contains("the tool writes no vhost"));
}
