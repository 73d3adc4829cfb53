//! Reads as much of a vhost's text as has to be known to answer challenges beside it.

use std::ops::Range;

/// A `server` block at the top level of a vhost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerBlock {
    /// What is between its braces.
    pub(super) body: Range<usize>,
    /// Whether it answers on port 80.
    pub(super) on_port_80: bool,
    /// The words of its `server_name` directives.
    pub(super) names: Vec<String>,
}

/// A piece of the text and where it is.
struct Token<'a> {
    kind: Kind,
    text: &'a str,
    at: Range<usize>,
}

/// What a piece of the text is: in quotes, a brace is a word, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    End,
    Word,
}

/// Finds the `server` blocks of a vhost.
pub(super) fn server_blocks(text: &str) -> Vec<ServerBlock> {
    let mut blocks = Vec::new();
    let mut current: Option<ServerBlock> = None;
    let mut depth = 0;
    let mut listens = 0;
    let mut directive: Vec<Token<'_>> = Vec::new();
    for token in tokens(text) {
        match token.kind {
            Kind::Open => {
                let is_server = depth == 0 && directive.iter().map(|t| t.text).eq(["server"]);
                if is_server {
                    listens = 0;
                    let body = token.at.end..token.at.end;
                    current = Some(ServerBlock { body, on_port_80: false, names: Vec::new() });
                }
                depth += 1;
                directive.clear();
            }
            Kind::Close => {
                depth -= 1;
                directive.clear();
                if depth == 0
                    && let Some(mut block) = current.take()
                {
                    block.body.end = token.at.start;
                    // A server that says nothing listens there.
                    block.on_port_80 |= listens == 0;
                    blocks.push(block);
                }
            }
            Kind::End => {
                if let (1, Some(block)) = (depth, &mut current) {
                    let words: Vec<_> = directive.iter().map(|token| token.text).collect();
                    match words.as_slice() {
                        ["server_name", names @ ..] => {
                            block.names.extend(names.iter().map(|&name| name.to_owned()));
                        }
                        ["listen", address, ..] => {
                            listens += 1;
                            block.on_port_80 |= port(address) == Some(80);
                        }
                        _ => {}
                    }
                }
                directive.clear();
            }
            Kind::Word => directive.push(token),
        }
    }
    blocks
}

/// Reads the port of a `listen` directive's address; none of a socket's path.
fn port(address: &str) -> Option<u16> {
    if address.starts_with("unix:") {
        return None;
    }
    match address.rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port.parse().ok(),
        _ => address.parse().ok().or(Some(80)),
    }
}

/// Splits a configuration as nginx does: white space separates, quotes hold together, `#`
/// begins a comment where a word could begin.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        match c {
            _ if c.is_whitespace() => {}
            '#' => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            '{' | '}' | ';' => {
                let at = start..start + 1;
                let kind = match c {
                    '{' => Kind::Open,
                    '}' => Kind::Close,
                    _ => Kind::End,
                };
                tokens.push(Token { kind, text: &text[at.clone()], at });
            }
            '"' | '\'' => {
                let mut escaped = false;
                let mut end = text.len();
                for (index, other) in chars.by_ref() {
                    if other == c && !escaped {
                        end = index;
                        break;
                    }
                    escaped = other == '\\' && !escaped;
                }
                tokens.push(Token {
                    kind: Kind::Word,
                    text: &text[start + 1..end],
                    at: start..end,
                });
            }
            _ => {
                let mut end = start + c.len_utf8();
                let mut last = c;
                // `${name}` is part of a word.
                while let Some((index, other)) = chars.next_if(|(_, other)| {
                    (!other.is_whitespace() && !matches!(other, ';' | '{'))
                        || (*other == '{' && last == '$')
                }) {
                    end = index + other.len_utf8();
                    last = other;
                }
                tokens.push(Token { kind: Kind::Word, text: &text[start..end], at: start..end });
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_blocks_are_told_from_what_is_around_them() {
        let text = "map $a $b { default \"server {\"; }\n\
                    upstream x { server 127.0.0.1:1; }\n\
                    # server { listen 80; }\n\
                    server {\n  listen 80; listen [::]:80;\n  server_name a.example 'b.example';\n\
                      location ~ \"^/[0-9]{4}\" { return 200 \"}\"; }\n}\n\
                    server { listen 443 ssl; server_name a.example; }\n\
                    server { server_name c.example; }\n\
                    server { listen 127.0.0.1:8080; listen unix:/run/x; }";
        let blocks = server_blocks(text);
        let seen: Vec<_> =
            blocks.iter().map(|block| (block.on_port_80, block.names.join(" "))).collect();
        let expected =
            [(true, "a.example b.example"), (false, "a.example"), (true, "c.example"), (false, "")];
        assert_eq!(seen, expected.map(|(on, names)| (on, names.to_owned())));
        assert!(text[blocks[0].body.clone()].trim_end().ends_with("return 200 \"}\"; }"));
        assert_eq!(text.as_bytes()[blocks[0].body.end], b'}');
    }

    #[test]
    fn a_text_that_is_cut_off_has_the_blocks_that_are_whole() {
        assert_eq!(server_blocks("server { listen 80; } server { listen \"80").len(), 1);
        assert_eq!(server_blocks("} server { }").len(), 0);
        assert_eq!(server_blocks("").len(), 0);
    }
}
