//! What the lint says of the same line on each series, against the table of rules.

use odoo_deploy::{
    host::lint::{
        RuleId as R,
        Severity::{self, Error, Warning},
        lint,
    },
    odoo::{
        Series,
        rules::{
            Booleans, DemoData, EmptyEntry, RemoteCalls, Sections, Spaces, TranslationsInFile,
            TwoLogs, Unset,
        },
    },
};

use crate::lint::host;

/// Returns how badly a rule finds a line, by series.
fn found(rule: R, options: &str) -> [Option<Severity>; 3] {
    let (options, deploy) = options.split_once("\n[deploy]\n").unwrap_or((options, ""));
    Series::ALL.map(|series| {
        let findings = lint(&host("h", series.as_str(), options, deploy));
        findings.iter().find(|finding| finding.rule == rule).map(|finding| finding.severity)
    })
}

/// Returns what a field of the table makes of a line, by series.
fn expected<T>(
    field: impl Fn(Series) -> T,
    of: impl Fn(T) -> Option<Severity>,
) -> [Option<Severity>; 3] {
    Series::ALL.map(|series| of(field(series)))
}

#[test]
fn a_boolean_that_is_not_spelled_out_is_found_as_the_series_reads_it() {
    let booleans = |series: Series| series.rules().booleans;
    let word = expected(booleans, |booleans| match booleans {
        Booleans::AnyTextIsOn => Some(Error),
        Booleans::Words => Some(Warning),
    });
    for line in ["list_db = 0", "list_db = no", "proxy_mode = yes"] {
        assert_eq!(found(R::BooleanSpelling, line), word, "{line}");
    }
    assert_eq!(found(R::BooleanSpelling, "list_db = never"), [Some(Error); 3]);
    assert_eq!(found(R::BooleanSpelling, "list_db = false"), [None; 3]);
}

#[test]
fn a_value_that_means_unset_is_found_as_the_series_reads_it() {
    let unset = |series: Series| series.rules().unset;
    let text = expected(unset, |unset| match unset {
        Unset::ByOption => Some(Error),
        Unset::Always => Some(Warning),
    });
    assert_eq!(found(R::NoneValue, "db_password = None"), text);
    assert_eq!(found(R::FalseValue, "limit_request = False"), text);
    let skipped = expected(unset, |unset| (unset == Unset::Always).then_some(Warning));
    assert_eq!(found(R::NoneValue, "logfile = None"), skipped);
    assert_eq!(found(R::FalseValue, "db_host = False"), skipped);
}

#[test]
fn a_list_is_found_as_the_series_reads_it() {
    let spaces = expected(
        |series| series.rules().database_spaces,
        |spaces| (spaces == Spaces::PartOfTheName).then_some(Error),
    );
    assert_eq!(found(R::DbNameSpaces, "db_name = aa, bb"), spaces);
    let empty = expected(
        |series| series.rules().empty_log_handler,
        |entry| (entry == EmptyEntry::Refused).then_some(Error),
    );
    assert_eq!(found(R::LogHandler, "log_handler = :INFO,"), empty);
}

#[test]
fn what_a_series_does_not_read_or_serve_is_found() {
    let sections = expected(
        |series| series.rules().sections,
        |sections| (sections == Sections::OptionsOnly).then_some(Warning),
    );
    assert_eq!(found(R::SectionNotRead, "[queue_job]\nchannels = root:2"), sections);
    let calls = expected(
        |series| series.rules().remote_calls,
        |calls| (calls == RemoteCalls::Module).then_some(Warning),
    );
    assert_eq!(found(R::ServerWideModulesWithoutRpc, "server_wide_modules = base,web"), calls);
}

#[test]
fn what_ends_a_start_on_one_series_is_an_error_there() {
    let logs = expected(
        |series| series.rules().two_logs,
        |logs| Some(if logs == TwoLogs::Refused { Error } else { Warning }),
    );
    assert_eq!(found(R::LogfileAndSyslog, "logfile = /x\nsyslog = True"), logs);
    let translations = expected(
        |series| series.rules().translations_in_file,
        |file| Some(if file == TranslationsInFile::Refused { Error } else { Warning }),
    );
    assert_eq!(
        found(R::OverwriteTranslations, "overwrite_existing_translations = True"),
        translations
    );
}

#[test]
fn demo_data_is_found_where_a_new_database_would_get_it() {
    let demo = |series: Series| series.rules().demo_data;
    let silent = expected(demo, |demo| (demo == DemoData::UnlessRefused).then_some(Warning));
    assert_eq!(found(R::DemoData, "\n[deploy]\ninstall = sale"), silent);
    let wanted = expected(demo, |demo| (demo == DemoData::OnlyIfWanted).then_some(Warning));
    let line = "without_demo = all\nwith_demo = True\n[deploy]\ninstall = sale";
    assert_eq!(found(R::DemoData, line), wanted);
}

#[test]
fn an_old_name_is_an_error_where_it_is_not_read_any_more() {
    assert_eq!(
        found(R::LongpollingPort, "longpolling_port = 8072"),
        [Some(Warning), Some(Error), Some(Error)]
    );
    assert_eq!(
        found(R::XmlrpcPort, "xmlrpc_port = 8169"),
        [Some(Warning), Some(Warning), Some(Error)]
    );
    // 18.0 alone reads these two.
    for line in ["geoip_database = /x", "osv_memory_age_limit = 2.0"] {
        assert_eq!(
            found(R::OptionMoved, line),
            [Some(Error), Some(Warning), Some(Error)],
            "{line}"
        );
    }
    let mode = [Some(Warning), Some(Warning), None];
    assert_eq!(found(R::IgnoredInFile, "dev_mode = xml"), mode);
    assert_eq!(found(R::DevMode, "dev_mode = xml"), [None, None, Some(Error)]);
    assert_eq!(found(R::TestMode, "test_tags = /sale"), [Some(Error), Some(Error), None]);
}
