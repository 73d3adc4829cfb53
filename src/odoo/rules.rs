//! What the series of Odoo do differently, one row per series: the one place that decides.
//!
//! Options have a table of their own ([`super::options`]): which series knows which, and
//! with what default.

use super::Series;

/// What one series of Odoo does in its own way.
///
/// Each field names where Odoo's sources decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What a boolean in odoo.conf may look like (`tools/config.py`).
    pub booleans: Booleans,
    /// What `None` and `False` in odoo.conf mean for other options (`tools/config.py`).
    pub unset: Unset,
    /// What spaces around the names in `db_name` are (`cli/server.py`).
    pub database_spaces: Spaces,
    /// What an empty entry of `log_handler` does (`netsvc.py`, `tools/config.py`).
    pub empty_log_handler: EmptyEntry,
    /// Which sections of odoo.conf modules find in the configuration (`tools/config.py`).
    pub sections: Sections,
    /// What `logfile` and `syslog` in one odoo.conf do (`tools/config.py`).
    pub two_logs: TwoLogs,
    /// What `overwrite_existing_translations` in odoo.conf does (`tools/config.py`).
    pub translations_in_file: TranslationsInFile,
    /// What XML-RPC and JSON-RPC come from (`addons/rpc`).
    pub remote_calls: RemoteCalls,
    /// Whether a new database gets demo data (`modules/loading.py`).
    pub demo_data: DemoData,
    /// The argument that keeps demo data out of a new database (`tools/config.py`).
    pub without_demo: &'static str,
    /// The environment variable that names sessions in PostgreSQL (`sql_db.py`).
    pub session_variable: &'static str,
    /// When merely loading a database upgrades modules (`modules/loading.py`, `registry.py`).
    pub load_upgrades: LoadUpgrades,
    /// Which versions a manifest may have, and how a database stores them
    /// (`adapt_version` in `modules/module.py`).
    pub module_versions: ModuleVersions,
    /// What SIGHUP does to a server with workers (`service/server.py`).
    pub hangup: Hangup,
    /// How a request names the database it is for (`http.py`, `addons/web`).
    pub database_in_request: DatabaseInRequest,
    /// Which request tells the version (`addons/web/controllers`).
    pub version_request: VersionRequest,
}

/// What a boolean in odoo.conf may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booleans {
    /// `False` and `false` are off; any other text is on, `0` and `no` among them.
    AnyTextIsOn,
    /// `1`, `yes`, `true`, `on` and `0`, `no`, `false`, `off` in any case; no other text starts.
    Words,
}

/// What `None` and `False` mean for an option that is no boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// `None` is a text but for a few options, `False` is zero or nothing.
    ByOption,
    /// Both leave the option at its default.
    Always,
}

/// What spaces around a database's name are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spaces {
    /// Part of the name: a database of that name is created.
    PartOfTheName,
    /// Nothing.
    Ignored,
}

/// What an empty entry of a list does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyEntry {
    /// It ends the start.
    Refused,
    /// Nothing.
    Ignored,
}

/// Which sections of odoo.conf modules find in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sections {
    /// All of them, by `config.misc`.
    All,
    /// `[options]`; a module reads the others from the file itself.
    OptionsOnly,
}

/// What `logfile` and `syslog` in one odoo.conf do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwoLogs {
    /// One of them is written to.
    OneIsUsed,
    /// They end the start.
    Refused,
}

/// What `overwrite_existing_translations` in odoo.conf does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TranslationsInFile {
    /// Every upgrade overwrites what users translated.
    OverwriteAlways,
    /// It ends a start that upgrades nothing.
    Refused,
}

/// What XML-RPC and JSON-RPC come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteCalls {
    /// They are always there.
    BuiltIn,
    /// The server-wide module `rpc`.
    Module,
}

/// Whether a new database gets demo data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoData {
    /// It does where `without_demo` is not set.
    UnlessRefused,
    /// It does where `with_demo` is on.
    OnlyIfWanted,
}

/// When loading a database, with no module named, upgrades modules all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadUpgrades {
    /// While a module is `to upgrade`.
    PendingModules,
    /// While the database has the mark of an upgrade that did not come to its end.
    MarkedDatabase,
}

