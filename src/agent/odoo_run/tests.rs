use super::*;

fn module(name: &str) -> ModuleName {
    ModuleName::parse(name).unwrap()
}

fn program(series: Series) -> OdooProgram {
    OdooProgram {
        path: "/usr/bin/odoo".into(),
        python: "/usr/bin/python3".into(),
        is_started_by_python: false,
        series,
        user: UserName::parse("odoo").unwrap(),
        group: UserName::parse("odoo").unwrap(),
        environment_file: None,
    }
}

fn run(job: OdooJob) -> OdooRun {
    OdooRun {
        unit: "deploytx-1-upgrade".into(),
        conf: "/opt/odoo/a.test/releases/0042/odoo.conf".into(),
        database: DatabaseName::parse("acme").unwrap(),
        job,
        log: "/opt/odoo/a.test/journal/upgrade.log".into(),
        timeout: Duration::from_secs(3600),
        stop_file: "/opt/odoo/a.test/journal/cancel".into(),
    }
}

#[test]
fn an_upgrade_runs_in_its_own_unit_as_odoos_user() {
    let job = OdooJob::Upgrade {
        install: vec![],
        upgrade: vec![module("sale_x"), module("stock_x")],
        translations: Translations::Keep,
    };
    let command = program(Series::V19).unit_command(&Server::this(), &run(job));
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    insta::assert_snapshot!(words.join("\n"), @r"
--collect
--wait
--property=User=odoo
--property=Group=odoo
--property=RuntimeMaxSec=3600
--property=TimeoutStopSec=10
--property=OOMPolicy=kill
--setenv=PGAPPNAME=odoo-deploy-upgrade
--setenv=ODOO_PGAPPNAME=odoo-deploy-upgrade
--unit
deploytx-1-upgrade
--property
StandardOutput=append:/opt/odoo/a.test/journal/upgrade.log
--property=StandardError=inherit
--
/usr/bin/odoo
-c
/opt/odoo/a.test/releases/0042/odoo.conf
-d
acme
-u
sale_x,stock_x
--stop-after-init
--no-http
--workers=0
--max-cron-threads=0
--limit-memory-hard=0
--logfile=
");
}

#[test]
fn demo_data_is_refused_in_the_series_own_words() {
    let job = OdooJob::Upgrade {
        install: vec![module("base")],
        upgrade: vec![],
        translations: Translations::Overwrite,
    };
    let words = |series| format!("{:?}", program(series).arguments(&run(job.clone())));
    assert!(words(Series::V19).contains("\"--without-demo=True\""));
    assert!(words(Series::V18).contains("\"--without-demo=all\""));
    assert!(words(Series::V18).contains("\"--i18n-overwrite\""));
    assert!(!format!("{:?}", program(Series::V19).arguments(&run(OdooJob::Load))).contains("-u"));
}

#[test]
fn the_version_is_read_past_a_builds_date() {
    assert_eq!(read_version("Odoo Server 19.0\n"), Some(Series::V19));
    assert_eq!(read_version("Running as root\nOdoo Server 18.0-20250821"), Some(Series::V18));
    assert_eq!(read_version("Odoo Server 16.0"), None);
}
