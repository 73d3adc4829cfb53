//! The page about the series is the tables of the program, in words.

use std::{collections::BTreeSet, fs};

use odoo_deploy::odoo::{
    Rules, Series,
    options::{MOVED_OPTIONS, OPTIONS},
    rules::{
        Booleans, DatabaseInRequest, DemoData, EmptyEntry, Hangup, LoadUpgrades, ModuleVersions,
        RemoteCalls, Sections, Spaces, TranslationsInFile, TwoLogs, Unset, VersionRequest,
    },
};

use crate::{UPDATE, read, root};

const PAGE: &str = "docs/reference/odoo-series.md";

/// Describes the rules of one series; a new field does not compile here before it is described.
#[expect(clippy::too_many_lines, reason = "a table with a row for each rule")]
fn described(series: Series) -> Vec<(&'static str, &'static str)> {
    let Rules {
        booleans,
        unset,
        database_spaces,
        empty_log_handler,
        sections,
        two_logs,
        translations_in_file,
        remote_calls,
        demo_data,
        without_demo,
        session_variable,
        load_upgrades,
        module_versions,
        hangup,
        database_in_request,
        version_request,
    } = *series.rules();
    vec![
        (
            "A boolean in `odoo.conf`",
            match booleans {
                Booleans::AnyTextIsOn => "any text but `False` is on, `0` and `no` too",
                Booleans::Words => "`1`/`yes`/`true`/`on`, `0`/`no`/`false`/`off`; else no start",
            },
        ),
        (
            "`None`, `False` for other options",
            match unset {
                Unset::ByOption => "`None` is a text but for a few options; `False` is 0 or unset",
                Unset::Always => "both: the option keeps its default",
            },
        ),
        (
            "Spaces in `db_name = a, b`",
            match database_spaces {
                Spaces::PartOfTheName => "part of the name: creates a database ` b`",
                Spaces::Ignored => "ignored",
            },
        ),
        (
            "An empty entry of `log_handler`",
            match empty_log_handler {
                EmptyEntry::Refused => "no start",
                EmptyEntry::Ignored => "ignored",
            },
        ),
        (
            "Sections besides `[options]`",
            match sections {
                Sections::All => "in `config.misc`",
                Sections::OptionsOnly => "not read",
            },
        ),
        (
            "`logfile` and `syslog` both",
            match two_logs {
                TwoLogs::OneIsUsed => "one is used",
                TwoLogs::Refused => "no start",
            },
        ),
        (
            "`overwrite_existing_translations = True`",
            match translations_in_file {
                TranslationsInFile::OverwriteAlways => "every upgrade overwrites",
                TranslationsInFile::Refused => "no start",
            },
        ),
        (
            "XML-RPC and JSON-RPC",
            match remote_calls {
                RemoteCalls::BuiltIn => "built in",
                RemoteCalls::Module => "server-wide module `rpc`",
            },
        ),
        (
            "Demo data in a new database",
            match demo_data {
                DemoData::UnlessRefused => "unless `without_demo` is set",
                DemoData::OnlyIfWanted => "only with `with_demo`",
            },
        ),
        ("The argument against it", without_demo),
        ("What names the tool's sessions in PostgreSQL", session_variable),
        (
            "Loading a database upgrades it",
            match load_upgrades {
                LoadUpgrades::PendingModules => "while a module is `to upgrade`",
                LoadUpgrades::MarkedDatabase => "while it has `base.partially_updated_database`",
            },
        ),
        (
            "A module's version",
            match module_versions {
                ModuleVersions::AfterSeries => {
                    "`x.y`, `x.y.z`, with the series before it or without; else nothing loads"
                }
                ModuleVersions::UpToThreeParts => {
                    "`x.y`, `x.y.z`, also with the series before it; else the module is left out"
                }
            },
        ),
        (
            "SIGHUP with workers",
            match hangup {
                Hangup::Restarts => "restarts: requests are refused meanwhile",
                Hangup::Reloads => "reloads: no request is refused",
            },
        ),
        (
            "How the check names a database",
            match database_in_request {
                DatabaseInRequest::Session => "`/web/login?db=` and the session it gives",
                DatabaseInRequest::Header => "the header `X-Odoo-Database`",
            },
        ),
        (
            "How it asks for the version",
            match version_request {
                VersionRequest::VersionInfo => "`POST /web/webclient/version_info`",
                VersionRequest::WebVersion => "`GET /web/version`",
            },
        ),
    ]
}

/// Writes the table: a line for each rule, a column for each series.
fn rules_table() -> String {
    let columns = Series::ALL.map(described);
    let mut table = "| | 17.0 | 18.0 | 19.0 |\n|---|---|---|---|\n".to_owned();
    for (row, (label, _)) in columns[0].iter().enumerate() {
        let cells = columns.each_ref().map(|column| cell(column[row].1));
        table.push_str(&format!("| {label} | {} |\n", cells.join(" | ")));
    }
    table
}

/// Puts what is code and nothing else into code's quotes.
fn cell(text: &str) -> String {
    let is_code =
        text.starts_with("--") || text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    if is_code { format!("`{text}`") } else { text.to_owned() }
}

/// Writes the table of options that not every series reads, or whose default differs.
fn options_table() -> String {
    let mut table = "| Option | 17.0 | 18.0 | 19.0 |\n|---|---|---|---|\n".to_owned();
    for spec in OPTIONS {
        let cells = Series::ALL.map(|series| {
            match (spec.exists_in(series), spec.read_from_file(series), spec.default_in(series)) {
                (false, _, _) => "—".to_owned(),
                (true, false, _) => "command line only".to_owned(),
                (true, true, "") => "unset".to_owned(),
                (true, true, default) => format!("`{}`", default.replace('|', "\\|")),
            }
        });
        if cells.iter().collect::<BTreeSet<_>>().len() > 1 {
            table.push_str(&format!("| `{}` | {} |\n", spec.key, cells.join(" | ")));
        }
    }
    for moved in MOVED_OPTIONS.iter().filter(|moved| !moved.read_in.is_empty()) {
        let cells = Series::ALL.map(|series| match moved.read_in.contains(&series) {
            true => format!("as `{}`", moved.new),
            false => "not read".to_owned(),
        });
        if cells.iter().collect::<BTreeSet<_>>().len() > 1 {
            table.push_str(&format!("| `{}` (old) | {} |\n", moved.old, cells.join(" | ")));
        }
    }
    table
}

#[test]
fn what_differs_between_the_series_is_described_as_it_is() {
    let text = read(PAGE);
    let mut current = text.clone();
    for (name, table) in [("rules", rules_table()), ("options", options_table())] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let (before, rest) = current.split_once(&begin).expect("the table's begin is marked");
        let (_, after) = rest.split_once(&end).expect("the table's end is marked");
        current = format!("{before}{begin}{table}{end}{after}");
    }
    if std::env::var_os(UPDATE).is_some() {
        fs::write(root().join(PAGE), &current).unwrap();
    }
    assert!(read(PAGE) == current, "{PAGE} is old: {UPDATE}=1 cargo test --test reference");
}
