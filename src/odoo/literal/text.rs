//! One string token: prefix, quotes, escapes. Pure.

use super::Literal;

/// Tells whether a string stands here.
pub(super) fn starts(rest: &str) -> bool {
    let quote = rest.find(['\'', '"']).filter(|at| *at <= 2);
    quote.is_some_and(|at| rest[..at].bytes().all(|b| b.is_ascii_alphabetic()))
}

/// Reads the string at the position and moves the position behind it.
pub(super) fn read(text: &str, at: &mut usize) -> Result<Literal, String> {
    let rest = &text[*at..];
    let length = rest.find(['\'', '"']).ok_or("no string")?;
    let prefix = rest[..length].to_ascii_lowercase();
    let (raw, bytes) = match prefix.as_str() {
        "" | "u" => (false, false),
        "r" => (true, false),
        "b" => (false, true),
        "br" | "rb" => (true, true),
        "f" | "fr" | "rf" => return Err("an f-string is no literal".into()),
        _ => return Err(format!("`{prefix}` is no prefix of a string")),
    };
    let body = &rest[length..];
    let one = &body[..1];
    let quote = if body.starts_with(&one.repeat(3)) { one.repeat(3) } else { one.to_owned() };
    let body = &body[quote.len()..];
    let end = find_end(body, &quote)?;
    let value = if bytes {
        if !body[..end].is_ascii() {
            return Err("bytes can only hold ASCII characters".into());
        }
        Literal::Bytes(if raw { body[..end].into() } else { unescape_bytes(&body[..end])? })
    } else {
        Literal::Text(if raw { body[..end].into() } else { unescape(&body[..end])? })
    };
    *at += length + quote.len() + end + quote.len();
    Ok(value)
}

fn find_end(body: &str, quote: &str) -> Result<usize, String> {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if body[at..].starts_with(quote) {
            return Ok(at);
        } else if c == '\n' && quote.len() == 1 {
            break;
        }
    }
    Err("a string is not closed".into())
}

/// What an escape sequence stands for.
enum Escape {
    Code(u32),
    Nothing,
    /// Unknown to Python: the backslash stays.
    Verbatim,
}

/// Reads what follows a backslash; `body` is moved behind it unless it is verbatim.
fn escape(body: &mut &str, unicode: bool) -> Result<Escape, String> {
    let Some(kind) = body.chars().next() else { return Ok(Escape::Verbatim) };
    let simple = |code: u32| (Escape::Code(code), 1);
    let (escape, length) = match kind {
        '\n' => (Escape::Nothing, 1),
        '\\' | '\'' | '"' => simple(kind.into()),
        'a' => simple(7),
        'b' => simple(8),
        'f' => simple(12),
        'n' => simple(10),
        'r' => simple(13),
        't' => simple(9),
        'v' => simple(11),
        '0'..='7' => {
            let digits = body.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            (Escape::Code(number(&body[..digits], 8)?), digits)
        }
        'x' => (Escape::Code(hexadecimal(body, 2)?), 3),
        'u' if unicode => (Escape::Code(hexadecimal(body, 4)?), 5),
        'U' if unicode => (Escape::Code(hexadecimal(body, 8)?), 9),
        _ => return Ok(Escape::Verbatim),
    };
    *body = &body[length..];
    Ok(escape)
}

fn hexadecimal(body: &str, length: usize) -> Result<u32, String> {
    let digits = body.get(1..=length).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    number(digits.ok_or_else(|| format!("`\\{}` needs {length} digits", &body[..1]))?, 16)
}

fn number(digits: &str, radix: u32) -> Result<u32, String> {
    u32::from_str_radix(digits, radix).map_err(|_| format!("`{digits}` is no number"))
}

/// Half of a surrogate pair becomes U+FFFD, and `\N{…}` stays as written:
/// neither is text that a manifest has.
fn unescape(body: &str) -> Result<String, String> {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match escape(&mut rest, true)? {
            Escape::Code(0xd800..=0xdfff) => text.push('\u{fffd}'),
            Escape::Code(code) => {
                text.push(char::from_u32(code).ok_or("an escape is no character")?);
            }
            Escape::Nothing => {}
            Escape::Verbatim => text.push('\\'),
        }
    }
    text.push_str(rest);
    Ok(text)
}

fn unescape_bytes(body: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        match escape(&mut rest, false)? {
            Escape::Code(code) => bytes.push(code.to_le_bytes()[0]),
            Escape::Nothing => {}
            Escape::Verbatim => bytes.push(b'\\'),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}
