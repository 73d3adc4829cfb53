//! The grammar: values, brackets, numbers. Pure.

use super::{Literal, text};

/// Python's own limit for nested parentheses.
const DEEPEST: usize = 200;

/// A position in the text. On failure it stays near the fault.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    brackets: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, brackets: 0 }
    }

    /// Returns the line it stands on, from 1.
    pub(super) fn line(&self) -> usize {
        1 + self.text[..self.at].matches('\n').count()
    }

    /// Reads one value and nothing else.
    pub(super) fn document(&mut self) -> Result<Literal, String> {
        if self.text.starts_with('\u{feff}') {
            return Err("starts with a byte order mark, which Odoo cannot read".into());
        }
        if let Some(at) = self.text.find('\0') {
            self.at = at;
            return Err("contains a null byte".into());
        }
        self.skip_lines()?;
        let value = self.value()?;
        self.skip_lines()?;
        if self.rest().is_empty() { Ok(value) } else { Err(self.unexpected("the end")) }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_lines(&mut self) -> Result<(), String> {
        self.skip_blanks()?;
        while self.rest().starts_with('\n') {
            self.at += 1;
            self.skip_blanks()?;
        }
        Ok(())
    }

    /// Skips what may stand between two tokens; a line's end only inside brackets.
    fn skip_blanks(&mut self) -> Result<(), String> {
        while let Some(next) = self.rest().chars().next() {
            match next {
                ' ' | '\t' | '\x0c' => self.at += 1,
                '\n' if self.brackets > 0 => self.at += 1,
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                _ => break,
            }
        }
        Ok(())
    }

    fn eat(&mut self, token: char) -> Result<bool, String> {
        self.skip_blanks()?;
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        Ok(found)
    }

    fn unexpected(&self, wanted: &str) -> String {
        let rest = self.rest();
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric()).take(20).collect();
        match rest.chars().next() {
            None => format!("ends where {wanted} was expected"),
            Some('\n') => format!("the line ends where {wanted} was expected"),
            Some(_) if !word.is_empty() => format!("`{word}` stands where {wanted} was expected"),
            Some(other) => {
                format!("`{}` stands where {wanted} was expected", other.escape_debug())
            }
        }
    }

    fn value(&mut self) -> Result<Literal, String> {
        self.skip_blanks()?;
        if text::starts(self.rest()) {
            return self.strings();
        }
        match self.rest().chars().next() {
            Some('(') => self.parentheses(),
            Some('[') => Ok(Literal::List(self.bracketed(']', Self::value)?.0)),
            Some('{') => self.braces(),
            Some('0'..='9' | '.' | '-' | '+') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Literal, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let value = match &rest[..end] {
            "None" => Literal::None,
            "True" => Literal::Bool(true),
            "False" => Literal::Bool(false),
            "" => return Err(self.unexpected("a value")),
            "set" if rest[end..].trim_start().starts_with('(') => {
                self.at += end;
                self.skip_blanks()?;
                let (items, _) = self.bracketed(')', Self::value)?;
                if items.is_empty() {
                    return Ok(Literal::Set(items));
                }
                return Err("`set` is called; only literals are allowed".into());
            }
            name => return Err(format!("`{name}` is a name or a call; only literals are allowed")),
        };
        self.at += end;
        Ok(value)
    }

    /// Reads adjacent strings, which Python joins.
    fn strings(&mut self) -> Result<Literal, String> {
        let mut joined = text::read(self.text, &mut self.at)?;
        self.skip_blanks()?;
        while text::starts(self.rest()) {
            match (&mut joined, text::read(self.text, &mut self.at)?) {
                (Literal::Text(text), Literal::Text(more)) => text.push_str(&more),
                (Literal::Bytes(bytes), Literal::Bytes(more)) => bytes.extend(more),
                _ => return Err("joins bytes and text".into()),
            }
            self.skip_blanks()?;
        }
        Ok(joined)
    }

    /// Reads a bracket's items; the flag says whether a comma stood last.
    fn bracketed<T>(
        &mut self,
        close: char,
        item: fn(&mut Self) -> Result<T, String>,
    ) -> Result<(Vec<T>, bool), String> {
        self.at += 1;
        self.brackets += 1;
        if self.brackets > DEEPEST {
            return Err("nested too deeply".into());
        }
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.eat(close)? {
            if !items.is_empty() && !comma {
                return Err(self.unexpected(&format!("`,` or `{close}`")));
            }
            items.push(item(self)?);
            comma = self.eat(',')?;
        }
        self.brackets -= 1;
        Ok((items, comma))
    }

    fn parentheses(&mut self) -> Result<Literal, String> {
        let (mut items, comma) = self.bracketed(')', Self::value)?;
        if items.len() == 1 && !comma {
            return Ok(items.remove(0));
        }
        Ok(Literal::Tuple(items))
    }

    fn braces(&mut self) -> Result<Literal, String> {
        let (items, _) = self.bracketed('}', |reader| {
            let key = reader.value()?;
            if !key.is_hashable() {
                return Err("a list, set or dict cannot be a key or in a set".into());
            }
            let value = if reader.eat(':')? { Some(reader.value()?) } else { None };
            Ok((key, value))
        })?;
        if items.is_empty() {
            return Ok(Literal::Dict(Vec::new()));
        }
        let (pairs, alone): (Vec<_>, Vec<_>) = items.into_iter().partition(|(_, v)| v.is_some());
        if alone.is_empty() {
            return Ok(Literal::Dict(
                pairs.into_iter().filter_map(|(k, v)| Some((k, v?))).collect(),
            ));
        }
        if pairs.is_empty() {
            return Ok(Literal::Set(alone.into_iter().map(|(key, _)| key).collect()));
        }
        Err("a key stands without `:` and a value".into())
    }

    fn number(&mut self) -> Result<Literal, String> {
        let sign = self.rest().chars().next().filter(|c| "+-".contains(*c));
        if sign.is_some() {
            self.at += 1;
            self.skip_blanks()?;
        }
        let rest = self.rest();
        let based = rest.len() > 1 && matches!(rest.as_bytes()[1], b'x' | b'X');
        let belongs = |at: usize, c: char| {
            let exponent = !based && rest[..at].ends_with(['e', 'E']);
            c.is_alphanumeric() || c == '_' || c == '.' || (exponent && "+-".contains(c))
        };
        let end = rest.char_indices().find(|(at, c)| !belongs(*at, *c));
        let end = end.map_or(rest.len(), |(at, _)| at);
        if end == 0 {
            return Err(self.unexpected("a number"));
        }
        let number = read_number(&rest[..end], sign == Some('-'));
        let number = number.ok_or_else(|| format!("`{}` is no number", &rest[..end]))?;
        self.at += end;
        Ok(number)
    }
}

