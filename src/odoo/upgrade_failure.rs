//! Why an upgrade broke off, in one sentence.

use std::{fmt, path::Path};

use super::log_record::{LogRecord, LoggedException, Place};
use crate::host::ModuleName;

/// Why loading or upgrading broke off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeFailure {
    /// The module, where one is to blame.
    pub module: Option<ModuleName>,
    /// What went wrong, in one line.
    pub cause: String,
    /// The file to look into, from the module's directory on, with the line.
    pub place: Option<String>,
    /// The end of what the log says about it.
    pub excerpt: Vec<String>,
}

/// How many lines of a failure's record are kept.
const EXCERPT: usize = 30;
/// How long a cause may be, in characters.
const LONGEST_CAUSE: usize = 400;

impl fmt::Display for UpgradeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(module) = &self.module {
            write!(f, "failed to load `{module}`: ")?;
        }
        f.write_str(&self.cause)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, " ({place})"))
    }
}

impl UpgradeFailure {
    /// Explains the record in which Odoo gave up, from its exceptions; `module`
    /// and `data_file` are what was being loaded then.
    pub(super) fn explain(
        record: &LogRecord<'_>,
        module: Option<&ModuleName>,
        data_file: Option<&str>,
    ) -> Self {
        let exceptions = record.exceptions();
        let lines = std::iter::once(record.message).chain(record.rest.iter().copied());
        let lines: Vec<_> =
            lines.filter(|line| !line.trim_matches([' ', '~', '^']).is_empty()).collect();
        let excerpt = lines[lines.len().saturating_sub(EXCERPT)..].iter();
        let excerpt = excerpt.map(|line| (*line).to_owned()).collect();
        let Some(last) = exceptions.last() else {
            let cause = record.message.to_owned();
            return Self { module: module.cloned(), cause, place: None, excerpt };
        };
        let parse = ParseError::read(last);
        let name = module.map(ModuleName::as_str);
        let in_module = |place: &&Place| name.is_some_and(|name| place.is_in(name));
        let place = parse
            .as_ref()
            .map(|error| error.place.clone())
            .or_else(|| last.frames.iter().rfind(in_module).cloned())
            .or_else(|| data_file.map(|file| Place { file: file.into(), line: None }));
        let cause = match &parse {
            Some(error) if !error.meaning.is_empty() => error.meaning.clone(),
            // The element is named, the reason is the exception before.
            Some(_) if exceptions.len() > 1 => meaning(&exceptions[exceptions.len() - 2]),
            _ => meaning(last),
        };
        Self {
            module: module.cloned(),
            cause: shorten(&cause),
            place: place.map(|place| place.below(name)),
            excerpt,
        }
    }
}

/// What Odoo says of a data file it cannot load.
struct ParseError {
    place: Place,
    meaning: String,
}

impl ParseError {
    /// Reads `while parsing /path/file.xml:2`, what follows it, and leaves out the
    /// piece of XML and the dump of its context.
    fn read(exception: &LoggedException<'_>) -> Option<Self> {
        let (first, rest) = exception.message.split_first()?;
        let (file, line) = first.strip_prefix("while parsing ")?.rsplit_once(':')?;
        let number: String = line.chars().take_while(char::is_ascii_digit).collect();
        let file = Path::new(file.strip_prefix("file:").unwrap_or(file)).to_owned();
        let place = Place { file, line: number.parse().ok() };
        let told = rest
            .iter()
            .take_while(|line| !line.starts_with("View error context"))
            .map(|line| line.trim())
            .filter(|line| !line.is_empty() && !line.starts_with('<') && !line.ends_with("/>"))
            .filter(|line| !(line.starts_with("Error while ") && line.ends_with(':')));
        let meaning = if line.contains("somewhere inside") { String::new() } else { join(told) };
        Some(Self { place, meaning })
    }
}

/// Says what an exception means to somebody who does not read Python.
fn meaning(exception: &LoggedException<'_>) -> String {
    let kind = exception.kind.rsplit('.').next().unwrap_or(exception.kind);
    let lines = &exception.message;
    if exception.kind.starts_with("psycopg2.") {
        // What follows repeats the statement and may hold data.
        return lines[0].to_owned();
    }
    if lines[0].starts_with("Module loading ") && lines.len() > 1 {
        return lines[1].to_owned();
    }
    let text = join(lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()));
    match kind {
        "UserError" | "ValidationError" | "AssertionError" if !text.is_empty() => text,
        _ if text.is_empty() => kind.to_owned(),
        _ => format!("{kind}: {text}"),
    }
}

fn join<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST_CAUSE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
