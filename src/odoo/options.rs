//! The options of `odoo.conf` by series: type, default, and whether the file is where they are read.
//!
//! Taken from each series' own `odoo/tools/config.py`.

use super::Series::{self, V17, V18, V19};

/// An option of `odoo.conf`.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// The key in the file.
    pub key: &'static str,
    /// What its value is.
    pub kind: OptionKind,
    /// The value where the key is absent, as it would be written; empty: unset.
    default: &'static str,
    /// The default of Odoo 17, where it differs.
    default_17: Option<&'static str>,
    /// The default from Odoo 19 on, where it differs.
    default_19: Option<&'static str>,
    since: Series,
    until: Series,
    file: ReadFromFile,
}

/// What the value of an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// `True` or `False`.
    Bool,
    /// A whole number.
    Int,
    /// A decimal number.
    Float,
    /// Any text.
    Text,
    /// A list with commas between the entries.
    List,
    /// A path on the server; Odoo expands `~` and `$NAME` in it.
    Path,
    /// Paths on the server with commas between them.
    Paths,
    /// One of a few words.
    Choice(&'static [&'static str]),
}

/// In which series the value in the file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadFromFile {
    Always,
    Never,
    Until18,
    From19,
}

impl OptionSpec {
    const fn new(key: &'static str, kind: OptionKind, default: &'static str) -> Self {
        let (since, until) = (V17, V19);
        Self {
            key,
            kind,
            default,
            default_17: None,
            default_19: None,
            since,
            until,
            file: ReadFromFile::Always,
        }
    }

    const fn in_17(mut self, default: &'static str) -> Self {
        self.default_17 = Some(default);
        self
    }

    const fn in_19(mut self, default: &'static str) -> Self {
        self.default_19 = Some(default);
        self
    }

    const fn since(mut self, series: Series) -> Self {
        self.since = series;
        self
    }

    const fn until(mut self, series: Series) -> Self {
        self.until = series;
        self
    }

    const fn read(mut self, file: ReadFromFile) -> Self {
        self.file = file;
        self
    }

    /// Tells whether the series knows the option.
    #[must_use]
    pub fn exists_in(&self, series: Series) -> bool {
        (self.since..=self.until).contains(&series)
    }

    /// Tells whether the series reads the option from the file, and not only from its arguments.
    #[must_use]
    pub fn read_from_file(&self, series: Series) -> bool {
        match self.file {
            ReadFromFile::Always => true,
            ReadFromFile::Never => false,
            ReadFromFile::Until18 => series <= V18,
            ReadFromFile::From19 => series >= V19,
        }
    }

    /// Returns the value where the key is absent, as it would be written; empty: unset.
    #[must_use]
    pub fn default_in(&self, series: Series) -> &'static str {
        let own = match series {
            V17 => self.default_17,
            V18 => None,
            V19 => self.default_19,
        };
        own.unwrap_or(self.default)
    }
}

/// Returns the option of that key, whatever the series.
#[must_use]
pub fn option(key: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|spec| spec.key == key)
}

/// Returns the keys that a series reads from its file.
pub fn known_keys(series: Series) -> impl Iterator<Item = &'static str> {
    let known = move |spec: &&OptionSpec| spec.exists_in(series) && spec.read_from_file(series);
    OPTIONS.iter().filter(known).map(|spec| spec.key)
}

const fn bool(key: &'static str, default: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Bool, default)
}
const fn int(key: &'static str, default: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Int, default)
}
const fn float(key: &'static str, default: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Float, default)
}
const fn text(key: &'static str, default: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Text, default)
}
const fn list(key: &'static str, default: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::List, default)
}
const fn path(key: &'static str, default: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Path, default)
}
const fn paths(key: &'static str) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Paths, "")
}
const fn choice(
    key: &'static str,
    default: &'static str,
    words: &'static [&'static str],
) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Choice(words), default)
}