/// Reads an unsigned number. A complex one has no use in a manifest and is none.
fn read_number(written: &str, negative: bool) -> Option<Literal> {
    let sign = if negative { "-" } else { "" };
    let lower = written.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            let digits = without_underscores(digits.strip_prefix('_').unwrap_or(digits), radix)?;
            let value = u128::from_str_radix(&digits, radix).ok()?;
            return Some(Literal::Int(if value == 0 {
                "0".into()
            } else {
                format!("{sign}{value}")
            }));
        }
    }
    let digits = without_underscores(&lower, 10)?;
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        let value = digits.trim_start_matches('0');
        return match value {
            "" => Some(Literal::Int("0".into())),
            _ if digits.starts_with('0') => None,
            _ => Some(Literal::Int(format!("{sign}{value}"))),
        };
    }
    let is_float = digits.contains(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b".e+-".contains(&b));
    let value: f64 = is_float.then(|| digits.parse().ok())??;
    Some(Literal::Float(if negative { -value } else { value }))
}

/// Takes single underscores out that stand between two digits.
fn without_underscores(written: &str, radix: u32) -> Option<String> {
    let bytes = written.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(|b| char::from(*b).is_digit(radix));
    let well_placed = |at: usize| at > 0 && is_digit(at - 1) && is_digit(at + 1);
    let placed = bytes.iter().enumerate().all(|(at, b)| *b != b'_' || well_placed(at));
    placed.then(|| written.replace('_', ""))
}
