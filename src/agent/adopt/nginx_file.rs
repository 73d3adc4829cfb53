//! What a file of nginx says, as far as vhosts go. Pure.

/// A directive: its words, and what is in its block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Directive {
    pub(super) words: Vec<String>,
    pub(super) block: Vec<Self>,
}

impl Directive {
    /// Returns the directive's name.
    pub(super) fn name(&self) -> &str {
        self.words.first().map(String::as_str).unwrap_or_default()
    }

    /// Returns the words behind the name.
    pub(super) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Lists this directive and all inside of it.
    pub(super) fn all(&self) -> Vec<&Self> {
        let inside = self.block.iter().flat_map(Self::all);
        std::iter::once(self).chain(inside).collect()
    }
}

/// Reads a file; what is damaged ends it.
pub(super) fn parse(text: &str) -> Vec<Directive> {
    let mut tokens = tokens(text).into_iter();
    block(&mut tokens)
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

fn block(tokens: &mut impl Iterator<Item = Token>) -> Vec<Directive> {
    let mut found = Vec::new();
    let mut next = Directive::default();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => next.words.push(word),
            Token::End => found.push(std::mem::take(&mut next)),
            Token::Open => {
                next.block = block(tokens);
                found.push(std::mem::take(&mut next));
            }
            Token::Close => break,
        }
    }
    found
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let single = match c {
            ';' => Some(Token::End),
            // `${name}` is a variable.
            '{' if !word.ends_with('$') => Some(Token::Open),
            '}' if !word.contains("${") || word.ends_with('}') => Some(Token::Close),
            _ => None,
        };
        if single.is_some() || c.is_whitespace() || (c == '#' && word.is_empty()) {
            if !word.is_empty() {
                tokens.push(Token::Word(std::mem::take(&mut word)));
            }
            tokens.extend(single);
            if c == '#' {
                while characters.next_if(|c| *c != '\n').is_some() {}
            }
            continue;
        }
        match c {
            '"' | '\'' if word.is_empty() => {
                let mut quoted = String::new();
                while let Some(inner) = characters.next() {
                    match inner {
                        '\\' => quoted.extend(characters.next()),
                        end if end == c => break,
                        other => quoted.push(other),
                    }
                }
                tokens.push(Token::Word(quoted));
            }
            '\\' => word.extend(characters.next()),
            other => word.push(other),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_quotes_and_comments_are_understood() {
        let text = "# upstream x { }\nupstream odoo { server 127.0.0.1:8069 weight=1; }\n\
                    server {\n listen 80; server_name shop.example www.shop.example; # }\n\
                    location / { proxy_set_header A \"b; } c\"; proxy_pass http://odoo; }\n}\n";
        let found = parse(text);
        let names: Vec<_> = found.iter().map(Directive::name).collect();
        assert_eq!(names, ["upstream", "server"]);
        let inside: Vec<_> = found[1].all().iter().map(|one| one.name().to_owned()).collect();
        assert_eq!(
            inside,
            ["server", "listen", "server_name", "location", "proxy_set_header", "proxy_pass"]
        );
        assert_eq!(found[1].block[1].arguments(), ["shop.example", "www.shop.example"]);
    }

    #[test]
    fn a_variable_is_no_block() {
        let found = parse("set $a ${b}c; return 200;");
        assert_eq!(found[0].words, ["set", "$a", "${b}c"]);
        assert_eq!(found.len(), 2);
    }
}
