//! The `.conf` reader compared with Python's `configparser`.

use std::path::Path;

use indexmap::IndexMap;
use odoo_deploy::{
    host::{DEFAULT_SECTION, HostFile, RenderedOptions, RenderedValue, Section, Setting},
    secret::Part,
};

use crate::{
    python::{self, Reading, Sections},
    samples_of_dialect::SAMPLES,
};

#[test]
fn every_sample_reads_as_in_python() {
    compare(SAMPLES);
}

#[test]
fn random_files_read_as_in_python() {
    let mut random = Random(0x0d00_de91_0f00_0001);
    let files = (0..6000).map(|_| random.file()).collect::<Vec<_>>();
    let accepted = compare(&files);
    // A generator that only makes broken files would prove nothing.
    assert!((1500..5500).contains(&accepted), "{accepted} of 6000 files were accepted");
}

#[test]
fn python_reads_what_we_write_as_what_we_read() {
    let mut random = Random(0x0d00_de91_0f00_0002);
    let files = (0..3000).filter_map(|_| HostFile::parse(Path::new("x.conf"), &random.file()).ok());
    let mut files = files.collect::<Vec<_>>();
    for file in &mut files {
        file.sections.shift_remove(DEFAULT_SECTION);
    }
    assert!(files.len() > 500);
    let texts = files.iter().map(|file| written(file).masked_text()).collect::<Vec<_>>();
    for ((file, text), reading) in files.iter().zip(&texts).zip(python::read_all(&texts)) {
        match reading {
            Reading::Sections(theirs) => assert_eq!(sections(file), theirs, "{text:?}"),
            Reading::Error(class) => panic!("{class}: {text:?}"),
        }
    }
}

/// A file as values that are ready to be written.
fn written(file: &HostFile) -> RenderedOptions {
    let value = |setting: &Setting| RenderedValue {
        parts: vec![Part::Text(setting.value.clone())],
        sensitive: false,
        origin: setting.origin.clone(),
    };
    let section = |section: &Section| {
        section.settings.iter().map(|(key, setting)| (key.clone(), value(setting))).collect()
    };
    let sections = file.sections.iter().map(|(name, s)| (name.clone(), section(s))).collect();
    RenderedOptions { sections, keep: Vec::new() }
}

/// Compares our reading with Python's and returns how many texts both accepted.
fn compare<T: AsRef<[u8]>>(texts: &[T]) -> usize {
    let mut accepted = 0;
    for (text, reading) in texts.iter().zip(python::read_all(texts)) {
        let text = text.as_ref();
        let ours = HostFile::parse(Path::new("x.conf"), text);
        let shown = String::from_utf8_lossy(text);
        match (ours, reading) {
            (Ok(file), Reading::Sections(theirs)) => {
                assert_eq!(sections(&file), theirs, "{shown:?}");
                accepted += 1;
            }
            (Err(_), Reading::Error(class)) => assert!(class.ends_with("Error"), "{class}"),
            (ours, theirs) => panic!("{shown:?}\nours: {ours:?}\nPython: {theirs:?}"),
        }
    }
    accepted
}

fn sections(file: &HostFile) -> Sections {
    let plain = |settings: &IndexMap<String, Setting>| {
        settings.iter().map(|(key, setting)| (key.clone(), setting.value.clone())).collect()
    };
    let mut all = file
        .sections
        .iter()
        .map(|(name, section)| (name.clone(), plain(&section.settings)))
        .collect::<Sections>();
    all.entry(DEFAULT_SECTION.to_owned()).or_default();
    if let Some(options) = file.effective("options") {
        all.insert("*options".to_owned(), plain(&options));
    }
    all
}

/// A small generator (xorshift64*), so that a failure can be seen again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(bits).unwrap() % limit
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn file(&mut self) -> Vec<u8> {
        let mut text = String::new();
        if self.below(8) > 0 {
            text.push_str(self.pick(&["[options]\n", "# c\n\n[options]\n", "  [options]\n"]));
        }
        for _ in 0..self.below(9) {
            text.push_str(&self.line());
            text.push_str(self.pick(&["\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n", ""]));
        }
        let mut bytes = text.into_bytes();
        if self.below(60) == 0 {
            bytes.push(0xff);
        }
        bytes
    }

    fn line(&mut self) -> String {
        let indent = self.pick(&["", "", "", "", "", " ", "  ", "\t", " \t", "\u{a0}", "\u{1c}"]);
        let content = match self.below(14) {
            0 => self.text(2),
            1 => format!("{}{}", self.pick(&["#", ";", "# ", "; x = "]), self.text(3)),
            2 => self
                .pick(&[
                    "[queue_job]",
                    "[DEFAULT]",
                    "[options] ; c",
                    "[a]b]",
                    "[]",
                    "[]]",
                    "[ ]",
                    "[x",
                ])
                .to_owned(),
            3 => self.pick(&["", "", " ", "\t", "\u{b}", "\u{2028}", "\u{feff}"]).to_owned(),
            4 => format!("  {}", self.text(3)),
            _ => {
                let (key, delimiter) =
                    (self.key(), self.pick(&[" = ", "=", ": ", ":", " =", "\u{3000}="]));
                format!("{key}{delimiter}{}", self.text(3))
            }
        };
        format!("{indent}{content}")
    }

    fn key(&mut self) -> String {
        let letters = ["a", "B", "cc", "D_e", "ß", "İ", "ΑΣ", "a b", "x", "y", "z", "w", "v", ""];
        let mut key = self.pick(&letters).to_owned();
        key.push_str(self.pick(&["", "1", "2", "3", "4", "5", "\u{85}", "\0", ".", "-"]));
        key
    }

    fn text(&mut self, longest: usize) -> String {
        let pieces = [
            "4", "True", "x", " ", "  ", "\t", "# c", " ; c", "=", ":", "[", "]", "%(a)s", "${A}",
            "$pbkdf2", "\"", "'", "\\", "\u{b}", "\u{c}", "\u{1f}", "\u{a0}", "\u{200b}",
            "\u{2029}", "é", "\u{feff}", "\0", "{{x}}", "^%d$",
        ];
        (0..=self.below(longest)).map(|_| self.pick(&pieces)).collect()
    }
}
