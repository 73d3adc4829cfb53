//! Python's own reading of `.conf` texts.

#![allow(clippy::disallowed_methods, reason = "Python is the reference that is compared with")]

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use serde::Deserialize;

/// The sections of a text by name, with keys and values; `[DEFAULT]` among them.
pub(crate) type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// What `RawConfigParser` makes of a text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reading {
    Sections(Sections),
    Error(String),
}

const PROGRAM: &str = r"
import configparser, io, json, sys
readings = []
for content in json.load(sys.stdin):
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.TextIOWrapper(io.BytesIO(bytes(content)), encoding='utf-8'))
        sections = {name: dict(keys) for name, keys in parser._sections.items()}
        sections['DEFAULT'] = dict(parser.defaults())
        if parser.has_section('options'):
            sections['*options'] = dict(parser.items('options'))
        readings.append({'sections': sections})
    except Exception as error:
        readings.append({'error': type(error).__name__})
json.dump(readings, sys.stdout)
";

/// Runs one Python process over all texts; `*options` is `items('options')`, as Odoo calls it.
pub(crate) fn read_all<T: AsRef<[u8]>>(texts: &[T]) -> Vec<Reading> {
    let input = texts.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>();
    let mut python = Command::new("python3")
        .args(["-X", "utf8", "-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed to compare with");
    let input = serde_json::to_vec(&input).unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(&input).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 failed");
    let readings = serde_json::from_slice::<Vec<Reading>>(&output.stdout).unwrap();
    assert_eq!(readings.len(), texts.len());
    readings
}
