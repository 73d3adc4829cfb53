//! The `.conf` dialect: what Python's `configparser.RawConfigParser()` reads, with positions.

use std::path::{Path, PathBuf};

use indexmap::{IndexMap, map::Entry};

use super::{ConfigError, Origin, Setting, SourceError, mask::shown_line};

/// The section whose keys every other section of the file inherits.
pub const DEFAULT_SECTION: &str = "DEFAULT";

/// One `.conf` file as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// The file, relative to the root of the repository.
    pub path: PathBuf,
    /// `extends`, where it stands before the first section.
    pub extends: Option<Setting>,
    /// The sections in the order of the file, `[DEFAULT]` among them.
    pub sections: IndexMap<String, Section>,
}

/// One section of a `.conf` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The line of its header.
    pub origin: Origin,
    /// Its keys, in lower case, in the order of the file.
    pub settings: IndexMap<String, Setting>,
}

impl HostFile {
    /// Reads a file as Odoo would; `extends = PATH` before the first section is the tool's own.
    ///
    /// # Errors
    /// Returns every fault Python has, each with its line: no section header, a
    /// line that is no `key = value`, a section or key written twice, text that is not UTF-8.
    pub fn parse(path: &Path, content: &[u8]) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(content).map_err(|error| not_utf8(path, content, &error))?;
        // Python's universal newlines.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut reader = Reader::new(path);
        for (index, line) in text.lines().enumerate() {
            if reader.read_line(index + 1, line).is_err() {
                break;
            }
        }
        reader.finish()
    }

    /// Returns the keys of a section, those of `[DEFAULT]` among them, as Python does.
    #[must_use]
    pub fn effective(&self, section: &str) -> Option<IndexMap<String, Setting>> {
        let own = &self.sections.get(section)?.settings;
        let mut all = match self.sections.get(DEFAULT_SECTION) {
            Some(default) => default.settings.clone(),
            None => IndexMap::new(),
        };
        all.extend(own.iter().map(|(key, setting)| (key.clone(), setting.clone())));
        Some(all)
    }
}

/// Reading cannot go on after this fault, as in Python.
struct Fatal;

struct Reader {
    file: HostFile,
    faults: Vec<SourceError>,
    section: Option<String>,
    key: Option<String>,
    indent: usize,
}

impl Reader {
    fn new(path: &Path) -> Self {
        let file = HostFile { path: path.to_owned(), extends: None, sections: IndexMap::new() };
        Self { file, faults: Vec::new(), section: None, key: None, indent: 0 }
    }

    fn read_line(&mut self, number: usize, line: &str) -> Result<(), Fatal> {
        let value = line.trim_matches(is_space);
        if value.starts_with(['#', ';']) {
            return Ok(());
        }
        if value.is_empty() {
            if let Some(setting) = self.open_setting() {
                setting.value.push('\n');
            }
            return Ok(());
        }
        let indent = line.chars().take_while(|c| is_space(*c)).count();
        if indent > self.indent
            && let Some(setting) = self.open_setting()
        {
            setting.value.push('\n');
            setting.value.push_str(value);
            return Ok(());
        }
        self.indent = indent;
        let text = shown_line(line.trim_end_matches(is_space), self.key.as_deref());
        let origin = Origin { file: self.file.path.clone(), line: number, text };
        match header(value) {
            Some(name) => self.open_section(name, origin),
            None if self.section.is_none() => self.read_preamble(value, origin),
            None => self.read_setting(value, origin),
        }
    }

    /// The setting that an indented line would continue.
    fn open_setting(&mut self) -> Option<&mut Setting> {
        let (section, key) = (self.section.as_ref()?, self.key.as_ref()?);
        self.file.sections.get_mut(section)?.settings.get_mut(key)
    }

