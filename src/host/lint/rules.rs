//! The rules by name.

use std::fmt;

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $id:literal,)*) => {
        /// A rule of the lint, by its stable name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RuleId {
            $($(#[$doc])* $rule,)*
        }

        impl RuleId {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Returns the name that output and documentation use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => $id,)*
                }
            }
        }
    };
}

rules! {
    /// A key that the series does not know.
    UnknownOption = "unknown-option",
    /// An option has a new name.
    OptionMoved = "option-moved",
    /// `longpolling_port` became `gevent_port`.
    LongpollingPort = "longpolling-port",
    /// `xmlrpc…` became `http_…`.
    XmlrpcPort = "xmlrpc-port",
    /// The option counts on the command line only.
    IgnoredInFile = "ignored-in-file",
    /// A kept option is set as well.
    KeptOptionSet = "kept-option-set",
    /// Odoo 19 reads `[options]` only.
    SectionNotRead = "section-not-read",
    /// A comment behind a value is part of the value.
    InlineComment = "inline-comment",
    /// Quotes are part of the value.
    QuotedValue = "quoted-value",
    /// A boolean that is not `True` or `False`.
    BooleanSpelling = "boolean-spelling",
    /// `None` is a text to Odoo 17 and 18.
    NoneValue = "none-value",
    /// `False` for an option that is no boolean.
    FalseValue = "false-value",
    /// A whole number that Odoo cannot read, or reads in another base.
    IntValue = "int-value",
    /// A decimal number that Odoo cannot read.
    FloatValue = "float-value",
    /// A word that is not among the choices.
    ChoiceValue = "choice-value",
    /// An entry of `log_handler` that is no `logger:LEVEL`.
    LogHandler = "log-handler",
    /// A path that depends on the working directory.
    RelativePath = "relative-path",
    /// A path in which Odoo expands `~` or `$NAME`.
    PathExpansion = "path-expansion",
    /// Spaces that become part of a database's name.
    DbNameSpaces = "db-name-spaces",
    /// Odoo refuses to run as `postgres`.
    DbUserPostgres = "db-user-postgres",
    /// A filter that also matches longer names.
    DbfilterUnanchored = "dbfilter-unanchored",
    /// More connections than PostgreSQL allows.
    DbMaxconnTimesWorkers = "db-maxconn-times-workers",
    /// Odoo listens where nobody said it should.
    HttpInterfaceUnset = "http-interface-unset",
    /// Odoo trusts the wrong address behind nginx.
    ProxyModeOffBehindNginx = "proxy-mode-off-behind-nginx",
    /// Two listeners on one port.
    GeventPortEqualsHttpPort = "gevent-port-equals-http-port",
    /// Downloads come back empty.
    XSendfile = "x-sendfile",
    /// No authority looks at another port than 80.
    LetsencryptPort = "letsencrypt-port",
    /// A name that no authority certifies.
    LetsencryptName = "letsencrypt-name",
    /// A certificate that only Cloudflare trusts.
    OriginWithoutCloudflare = "origin-without-cloudflare",
    /// Nothing is encrypted between Cloudflare and the server.
    PlainBehindCloudflare = "plain-behind-cloudflare",
    /// Every visitor has an address of Cloudflare's.
    ProxiedWithoutCloudflare = "proxied-without-cloudflare",
    /// Attachments are kept in a directory of Odoo's choice.
    DataDirUnset = "data-dir-unset",
    /// Odoo 19 without XML-RPC and JSON-RPC.
    ServerWideModulesWithoutRpc = "server-wide-modules-without-rpc",
    /// Two places for one log.
    LogfileAndSyslog = "logfile-and-syslog",
    /// Developer mode on a server.
    DevMode = "dev-mode",
    /// Tests, or an early exit, on a server.
    TestMode = "test-mode",
    /// Demo data in a new database.
    DemoData = "demo-data",
    /// An option that Odoo 19 takes together with `-u` only.
    OverwriteTranslations = "overwrite-translations",
    /// A limit in megabytes where bytes are meant.
    LimitMemoryUnits = "limit-memory-units",
    /// A soft limit that is never reached.
    LimitMemoryOrder = "limit-memory-order",
    /// A real time limit below the CPU time limit.
    LimitTimeOrder = "limit-time-order",
    /// A secret that everyone with the repository can read.
    SecretInClear = "secret-in-clear",
    /// The master password is `admin`.
    AdminPasswdDefault = "admin-passwd-default",
    /// The list of databases and the database manager are public.
    ListDbOpen = "list-db-open",
    /// Odoo as root.
    UserRoot = "user-root",
    /// Two hosts of a server on one port.
    SharedPort = "shared-port",
    /// Two hosts on one database.
    SharedDatabase = "shared-database",
    /// Two hosts of a server in one data directory.
    SharedDataDir = "shared-data-dir",
    /// Two hosts of a server with one name.
    SharedName = "shared-name",
    /// Hosts of two clients on a server under one system user.
    SharedUser = "shared-user",
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
