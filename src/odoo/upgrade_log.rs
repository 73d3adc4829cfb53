//! What Odoo's log says about an upgrade: how far it is, and whether it succeeded.
//! Exit status 0 alone is no success.

use std::time::Duration;

use super::{
    UpgradeFailure,
    log_record::{LogLevel, LogRecord},
};
use crate::host::ModuleName;

/// One step of progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpgradeProgress {
    /// A module is being installed or upgraded.
    Loading {
        /// The module.
        module: ModuleName,
        /// Its place among all that are loaded, from 1.
        number: usize,
        /// How many are loaded.
        total: usize,
    },
    /// A module is done.
    Loaded {
        /// The module.
        module: ModuleName,
        /// How long it took.
        duration: Duration,
    },
    /// Every module is loaded.
    Finished,
}

/// Something the log reports although Odoo may end with status 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpgradeFinding {
    /// Names that are no module on this server were left out.
    Unknown(Vec<ModuleName>),
    /// A module was left out, with Odoo's reason.
    Skipped(ModuleName, String),
    /// Installed modules could not be loaded.
    NotLoaded(Vec<ModuleName>),
    /// Modules were left half way.
    Inconsistent(Vec<ModuleName>),
    /// The database holds no Odoo.
    NotInitialized,
    /// Tests failed.
    TestsFailed,
    /// An upgrade was given up.
    StatesReset,
}

/// What a log says about one run of Odoo with `--stop-after-init`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpgradeLog {
    /// Why it broke off; none where the log tells of no failure.
    pub failure: Option<UpgradeFailure>,
    /// What contradicts a good exit status, in the log's order.
    pub findings: Vec<UpgradeFinding>,
    /// What an operator should know although it worked.
    pub warnings: Vec<String>,
    /// Whether the registry was loaded to its end.
    pub finished: bool,
    /// The last thing begun, for a run that was killed.
    pub last_step: Option<String>,
}

impl UpgradeProgress {
    /// Reads one line of the log; none where it tells of no progress.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        Self::of(&LogRecord::split(line).pop()?)
    }

    fn of(record: &LogRecord<'_>) -> Option<Self> {
        let message = record.message;
        if record.logger != "odoo.modules.loading" {
            return None;
        }
        if message == "Modules loaded." {
            return Some(Self::Finished);
        }
        if let Some(rest) = message.strip_prefix("Loading module ") {
            let (module, count) = rest.split_once(" (")?;
            let (number, total) = count.strip_suffix(')')?.split_once('/')?;
            let module = ModuleName::parse(module).ok()?;
            return Some(Self::Loading {
                module,
                number: number.parse().ok()?,
                total: total.parse().ok()?,
            });
        }
        let (module, rest) = message.strip_prefix("Module ")?.split_once(" loaded in ")?;
        let seconds = rest.split_once('s')?.0.parse().ok()?;
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Self::Loaded { module: ModuleName::parse(module).ok()?, duration })
    }
}

impl UpgradeLog {
    /// Reads a whole log.
    #[must_use]
    pub fn read(log: &str) -> Self {
        let mut reader = Reader::default();
        for record in LogRecord::split(log) {
            reader.record(&record);
        }
        reader.forget_what_was_put_off();
        reader.log.last_step = reader.step;
        if !reader.log.finished && reader.log.failure.is_none() {
            reader.log.failure = reader.last_words;
        }
        // "Failed to load registry" only announces the failure that follows.
        reader.log.warnings.retain(|text| text != "Failed to load registry");
        reader.log
    }

    /// Says in one sentence why this was no success; none where the log holds
    /// nothing against it. The exit status and the module states are to be
    /// judged, too.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if let Some(failure) = &self.failure {
            return Some(failure.to_string());
        }
        let skipped = self.findings.iter().find(|f| matches!(f, UpgradeFinding::Skipped(..)));
        skipped.or_else(|| self.findings.first()).map(ToString::to_string)
    }
}

impl std::fmt::Display for UpgradeFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |names: &[ModuleName]| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Unknown(names) => write!(f, "no such module on the server: {}", list(names)),
            Self::Skipped(name, reason) => write!(f, "`{name}` was left out: {reason}"),
            Self::NotLoaded(names) => write!(
                f,
                "installed modules were not loaded, their code or a dependency is missing: {}",
                list(names)
            ),
            Self::Inconsistent(names) => write!(f, "modules were left half way: {}", list(names)),
            Self::NotInitialized => f.write_str("the database holds no Odoo"),
            Self::TestsFailed => f.write_str("tests failed"),
            Self::StatesReset => f.write_str("the upgrade was given up and module states reset"),
        }
    }
}

/// Goes through the records and remembers where the run was.
#[derive(Default)]
struct Reader {
    log: UpgradeLog,
    module: Option<ModuleName>,
    step: Option<String>,
    file: Option<String>,
    /// Modules left out for now: 17 and 18 say so, in passing, of one that waits for
    /// a dependency that is about to be installed.
    put_off: Vec<ModuleName>,
    /// A traceback that is a failure if nothing comes after it.
    last_words: Option<UpgradeFailure>,
}

impl Reader {
    fn explain(&self, record: &LogRecord<'_>) -> UpgradeFailure {
        UpgradeFailure::explain(record, self.module.as_ref(), self.file.as_deref())
    }