const LOG_LEVELS: &[&str] = &[
    "info",
    "debug_rpc",
    "warn",
    "test",
    "critical",
    "runbot",
    "debug_sql",
    "error",
    "debug",
    "debug_rpc_answer",
    "notset",
];
const SSL_MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Every option of the known series.
pub const OPTIONS: &[OptionSpec] = &[
    text("admin_passwd", "admin"),
    path("bin_path", "").since(V19),
    text("csv_internal_sep", ","),
    bool("default_productivity_apps", "False").since(V19),
    int("import_file_maxbytes", "10485760").since(V19),
    int("import_file_timeout", "3").since(V19),
    text("import_url_regex", "^(?:http|https)://").since(V19),
    text("proxy_access_token", "").since(V19),
    text("publisher_warranty_url", "http://services.odoo.com/publisher-warranty/")
        .in_17("http://services.openerp.com/publisher-warranty/"),
    bool("reportgz", "False"),
    int("websocket_keep_alive_timeout", "3600"),
    int("websocket_rate_limit_burst", "10"),
    float("websocket_rate_limit_delay", "0.2"),
    path("config", "").read(ReadFromFile::Never),
    bool("save", "False").read(ReadFromFile::Never),
    list("init", "").read(ReadFromFile::Never),
    list("update", "").read(ReadFromFile::Never),
    list("reinit", "").since(V19).read(ReadFromFile::Never),
    bool("with_demo", "False").since(V19),
    text("without_demo", "").until(V18),
    bool("skip_auto_install", "False").since(V19),
    path("import_partial", "").read(ReadFromFile::Until18),
    path("pidfile", ""),
    paths("addons_path"),
    paths("upgrade_path"),
    paths("pre_upgrade_scripts").since(V18),
    list("server_wide_modules", "base,web").in_19("base,rpc,web"),
    path("data_dir", "/var/lib/odoo").in_19("/var/lib/Odoo"),
    text("http_interface", "").in_19("0.0.0.0"),
    int("http_port", "8069"),
    int("gevent_port", "8072"),
    int("longpolling_port", "0").until(V17),
    bool("http_enable", "True"),
    bool("proxy_mode", "False"),
    bool("x_sendfile", "False"),
    text("dbfilter", ""),
    path("test_file", "").read(ReadFromFile::Until18),
    bool("test_enable", "False").read(ReadFromFile::Never),
    text("test_tags", "").read(ReadFromFile::Until18),
    path("screencasts", ""),
    path("screenshots", "/tmp/odoo_tests"),
    path("logfile", ""),
    bool("syslog", "False"),
    list("log_handler", ":INFO"),
    text("log_db", ""),
    text("log_db_level", "warning"),
    choice("log_level", "info", LOG_LEVELS),
    text("email_from", ""),
    text("from_filter", ""),
    text("smtp_server", "localhost"),
    int("smtp_port", "25"),
    bool("smtp_ssl", "False"),
    text("smtp_user", ""),
    text("smtp_password", ""),
    path("smtp_ssl_certificate_filename", ""),
    path("smtp_ssl_private_key_filename", ""),
    list("db_name", ""),
    text("db_user", ""),
    text("db_password", ""),
    path("pg_path", ""),
    text("db_host", ""),
    text("db_replica_host", "").since(V18),
    int("db_port", ""),
    int("db_replica_port", "").since(V18),
    choice("db_sslmode", "prefer", SSL_MODES),
    text("db_app_name", "odoo-{pid}").since(V19),
    int("db_maxconn", "64"),
    int("db_maxconn_gevent", ""),
    text("db_template", "template0"),
    text("load_language", ""),
    text("language", "").until(V18),
    path("translate_out", "").until(V18),
    path("translate_in", "").until(V18),
    list("translate_modules", "").until(V18),
    bool("overwrite_existing_translations", "False"),
    bool("list_db", "True"),
    list("dev_mode", "").read(ReadFromFile::From19),
    text("shell_interface", "").until(V18),
    bool("stop_after_init", "False").read(ReadFromFile::Until18),
    int("osv_memory_count_limit", "0"),
    float("transient_age_limit", "1.0"),
    int("max_cron_threads", "2"),
    int("limit_time_worker_cron", "0").since(V18),
    bool("unaccent", "False"),
    path("geoip_city_db", "/usr/share/GeoIP/GeoLite2-City.mmdb"),
    path("geoip_country_db", "/usr/share/GeoIP/GeoLite2-Country.mmdb"),
    int("workers", "0"),
    int("limit_memory_soft", "2147483648"),
    int("limit_memory_soft_gevent", "").since(V18),
    int("limit_memory_hard", "2684354560"),
    int("limit_memory_hard_gevent", "").since(V18),
    int("limit_time_cpu", "60"),
    int("limit_time_real", "120"),
    int("limit_time_real_cron", "-1"),
    int("limit_request", "65536"),
];

