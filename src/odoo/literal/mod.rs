//! Reads a Python literal as `ast.literal_eval` does. Pure.

mod reader;
mod text;

use std::{collections::BTreeMap, fmt::Write as _};

use reader::Reader;

/// A value that Python can write down without running code.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// A whole number of any size, in decimal.
    Int(String),
    /// A floating point number.
    Float(f64),
    /// `str`
    Text(String),
    /// `bytes`
    Bytes(Vec<u8>),
    /// `tuple`
    Tuple(Vec<Self>),
    /// `list`
    List(Vec<Self>),
    /// `set`
    Set(Vec<Self>),
    /// `dict`, in the order written.
    Dict(Vec<(Self, Self)>),
}

/// A text that is no Python literal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct LiteralError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Literal {
    /// Reads the whole text as one literal.
    ///
    /// # Errors
    /// Names the line of the first thing that is no literal.
    pub fn parse(text: &str) -> Result<Self, LiteralError> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut reader = Reader::new(&text);
        reader.document().map_err(|message| LiteralError { line: reader.line(), message })
    }

    /// Tells whether Python takes the value for true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(digits) => digits != "0",
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::Tuple(items) | Self::List(items) | Self::Set(items) => !items.is_empty(),
            Self::Dict(entries) => !entries.is_empty(),
        }
    }

    /// Looks a key up in a `dict`; the last one written counts, as in Python.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(entries) = self else { return None };
        let is_key = |name: &Self| matches!(name, Self::Text(text) if text == key);
        entries.iter().rev().find(|(name, _)| is_key(name)).map(|(_, value)| value)
    }

    /// Writes the value so that equal values give equal text: the order of a
    /// `dict` or `set` does not count, the types do.
    #[must_use]
    pub fn canonical(&self) -> String {
        let joined = |items: &[Self]| -> String {
            items.iter().map(|item| item.canonical() + ",").collect()
        };
        match self {
            Self::None => "N".into(),
            Self::Bool(true) => "T".into(),
            Self::Bool(false) => "F".into(),
            Self::Int(digits) => format!("i{digits}"),
            Self::Float(number) => format!("f{:016x}", number.to_bits()),
            Self::Text(text) => format!("s{}:{text}", text.len()),
            Self::Bytes(bytes) => bytes.iter().fold("b".into(), |mut text: String, byte| {
                write!(text, "{byte:02x}").expect("writing to a string");
                text
            }),
            Self::Tuple(items) => format!("({})", joined(items)),
            Self::List(items) => format!("[{}]", joined(items)),
            Self::Set(items) => {
                let mut items: Vec<_> = items.iter().map(Self::canonical).collect();
                items.sort();
                items.dedup();
                format!("{{{}}}", items.join(","))
            }
            Self::Dict(entries) => {
                let entries: BTreeMap<_, _> =
                    entries.iter().map(|(key, value)| (key.canonical(), value)).collect();
                entries.iter().fold("<".into(), |text: String, (key, value)| {
                    text + key + "=" + &value.canonical() + ","
                }) + ">"
            }
        }
    }

    fn is_hashable(&self) -> bool {
        match self {
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            Self::List(_) | Self::Set(_) | Self::Dict(_) => false,
            _ => true,
        }
    }
}
