use super::*;

fn module(name: &str) -> ModuleName {
    ModuleName::parse(name).unwrap()
}

fn program(series: Series) -> OdooProgram {
    OdooProgram {
        path: "/usr/bin/odoo".into(),
        python: "/usr/bin/python3".into(),
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

/// What every run ends with, after what it is for.
const ALWAYS_LAST: &str =
    "--stop-after-init --no-http --workers=0 --max-cron-threads=0 --limit-memory-hard=0 --logfile=";

/// Returns the arguments between the database and what every run ends with.
fn arguments(series: Series, job: &OdooJob) -> String {
    let words = program(series).arguments(&run(job.clone()));
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let words = words.join(" ");
    let rest = words.strip_prefix("-c /opt/odoo/a.test/releases/0042/odoo.conf -d acme ").unwrap();
    rest.strip_suffix(ALWAYS_LAST).unwrap().trim_end().to_owned()
}

#[test]
fn a_run_is_asked_for_in_the_series_own_words() {
    let (base, sale) = (module("base"), module("sale_x"));
    let upgrade = |install: &[ModuleName], upgrade: &[ModuleName], translations| {
        let (install, upgrade) = (install.to_vec(), upgrade.to_vec());
        OdooJob::Upgrade { install, upgrade, translations }
    };
    let keep = Translations::Keep;
    for (series, no_demo) in [
        (Series::V17, "--without-demo=all"),
        (Series::V18, "--without-demo=all"),
        (Series::V19, "--without-demo=True"),
    ] {
        let words = |job: OdooJob| arguments(series, &job);
        assert_eq!(words(OdooJob::Load), "");
        assert_eq!(words(upgrade(&[], std::slice::from_ref(&sale), keep)), "-u sale_x");
        let install = words(upgrade(std::slice::from_ref(&base), &[], keep));
        assert_eq!(install, format!("-i base {no_demo}"));
        let both = words(upgrade(
            std::slice::from_ref(&base),
            std::slice::from_ref(&sale),
            Translations::Overwrite,
        ));
        assert_eq!(both, format!("-i base -u sale_x {no_demo} --i18n-overwrite"));
    }
}

#[test]
fn translations_are_overwritten_only_where_something_is_upgraded() {
    let install = vec![module("base")];
    let translations = Translations::Overwrite;
    let job = OdooJob::Upgrade { install, upgrade: vec![], translations };
    for series in Series::ALL {
        assert!(!arguments(series, &job).contains("--i18n-overwrite"), "{series}");
    }
}

#[test]
fn sessions_are_named_by_the_variable_that_the_series_knows() {
    for (series, variable) in [
        (Series::V17, "ODOO_PGAPPNAME"),
        (Series::V18, "ODOO_PGAPPNAME"),
        (Series::V19, "PGAPPNAME"),
    ] {
        let command = program(series).unit_command(&Server::this(), &run(OdooJob::Load));
        let named: Vec<_> = command
            .get_args()
            .filter_map(|word| word.to_str()?.strip_prefix("--setenv="))
            .collect();
        assert_eq!(named, [format!("{variable}=odoo-deploy-check")]);
    }
}

#[test]
fn the_version_is_read_past_a_builds_date() {
    assert_eq!(read_version("Odoo Server 19.0\n"), Some(Series::V19));
    assert_eq!(read_version("Running as root\nOdoo Server 18.0-20250821"), Some(Series::V18));
    assert_eq!(read_version("Odoo Server 16.0"), None);
}