    fn open_section(&mut self, name: &str, origin: Origin) -> Result<(), Fatal> {
        match self.file.sections.entry(name.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(Section { origin, settings: IndexMap::new() });
            }
            Entry::Occupied(_) if name == DEFAULT_SECTION => {}
            Entry::Occupied(entry) => {
                let message = format!("section `[{name}]` is written twice");
                let first = entry.get().origin.line;
                self.faults.push(SourceError::new(&origin, message).with_hint(format!(
                    "Odoo does not start with it: move these keys to line {first}"
                )));
                return Err(Fatal);
            }
        }
        self.section = Some(name.to_owned());
        self.key = None;
        Ok(())
    }

    fn read_preamble(&mut self, value: &str, origin: Origin) -> Result<(), Fatal> {
        if let Some((key, path)) = key_and_value(value)
            && key == "extends"
            && self.file.extends.is_none()
        {
            self.file.extends = Some(Setting { value: path.to_owned(), origin });
            return Ok(());
        }
        let hint = if value.starts_with('\u{feff}') {
            "the file starts with a byte order mark: save it as UTF-8 without BOM"
        } else {
            "write `[options]` above it; only one `extends = PATH` may stand before the first section"
        };
        self.faults
            .push(SourceError::new(&origin, "this line stands in no section").with_hint(hint));
        Err(Fatal)
    }

    fn read_setting(&mut self, value: &str, origin: Origin) -> Result<(), Fatal> {
        let Some((key, value)) = key_and_value(value).filter(|(key, _)| !key.is_empty()) else {
            // Python goes on and reports all such lines at the end.
            self.faults.push(SourceError::new(&origin, "this line is no `key = value`").with_hint(
                "Odoo does not start with it: add `=`, indent the line to continue the value \
                 above, or start it with `#`",
            ));
            return Ok(());
        };
        let section = self.section.as_ref().expect("a section is open");
        let settings = &mut self.file.sections[section].settings;
        if let Some(first) = settings.get(&key) {
            let message = format!("`{key}` is written twice in `[{section}]`");
            let line = first.origin.line;
            self.faults.push(SourceError::new(&origin, message).with_hint(format!(
                "Odoo does not start with it: remove this line or line {line}"
            )));
            return Err(Fatal);
        }
        settings.insert(key.clone(), Setting { value: value.to_owned(), origin });
        self.key = Some(key);
        Ok(())
    }

    fn finish(mut self) -> Result<HostFile, ConfigError> {
        for section in self.file.sections.values_mut() {
            for setting in section.settings.values_mut() {
                setting.value.truncate(setting.value.trim_end_matches(is_space).len());
            }
        }
        ConfigError::unless_empty(self.faults, self.file)
    }
}

/// Tells what `str.strip` and `\s` take for white space: Unicode's, and the four separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Returns the name of a section: all between the first and the last bracket.
fn header(value: &str) -> Option<&str> {
    let rest = value.strip_prefix('[')?;
    rest.rfind(']').filter(|end| *end > 0).map(|end| &rest[..end])
}

/// Splits at the first `=` or `:`; the key in lower case.
fn key_and_value(value: &str) -> Option<(String, &str)> {
    let (key, value) = value.split_once(['=', ':'])?;
    Some((key.trim_end_matches(is_space).to_lowercase(), value.trim_matches(is_space)))
}

fn not_utf8(path: &Path, content: &[u8], error: &std::str::Utf8Error) -> SourceError {
    let before = &content[..error.valid_up_to()];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let origin = Origin { file: path.to_owned(), line, text: String::new() };
    SourceError::new(&origin, "this line is not UTF-8").with_hint("save the file as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HostFile, ConfigError> {
        HostFile::parse(Path::new("x.conf"), text.as_bytes())
    }

    #[test]
    fn a_setting_knows_its_line() {
        let file = parse("# top\n[options]\nworkers = 4\n\nDB_Password: s\n").unwrap();
        let options = &file.sections["options"].settings;
        assert_eq!(options["workers"].origin.to_string(), "x.conf:3");
        assert_eq!(options["db_password"].origin.text, "DB_Password = ********");
    }

    #[test]
    fn extends_may_stand_before_the_first_section_once() {
        let file = parse("# c\nextends = ../base.conf\n[options]\na = 1\n").unwrap();
        assert_eq!(file.extends.unwrap().value, "../base.conf");
        assert!(parse("extends = a\nextends = b\n[options]\n").is_err());
        assert!(parse("extends =\n  a\n[options]\n").is_err());
        assert!(parse("workers = 1\n[options]\n").is_err());
    }

    #[test]
    fn every_broken_line_is_named() {
        let error = parse("[options]\nworkers 4\na = 1\nport\n").unwrap_err();
        let lines = error.faults().map(|fault| fault.origin.line).collect::<Vec<_>>();
        assert_eq!(lines, [2, 4]);
    }

    #[test]
    fn a_password_that_lost_its_indentation_is_not_shown() {
        let error = parse("[options]\ndb_password =\nhunter2\n").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused_with_its_line() {
        let error = HostFile::parse(Path::new("x.conf"), b"[options]\na = \xff\n").unwrap_err();
        assert_eq!(error.faults().next().unwrap().origin.line, 2);
    }
}