/// Which versions a manifest may have, and how a database stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleVersions {
    /// Two or three numbers behind the series or without it. The series is put in front of
    /// what does not begin with it and a dot. With an installed module of another version
    /// the registry does not load.
    AfterSeries,
    /// Two to five numbers. The series is put in front of two or three of them that do not
    /// begin with it. An installed module of another version is left out.
    UpToThreeParts,
}

/// What SIGHUP does to a server with workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// It ends everything and starts anew; requests meanwhile are refused.
    Restarts,
    /// New workers take the socket over; no request is refused.
    Reloads,
}

/// How a request names the database it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseInRequest {
    /// By `?db=` of the login page, and the session that gives.
    Session,
    /// By a header, and without a session.
    Header,
}

/// Which request tells the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionRequest {
    /// `POST /web/webclient/version_info`
    VersionInfo,
    /// `GET /web/version`
    WebVersion,
}

/// Odoo 17.0.
const V17: Rules = Rules {
    booleans: Booleans::AnyTextIsOn,
    unset: Unset::ByOption,
    database_spaces: Spaces::PartOfTheName,
    empty_log_handler: EmptyEntry::Refused,
    sections: Sections::All,
    two_logs: TwoLogs::OneIsUsed,
    translations_in_file: TranslationsInFile::OverwriteAlways,
    remote_calls: RemoteCalls::BuiltIn,
    demo_data: DemoData::UnlessRefused,
    without_demo: "--without-demo=all",
    session_variable: "ODOO_PGAPPNAME",
    load_upgrades: LoadUpgrades::PendingModules,
    module_versions: ModuleVersions::AfterSeries,
    hangup: Hangup::Restarts,
    database_in_request: DatabaseInRequest::Session,
    version_request: VersionRequest::VersionInfo,
};

/// Odoo 18.0: it differs from 17.0 in its options only.
const V18: Rules = V17;

/// Odoo 19.0.
const V19: Rules = Rules {
    booleans: Booleans::Words,
    unset: Unset::Always,
    database_spaces: Spaces::Ignored,
    empty_log_handler: EmptyEntry::Ignored,
    sections: Sections::OptionsOnly,
    two_logs: TwoLogs::Refused,
    translations_in_file: TranslationsInFile::Refused,
    remote_calls: RemoteCalls::Module,
    demo_data: DemoData::OnlyIfWanted,
    without_demo: "--without-demo=True",
    session_variable: "PGAPPNAME",
    load_upgrades: LoadUpgrades::MarkedDatabase,
    module_versions: ModuleVersions::UpToThreeParts,
    hangup: Hangup::Reloads,
    database_in_request: DatabaseInRequest::Header,
    version_request: VersionRequest::WebVersion,
};

impl Series {
    /// Returns what the series does in its own way.
    #[must_use]
    pub const fn rules(self) -> &'static Rules {
        match self {
            Self::V17 => &V17,
            Self::V18 => &V18,
            Self::V19 => &V19,
        }
    }
}

impl Booleans {
    /// Reads a boolean of odoo.conf; none where Odoo would not start.
    #[must_use]
    pub fn read(self, text: &str) -> Option<bool> {
        match (self, text) {
            (_, "True" | "true") => Some(true),
            (_, "False" | "false") => Some(false),
            (Self::AnyTextIsOn, text) => Some(!text.is_empty()),
            (Self::Words, text) => match text.to_lowercase().as_str() {
                "1" | "yes" | "true" | "on" => Some(true),
                "0" | "no" | "false" | "off" => Some(false),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boolean_is_read_as_the_series_reads_it() {
        for (text, old, new) in [
            ("True", Some(true), Some(true)),
            ("false", Some(false), Some(false)),
            ("0", Some(true), Some(false)),
            ("no", Some(true), Some(false)),
            ("OFF", Some(true), Some(false)),
            ("FALSE", Some(true), Some(false)),
            ("Yes", Some(true), Some(true)),
            ("", Some(false), None),
            ("never", Some(true), None),
        ] {
            assert_eq!(Series::V17.rules().booleans.read(text), old, "{text:?}");
            assert_eq!(Series::V18.rules().booleans.read(text), old, "{text:?}");
            assert_eq!(Series::V19.rules().booleans.read(text), new, "{text:?}");
        }
    }
}
