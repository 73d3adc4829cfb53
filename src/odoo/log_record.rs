//! Odoo's log, record by record, and the tracebacks in it.

use std::path::{Path, PathBuf};

/// How grave Odoo found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// DEBUG, RUNBOT and the like, and INFO.
    Info,
    /// WARNING
    Warning,
    /// ERROR
    Error,
    /// CRITICAL
    Critical,
}

/// One record: a line with time, process, level, database and logger, and the
/// lines that follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// How grave it is.
    pub level: LogLevel,
    /// The logger, `odoo.modules.loading`.
    pub logger: &'a str,
    /// The message's first line.
    pub message: &'a str,
    /// Its further lines, tracebacks among them.
    pub rest: Vec<&'a str>,
}

impl<'a> LogRecord<'a> {
    /// Splits a log into its records. Lines before the first one are a record of
    /// their own: what Python printed without Odoo's logger.
    #[must_use]
    pub fn split(log: &'a str) -> Vec<Self> {
        let mut records: Vec<Self> = Vec::new();
        for line in log.lines() {
            if let Some(record) = Self::head(line) {
                records.push(record);
            } else if let Some(record) = records.last_mut() {
                record.rest.push(line);
            } else {
                let level = LogLevel::Info;
                records.push(Self { level, logger: "", message: line, rest: Vec::new() });
            }
        }
        records
    }

    /// Reads a record's first line:
    /// `2026-01-02 03:04:05,678 123 ERROR acme odoo.modules.loading: message`.
    fn head(line: &'a str) -> Option<Self> {
        let mut words = line.splitn(6, ' ');
        let (date, time, process, level) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let _database = words.next()?;
        let (logger, message) = words.next()?.split_once(": ")?;
        let dated = date.len() == 10 && date.as_bytes()[4] == b'-' && time.len() == 12;
        let level = match level {
            "CRITICAL" => LogLevel::Critical,
            "ERROR" => LogLevel::Error,
            "WARNING" => LogLevel::Warning,
            _ if level.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => LogLevel::Info,
            _ => return None,
        };
        (dated && process.parse::<u32>().is_ok()).then(|| Self {
            level,
            logger,
            message: message.trim_end(),
            rest: Vec::new(),
        })
    }

    /// Tells whether the record holds a traceback.
    #[must_use]
    pub fn has_traceback(&self) -> bool {
        self.message == TRACEBACK || self.rest.contains(&TRACEBACK)
    }

    /// Returns the exceptions of the record's last chain, the cause first.
    #[must_use]
    pub fn exceptions(&self) -> Vec<LoggedException<'a>> {
        let mut exceptions = Vec::new();
        let mut lines = std::iter::once(self.message).chain(self.rest.iter().copied()).peekable();
        while let Some(line) = lines.next() {
            if line != TRACEBACK {
                continue;
            }
            let mut frames = Vec::new();
            while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with(' ')) {
                frames.extend(Place::of_frame(line));
            }
            let Some(first) = lines.next() else { break };
            let mut message = Vec::new();
            while let Some(line) = lines.next_if(|line| *line != TRACEBACK) {
                if CHAINED.iter().any(|text| line.starts_with(text)) {
                    break;
                }
                message.push(line);
            }
            let (kind, text) = first.split_once(": ").unwrap_or((first, ""));
            message.insert(0, text);
            exceptions.push(LoggedException { kind, message, frames });
        }
        exceptions
    }
}

const TRACEBACK: &str = "Traceback (most recent call last):";
const CHAINED: [&str; 2] = ["The above exception was", "During handling of the above"];

/// An exception as Python prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedException<'a> {
    /// Its class, with the module it is from.
    pub kind: &'a str,
    /// Its text, line by line.
    pub message: Vec<&'a str>,
    /// Where it passed through, outermost first.
    pub frames: Vec<Place>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the log names it.
    pub file: PathBuf,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
}

impl Place {
    /// Reads `  File "/path/to/file.py", line 12, in name`.
    fn of_frame(line: &str) -> Option<Self> {
        let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(Self { file: file.into(), line: number.parse().ok() })
    }

    /// Tells whether the file belongs to the module.
    #[must_use]
    pub fn is_in(&self, module: &str) -> bool {
        self.file.iter().any(|part| part == module)
    }

    /// Writes the place from the module's directory on: `sale/models/order.py:12`.
    #[must_use]
    pub fn below(&self, module: Option<&str>) -> String {
        let parts: Vec<_> = self.file.iter().collect();
        let start = module.and_then(|module| parts.iter().rposition(|part| *part == module));
        let file: PathBuf = parts[start.unwrap_or(0)..].iter().collect();
        let file = Path::display(&file);
        self.line.map_or_else(|| file.to_string(), |line| format!("{file}:{line}"))
    }
}