/// A key that an older series knew, and what to write now.
#[derive(Debug, Clone, Copy)]
pub struct MovedOption {
    /// The old key.
    pub old: &'static str,
    /// The key to write instead.
    pub new: &'static str,
    /// The series that read the old key as the new one.
    pub read_in: &'static [Series],
}

/// Keys with a new name. `longpolling_port` and `xmlrpc…` change where a server listens, and
/// have lint rules of their own.
pub const MOVED_OPTIONS: &[MovedOption] = &[
    moved("longpolling_port", "gevent_port", &[V17]),
    moved("xmlrpc_port", "http_port", &[V17, V18]),
    moved("xmlrpc_interface", "http_interface", &[V17, V18]),
    moved("xmlrpc", "http_enable", &[V17, V18]),
    moved("without_demo", "with_demo", &Series::ALL),
    moved("import_image_maxbytes", "import_file_maxbytes", &Series::ALL),
    moved("import_image_regex", "import_url_regex", &Series::ALL),
    moved("import_image_timeout", "import_file_timeout", &Series::ALL),
    moved("geoip_database", "geoip_city_db", &[V18]),
    moved("osv_memory_age_limit", "transient_age_limit", &[V18]),
    moved("debug_mode", "dev_mode", &[]),
    moved("db_filter", "dbfilter", &[]),
    moved("load", "server_wide_modules", &[]),
    moved("database", "db_name", &[]),
    moved("smtp", "smtp_server", &[]),
    moved("no_database_list", "list_db", &[]),
];

const fn moved(old: &'static str, new: &'static str, read_in: &'static [Series]) -> MovedOption {
    MovedOption { old, new, read_in }
}

/// Tells whether a series reads an old key as the one that took its place.
#[must_use]
pub fn reads_as(old: &str, series: Series) -> bool {
    MOVED_OPTIONS.iter().any(|moved| moved.old == old && moved.read_in.contains(&series))
}

/// Keys that modules read in series that do not declare them yet.
const UNDECLARED: [&str; 6] = [
    "bin_path",
    "default_productivity_apps",
    "import_file_maxbytes",
    "import_file_timeout",
    "import_url_regex",
    "proxy_access_token",
];

/// Tells whether modules of a series read a key that it does not declare.
#[must_use]
pub fn is_read_undeclared(key: &str, series: Series) -> bool {
    UNDECLARED.contains(&key) && !option(key).is_some_and(|spec| spec.exists_in(series))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_once_in_the_table() {
        let mut keys = OPTIONS.iter().map(|spec| spec.key).collect::<Vec<_>>();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), OPTIONS.len());
    }

    #[test]
    fn a_moved_option_leads_to_a_known_one() {
        for moved in MOVED_OPTIONS {
            assert!(option(moved.new).is_some(), "{}", moved.new);
        }
    }

    #[test]
    fn a_series_knows_its_own_options_and_defaults() {
        let known = |key: &str, series| known_keys(series).any(|known| known == key);
        assert!(known("longpolling_port", V17) && !known("longpolling_port", V18));
        assert!(known("with_demo", V19) && !known("with_demo", V18));
        assert!(known("dev_mode", V19) && !known("dev_mode", V18));
        let modules = option("server_wide_modules").unwrap();
        assert_eq!(modules.default_in(V18), "base,web");
        assert_eq!(modules.default_in(V19), "base,rpc,web");
    }
}