    fn record(&mut self, record: &LogRecord<'_>) {
        self.follow(record);
        if let Some(finding) = finding(record) {
            if let UpgradeFinding::Skipped(module, _) = &finding
                && record.level == LogLevel::Info
            {
                self.put_off.push(module.clone());
            }
            if !self.log.findings.contains(&finding) {
                self.log.findings.push(finding);
            }
            return;
        }
        let message = record.message;
        if let Some(name) = message.strip_prefix("Couldn't load module ") {
            self.module = ModuleName::parse(name).ok();
        } else if record.level == LogLevel::Critical {
            self.log.failure = Some(self.explain(record));
        } else if record.level == LogLevel::Info && record.has_traceback() {
            // Python prints its last traceback itself, below whatever Odoo said last.
            self.last_words = Some(self.explain(record));
        } else if record.level == LogLevel::Error || is_notable(record) {
            let text = warning(record);
            if !self.log.warnings.contains(&text) {
                self.log.warnings.push(text);
            }
        }
    }

    /// Leaves out the modules that were put off and came later: at the end Odoo names
    /// as an error every one that did not.
    fn forget_what_was_put_off(&mut self) {
        let (put_off, findings) = (&self.put_off, &mut self.log.findings);
        let named: Vec<_> = findings
            .iter()
            .filter_map(|finding| match finding {
                UpgradeFinding::NotLoaded(names) | UpgradeFinding::Inconsistent(names) => {
                    Some(names.clone())
                }
                _ => None,
            })
            .flatten()
            .collect();
        findings.retain(|finding| match finding {
            UpgradeFinding::Skipped(module, _) => {
                !put_off.contains(module) || named.contains(module)
            }
            _ => true,
        });
    }

    /// Notes what is begun and what is done.
    fn follow(&mut self, record: &LogRecord<'_>) {
        match UpgradeProgress::of(record) {
            Some(UpgradeProgress::Loading { module, .. }) => {
                self.step = Some(format!("loading `{module}`"));
                self.module = Some(module);
            }
            Some(_) => (self.module, self.file) = (None, None),
            None => {}
        }
        let message = record.message;
        if message.starts_with("Registry loaded in ") {
            self.log.finished = true;
            self.step = None;
        } else if let Some((module, script)) = migration(message) {
            self.step = Some(format!("migration `{script}` of `{module}`"));
            (self.module, self.file) = (Some(module), None);
        } else if record.logger == "odoo.modules.loading"
            && let Some(file) = message.strip_prefix("loading ")
            && !file.ends_with(" modules...")
        {
            self.step = Some(format!("loading `{file}`"));
            self.file = Some(file.to_owned());
        }
    }
}

/// Reads `module sale: Running migration [>19.0.1.1.0] pre-fill`.
fn migration(message: &str) -> Option<(ModuleName, String)> {
    let (module, rest) = message.strip_prefix("module ")?.split_once(": Running ")?;
    let (_, script) = rest.split_once("] ")?;
    Some((ModuleName::parse(module).ok()?, script.to_owned()))
}

fn finding(record: &LogRecord<'_>) -> Option<UpgradeFinding> {
    let message = record.message;
    if let Some(names) = message.strip_prefix("invalid module names, ignored: ") {
        return Some(UpgradeFinding::Unknown(names_in(names)));
    }
    if message.starts_with("Some modules are not loaded") {
        return Some(UpgradeFinding::NotLoaded(names_in(message.rsplit_once(": ")?.1)));
    }
    if message.starts_with("Some modules have inconsistent states") {
        return Some(UpgradeFinding::Inconsistent(names_in(message.rsplit_once(": ")?.1)));
    }
    if message.starts_with("Database ") && message.contains(" not initialized") {
        return Some(UpgradeFinding::NotInitialized);
    }
    if message.starts_with("At least one test failed") {
        return Some(UpgradeFinding::TestsFailed);
    }
    if message == "Transient module states were reset" {
        return Some(UpgradeFinding::StatesReset);
    }
    let (module, reason) = message.strip_prefix("module ")?.split_once(": ")?;
    let skipped = reason.ends_with(", skipped") && reason != "not installed, skipped";
    if !skipped && reason != "manifest not found" && !reason.starts_with("Unmet dependencies") {
        return None;
    }
    let reason = reason.trim_end_matches(", skipped").to_owned();
    Some(UpgradeFinding::Skipped(ModuleName::parse(module).ok()?, reason))
}

/// Reads `['a', 'b']` and `a, b`.
fn names_in(list: &str) -> Vec<ModuleName> {
    let names = list.trim_matches(['[', ']']).split(", ");
    names.filter_map(|name| ModuleName::parse(name.trim_matches('\'')).ok()).collect()
}

/// Tells whether a warning is about the database or its views, not about style.
fn is_notable(record: &LogRecord<'_>) -> bool {
    record.level == LogLevel::Warning
        && (record.logger == "odoo.schema"
            || record.message.starts_with("invalid custom view(s)")
            || record.message.contains("demo data failed"))
}

fn warning(record: &LogRecord<'_>) -> String {
    let message = record.message.trim();
    // A broken view's reason is the record's last line.
    match (message.split_once(": Error while "), record.rest.iter().rfind(|line| !line.is_empty()))
    {
        (Some((what, _)), Some(why)) => format!("{what}: {}", why.trim()),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
